"""Hand-made trades, quotes and seconds for candles and levels: small frames with the columns those read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, time
from typing import Any

import numpy as np
import polars as pl

from spymaster.market.calendar import wall_time_ns
from spymaster.tables.types import TIMESTAMP

TICK = 250_000_000
SECOND = 1_000_000_000
BAR = 120 * SECOND
DT = date(2024, 3, 6)
SPOT = 4800 * 4 * TICK

Print = Sequence[Any]
"""Seconds since the start, ticks from SPOT, lots; side of the aggressor; prices swept."""


def ns(wall: str, dt: date = DT) -> int:
    """A New York wall time of a date, ns UTC."""
    return wall_time_ns(dt, time.fromisoformat(wall))


def trades(start: int, prints: Sequence[Print]) -> pl.DataFrame:
    """Trade events, with event ids 10, 20, ... in order."""
    rows: list[Any] = [(*one, *("B", 1)[len(one) - 3 :]) for one in prints]
    return pl.DataFrame(
        {
            "ts_event": pl.Series([start + round(row[0] * SECOND) for row in rows], dtype=pl.Int64).cast(TIMESTAMP),
            "event_id": pl.Series([10 * (i + 1) for i in range(len(rows))], dtype=pl.Int64),
            "price_int": pl.Series([SPOT + round(row[1] * TICK) for row in rows], dtype=pl.Int64),
            "vwap_price_int": pl.Series([SPOT + round(row[1] * TICK) for row in rows], dtype=pl.Int64),
            "qty": pl.Series([row[2] for row in rows], dtype=pl.Int64),
            "aggressor": pl.Series([row[3] for row in rows], dtype=pl.Enum(["B", "A", "N"])),
            "levels_consumed": pl.Series([row[4] for row in rows], dtype=pl.Int32),
        }
    )


def quotes(changes: list[tuple[int, int | None, int | None]]) -> pl.DataFrame:
    """Best prices in ticks from SPOT after events: (event id, bid, ask)."""
    return pl.DataFrame(
        {
            "event_id": pl.Series([row[0] for row in changes], dtype=pl.Int64),
            **{
                name: pl.Series(
                    [None if (at := row[k]) is None else SPOT + at * TICK for row in changes], dtype=pl.Int64
                )
                for k, name in ((1, "bid_price_int"), (2, "ask_price_int"))
            },
        }
    )


def seconds(
    start: int, count: int, *, mids: np.ndarray | None = None, invalid: tuple[int, ...] = (), phase: str = "continuous",
    contract: str = "ESH4",
) -> pl.DataFrame:  # fmt: skip
    """Snapshot rows from `start` on; `mids` in ticks from SPOT (0 where not given)."""
    ticks = np.zeros(count) if mids is None else np.asarray(mids)
    return pl.DataFrame(
        {
            "window_end": pl.Series(start + np.arange(1, count + 1) * SECOND).cast(TIMESTAMP),
            "contract": pl.Series([contract] * count, dtype=pl.String),
            "mid_price_int": pl.Series(SPOT + np.round(ticks * TICK).astype(np.int64)),
            "message_count": pl.Series(np.arange(1, count + 1) % 7, dtype=pl.Int32),
            "crossed": pl.Series([False] * count, dtype=pl.Boolean),
            "phase": pl.Series([phase] * count, dtype=pl.Enum(["closed", "pre_open", "continuous"])),
            "is_partial": pl.Series([False] * count, dtype=pl.Boolean),
            "book_valid": pl.Series([k not in invalid for k in range(count)], dtype=pl.Boolean),
        }
    )


def random_market(seed: int, start: int, count: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Trades, quotes and seconds of a walking price, with stray prints, empty stretches and sweeps."""
    rng = np.random.default_rng(seed)
    n = count // 3
    at = np.sort(rng.integers(0, count * SECOND, n))
    at = at[~((at // SECOND > count // 3) & (at // SECOND < count // 3 + 300))]  # five minutes without a trade
    n = len(at)
    price = np.cumsum(rng.integers(-1, 2, n))
    stray = np.where(rng.random(n) < 0.05, rng.integers(-12, 13, n), 0)
    trade = pl.DataFrame(
        {
            "ts_event": pl.Series(start + at).cast(TIMESTAMP),
            "event_id": pl.Series(np.arange(n) * 2 + 1),
            "price_int": pl.Series(SPOT + (price + stray) * TICK),
            "vwap_price_int": pl.Series(SPOT + (price + stray) * TICK - rng.integers(0, 3, n)),
            "qty": pl.Series(rng.integers(0, 40, n)),
            "aggressor": pl.Series(rng.choice(["B", "A", "N"], n), dtype=pl.Enum(["B", "A", "N"])),
            "levels_consumed": pl.Series(rng.integers(1, 4, n), dtype=pl.Int32),
        }
    )
    quote = quotes([(2 * k, int(price[k]) - 1, None if k % 41 == 0 else int(price[k]) + 1) for k in range(n)])
    mids = np.cumsum(rng.normal(0, 0.4, count))
    second = seconds(start, count, mids=mids, invalid=tuple(rng.integers(0, count, 3).tolist()))
    return trade, quote, second


def stored(frame: pl.DataFrame) -> bytes:
    """The bytes that a frame is stored as."""
    file = io.BytesIO()
    frame.rechunk().write_parquet(file)
    return file.getvalue()


class Held:
    """Rows of a date that are read like a stored partition."""

    symbol = "ES"

    def __init__(self, dt: date, frame: pl.DataFrame) -> None:
        self.dt, self.frame, self.label = dt, frame, f"rows of {dt}"
        self.reads = 0

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows; counted."""
        self.reads += 1
        return self.frame if columns is None else self.frame.select(columns)

    def scan(self, columns: Sequence[str]) -> pl.LazyFrame:
        """The same, lazily."""
        return self.read(columns).lazy()
