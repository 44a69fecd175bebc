"""Signing in: a ticket or the token becomes a cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from spymaster.serving.deps import ServicesDep
from spymaster.serving.http import problem
from spymaster.serving.security import cookie_name
from spymaster.serving.services import Services

router = APIRouter()


class SignIn(BaseModel):
    """The token, as `spymaster token` shows it."""

    token: str = Field(max_length=256)


@router.get("/auth")
async def with_ticket(
    request: Request, services: ServicesDep, ticket: Annotated[str, Query(max_length=256)]
) -> Response:
    """Take a sign-in link: sets the cookie and goes to the page. A link works once, for ten minutes."""
    if not services.guard.use_ticket(ticket):
        return problem(401, "bad_ticket", "this link was used or is too old", "spymaster token --link makes a new one")
    return _signed_in(request, services, RedirectResponse("/", status_code=303))


@router.post("/auth", status_code=204)
async def with_token(request: Request, services: ServicesDep, body: SignIn) -> Response:
    """Exchange the token for the cookie."""
    if not services.guard.is_token(body.token):
        return problem(401, "bad_token", "this is not the token")
    return _signed_in(request, services, Response(status_code=204))


def _signed_in(request: Request, services: Services, response: Response) -> Response:
    port = (request.scope.get("server") or ("", 0))[1] or 0
    response.set_cookie(
        cookie_name(port),
        services.guard.cookie_value,
        httponly=True,
        samesite="strict",
        path="/",
        secure=request.url.scheme == "https",
    )
    response.headers["Cache-Control"] = "no-store"
    return response
