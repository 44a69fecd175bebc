"""`gold.algo_law`: what is usual about the orders of a date, for the tests of later dates."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import PROVENANCE


class AlgoLaw(TableModel):
    """One row per date: sizes of its entries and what counts as large.

    What is tested on a date must not be chosen by a look at it: favourite sizes and thresholds come from this table of
    earlier dates. Without seconds, or messages, the date has no row.
    """

    layer = "gold"
    name = "algo_law"
    key = ("session_date",)
    time_column = None
    parameters = ("instrument",)

    session_date = Column(pl.Date, "trade date of the exchange that most of the date's messages belong to")
    contract = Column(pl.String, "the selected contract of the date")
    n_messages = Column(pl.Int64, "messages of the date", unit="messages", ge=0)
    sizes = Column(pl.List(pl.Int32), "sizes of entries, rising, those above 1000 as 1000", unit="lots")
    counts = Column(pl.List(pl.Int64), "how many entries had each of the sizes", unit="orders")
    large_behind = Column(
        pl.Int64,
        "95th percentile of the sizes of orders 1 to 5 ticks behind the best price, 5 at least",
        unit="lots",
        ge=5,
    )
    layer_total = Column(
        pl.Int64,
        "99th percentile of the lots of large orders that enter within 2 s, on a side, 1 to 5 ticks behind the best",
        unit="lots",
        ge=0,
    )
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "a_count_for_every_size",
            "sizes and counts are equally long",
            lambda pl: pl.col("sizes").list.len() == pl.col("counts").list.len(),
        ),
    )
