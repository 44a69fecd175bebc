"""`silver.option_quote_1s`: the best quotes of options, where they changed, and the volatility they mean."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import REJECT_REASON, TIMESTAMP


class OptionQuote1s(TableModel):
    """One row per second and option in which its best quote or validity changed, or it traded: consumers fill forward.

    Options of the universe only (expirations within `options.max_days`, on the session's contract unless configured).
    `iv` is Black-76 at the forward of the second (`option_forward_1s`), from the quote of the strike's side that is out
    of the money; delta and gamma follow from it. All three are null together, and then `reject_reason` says why.
    """

    layer = "silver"
    name = "option_quote_1s"
    key = ("window_end", "instrument_id")
    time_column = "window_end"
    parameters = ("options", "instrument")
    parquet = ParquetLayout(split=("iv", "delta", "gamma"))

    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    instrument_id = Column(pl.UInt32, "numeric id, as in option_definition of the date")
    bid_price_int = Column(pl.Int64, "best bid; null without bids", unit="1e-9 price", nullable=True)
    bid_qty = Column(pl.Int32, "quantity at the best bid; null without bids", unit="lots", nullable=True, ge=1)
    ask_price_int = Column(pl.Int64, "best ask; null without asks", unit="1e-9 price", nullable=True)
    ask_qty = Column(pl.Int32, "quantity at the best ask; null without asks", unit="lots", nullable=True, ge=1)
    mid = Column(pl.Float32, "mean of best bid and ask; null if a side is empty", unit="price", nullable=True)
    buy_volume = Column(pl.Int32, "volume of buying aggressors in the window", unit="lots", ge=0)
    sell_volume = Column(pl.Int32, "volume of selling aggressors in the window", unit="lots", ge=0)
    add_qty = Column(pl.Int32, "quantity added since the option's last row", unit="lots", ge=0)
    pull_qty = Column(pl.Int32, "quantity cancelled since the option's last row", unit="lots", ge=0)
    valid = Column(pl.Boolean, "the option's book is known, by a snapshot or a clear, and not in doubt")
    iv = Column(pl.Float32, "implied volatility per square root of a year; null if rejected", nullable=True, gt=0)
    delta = Column(pl.Float32, "change per point of the forward; null if rejected", nullable=True, ge=-1, le=1)
    gamma = Column(pl.Float32, "change of delta per point; null if rejected", unit="1/price", nullable=True, ge=0)
    reject_reason = Column(REJECT_REASON, "why there is no volatility; null where there is one", nullable=True)

    invariants = (
        Invariant(
            "priced_or_rejected",
            "iv, delta and gamma are null exactly where there is a reject_reason",
            lambda pl: (
                (pl.col("iv").is_null() == pl.col("reject_reason").is_not_null())
                & (pl.col("delta").is_null() == pl.col("iv").is_null())
                & (pl.col("gamma").is_null() == pl.col("iv").is_null())
            ),
        ),
        Invariant(
            "quantity_with_price",
            "a side has a price exactly where it has a quantity",
            lambda pl: (
                (pl.col("bid_price_int").is_null() == pl.col("bid_qty").is_null())
                & (pl.col("ask_price_int").is_null() == pl.col("ask_qty").is_null())
            ),
        ),
    )
