"""Candles for the tests of episodes: made by hand, or of the mid of a market."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from spymaster.tables.types import TIMESTAMP
from spymaster_tests.setups.markets import BAR, SECOND, SPOT, TICK, ns

START = ns("09:00")
OPEN = ns("09:30")
Candle = tuple[float, float, float]
"""High, low and close, ticks from SPOT."""


def candles(first_id: int, rows: Sequence[Candle], **flags: Sequence[int]) -> pl.DataFrame:
    """Candles in a row from a candle id on; flags name the ids at which they are turned."""
    ids = np.arange(first_id, first_id + len(rows))
    start = OPEN + ids * BAR

    def flagged(name: str) -> np.ndarray:
        return np.isin(ids, list(flags.get(name, ())))

    return pl.DataFrame(
        {
            "bar_index": start // BAR,
            "candle_id": pl.Series(ids, dtype=pl.Int32),
            "bar_start": pl.Series(start).cast(TIMESTAMP),
            **{
                f"{name}_price_int": [SPOT + round(row[k] * TICK) for row in rows]
                for k, name in enumerate(("high", "low", "close"))
            },
            "is_complete": ~flagged("torn"),
            "is_halt": flagged("halted"),
            "is_carry": flagged("carried"),
        }
    )


def bars_of(mids_start: int, count: int, bbo: pl.DataFrame) -> pl.DataFrame:
    """Candles of the mid of a market."""
    mid = (bbo["bid_price_int"] + bbo["ask_price_int"]) // 2 // TICK * TICK
    time = pl.Series(np.maximum.accumulate(bbo["ts_event"].to_physical().to_numpy()))
    grouped = (
        pl.DataFrame({"bar_index": time // BAR, "mid": mid})
        .group_by("bar_index", maintain_order=True)
        .agg(
            high_price_int=pl.col("mid").max(), low_price_int=pl.col("mid").min(), close_price_int=pl.col("mid").last()
        )
    )
    start = grouped["bar_index"] * BAR
    return grouped.select(
        "bar_index",
        pl.Series("candle_id", (start - OPEN) // BAR, dtype=pl.Int32),
        start.cast(TIMESTAMP).alias("bar_start"),
        "high_price_int",
        "low_price_int",
        "close_price_int",
        is_complete=pl.Series((start >= mids_start) & (start + BAR <= mids_start + count * SECOND)),
        is_halt=pl.lit(False),
        is_carry=pl.lit(False),
    )
