"""What may be known at a second: rows of context tables, filtered by when each became known. Pure.

Times leave as seconds of the session's timeline, prices as ticks, so that a client compares integers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from spymaster.serving.errors import BadRequestError
from spymaster.serving.fill import SECOND_NS, Timeline


def parse_second(text: str, timeline: Timeline, *, name: str) -> int:
    """A second given as an integer or as RFC 3339 with an offset; may lie outside the timeline.

    Raises `BadRequestError`.
    """
    if text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= 10:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or len(text) > 40:
        raise BadRequestError(f"{name} must be a second or a time with an offset (RFC 3339)")
    whole = int((moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    return whole - timeline.t0_ns // SECOND_NS


def candles(frame: pl.DataFrame, timeline: Timeline, tick: int, as_of: int) -> list[dict[str, Any]]:
    """Bars of `candle_2m` that have closed by the end of second `as_of`."""
    closed = _known(frame, "window_end", timeline, as_of)
    rows = []
    for row in closed.iter_rows(named=True):
        bar = {f"{name}_tick": _tick(row[f"{name}_price_int"], tick) for name in ("open", "high", "low", "close")}
        bar |= {f"{name}_tick": _price_tick(row.get(name), tick) for name in ("sma200", "sma400")}
        bar |= {"from": _start_sec(row["bar_start"], timeline), "to": _start_sec(row["window_end"], timeline)}
        bar |= {name: row.get(name) for name in ("volume", "is_complete", "is_halt")}
        rows.append(bar)
    return rows


def levels(frame: pl.DataFrame, timeline: Timeline, tick: int, as_of: int) -> list[dict[str, Any]]:
    """Levels of `session_level` that had become valid by the end of second `as_of`; placebos never.

    `valid_to` is null while it lies after `as_of`: when a level ends is not known before it does.
    """
    rows = []
    for row in _known(frame.filter(~pl.col("is_placebo")), "valid_from", timeline, as_of).iter_rows(named=True):
        end = row["valid_to"]
        to = _start_sec(end, timeline) if end is not None else None
        rows.append(
            {
                "level_id": row["level_id"],
                "level_type": row["level_type"],
                "price_tick": _tick(row["price_int"], tick),
                "valid_from": _start_sec(row["valid_from"], timeline),
                "valid_to": to if to is not None and to <= as_of else None,
                "is_moving": row["is_moving"],
                "group_id": row["group_id"],
                "tags": row["tags"],
            }
        )
    return rows


def _known(frame: pl.DataFrame, column: str, timeline: Timeline, as_of: int) -> pl.DataFrame:
    return frame.filter(pl.col(column).to_physical() <= timeline.end_ns(as_of))


def _start_sec(moment: Any, timeline: Timeline) -> int:
    """Second that begins at a moment."""
    ns = pl.Series([moment], dtype=pl.Datetime("ns", "UTC")).to_physical()[0]
    return (ns - timeline.t0_ns) // SECOND_NS


def _tick(price_int: int | None, tick: int) -> int | None:
    """The nearest tick: averages lie off the grid; halfway is up."""
    return (2 * price_int + tick) // (2 * tick) if price_int is not None else None


def _price_tick(price: float | None, tick: int) -> float | None:
    """A price in ticks, four digits after the point: the rest is noise of the division."""
    return round(price * 1e9 / tick, 4) if price is not None else None
