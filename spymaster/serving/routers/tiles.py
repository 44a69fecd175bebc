"""Dense cells of one surface at one level of detail."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from spymaster.serving.deps import SecondsDep, ServicesDep, SessionDep
from spymaster.serving.download import MEDIA
from spymaster.serving.errors import BadRequestError, UnknownSurfaceError
from spymaster.serving.http import JobResponse, cache_headers, encodes, not_modified
from spymaster.serving.surfaces import BY_NAME
from spymaster.serving.tiles import TILE_ROWS, TILES_PER_REQUEST, tile_stream

router = APIRouter(prefix="/v1/sessions/{symbol}/{dt}/tiles")


class Level(IntEnum):
    """Levels of detail: seconds that a row stands for."""

    ONE = 1
    FOUR = 4
    SIXTEEN = 16
    SIXTY_FOUR = 64


@router.get("/{surface}", response_class=Response, responses={200: {"content": {MEDIA["arrow"]: {}}}})
def tiles(
    request: Request,
    services: ServicesDep,
    session: SessionDep,
    surface: str,
    seconds: SecondsDep,
    lod: Annotated[Level, Query(description="seconds per row")] = Level.ONE,
    pool: Annotated[Literal["max", "mean", "last"] | None, Query()] = None,
    v: Annotated[str | None, Query(max_length=16, description="data version: makes the answer immutable")] = None,
) -> Response:
    """Seconds [from, to) as an Arrow stream, one row per group of `lod` seconds; `pool` applies to the first column."""
    wire = BY_NAME.get(surface)
    if wire is None or not wire.tiles:
        raise UnknownSurfaceError("no such surface has tiles")
    start, stop = seconds
    if (stop - start) > TILE_ROWS * TILES_PER_REQUEST * lod:
        raise BadRequestError(f"at most {TILE_ROWS * TILES_PER_REQUEST} rows per request")
    headers = cache_headers(request, session)
    known = not_modified(request, headers)
    if known is not None:
        return known
    body = tile_stream(session, wire, start, stop, lod, pool)
    return JobResponse(services.jobs, body, compressed=encodes(request), media_type=MEDIA["arrow"], headers=headers)
