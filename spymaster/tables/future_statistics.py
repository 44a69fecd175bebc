"""`bronze.future_statistics`: statistics of the exchange on the root's futures, as they came."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, TableModel
from spymaster.tables.types import STATISTIC_UPDATE, TIMESTAMP


class FutureStatistics(TableModel):
    """Every statistics record of the root's futures for one UTC date, in the order of the file.

    Open interest is `stat_type` 9 and a quantity; 1 is the opening price, 3 the settlement, 4 and 5 the session's low
    and high, 6 the cleared volume. A record is known from its `ts_recv` on and speaks of the session `ts_ref`.
    """

    layer = "bronze"
    name = "future_statistics"
    time_column = "ts_recv"

    instrument_id = Column(pl.UInt32, "numeric id of the publisher, valid for this session")
    publisher_id = Column(pl.UInt16, "Databento publisher (dataset and venue)")
    stat_type = Column(pl.UInt16, "kind of statistic, by the numbers of DBN")
    price_int = Column(pl.Int64, "the statistic, where it is a price; else null", unit="1e-9 price", nullable=True)
    quantity = Column(pl.Int64, "the statistic, where it is a quantity; else null", unit="lots", nullable=True)
    ts_ref = Column(TIMESTAMP, "session that it is about; null where none is named", unit="ns", nullable=True)
    ts_event = Column(TIMESTAMP, "time of the exchange", unit="ns")
    ts_recv = Column(TIMESTAMP, "receive time", unit="ns")
    update = Column(STATISTIC_UPDATE, "new: a value; delete: the statistic is withdrawn")
    stat_flags = Column(pl.UInt8, "bit set of the publisher, as it came")
    channel_id = Column(pl.UInt16, "channel of the publisher")
    sequence = Column(pl.UInt32, "message sequence number of the venue")
