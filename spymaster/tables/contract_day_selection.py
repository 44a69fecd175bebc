"""`bronze.contract_day_selection`: which contract of the root a session's Silver tables are built from."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import TIMESTAMP


class ContractDaySelection(TableModel):
    """One row per outright contract in the date's market-by-order file: its counts, and the causal choice.

    The contract with the largest volume of the prior session is selected; on a first session, the one that its own
    counts name (basis first_session).
    """

    layer = "bronze"
    name = "contract_day_selection"
    key = ("contract",)
    parameters = ("instrument",)

    contract = Column(pl.String, "raw symbol of the outright")
    instrument_id = Column(pl.UInt32, "numeric id of the publisher, valid for this session")
    expiration = Column(TIMESTAMP, "last time it trades; null without a definition file", unit="ns", nullable=True)
    message_count = Column(pl.Int64, "market-by-order records of the date", unit="records", ge=0)
    trade_count = Column(pl.Int64, "trade records of the date", unit="records", ge=0)
    trade_volume = Column(pl.Int64, "quantity of the trade records", unit="lots", ge=0)
    trade_count_0930_1230 = Column(pl.Int64, "trade records 09:30-12:30 New York", unit="records", ge=0)
    prev_volume = Column(
        pl.Int64, "volume on the prior session with data; null without one", unit="lots", nullable=True, ge=0
    )
    is_selected = Column(pl.Boolean, "the contract of this date; exactly one")
    basis = Column(pl.Enum(["prior_session", "first_session"]), "what the choice rests on")
    prev_trading_date = Column(pl.Date, "the prior session with data; null on a first session", nullable=True)

    invariants = (
        Invariant(
            "one_selected",
            "exactly one contract is selected",
            lambda pl: (pl.col("is_selected").sum() == 1) | (pl.len() == 0),
        ),
        Invariant(
            "trades_are_messages",
            "trade_count <= message_count",
            lambda pl: pl.col("trade_count") <= pl.col("message_count"),
        ),
        Invariant(
            "window_within_day",
            "trade_count_0930_1230 <= trade_count",
            lambda pl: pl.col("trade_count_0930_1230") <= pl.col("trade_count"),
        ),
        Invariant(
            "basis_has_date",
            "prev_trading_date is known exactly when basis is prior_session",
            lambda pl: (pl.col("basis") == "prior_session") == pl.col("prev_trading_date").is_not_null(),
        ),
    )
