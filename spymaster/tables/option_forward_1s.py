"""`silver.option_forward_1s`: what each expiry's options are priced against, second by second."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import FORWARD_SOURCE, TIMESTAMP


class OptionForward1s(TableModel):
    """One row per second and expiration of the universe: forward, time to expiry, put-call parity, volatility.

    Every second from the first to the last of the future's snapshot or of the options' quotes, while a definition of
    the expiration is known and it is not over.

    The forward is the mid of the future that the definitions name, where Silver has its book (the selected contract),
    else what the expiry's own quotes say by put-call parity. Parity is worked out in both cases: the gap between the
    two tells whether the options and the future are of one market.
    """

    layer = "silver"
    name = "option_forward_1s"
    key = ("window_end", "expiration", "underlying")
    time_column = "window_end"
    parameters = ("options", "instrument")

    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    expiration = Column(TIMESTAMP, "expiration of the options", unit="ns")
    underlying = Column(pl.String, "raw symbol of the future that they deliver")
    years = Column(pl.Float64, "time to expiration in years of 365 days, at least 60 s", unit="years", gt=0)
    forward = Column(
        pl.Float64, "forward that the options are priced with; null if unknown", unit="price", nullable=True
    )
    forward_source = Column(FORWARD_SOURCE, "future: mid of the future; parity: put-call parity; none: unknown")
    parity_forward = Column(pl.Float64, "forward by put-call parity; null without pairs", unit="price", nullable=True)
    parity_width_ticks = Column(
        pl.Float32, "half of what the best pair leaves open; null without pairs", unit="ticks", nullable=True, ge=0
    )
    parity_strikes = Column(pl.Int32, "strikes that had a say in the parity forward", unit="strikes", ge=0)
    parity_gap_ticks = Column(
        pl.Float32, "parity forward minus mid of the future; null where one is unknown", unit="ticks", nullable=True
    )
    atm_iv = Column(pl.Float32, "smoothed volatility at the forward; null without a smile", nullable=True, gt=0)

    invariants = (
        Invariant(
            "source_says_whether_known",
            "forward is null exactly where forward_source is none",
            lambda pl: pl.col("forward").is_null() == (pl.col("forward_source") == "none"),
        ),
    )
