"""Small synthetic options of a session: definitions, and quotes that change and trade at random."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.option_quote_1s import OptionQuote1s
from spymaster.tables.types import TIMESTAMP

FIRST_ID = 500_000
CALL, PUT = FIRST_ID, FIRST_ID + 1
"""Ids of the first strike."""


def definitions_of(strikes: Iterable[float], *, known_at_ns: int = 0) -> pl.DataFrame:
    """A call and a put per strike (points), ids in that order from `FIRST_ID` on."""
    rows = [
        {
            "instrument_id": FIRST_ID + 2 * i + (right == "P"),
            "ts_recv": known_at_ns,
            "contract": f"E1A {right}{strike:g}",
            "asset": "E1A",
            "instrument_class": right,
            "right": right,
            "strike_price_int": round(strike * 1e9),
            "expiration": None,
            "underlying": "ESH4",
            "underlying_id": 17077,
            "tick_size_int": 50_000_000,
            "multiplier": 50.0,
            "currency": "USD",
            "exchange": "XCME",
            "is_user_defined": False,
            "is_deleted": False,
        }
        for i, strike in enumerate(strikes)
        for right in "CP"
    ]
    schema = OptionDefinition.schema()
    frame = pl.DataFrame(rows, schema={**schema, "ts_recv": pl.Int64}).cast(schema)  # type: ignore[arg-type]
    return OptionDefinition.validate(frame.sort("instrument_id", "ts_recv"))


def quotes_of(definitions: pl.DataFrame, snapshot: pl.DataFrame, *, seed: int, busy: float = 0.3) -> pl.DataFrame:
    """Quotes of the options in the windows of a snapshot; a fifth of the rows is rejected, a third trades."""
    rng = np.random.default_rng(seed)
    ids, sign = definitions["instrument_id"].to_numpy(), np.where(definitions["right"] == "C", 1.0, -1.0)
    strikes = definitions["strike_price_int"].to_numpy() / 1e9
    parts = []
    for end, spot in snapshot.select(pl.col("window_end").to_physical(), "spot_ref_price_int").iter_rows():
        which = np.flatnonzero(rng.random(len(ids)) < busy)
        if spot is None or not len(which):
            continue
        n = len(which)
        near = 1.0 / (1.0 + np.exp(-(spot / 1e9 - strikes[which]) / 10.0))
        delta = np.where(sign[which] > 0, near, near - 1.0)
        rejected = rng.random(n) < 0.2
        trades = rng.random(n) < 0.33
        parts.append(
            pl.DataFrame(
                {
                    "window_end": np.full(n, end),
                    "instrument_id": ids[which],
                    "bid_price_int": np.full(n, 9_000_000_000),
                    "bid_qty": rng.integers(1, 9, n),
                    "ask_price_int": np.full(n, 9_500_000_000),
                    "ask_qty": rng.integers(1, 9, n),
                    "mid": np.full(n, 9.25),
                    "buy_volume": trades * rng.integers(0, 20, n),
                    "sell_volume": trades * rng.integers(0, 20, n),
                    "add_qty": rng.integers(0, 5, n),
                    "pull_qty": rng.integers(0, 5, n),
                    "valid": np.full(n, True),
                    "iv": np.full(n, 0.2),
                    "delta": delta,
                    "gamma": np.full(n, 0.01),
                    "reject_reason": np.where(rejected, "wide", ""),
                }
            )
        )
    frame = pl.concat(parts).with_columns(pl.col("reject_reason").replace("", None))
    priced = pl.col("reject_reason").is_null()
    frame = frame.with_columns(
        pl.when(priced).then(name).otherwise(None).alias(name) for name in ("iv", "delta", "gamma")
    )
    return OptionQuote1s.validate(frame.cast(OptionQuote1s.schema()).sort("window_end", "instrument_id"))  # type: ignore[arg-type]


def quotes_from(*rows: tuple[int, int, int, int, float | None]) -> pl.DataFrame:
    """The columns that option flow reads, from rows of (second, id, bought, sold, delta)."""
    schema = {
        "window_end": pl.Int64,
        "instrument_id": pl.UInt32,
        "buy_volume": pl.Int32,
        "sell_volume": pl.Int32,
        "delta": pl.Float32,
    }
    return pl.DataFrame([(second * 10**9, *row) for second, *row in rows], schema=schema, orient="row").with_columns(
        pl.col("window_end").cast(TIMESTAMP)
    )
