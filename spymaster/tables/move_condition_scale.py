"""`gold.move_condition_scale`: what is usual for a measure at a time of day, from earlier sessions."""

from __future__ import annotations

from typing import Any

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel

CONDITIONS = ("r_ask", "n_ask", "r_bid", "n_bid", "f_ask", "f_bid")
"""Measures with a z: retreat, net pull and consumption of either side."""
FITS = ("micro_price", "ofi_weights")
"""What is fitted over whole days, as JSON."""
SCALE_MEASURES = (*CONDITIONS, "add", "msgs", "absorb", *FITS)
TOD_BUCKETS = 48
"""Half hours of a New York day."""
WHOLE_DAY = -1
"""Half hour of what is fitted over whole days."""


def _of_fits(pl: Any) -> pl.Expr:
    return (pl.col("tod_bucket") == WHOLE_DAY) == pl.col("measure").is_in(FITS)


def _empty_is_null(pl: Any) -> pl.Expr:
    empty, fit = pl.col("n_rows") == 0, pl.col("measure").is_in(FITS)
    return (
        (pl.col("median").is_null() == (empty | fit))
        & (pl.col("mad").is_null() == (empty | fit))
        & (pl.col("value_json").is_null() | (fit & ~empty))
    )


class MoveConditionScale(TableModel):
    """One row per half hour of the New York day, measure and look-back: median and spread over earlier sessions.

    r retreat, n net pull, f consumption of either side, add quantity added on a side, and of single seconds (look-back
    1) msgs messages and absorb. Pools are the valid rows of up to 30 sessions before the date. n and f of a pooled row
    use the epsilon of this very pool: the larger of 1 % of the median add and half a lot.

    Two rows of half hour -1 are fits over whole days: ofi_weights, ten weights of the imbalances of the best prices,
    and micro_price, what the mid is expected to move by (ticks) for eleven bins of the imbalance at spreads of 1, 2
    and at least 3 ticks.
    """

    layer = "gold"
    name = "move_condition_scale"
    key = ("tod_bucket", "measure", "horizon_s")
    parameters = ("instrument", "setups")

    tod_bucket = Column(
        pl.Int32, "half hour of the New York day, 0 from midnight; -1 of fits", ge=WHOLE_DAY, lt=TOD_BUCKETS
    )
    measure = Column(pl.String, "what is scaled", isin=SCALE_MEASURES)
    horizon_s = Column(pl.Int32, "look-back", unit="s", isin=(1, 5, 15))
    median = Column(pl.Float64, "median of the pool; null if it is empty, and of fits", nullable=True)
    mad = Column(
        pl.Float64,
        "median absolute difference from the median; null if the pool is empty, and of fits",
        nullable=True,
        ge=0,
    )
    value_json = Column(
        pl.String, "numbers of a fit; null if the pool is empty or tells nothing, and of all else", nullable=True
    )
    n_sessions = Column(pl.Int32, "sessions with a row in the pool", unit="sessions", ge=0)
    n_rows = Column(pl.Int64, "rows in the pool", unit="rows", ge=0)
    last_dt_used = Column(pl.Date, "last session of the pool; null if it is empty", nullable=True)

    invariants = (
        Invariant(
            "empty_pool_is_null",
            "median and mad are null exactly for fits and where the pool is empty, value_json but for fits",
            _empty_is_null,
        ),
        Invariant("fits_are_of_whole_days", "half hour -1 exactly for fits", _of_fits),
        Invariant(
            "rows_need_sessions",
            "as many sessions as rows, at most",
            lambda pl: pl.col("n_sessions") <= pl.col("n_rows"),
        ),
    )
