"""What surrounds the surfaces at a second: candles, levels, reading, exact values, overview, and what is yet to come.

Every answer that could tell of the future takes `as_of`, and knows nothing after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from spymaster.serving import known
from spymaster.serving.batches import columns_of
from spymaster.serving.deps import AsOf, SessionDep
from spymaster.serving.download import json_value, plain
from spymaster.serving.errors import BadRequestError, UnavailableError, UnknownEpisodeError
from spymaster.serving.fill import SECOND_NS
from spymaster.serving.http import cache_headers, json_response, not_modified
from spymaster.serving.loader import dense_second
from spymaster.serving.lod import NO_TICK
from spymaster.serving.session import CHUNK_S, Session
from spymaster.serving.surfaces import BY_NAME, SURFACES
from spymaster.serving.usual import PRESSURE, pressure_usual
from spymaster.tables import table

WALL = "silver.wall_surface_1s"
_PRICE_COLUMNS = ("price_int", "bucket_price_int", "strike_price_int")

router = APIRouter(prefix="/v1/sessions/{symbol}/{dt}")

Second = Annotated[int, Query(ge=0, le=86_400)]


@router.get("/candles", response_class=JSONResponse)
def candles(request: Request, session: SessionDep, as_of: AsOf) -> Response:
    """Two-minute bars that had closed by `as_of`."""
    return _list(request, session, "candles", as_of, known.candles)


@router.get("/levels", response_class=JSONResponse)
def levels(request: Request, session: SessionDep, as_of: AsOf) -> Response:
    """Levels that had become valid by `as_of`."""
    return _list(request, session, "levels", as_of, known.levels)


@router.get("/episodes", response_class=JSONResponse)
def episodes(
    request: Request, session: SessionDep, as_of: AsOf, kind: Literal["touch", "candle"] | None = None
) -> Response:
    """Times that price came to a level, decided by `as_of`, with what had come of them. No placebos."""

    def of_kind(session: Session, as_of: int) -> list[dict[str, Any]]:
        return [one for one in known.episodes(session, as_of) if kind in (None, one["kind"])]

    return _list(request, session, "episodes", as_of, of_kind)


@router.get("/episodes/{episode_id}", response_class=JSONResponse)
def episode(request: Request, session: SessionDep, episode_id: str, as_of: AsOf) -> Response:
    """One episode as it was known by `as_of`."""
    _require(session, "episodes")
    for one in known.episodes(session, as_of):
        if one["episode_id"] == episode_id:
            return _json(request, session, {"as_of": as_of, "episode": one})
    raise UnknownEpisodeError("no such episode is known by then")


@router.get("/evidence", response_class=JSONResponse)
def evidence(request: Request, session: SessionDep, as_of: AsOf) -> Response:
    """Findings of automation known by `as_of`: of earlier dates, then of the date's own tests, with what they tried.

    `intensity` is the share of messages owed to findings of earlier dates, by minutes that are over.
    """
    _require(session, "evidence")
    # Findings of other dates are in it, which the data version does not know.
    return _json(request, session, {"as_of": as_of, **known.evidence(session, as_of)}, tagged_by_itself=True)


@router.get("/reading", response_class=JSONResponse)
def reading(request: Request, session: SessionDep, sec: Second) -> Response:
    """What the tables say at a second, in words, with the facts behind it."""
    row = _row(session, sec, "reading")
    body = {"sec": sec, **{name: row[name] for name in ("above", "below", "moves")}}
    return _json(request, session, body | {"facts": json.loads(row["facts"] or "null")})


@router.get("/inspect", response_class=JSONResponse)
def inspect(request: Request, session: SessionDep, sec: Second, tick: Annotated[int, Query()]) -> Response:
    """Exact values of every table at one second and price, with units, and the codes that the pictures show.

    Components of pressure come with `usual`: what earlier sessions had at this distance from spot, which they count by.
    """
    if not 0 <= sec < session.seconds:
        raise BadRequestError(f"second {sec} is not within 0..{session.seconds - 1}")
    if abs(tick) > 2**31:
        raise BadRequestError("no such tick")
    snap = _row(session, sec, "snap")
    spot = snap["spot_tick"]
    tables = {}
    for name in sorted(session.info.partitions):
        model = table(name)
        if model.time_column == "window_end" and session.info.table_status(name, (model.time_column,)).ok:
            rows = _cell_rows(session, name, sec, tick)
            units = {column: model.columns[column].unit for column in rows.columns if column in model.columns}
            records = [{k: json_value(v) for k, v in row.items()} for row in plain(rows).iter_rows(named=True)]
            tables[name] = {"rows": records, "units": units}
            if name == PRESSURE and rows.height:
                tables[name]["usual"] = pressure_usual(session, rows.item(0, "rel_buckets"))
    body = {
        "sec": sec,
        "tick": tick,
        "price": tick * session.tick / 1e9,
        "rel_tick": tick - spot if spot != NO_TICK else None,
        "state": snap["state"],
        "flags": snap["flags"],
        "codes": _codes(session, sec, tick - spot) if spot != NO_TICK else {},
        "tables": tables,
    }
    return _json(request, session, body)


@router.get("/overview", response_class=JSONResponse)
def overview(request: Request, session: SessionDep, as_of: AsOf) -> Response:
    """Per minute: lowest, highest and last spot, and the share of valid seconds; nothing after `as_of`.

    `episodes` is null where their table is there and cannot be read.
    """
    frame = session.info.partitions["silver.book_snapshot_1s"].read(
        ["window_end", "spot_ref_price_int", "window_valid"]
    )
    start = session.timeline.t0_ns
    sec = (pl.col("window_end").to_physical() - start) // SECOND_NS - 1
    minutes = (
        frame.with_columns(sec=sec, spot=pl.col("spot_ref_price_int") // session.tick)
        .filter(pl.col("sec") <= as_of)
        .group_by(minute=pl.col("sec") // 60, maintain_order=True)
        .agg(
            spot_min=pl.col("spot").min(),
            spot_max=pl.col("spot").max(),
            spot_close=pl.col("spot").drop_nulls().last(),
            valid_share=pl.col("window_valid").mean().round(4),
        )
    )
    try:
        decided = [
            {name: one[name] for name in ("episode_id", "kind", "direction", "decision")}
            for one in known.episodes(session, as_of)
        ]
    except UnavailableError:
        decided = None
    body = {
        "as_of": as_of,
        "minutes": [{"from": row.pop("minute") * 60, **row} for row in minutes.iter_rows(named=True)],
        "episodes": decided,
    }
    return _json(request, session, body, tagged_by_itself=decided is None)


def _list(
    request: Request, session: Session, panel: str, as_of: int, rows: Callable[[Session, int], list[dict[str, Any]]]
) -> Response:
    _require(session, panel)
    return _json(request, session, {"as_of": as_of, panel: rows(session, as_of)})


def _require(session: Session, panel: str) -> None:
    if not session.info.panel_status(panel).ok:
        raise _unavailable(session, panel)


def _unavailable(session: Session, panel: str) -> UnavailableError:
    return UnavailableError(f"{panel}: {session.info.panel_status(panel).reason}")


def _row(session: Session, sec: int, surface: str) -> dict[str, Any]:
    if not 0 <= sec < session.seconds:
        raise BadRequestError(f"second {sec} is not within 0..{session.seconds - 1}")
    chunk = session.chunk(sec // CHUNK_S)
    return chunk.batches[surface].slice(sec - chunk.first, 1).to_pylist()[0]


def _cell_rows(session: Session, name: str, sec: int, tick: int) -> pl.DataFrame:
    """Rows of a table at a second, those of one price where the table has prices."""
    price = tick * session.tick
    frame = dense_second(session, name, sec)
    for column in _PRICE_COLUMNS:
        if column in frame.columns:
            width = session.bucket_ticks * session.tick if column == "bucket_price_int" else session.tick
            return frame.filter((pl.col(column) <= price) & (price < pl.col(column) + width))
    return frame


def _codes(session: Session, sec: int, rel: int) -> dict[str, Any]:
    """Code and decoded value of the cell in every drawn column."""
    geometry = session.geometry
    if abs(rel) > geometry.half_ticks:
        return {}
    chunk = session.chunk(sec // CHUNK_S)
    codes: dict[str, Any] = {}
    for surface in SURFACES:
        for column in surface.columns:
            if column.transfer is None:
                continue
            values = columns_of(BY_NAME[surface.name], chunk.batches[surface.name].slice(sec - chunk.first, 1))
            code = values[column.name][0, geometry.half_ticks + rel : geometry.half_ticks + rel + 1]
            decoded = session.transfers.of(column.transfer).decode(code)
            codes[f"{surface.name}.{column.name}"] = {
                "code": int(code[0]),
                "value": json_value(float(decoded[0])),
                "unit": column.unit,
            }
    return codes


def _json(request: Request, session: Session, body: dict[str, Any], *, tagged_by_itself: bool = False) -> Response:
    """tagged_by_itself: for an answer that depends on more than the data of the session."""
    text = JSONResponse(None).render(body)
    headers = cache_headers(request, session, body=text if tagged_by_itself else None)
    unchanged = not_modified(request, headers)
    return unchanged or json_response(request, text, headers)
