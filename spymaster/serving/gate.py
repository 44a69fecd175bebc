"""What may be known at a second: rows of context tables, filtered by when each became known. Pure.

Times leave as seconds of the session's timeline, prices as ticks, so that a client compares integers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from spymaster.serving.errors import BadRequestError
from spymaster.serving.fill import SECOND_NS, Timeline

CANDLE_NS = 120 * SECOND_NS


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
    closed = _known(frame, "window_end", timeline, as_of).with_columns(pl.col("bar_start", "window_end").to_physical())
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
    return [level for _, level in levels_since(frame, timeline, tick, as_of)]


def levels_since(frame: pl.DataFrame, timeline: Timeline, tick: int, as_of: int) -> list[tuple[int, dict[str, Any]]]:
    """`levels`, each after the second at whose end it is known; not every level begins with a second."""
    rows = []
    valid = _known(frame.filter(~pl.col("is_placebo")), "valid_from", timeline, as_of)
    # Python's own times lose the nanoseconds.
    for row in valid.with_columns(pl.col("valid_from", "valid_to").to_physical()).iter_rows(named=True):
        end = row["valid_to"]
        to = _start_sec(end, timeline) if end is not None else None
        level = {
            "level_id": row["level_id"],
            "level_type": row["level_type"],
            "price_tick": _tick(row["price_int"], tick),
            "valid_from": _start_sec(row["valid_from"], timeline),
            "valid_to": to if to is not None and to <= as_of else None,
            "is_moving": row["is_moving"],
            "group_id": row["group_id"],
            "tags": row["tags"],
        }
        rows.append((_known_sec(row["valid_from"], timeline), level))
    return rows


def episodes(
    frame: pl.DataFrame, outcomes: pl.DataFrame | None, timeline: Timeline, tick: int, as_of: int
) -> list[dict[str, Any]]:
    """Episodes of `setup_episode` decided by the end of second `as_of`, in order; placebos never.

    Their outcomes are told once the time in which they were looked for is over: until then it is not known whether
    what was reached will be scored. `outcome` is that of the longest time; columns that are known only when the date
    is over are left out. Times are the seconds at whose end something was known.
    """
    known = _known(frame.filter(~pl.col("is_placebo")), "ts_decision", timeline, as_of).sort("ts_decision")
    known = known.with_columns(pl.col("ts_decision", "ts_approach", "ts_trigger_bar").to_physical())
    came: dict[str, list[dict[str, Any]]] = {}
    if outcomes is not None:
        over = _known(outcomes, "ts_label_end", timeline, as_of).with_columns(pl.col("ts_label_end").to_physical())
        for row in over.sort("horizon_s", "k_barrier", descending=[True, False]).iter_rows(named=True):
            came.setdefault(row["episode_id"], []).append(_outcome(row, timeline))
    return [_episode(row, came.get(row["episode_id"], []), timeline, tick) for row in known.iter_rows(named=True)]


def _episode(row: dict[str, Any], outcomes: list[dict[str, Any]], timeline: Timeline, tick: int) -> dict[str, Any]:
    trigger = row["ts_trigger_bar"]
    decision = _known_sec(row["ts_decision"], timeline)
    plain = ("episode_id", "kind", "direction", "level_id", "group_id", "level_types", "touch_index", "gap_through",
             "trigger_kind", "confirm_kind", "approach_speed", "sigma_60", "msg_rate_rel", "valid", "invalid_reason",
             "is_placebo")  # fmt: skip
    return {
        **{name: row[name] for name in plain},
        "level_tick": _tick(row["level_price_int"], tick),
        "approach": None if row["ts_approach"] is None else _known_sec(row["ts_approach"], timeline),
        # A touch is its own trigger; a candle's begins its bar, and the bar after it confirms.
        "trigger": decision if trigger is None else _known_sec(trigger, timeline),
        "confirmation": None if trigger is None else _known_sec(trigger + CANDLE_NS, timeline),
        "decision": decision,
        "outcome": outcomes[0]["outcome"] if outcomes else None,
        "outcome_at": outcomes[0]["at"] if outcomes else None,
        "outcomes": outcomes,
    }


def _outcome(row: dict[str, Any], timeline: Timeline) -> dict[str, Any]:
    plain = ("horizon_s", "k_barrier", "barrier_ticks", "outcome", "t_hit_s", "mfe_ticks", "mae_ticks", "end_ticks",
             "valid", "censored", "horizon_end_reason", "b1_break", "b1_reject", "b1_chop")  # fmt: skip
    return {**{name: row[name] for name in plain}, "at": _known_sec(row["ts_label_end"], timeline)}


def _known_sec(moment_ns: int, timeline: Timeline) -> int:
    """The first second at whose end a moment has come."""
    return -((timeline.t0_ns - moment_ns) // SECOND_NS) - 1


def _known(frame: pl.DataFrame, column: str, timeline: Timeline, as_of: int) -> pl.DataFrame:
    return frame.filter(pl.col(column).to_physical() <= timeline.end_ns(as_of))


def _start_sec(moment_ns: int, timeline: Timeline) -> int:
    """Second that a moment lies in."""
    return (moment_ns - timeline.t0_ns) // SECOND_NS


def _tick(price_int: int | None, tick: int) -> int | None:
    """The nearest tick: averages lie off the grid; halfway is up."""
    return (2 * price_int + tick) // (2 * tick) if price_int is not None else None


def _price_tick(price: float | None, tick: int) -> float | None:
    """A price in ticks, four digits after the point: the rest is noise of the division."""
    return round(price * 1e9 / tick, 4) if price is not None else None
