"""`silver.order_event`: what every message did to its order."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import AGGRESSOR, MESSAGE_KIND, TIMESTAMP

_FILLS = ("fill_partial", "fill_full", "refill")
_TRADES = ("trade", "trade_implied")


class OrderEvent(TableModel):
    """One row per live message of the selected contract, fills paired with the book changes that follow them.

    A cancel or modify that settles reported fills and changes more besides is two rows: the fills, then the rest. A
    modify to the other side is a cancel and an add.
    Fills of unknown orders, cancels of unknown orders and modifies that change nothing are no rows; the manifest counts
    them. Orders that a snapshot brings are in `order_life` only.
    """

    layer = "silver"
    name = "order_event"
    sort_by = ("event_id",)
    constant = ("contract",)
    time_column = "ts_event"
    parameters = ("instrument",)
    parquet = ParquetLayout(
        delta=("ts_event", "ts_recv", "sequence", "event_id"),
        split=("order_id",),
        pruning=("ts_event",),
        row_group_rows=1_048_576,
    )

    ts_event = Column(TIMESTAMP, "time of the message at the exchange", unit="ns")
    ts_recv = Column(TIMESTAMP, "receive time", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    sequence = Column(pl.UInt32, "message sequence number of the venue")
    event_id = Column(pl.Int64, "0-based number of the closed live event in file order", ge=0)
    kind = Column(
        MESSAGE_KIND,
        "add; cancel: nothing is left; reprice; size_up, size_down; fill_partial, fill_full: "
        "executed, by what is left of the displayed size; refill: executed, then shown again with more than was left; "
        "trade, trade_implied: a print, the latter without an order",
    )
    side = Column(AGGRESSOR, "side of the order; of a print the aggressor, N without one")
    order_id = Column(pl.UInt64, "order id of the exchange; 0 in trade_implied")
    price_int = Column(pl.Int64, "price of the order after the message, or of the print", unit="1e-9 price")
    prev_price_int = Column(
        pl.Int64, "price of the order before a reprice; null in other kinds", unit="1e-9 price", nullable=True
    )
    qty = Column(
        pl.Int32,
        "lots added, taken away, executed (fill_*, refill, trade*), or of a reprice lots now at the new price",
        unit="lots",
        ge=0,
    )
    size_before = Column(pl.Int32, "displayed size before, 0 in add; null in prints", unit="lots", nullable=True, ge=0)
    size_after = Column(pl.Int32, "displayed size after; null in prints", unit="lots", nullable=True, ge=0)
    dist_ticks = Column(
        pl.Int32,
        "distance of the price from the best price of its side before the event, 0 at it, negative inside it; null in "
        "prints, without that price, and in the first event after a snapshot",
        unit="ticks",
        nullable=True,
    )
    rel_ticks = Column(
        pl.Int32, "price minus that of the last print before the event; null before one", unit="ticks", nullable=True
    )
    book_valid = Column(pl.Boolean, "after the event the book is complete and not in doubt")

    invariants = (
        Invariant(
            "prints_have_no_size",
            "size_before and size_after are null in prints only",
            lambda pl: (
                pl.col("kind").is_in(_TRADES).eq(pl.col("size_before").is_null())
                & pl.col("kind").is_in(_TRADES).eq(pl.col("size_after").is_null())
            ),
        ),
        Invariant(
            "reprices_come_from_somewhere",
            "prev_price_int is null but in a reprice",
            lambda pl: pl.col("kind").eq("reprice").eq(pl.col("prev_price_int").is_not_null()),
        ),
        Invariant(
            "sizes_add_up",
            "the sizes before and after differ by qty, as the kind says",
            lambda pl: (
                pl.when(pl.col("kind").is_in(("add", "size_up")))
                .then(pl.col("size_after") - pl.col("size_before") == pl.col("qty"))
                .when(pl.col("kind").is_in(("cancel", "size_down", "fill_partial", "fill_full")))
                .then(pl.col("size_before") - pl.col("size_after") == pl.col("qty"))
                .when(pl.col("kind") == "refill")
                .then(pl.col("size_after") > pl.col("size_before") - pl.col("qty"))
                .when(pl.col("kind") == "reprice")
                .then(pl.col("size_after") == pl.col("qty"))
                .otherwise(True)
            ),
        ),
        Invariant(
            "ends_leave_nothing",
            "cancel and fill_full leave nothing, size_down something",
            lambda pl: (
                pl.when(pl.col("kind").is_in(("cancel", "fill_full")))
                .then(pl.col("size_after") == 0)
                .when(pl.col("kind").is_in(("size_down", "fill_partial")))
                .then(pl.col("size_after") > 0)
                .otherwise(True)
            ),
        ),
    )
