"""Small frames of `bronze.option_definition` for tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import polars as pl

from spymaster.tables.option_definition import OptionDefinition

MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)
CLOSE = datetime(2026, 1, 6, 21, tzinfo=UTC)
CONTRACT = "ESH6"
OPTION_TICK = 50_000_000


def definition(instrument_id: int, **fields: Any) -> dict[str, Any]:
    """One row: a call at 6800 on ESH6 that expires at the close of 2026-01-06, but for what `fields` say."""
    row: dict[str, Any] = {
        "instrument_id": instrument_id,
        "ts_recv": MIDNIGHT,
        "contract": f"E1BF6 {instrument_id}",
        "asset": "E1B",
        "instrument_class": "C",
        "right": "C",
        "strike_price_int": 6_800_000_000_000,
        "expiration": CLOSE,
        "underlying": CONTRACT,
        "underlying_id": 17,
        "tick_size_int": OPTION_TICK,
        "multiplier": 50.0,
        "currency": "USD",
        "exchange": "XCME",
        "is_user_defined": False,
        "is_deleted": False,
    }
    assert fields.keys() <= row.keys()
    row |= fields
    if "right" in fields and "instrument_class" not in fields:
        row["instrument_class"] = fields["right"] or "T"
    return row


def definitions(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """The frame of rows, in the table's order, its contract kept."""
    frame = pl.DataFrame(list(rows), schema=OptionDefinition.schema(), orient="row")
    return OptionDefinition.validate(frame.sort("instrument_id", "ts_recv"))


def pairs(strikes: Iterable[float], first_id: int = 1_000, **fields: Any) -> list[dict[str, Any]]:
    """A call and a put at each strike (in points), with ids that count up from `first_id`."""
    return [
        definition(first_id + 2 * k + put, right="CP"[put], strike_price_int=round(strike * 1e9), **fields)
        for k, strike in enumerate(strikes)
        for put in (0, 1)
    ]
