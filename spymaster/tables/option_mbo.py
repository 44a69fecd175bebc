"""`bronze.option_mbo`: the market-by-order records of the root's options, as they came."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, ParquetLayout, TableModel
from spymaster.tables.types import ACTION, RECORD_SIDE, TIMESTAMP


class OptionMbo(TableModel):
    """Every market-by-order record of the root's options for one UTC date, in the order of the file.

    A file holds thousands of instruments, so rows are not grouped: one pass reads them all. What an instrument is says
    `option_definition`.
    """

    layer = "bronze"
    name = "option_mbo"
    time_column = "ts_recv"
    parquet = ParquetLayout(
        delta=("ts_event", "ts_recv", "sequence"),
        split=("order_id", "size", "ts_in_delta"),
        dictionary=("instrument_id", "price_int", "action", "side"),
        pruning=("ts_event",),
    )

    instrument_id = Column(pl.UInt32, "numeric id of the publisher, valid for this session")
    publisher_id = Column(pl.UInt16, "Databento publisher (dataset and venue)")
    ts_event = Column(TIMESTAMP, "time of the event at the exchange; for snapshot records the order's entry", unit="ns")
    ts_recv = Column(TIMESTAMP, "receive time; for snapshot records the time of the snapshot", unit="ns")
    order_id = Column(pl.UInt64, "order id of the exchange; 0 for a trade without one (auction, implied)")
    price_int = Column(pl.Int64, "price; null where the record has none", unit="1e-9 price", nullable=True)
    size = Column(pl.UInt32, "quantity of the record", unit="lots")
    flags = Column(
        pl.UInt8, "bit set: 0x80 last of event, 0x40 top of book, 0x20 snapshot, 0x08 bad ts_recv, 0x04 doubt"
    )
    channel_id = Column(pl.UInt8, "channel of the publisher")
    action = Column(ACTION, "A add, C cancel, M modify, R clear, T trade, F fill, N none")
    side = Column(RECORD_SIDE, "B bid, A ask, N none; of a trade the aggressor")
    ts_in_delta = Column(pl.Int32, "ts_recv minus the publisher's sending time", unit="ns")
    sequence = Column(pl.UInt32, "message sequence number of the venue; not monotone in snapshots")
