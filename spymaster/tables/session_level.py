"""`silver.session_level`: prices known in advance, and from when on."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import LEVEL_TYPE, TIMESTAMP


class SessionLevel(TableModel):
    """One row per level and stretch of time in which its price holds; placebos, shifted copies of them, too.

    PM pre-market, ON overnight, PD prior regular hours (high, low, close), SETTLE settlement of the prior session, OR
    opening range of 5, 15, 30 minutes, VWAP from the session's open and RVWAP from 09:30 with bands of one and two
    standard deviations, SMA averages of candles, ROUND round prices, GEX call and put wall and ZG zero gamma, SW swing
    high and low, HVN node of the prior session's volume profile.

    A partition holds the levels of the session of its date, and of the next session from its open in the evening on.
    A level may not be used before valid_from, nor at valid_to or later.
    """

    layer = "silver"
    name = "session_level"
    key = ("level_id", "valid_from")
    constant = ("contract",)
    time_column = "valid_from"
    parameters = ("instrument", "setups")
    parquet = ParquetLayout(dictionary=("contract", "level_id", "level_type", "group_id", "placebo_of"))

    contract = Column(pl.String, "the selected contract of the date")
    session_date = Column(pl.Date, "trade date of the exchange that the level is for")
    level_id = Column(pl.String, "root:session_date:level_type:number; of a placebo, with its shift behind")
    level_type = Column(LEVEL_TYPE, "what the price is")
    price_int = Column(pl.Int64, "the price; off the tick grid where it is an average", unit="1e-9 price")
    valid_from = Column(TIMESTAMP, "the level is known from then on", unit="ns")
    valid_to = Column(TIMESTAMP, "end of the stretch, exclusive", unit="ns")
    ts_source_first = Column(TIMESTAMP, "start of what it was made from", unit="ns")
    ts_source_last = Column(TIMESTAMP, "end of what it was made from", unit="ns")
    is_moving = Column(pl.Boolean, "a level with a new row whenever it has moved by a tick")
    is_partial_source = Column(pl.Boolean, "the lake does not hold all of the time that it should be made from")
    group_id = Column(
        pl.String,
        "levels valid at once and at most 2 ticks apart share it: level_id of the first of them @ its valid_from in ns",
    )
    tags = Column(pl.List(pl.String), "level types of the group at valid_from, in order of the enumeration")
    is_placebo = Column(pl.Boolean, "a copy at a price that means nothing")
    placebo_of = Column(pl.String, "level_id of the level that it is a copy of; null for a level", nullable=True)
    placebo_shift_ticks = Column(
        pl.Int32, "price minus that of the level; null for a level", unit="ticks", nullable=True
    )
    placebo_seed = Column(
        pl.Int64, "seed of the order of shifts, a hash of the level's id; null for a level", nullable=True, ge=0
    )

    invariants = (
        Invariant("some_time", "valid_from < valid_to", lambda pl: pl.col("valid_from") < pl.col("valid_to")),
        Invariant(
            "known_before_used",
            "ts_source_first <= ts_source_last <= valid_from",
            lambda pl: (
                (pl.col("ts_source_first") <= pl.col("ts_source_last"))
                & (pl.col("ts_source_last") <= pl.col("valid_from"))
            ),
        ),
        Invariant(
            "placebo_says_so",
            "placebo_of, placebo_shift_ticks and placebo_seed are known exactly for placebos",
            lambda pl: pl.all_horizontal(
                [
                    pl.col("is_placebo") == pl.col(name).is_not_null()
                    for name in ("placebo_of", "placebo_shift_ticks", "placebo_seed")
                ]
            ),
        ),
    )
