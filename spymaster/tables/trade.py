"""`silver.trade`: the match events of the selected contract."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import AGGRESSOR, TIMESTAMP


class Trade(TableModel):
    """One row per event with at least one trade record: what was taken, by whom, through how many prices."""

    layer = "silver"
    name = "trade"
    key = ("event_id",)
    constant = ("contract",)
    time_column = "ts_event"
    parameters = ("engine", "instrument")

    ts_event = Column(TIMESTAMP, "time of the event's first record at the exchange", unit="ns")
    ts_recv = Column(TIMESTAMP, "receive time of the event's first record", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    event_id = Column(pl.Int64, "0-based number of the closed live event in file order", ge=0)
    price_int = Column(pl.Int64, "price of the last print", unit="1e-9 price")
    vwap_price_int = Column(pl.Int64, "volume-weighted price of the prints", unit="1e-9 price")
    qty = Column(pl.Int64, "traded quantity", unit="lots", ge=0)
    aggressor = Column(AGGRESSOR, "side of the first print: B buyer, A seller, N none (auction, implied)")
    levels_consumed = Column(pl.Int32, "distinct prices printed", unit="levels", ge=1)
    l1_qty_before = Column(
        pl.Int32,
        "quantity at the best price of the passive side before the event; null without an aggressor or an empty side",
        unit="lots",
        nullable=True,
        ge=0,
    )
    n_fills = Column(pl.Int32, "fill records of the event", unit="records", ge=0)
    is_implied = Column(pl.Boolean, "the first print names no order")

    invariants = (
        Invariant(
            "passive_side_known",
            "l1_qty_before is null without an aggressor",
            lambda pl: (pl.col("aggressor") != "N") | pl.col("l1_qty_before").is_null(),
        ),
        Invariant(
            "one_price_one_vwap",
            "vwap_price_int = price_int if a single price printed",
            lambda pl: (pl.col("levels_consumed") > 1) | (pl.col("vwap_price_int") == pl.col("price_int")),
        ),
    )
