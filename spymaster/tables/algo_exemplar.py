"""`gold.algo_exemplar`: messages behind a test that a person can open."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import MESSAGE_KIND, SIDE, TIMESTAMP

ROLES = ("member", "response", "tranche", "layer", "twin", "chain_pegged", "chain_oscillating", "chain_other")


class AlgoExemplar(TableModel):
    """One row per message or order that shows the structure of a test: 50 links nearest to the peak, 50 at random.

    Of facts, and of tests with q_bh <= 0.05; where nothing was found no message shows it.

    A link is what belongs together: a pair, a chain, an episode, or a single order. Of orders the row is their entry.
    """

    layer = "gold"
    name = "algo_exemplar"
    key = ("test_row_id", "link_id", "member")
    time_column = "ts_event"
    parameters = ("evidence", "instrument")
    parquet = ParquetLayout(dictionary=("run_id", "test_row_id", "role", "kind", "side"))

    run_id = Column(pl.String, "as in algo_run")
    test_row_id = Column(pl.String, "as in algo_test")
    link_id = Column(pl.Int32, "number of the link within the test", ge=0)
    member = Column(pl.Int32, "number of the row within the link", ge=0)
    role = Column(pl.String, "what it is in the link", isin=ROLES)
    order_id = Column(pl.UInt64, "order id of the exchange")
    event_id = Column(pl.Int64, "event of the message; null for an order whose entry was not seen", nullable=True, ge=0)
    ts_event = Column(
        TIMESTAMP, "time of the message at the exchange; without an entry the oldest time known of the order", unit="ns"
    )
    ts_end = Column(TIMESTAMP, "end of the order; null where the row is a message", unit="ns", nullable=True)
    kind = Column(MESSAGE_KIND, "kind of the message")
    side = Column(SIDE, "side of the order")
    price_int = Column(pl.Int64, "price", unit="1e-9 price")
    rel_ticks = Column(
        pl.Int32, "distance from spot, as in order_event; null without spot", unit="ticks", nullable=True
    )
    dist_ticks = Column(
        pl.Int32,
        "distance from the best price of its side before the event; null without it",
        unit="ticks",
        nullable=True,
    )
    size = Column(pl.Int32, "lots", unit="lots", gt=0)
    lifetime_ns = Column(pl.Int64, "life of the order; null where the row is a message", unit="ns", nullable=True, ge=0)
    lag_ns = Column(
        pl.Int64,
        "of a response its delay; else age, delay, phase or distance from it that the test is about",
        unit="ns",
    )
    weight = Column(pl.Float64, "share of such rows that the null does not explain", ge=0, le=1)
    is_typical = Column(pl.Boolean, "among the 50 nearest to the peak")

    invariants = (
        Invariant(
            "lives_have_an_end",
            "ts_end and lifetime_ns are null together",
            lambda pl: pl.col("ts_end").is_null() == pl.col("lifetime_ns").is_null(),
        ),
    )
