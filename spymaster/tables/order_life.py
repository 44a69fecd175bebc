"""`silver.order_life`: every order from its entry to its end."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import LIFE_END, SIDE, TIMESTAMP


class OrderLife(TableModel):
    """One row per life of an order of the selected contract, in the order in which lives ended; those still open last.

    An id has one life, unless a snapshot inside the file cut it in two or the feed used it twice.
    """

    layer = "silver"
    name = "order_life"
    constant = ("contract",)
    time_column = "ts_end"
    parameters = ("instrument",)
    parquet = ParquetLayout(
        delta=("ts_end",),
        split=("order_id", "ts_add", "ts_last_reprice", "event_id_add", "event_id_end"),
        row_group_rows=1_048_576,
    )

    order_id = Column(pl.UInt64, "order id of the exchange")
    contract = Column(pl.String, "the selected contract of the date")
    side = Column(SIDE, "side of the order")
    ts_add = Column(
        TIMESTAMP,
        "entry; where known_add is false the oldest time known of it (of a snapshot's order its entry)",
        unit="ns",
    )
    ts_end = Column(
        TIMESTAMP, "end; of an open life the time up to which it was watched (clear, snapshot, end of file)", unit="ns"
    )
    ts_last_reprice = Column(TIMESTAMP, "last change of price; null without one", unit="ns", nullable=True)
    event_id_add = Column(pl.Int64, "event of the entry; null where known_add is false", nullable=True, ge=0)
    event_id_end = Column(pl.Int64, "event of the end; null in an open life", nullable=True, ge=0)
    end_reason = Column(LIFE_END, "cancel: withdrawn; fill: executed; open: lost from sight while it rested")
    known_add = Column(pl.Boolean, "the entry was seen: the order is not of a snapshot nor first named by a modify")
    size0 = Column(pl.Int32, "displayed size when first seen", unit="lots", gt=0)
    price_int_add = Column(pl.Int64, "price when first seen", unit="1e-9 price")
    dist_add = Column(
        pl.Int32,
        "distance of that price from the best price of its side before the event, as in order_event; null without it, "
        "or where known_add is false",
        unit="ticks",
        nullable=True,
    )
    filled_qty = Column(pl.Int32, "executed while watched", unit="lots", ge=0)
    max_displayed = Column(pl.Int32, "largest displayed size", unit="lots", gt=0)
    n_reprice = Column(pl.Int32, "messages of kind reprice", unit="messages", ge=0)
    n_size_up = Column(pl.Int32, "messages of kind size_up", unit="messages", ge=0)
    n_size_down = Column(pl.Int32, "messages of kind size_down", unit="messages", ge=0)
    n_refill = Column(pl.Int32, "messages of kind refill", unit="messages", ge=0)
    queue_ahead_add = Column(
        pl.Int64, "lots at its price when it entered; null where known_add is false", unit="lots", nullable=True, ge=0
    )

    invariants = (
        Invariant(
            "entry_before_end",
            "ts_add <= ts_end where the entry was seen",
            lambda pl: ~pl.col("known_add") | (pl.col("ts_add") <= pl.col("ts_end")),
        ),
        Invariant(
            "entry_known_or_not",
            "event_id_add and queue_ahead_add are null exactly where known_add is false, and dist_add is null there",
            lambda pl: (
                pl.col("known_add").eq(pl.col("event_id_add").is_not_null())
                & pl.col("known_add").eq(pl.col("queue_ahead_add").is_not_null())
                & (pl.col("known_add") | pl.col("dist_add").is_null())
            ),
        ),
        Invariant(
            "open_lives_have_no_end",
            "event_id_end is null exactly in open lives",
            lambda pl: pl.col("end_reason").eq("open").eq(pl.col("event_id_end").is_null()),
        ),
        Invariant(
            "reprices_have_a_time",
            "ts_last_reprice is null exactly without a reprice",
            lambda pl: pl.col("n_reprice").eq(0).eq(pl.col("ts_last_reprice").is_null()),
        ),
        Invariant(
            "filled_before_it_ended",
            "a life that ended in a fill has executed something",
            lambda pl: (pl.col("end_reason") != "fill") | (pl.col("filled_qty") > 0),
        ),
        Invariant(
            "first_size_was_displayed",
            "max_displayed >= size0",
            lambda pl: pl.col("max_displayed") >= pl.col("size0"),
        ),
    )
