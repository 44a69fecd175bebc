"""Markets for episodes: changes of the best prices, whole seconds and levels, with everything that can go wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from spymaster.market.instruments import instrument
from spymaster.setups.mids import Mids, Seconds
from spymaster.setups.touches import LEVEL_COLUMNS
from spymaster.tables.types import LEVEL_TYPE, PHASE, TIMESTAMP
from spymaster_tests.setups.markets import DT, SECOND, SPOT, TICK

ES = instrument("ES")


def best_prices(
    times: Sequence[int] | np.ndarray, mids2: Sequence[int] | np.ndarray, **columns: pl.Series
) -> pl.DataFrame:
    """Changes of the best prices: ns, and twice the mid in ticks from SPOT; a tick wide, or two where it is even."""
    total = 2 * SPOT + np.asarray(mids2, dtype=np.int64) * TICK
    bid = (total // TICK - np.where(np.asarray(mids2) % 2 == 0, 2, 1)) // 2 * TICK
    n = len(total)
    return pl.DataFrame(
        {
            "ts_event": pl.Series(np.asarray(times, dtype=np.int64)).cast(TIMESTAMP),
            "bid_price_int": bid,
            "ask_price_int": total - bid,
            "crossed": np.zeros(n, dtype=bool),
            "book_valid": np.ones(n, dtype=bool),
        }
    ).with_columns(**columns)


def whole_seconds(start: int, count: int, bbo: pl.DataFrame, invalid: Sequence[int] = ()) -> pl.DataFrame:
    """Seconds from `start` on, with the mid that stands at the end of each; some are not valid."""
    end = start + np.arange(1, count + 1) * SECOND
    times = np.maximum.accumulate(bbo["ts_event"].to_physical().to_numpy())
    row = np.searchsorted(times, end, side="left") - 1
    mid2 = (bbo["bid_price_int"] + bbo["ask_price_int"]).to_numpy()
    number = np.arange(count)
    messages = np.diff(np.searchsorted(times, np.append(start, end)))
    mid = np.where(row >= 0, mid2[np.maximum(row, 0)] // 2, 0)
    return pl.DataFrame(
        {
            "window_end": pl.Series(end).cast(TIMESTAMP),
            "contract": pl.Series(["ESH4"] * count),
            "mid_price_int": pl.Series(mid).replace(0, None),
            "spot_ref_price_int": pl.Series(mid // TICK * TICK).replace(0, None),
            "message_count": pl.Series(messages, dtype=pl.Int32),
            "crossed": np.zeros(count, dtype=bool),
            "phase": pl.Series(["continuous"] * count, dtype=PHASE),
            "window_valid": ~np.isin(number, invalid),
        }
    )


def walking(seed: int, start: int, count: int, *, jumps: bool = True) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Best prices and seconds of a walk of `count` seconds, with jumps, breaks, crossed books and equal times."""
    rng = np.random.default_rng(seed)
    n = 6 * count
    times = start + np.sort(rng.integers(0, count * SECOND, n))
    times[rng.random(n) < 0.05] -= 3  # some rows are late
    same = np.flatnonzero(np.random.default_rng([seed, 1]).random(n - 1) < 0.05) + 1
    times[same] = times[same - 1]
    step = np.where(rng.random(n) < 0.25, rng.choice([-1, 1], n), 0)
    if jumps:
        step = np.where(rng.random(n) < 0.002, rng.integers(-40, 41, n), step)
    mids2 = np.cumsum(step) - np.cumsum(step) // 200  # leans back a little
    flags = {
        "crossed": pl.Series(rng.random(n) < 0.0004),
        "book_valid": pl.Series(rng.random(n) > 0.0002),
    }
    bbo = best_prices(times, mids2, **(flags if jumps else {}))
    return bbo, whole_seconds(start, count, bbo, rng.integers(0, count, 3).tolist() if jumps else ())


def mids_of(bbo: pl.DataFrame, seconds: pl.DataFrame) -> Mids:
    """The path of the mid as episodes see it."""
    return Mids.of(bbo, Seconds.of(seconds, TICK), ES)


def stretches(rows: Sequence[tuple[str, float, int, int]], *, group: dict[str, str] | None = None) -> pl.DataFrame:
    """Levels with `LEVEL_COLUMNS`: name (kind:number, a placebo with its shift behind), ticks from SPOT, first, end."""
    kinds = [name.split(":")[0] for name, *_ in rows]
    frame = pl.DataFrame(
        {
            "session_date": [DT] * len(rows),
            "level_id": [f"ES:{DT}:{name}" for name, *_ in rows],
            "level_type": pl.Series(kinds, dtype=LEVEL_TYPE),
            "price_int": [SPOT + round(at * TICK) for _, at, _, _ in rows],
            "valid_from": pl.Series([first for *_, first, _ in rows]).cast(TIMESTAMP),
            "valid_to": pl.Series([end for *_, end in rows]).cast(TIMESTAMP),
            "group_id": [(group or {}).get(name, f"{name}@{first}") for name, _, first, _ in rows],
            "is_placebo": [name.count(":") > 1 for name, *_ in rows],
        }
    )
    return frame.select(LEVEL_COLUMNS).sort("level_id", "valid_from")


def nothing_quoted() -> Mids:
    """A market of which nothing is known but candles."""
    bbo, seconds = walking(1, 0, 60)
    return mids_of(bbo.clear(), seconds.clear())
