"""Truth of a script: what each episode was to become and what it became, and the numbers that were planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from spymaster.market.instruments import PRICE_SCALE
from spymaster.simulator import layout
from spymaster.simulator.meetings import MeetingFile
from spymaster.simulator.schedule import SECOND_NS
from spymaster.simulator.script import Episode, Script
from spymaster.simulator.usual_rest import usual_depth

_TOUCH_HALVES = 2
"""A touch is a mid within a tick of the level; mids are twice the tick."""


def episode_columns(script: Script | None, state: Any, quotes: np.ndarray) -> dict[str, Any]:
    """`truth_episode`: the plan, and the outcome of the mid from the touch on."""
    origin, tick = _front(state)
    base = script.base(origin + layout.MIDDLE * tick) if script else 0.0
    episodes = script.episodes if script else ()
    if script and script.meetings:
        episodes = _met(script.meetings, state, origin, tick)
    prices = [round((base + one.level) * PRICE_SCALE) for one in episodes]
    realised = [realised_outcome(one, price, quotes, origin, tick) for one, price in zip(episodes, prices, strict=True)]
    return {
        "script_id": np.array([one.script_id for one in episodes], np.int32),
        "variant": pa.array([one.variant for one in episodes], pa.string()),
        "timing": pa.array([one.timing for one in episodes], pa.string()),
        "level_price_int": np.array(prices, np.int64),
        "direction": np.array([one.direction for one in episodes], np.int32),
        "ts_start": _times([one.start for one in episodes]),
        "ts_touch": _times([found[1] for found in realised]),
        "barrier_ticks": np.array([one.barrier_ticks for one in episodes], np.int32),
        "target_outcome": pa.array([one.target for one in episodes], pa.string()),
        "realised_outcome": pa.array([found[0] for found in realised], pa.string()),
        "ts_hit": _times([found[2] for found in realised]),
    }


def _met(file: MeetingFile, state: Any, origin: int, tick: int) -> tuple[Episode, ...]:
    """The meetings of a day of the random walk."""
    rows = state["meetings"][: int(state["n_meetings"])]
    horizon = round(file.after.horizon_s * SECOND_NS)
    return tuple(
        Episode(
            k, file.variant[row["variant"]].name, file.actions.timing,
            (origin + int(row["level"]) * tick) / PRICE_SCALE, int(row["direction"]), int(row["start"]),
            int(row["touch"]), file.after.barrier_ticks, horizon, file.variant[row["variant"]].outcome,
        )
        for k, row in enumerate(rows, 1)
    )  # fmt: skip


def realised_outcome(
    episode: Episode, level: int, quotes: np.ndarray, origin: int, tick: int
) -> tuple[str | None, int | None, int | None]:
    """Outcome, time of the touch and of the barrier that was met (None: never), from the best prices of the day.

    The touch is the first mid within a tick of the level, or beyond it, from the planned start to the planned touch
    and a minute more; barriers stand `barrier_ticks` either way of the mid there.
    """
    ts = quotes["ts"]
    middle = 2 * (level - origin) // tick
    mids = (quotes["bid"] + quotes["ask"] - middle) * episode.direction
    first = np.searchsorted(ts, episode.start)
    last = np.searchsorted(ts, episode.touch + 60 * 1_000_000_000)
    met = np.flatnonzero(mids[first:last] >= -_TOUCH_HALVES)
    if not len(met):
        return None, None, None
    at = int(first + met[0])
    after = mids[at : np.searchsorted(ts, ts[at] + episode.horizon_ns)] - mids[at]
    hits = np.flatnonzero(np.abs(after) >= 2 * episode.barrier_ticks)
    if not len(hits):
        return "chop", int(ts[at]), None
    hit = int(hits[0])
    return ("break" if after[hit] > 0 else "reject"), int(ts[at]), int(ts[at + hit])


def scenario_columns(script: Script | None, state: Any, seconds: np.ndarray, levels: np.ndarray) -> dict[str, Any]:
    """`truth_scenario`: planted prices and values, with what stood at the price at that second (null: not in sight)."""
    origin, tick = _front(state)
    base = script.base(origin + layout.MIDDLE * tick) if script else 0.0
    rows: list[tuple[str, int, int | None, int | None, float | None]] = []
    for one in script.steps if script else ():
        price = round((base + one.price) * PRICE_SCALE)
        rows.append((one.step, one.ts, price, _standing(seconds, levels, one.ts, (price - origin) // tick), one.value))
    if script:
        end = int(seconds["end"][-1]) if len(seconds) else 0
        for side, name in enumerate(("usual_depth_bid", "usual_depth_ask")):
            rows.append((name, end, None, int(usual_depth(state, side)), None))
    return {
        "scenario": pa.array([script.name if script else "" for _ in rows], pa.string()),
        "step": pa.array([row[0] for row in rows], pa.string()),
        "ts": _times([row[1] for row in rows]),
        "price_int": pa.array([row[2] for row in rows], pa.int64()),
        "quantity": pa.array([row[3] for row in rows], pa.int64()),
        "value": pa.array([row[4] for row in rows], pa.float64()),
    }


def _standing(seconds: np.ndarray, levels: np.ndarray, ts: int, tick: int) -> int | None:
    mine = np.flatnonzero((seconds["inst"] == layout.FRONT) & (seconds["end"] == ts))
    if not len(mine):
        return None
    found = (levels[mine[0], :, 0] == tick) & (levels[mine[0], :, 2] > 0)
    return int(levels[mine[0], :, 1][found].sum()) if found.any() else None


def _front(state: Any) -> tuple[int, int]:
    front = state["inst"][layout.FRONT]
    return int(front["origin"]), int(front["tick_size"])


def _times(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.int64()).cast(pa.timestamp("ns", tz="UTC"))
