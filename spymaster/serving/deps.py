"""Dependencies of the routes: shared services, and parameters that have been looked up."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from spymaster.serving.catalog import SessionKey
from spymaster.serving.errors import BadRequestError
from spymaster.serving.gate import parse_second
from spymaster.serving.services import Services
from spymaster.serving.session import Session


def services(request: Request) -> Services:
    """The services of the application."""
    return request.app.state.services


ServicesDep = Annotated[Services, Depends(services)]


def session(symbol: str, dt: str, services: ServicesDep) -> Session:
    """The market session that the path names. Runs in a worker thread, as all plain functions do."""
    return services.store.session(SessionKey.parse(symbol, dt))


SessionDep = Annotated[Session, Depends(session)]

Moment = Annotated[str | None, Query(max_length=40, description="a second, or RFC 3339 with an offset")]


def as_of(session: SessionDep, as_of: Moment = None) -> int:
    """The last second that the answer may know; the end of the market session if none is given."""
    if as_of is None:
        return session.seconds - 1
    return parse_second(as_of, session.timeline, name="as_of")


AsOf = Annotated[int, Depends(as_of)]


def seconds(
    session: SessionDep,
    start: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    stop: Annotated[str | None, Query(alias="to", max_length=40)] = None,
) -> tuple[int, int]:
    """The range [from, to) of a request, cut to the timeline. Raises `BadRequestError` for one that is upside down."""
    first = parse_second(start, session.timeline, name="from") if start is not None else 0
    last = parse_second(stop, session.timeline, name="to") if stop is not None else session.seconds
    if last < first:
        raise BadRequestError("`to` lies before `from`")
    if last - first > 86_400:
        raise BadRequestError("a range is at most 86400 seconds")
    return max(0, min(first, session.seconds)), max(0, min(last, session.seconds))


SecondsDep = Annotated[tuple[int, int], Depends(seconds)]
