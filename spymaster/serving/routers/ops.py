"""Health, readiness, metrics and version."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from spymaster import __version__
from spymaster.serving.codec import PROTOCOL
from spymaster.serving.deps import ServicesDep
from spymaster.serving.http import problem

MAX_LAG_S = 0.25

router = APIRouter()


class Version(BaseModel):
    """What is running."""

    server: str
    protocol: str
    bundle: str | None


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """`ok` while the event loop runs."""
    return "ok"


@router.get("/readyz")
async def readyz(services: ServicesDep) -> Response:
    """200 if sessions can be served, else 503 with the reasons."""
    reasons = []
    if not await services.readable():
        reasons.append("lake_unreadable")
    if services.loop_lag >= MAX_LAG_S:
        reasons.append("loop_lag")
    if services.bundle_version is None:
        reasons.append("bundle_missing")
    return JSONResponse({"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Metrics in Prometheus's text form; with the token unless they are public."""
    port = (request.scope.get("server") or ("", 0))[1] or 0
    public = services.settings.serving.metrics_public
    if not public and not services.guard.authenticated(dict(request.scope["headers"]), port):
        return problem(401, "unauthenticated", "unauthenticated")
    services.metrics.cache_bytes.set(services.store.nbytes)
    services.metrics.analogue_bytes.set(services.kept.nbytes)
    return PlainTextResponse(services.metrics.text(), media_type="text/plain; version=0.0.4")


@router.get("/v1/version")
async def version(services: ServicesDep) -> Version:
    """Versions of server, protocol and page."""
    return Version(server=__version__, protocol=PROTOCOL, bundle=services.bundle_version)
