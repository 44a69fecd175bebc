"""Analogues: setups of earlier dates that resemble an episode, or any second."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

import polars as pl
import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from spymaster.serving.alike import MOST_NEIGHBOURS, Asked, ask, document, parse_ns, paths_document
from spymaster.serving.catalog import SessionKey
from spymaster.serving.deps import AsOf, ServicesDep, SessionDep
from spymaster.serving.download import MEDIA
from spymaster.serving.errors import BadQuestionError, UnavailableError, UnknownEpisodeError
from spymaster.serving.http import json_response
from spymaster.serving.known import read
from spymaster.serving.session import Session
from spymaster.serving.surfaces import LATER_TABLES

NOT_KEPT = {"Cache-Control": "no-store"}
"""What was concealed and what was revealed have different addresses, and neither is worth keeping."""
_EPISODES = LATER_TABLES["episodes"]


class _Question(APIRoute):
    """Parameters that cannot be are a bad question (400): 422 says that a question looks ahead."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                fault = error.errors()[0]
                where = ".".join(str(part) for part in fault["loc"])
                raise BadQuestionError(f"{where}: {fault['msg']}") from error

        return handled


router = APIRouter(prefix="/v1/analogues", route_class=_Question)
of_episodes = APIRouter(prefix="/v1/sessions/{symbol}/{dt}/episodes/{episode_id}")

Neighbours = Annotated[
    int | None, Query(ge=1, le=MOST_NEIGHBOURS, description="neighbours; those of the profile if not given")
]
Horizon = Annotated[int | None, Query(ge=1, le=360, description="seconds: 30, 120, 360; 120 (c120: 360) if not given")]
Reveal = Annotated[bool, Query(description="tell outcomes, shares with their base rates, and paths after the decision")]
Time = Annotated[str, Query(max_length=40, description="ns since the epoch, or RFC 3339 with an offset")]


@router.get("", response_class=JSONResponse)
def analogues_at(
    request: Request,
    services: ServicesDep,
    symbol: Annotated[str, Query(pattern="^[A-Z0-9]{1,12}$")],
    ts: Time,
    family: Literal["auto", "s1", "s5", "c120"] = "auto",
    direction: Literal["auto", "up", "down"] = "auto",
    k: Neighbours = None,
    horizon: Horizon = None,
    reveal: Reveal = False,
    as_of: Annotated[str | None, Query(max_length=40, description="refuse a question about a later time")] = None,
) -> Response:
    """Setups of earlier dates that resemble the last whole second up to `ts`, from what was known then."""
    known_at = None if as_of is None else parse_ns(as_of, name="as_of")
    asked = Asked(symbol, parse_ns(ts, name="ts"), family, direction, k, horizon, known_at)
    info = services.catalog.get(SessionKey(symbol, asked.dt))
    with services.questions.turn():
        body = document(services.kept, ask(services.kept, info, asked), reveal=reveal)
    return json_response(request, JSONResponse(None).render(body), dict(NOT_KEPT))


@router.get(
    "/paths", response_class=Response, responses={200: {"content": {MEDIA[form]: {} for form in ("arrow", "json")}}}
)
def analogue_paths(
    request: Request,
    services: ServicesDep,
    query_id: Annotated[str, Query(max_length=64, description="that of an answer")],
    reveal: Reveal = False,
    format: Annotated[Literal["arrow", "json"], Query()] = "arrow",  # noqa: A002 - the name of the parameter
) -> Response:
    """The mid from 300 s before the decision of each neighbour on; revealed, to 300 s after it.

    In ticks from the mid at the decision, positive along its direction, where the lake still holds its seconds.
    """
    asked = Asked.parse(query_id)
    info = services.catalog.get(SessionKey(asked.symbol, asked.dt))
    with services.questions.turn():
        answer = ask(services.kept, info, asked, paths=True)[0]
    if format == "json":
        text = JSONResponse(None).render(paths_document(answer, reveal=reveal))
        return json_response(request, text, dict(NOT_KEPT))
    rows = answer.paths if reveal else answer.concealed().paths
    table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(sink.getvalue().to_pybytes(), media_type=MEDIA["arrow"], headers=dict(NOT_KEPT))


@of_episodes.get("/analogues", response_class=JSONResponse)
def analogues_of(
    request: Request,
    services: ServicesDep,
    session: SessionDep,
    episode_id: str,
    as_of: AsOf,
    k: Neighbours = None,
    horizon: Horizon = None,
    reveal: Reveal = False,
) -> Response:
    """Setups of earlier dates that resemble an episode at its decision: touches by `s1`, candles by `c120`."""
    kind, direction, decision = _decided(session, episode_id, as_of)
    family, way = "s1" if kind == "touch" else "c120", "up" if direction > 0 else "down"
    asked = Asked(session.key.symbol, decision, family, way, k, horizon, session.timeline.end_ns(as_of))
    with services.questions.turn():
        body = document(services.kept, ask(services.kept, session.info, asked), reveal=reveal, episode_id=episode_id)
    return json_response(request, JSONResponse(None).render(body), dict(NOT_KEPT))


def _decided(session: Session, episode_id: str, as_of: int) -> tuple[str, int, int]:
    """Kind, direction and time of the decision of an episode that was decided by then."""
    status = session.info.panel_status("episodes")
    if not status.ok:
        raise UnavailableError(f"episodes: {status.reason}")
    decided = pl.col("ts_decision").to_physical()
    named = (pl.col("episode_id") == episode_id) & ~pl.col("is_placebo") & (decided <= session.timeline.end_ns(as_of))
    rows = read(session.info.partitions[_EPISODES], rows=named)
    found = rows.select(pl.col("kind").cast(pl.String), "direction", decided.alias("decided"))
    if not found.height:
        raise UnknownEpisodeError("no such episode is known by then")
    return found.row(0)
