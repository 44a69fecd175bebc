"""`bronze.future_definition`: the outright futures of a session and how their prices are read."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, TableModel
from spymaster.tables.types import TIMESTAMP


class FutureDefinition(TableModel):
    """One row per instrument of the root: tick, multiplier, expiration, from its latest definition record.

    Without a raw definition file there is one row per instrument that the market-by-order file names, with tick and
    multiplier from the instrument configuration and `origin` fallback.
    """

    layer = "bronze"
    name = "future_definition"
    key = ("contract",)
    time_column = "ts_recv"
    parameters = ("instrument",)

    contract = Column(pl.String, "raw symbol of the instrument, e.g. ESH4")
    instrument_id = Column(pl.UInt32, "numeric id of the publisher, valid for this session")
    expiration = Column(TIMESTAMP, "last time it trades; null with origin fallback", unit="ns", nullable=True)
    tick_size_int = Column(pl.Int64, "smallest price step", unit="1e-9 price", ge=1)
    multiplier = Column(pl.Float64, "money per point and contract", unit="currency per point", gt=0)
    currency = Column(pl.String, "currency of price and multiplier")
    exchange = Column(pl.String, "exchange code")
    instrument_class = Column(pl.String, "class letter of DBN: F future, S spread ...")
    ts_recv = Column(TIMESTAMP, "receive time of the definition; null with origin fallback", unit="ns", nullable=True)
    origin = Column(pl.Enum(["definition", "fallback"]), "a definition record, or the instrument configuration")
