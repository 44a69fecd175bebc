"""`gold.move_condition_scale`: what is usual for a measure at a time of day, from earlier sessions."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel

CONDITIONS = ("r_ask", "n_ask", "r_bid", "n_bid", "f_ask", "f_bid")
"""Measures with a z: retreat, net pull and consumption of either side."""
SCALE_MEASURES = (*CONDITIONS, "add", "msgs", "absorb")
TOD_BUCKETS = 48
"""Half hours of a New York day."""


class MoveConditionScale(TableModel):
    """One row per half hour of the New York day, measure and look-back: median and spread over earlier sessions.

    r retreat, n net pull, f consumption of either side, add quantity added on a side, and of single seconds (look-back
    1) msgs messages and absorb. Pools are the valid rows of up to 30 sessions before the date. n and f of a pooled row
    use the epsilon of this very pool: the larger of 1 % of the median add and half a lot.
    """

    layer = "gold"
    name = "move_condition_scale"
    key = ("tod_bucket", "measure", "horizon_s")
    parameters = ("instrument", "setups")

    tod_bucket = Column(pl.Int32, "half hour of the New York day, 0 from midnight", ge=0, lt=TOD_BUCKETS)
    measure = Column(pl.String, "what is scaled", isin=SCALE_MEASURES)
    horizon_s = Column(pl.Int32, "look-back", unit="s", isin=(1, 5, 15))
    median = Column(pl.Float64, "median of the pool; null if it is empty", nullable=True)
    mad = Column(
        pl.Float64, "median absolute difference from the median; null if the pool is empty", nullable=True, ge=0
    )
    n_sessions = Column(pl.Int32, "sessions with a row in the pool", unit="sessions", ge=0)
    n_rows = Column(pl.Int64, "rows in the pool", unit="rows", ge=0)
    last_dt_used = Column(pl.Date, "last session of the pool; null if it is empty", nullable=True)

    invariants = (
        Invariant(
            "empty_pool_is_null",
            "median and mad are null exactly where the pool is empty",
            lambda pl: (
                (pl.col("median").is_null() == (pl.col("n_rows") == 0))
                & (pl.col("mad").is_null() == (pl.col("n_rows") == 0))
            ),
        ),
        Invariant(
            "rows_need_sessions",
            "as many sessions as rows, at most",
            lambda pl: pl.col("n_sessions") <= pl.col("n_rows"),
        ),
    )
