"""`silver.bbo_change`: every change of the best bid or offer."""

from __future__ import annotations

import polars as pl

from spymaster.tables.book_snapshot_1s import all_or_none
from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import TIMESTAMP


class BboChange(TableModel):
    """One row per completed event that changed the best bid or offer of the selected contract, and both after it.

    The book is read only at the close of an event; changes inside one are not rows.
    """

    layer = "silver"
    name = "bbo_change"
    key = ("event_id",)
    constant = ("contract",)
    time_column = "ts_event"
    parameters = ("engine", "instrument")

    ts_event = Column(TIMESTAMP, "time of the event's first record at the exchange", unit="ns")
    ts_recv = Column(TIMESTAMP, "receive time of the event's first record", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    event_id = Column(pl.Int64, "0-based number of the closed live event in file order", ge=0)
    bid_price_int = Column(pl.Int64, "best bid; null without bids", unit="1e-9 price", nullable=True)
    bid_qty = Column(pl.Int32, "quantity at the best bid; null without bids", unit="lots", nullable=True, ge=0)
    bid_orders = Column(pl.Int32, "orders at the best bid; null without bids", unit="orders", nullable=True, ge=1)
    ask_price_int = Column(pl.Int64, "best ask; null without asks", unit="1e-9 price", nullable=True)
    ask_qty = Column(pl.Int32, "quantity at the best ask; null without asks", unit="lots", nullable=True, ge=0)
    ask_orders = Column(pl.Int32, "orders at the best ask; null without asks", unit="orders", nullable=True, ge=1)
    crossed = Column(pl.Boolean, "best bid >= best ask")
    book_valid = Column(pl.Boolean, "the book is complete and not in doubt")

    invariants = (
        all_or_none("bid_side", ("bid_price_int", "bid_qty", "bid_orders")),
        all_or_none("ask_side", ("ask_price_int", "ask_qty", "ask_orders")),
        Invariant(
            "crossed_is_crossed",
            "crossed exactly when best bid >= best ask",
            lambda pl: pl.col("crossed") == (pl.col("bid_price_int") >= pl.col("ask_price_int")).fill_null(False),
        ),
    )
