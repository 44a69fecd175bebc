"""Columns of records as the publisher sends them, which the Bronze tables of futures and of options share."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Columns
from spymaster.tables.types import ACTION, RECORD_SIDE, STATISTIC_UPDATE, TIMESTAMP

MBO_COLUMNS = Columns(
    {
        "instrument_id": Column(pl.UInt32, "numeric id of the publisher, valid for this session"),
        "publisher_id": Column(pl.UInt16, "Databento publisher (dataset and venue)"),
        "ts_event": Column(
            TIMESTAMP, "time of the event at the exchange; for snapshot records the order's entry", unit="ns"
        ),
        "ts_recv": Column(TIMESTAMP, "receive time; for snapshot records the time of the snapshot", unit="ns"),
        "order_id": Column(pl.UInt64, "order id of the exchange; 0 for a trade without one (auction, implied)"),
        "price_int": Column(pl.Int64, "price; null where the record has none", unit="1e-9 price", nullable=True),
        "size": Column(pl.UInt32, "quantity of the record", unit="lots"),
        "flags": Column(
            pl.UInt8, "bit set: 0x80 last of event, 0x40 top of book, 0x20 snapshot, 0x08 bad ts_recv, 0x04 doubt"
        ),
        "channel_id": Column(pl.UInt8, "channel of the publisher"),
        "action": Column(ACTION, "A add, C cancel, M modify, R clear, T trade, F fill, N none"),
        "side": Column(RECORD_SIDE, "B bid, A ask, N none; of a trade the aggressor"),
        "ts_in_delta": Column(pl.Int32, "ts_recv minus the publisher's sending time", unit="ns"),
        "sequence": Column(pl.UInt32, "message sequence number of the venue; not monotone in snapshots"),
    }
)
"""Fields of a market-by-order record."""

MBO_DELTA = ("ts_event", "ts_recv", "sequence")
MBO_SPLIT = ("order_id", "size", "ts_in_delta")
"""How they are stored. Measured on real and generated days: an order id is smaller split than as a difference (1.6
against 2.5 bytes), and so are size and ts_in_delta (at half the time of a dictionary or a difference)."""

STATISTICS_COLUMNS = Columns(
    {
        "instrument_id": Column(pl.UInt32, "numeric id of the publisher, valid for this session"),
        "publisher_id": Column(pl.UInt16, "Databento publisher (dataset and venue)"),
        "stat_type": Column(pl.UInt16, "kind of statistic, by the numbers of DBN"),
        "price_int": Column(pl.Int64, "the statistic, if it is a price; else null", unit="1e-9 price", nullable=True),
        "quantity": Column(pl.Int64, "the statistic, if it is a quantity; else null", unit="lots", nullable=True),
        "ts_ref": Column(TIMESTAMP, "session that it is about; null where none is named", unit="ns", nullable=True),
        "ts_event": Column(TIMESTAMP, "time of the exchange", unit="ns"),
        "ts_recv": Column(TIMESTAMP, "receive time", unit="ns"),
        "update": Column(STATISTIC_UPDATE, "new: a value; delete: the statistic is withdrawn"),
        "stat_flags": Column(pl.UInt8, "bit set of the publisher, as it came"),
        "channel_id": Column(pl.UInt16, "channel of the publisher"),
        "sequence": Column(pl.UInt32, "message sequence number of the venue"),
    }
)
"""Fields of a statistics record."""
