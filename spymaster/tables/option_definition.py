"""`bronze.option_definition`: what each option of a session is, as its definition records say."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import RIGHT, TIMESTAMP


class OptionDefinition(TableModel):
    """One row per instrument of the options files and definition that differs from the one before it.

    Weekly options have roots of their own, so what is an option on the root's futures is told by the underlying, never
    by the symbol. Spreads and instruments defined by users are kept and told apart by their class; they have no right.
    A definition holds from its `ts_recv` until the instrument's next one; those replaced before the date began are left
    out.
    """

    layer = "bronze"
    name = "option_definition"
    key = ("instrument_id", "ts_recv")
    time_column = "ts_recv"
    parameters = ("instrument",)

    instrument_id = Column(pl.UInt32, "numeric id of the publisher, valid for this session")
    ts_recv = Column(TIMESTAMP, "receive time of the record; it holds from then on", unit="ns")
    contract = Column(pl.String, "raw symbol of the instrument, e.g. E2AF6 C6800")
    asset = Column(pl.String, "product root of the instrument, e.g. E2A; not the root of its future")
    instrument_class = Column(pl.String, "class letter of DBN: C call, P put, T spread of options ...")
    right = Column(RIGHT, "C call, P put; null for everything that is neither, or has no strike", nullable=True)
    strike_price_int = Column(pl.Int64, "strike; null without one", unit="1e-9 price", nullable=True)
    expiration = Column(TIMESTAMP, "last time it trades; null where the record says none", unit="ns", nullable=True)
    underlying = Column(pl.String, "raw symbol of the future that it delivers; null where none is named", nullable=True)
    underlying_id = Column(pl.UInt32, "numeric id of that future; null where none is named", nullable=True)
    tick_size_int = Column(pl.Int64, "smallest price step; null without one", unit="1e-9 price", nullable=True, ge=1)
    multiplier = Column(pl.Float64, "money per point and contract", unit="currency per point", gt=0)
    currency = Column(pl.String, "currency of price and multiplier")
    exchange = Column(pl.String, "exchange code")
    is_user_defined = Column(pl.Boolean, "a participant defined the instrument")
    is_deleted = Column(pl.Boolean, "the record withdraws the instrument")

    invariants = (
        Invariant(
            "options_have_strikes",
            "a call or put has a strike",
            lambda pl: pl.col("right").is_null() | pl.col("strike_price_int").is_not_null(),
        ),
    )
