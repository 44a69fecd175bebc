"""`silver.candle_2m`: two-minute candles with their averages."""

from __future__ import annotations

from typing import Any

import polars as pl

from spymaster.tables.book_snapshot_1s import all_or_none
from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import TIMESTAMP

BAR_NS = 120_000_000_000
"""Length of a candle; candles lie on multiples of it since the epoch, so 09:30 New York is always an edge."""

_OHLC = ("open_price_int", "high_price_int", "low_price_int", "close_price_int")


def _price(what: str) -> Column:
    return Column(
        pl.Int64, f"{what}; null before the date's first trade on the market", unit="1e-9 price", nullable=True
    )


def _in_range(pl: Any) -> pl.Expr:
    low, high = pl.col("low_price_int"), pl.col("high_price_int")
    return pl.all_horizontal([pl.col(name).is_between(low, high) for name in _OHLC])


class Candle2m(TableModel):
    """One row per two minutes in which the exchange trades, of the selected contract.

    Prices and quantities are those of trade events at the market: within 4 ticks of the quotes before the event, and
    one tick further for every price that it swept. A candle without one is carried: its prices are the last close.
    The averages go over the last 200 and 400 closes, this one included, of this date and up to five earlier ones, whose
    prices are moved by what the roll from one contract to the next was worth.
    """

    layer = "silver"
    name = "candle_2m"
    key = ("bar_start",)
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument", "setups")

    contract = Column(pl.String, "the selected contract of the date")
    session_date = Column(pl.Date, "trade date of the exchange: after the daily halt, that of the next session")
    bar_index = Column(pl.Int64, "candles since the epoch", ge=0)
    candle_id = Column(pl.Int32, "candles since 09:30 New York of session_date, negative before it")
    bar_start = Column(TIMESTAMP, "start of the candle, inclusive", unit="ns")
    window_end = Column(TIMESTAMP, "end of the candle, exclusive: known from then on", unit="ns")
    open_price_int = _price("first price")
    high_price_int = _price("highest price")
    low_price_int = _price("lowest price")
    close_price_int = _price("last price")
    volume = Column(pl.Int64, "traded quantity", unit="lots", ge=0)
    buy_volume = Column(pl.Int64, "traded quantity with a buying aggressor", unit="lots", ge=0)
    sell_volume = Column(pl.Int64, "traded quantity with a selling aggressor", unit="lots", ge=0)
    none_volume = Column(pl.Int64, "traded quantity without an aggressor (auction, implied)", unit="lots", ge=0)
    n_trades = Column(pl.Int32, "trade events", unit="events", ge=0)
    n_off_market = Column(pl.Int32, "trade events too far from the quotes, in nothing else here", unit="events", ge=0)
    vwap_price_int = Column(
        pl.Int64, "volume-weighted mean price; null without volume", unit="1e-9 price", nullable=True
    )
    n_msgs = Column(pl.Int64, "live records", unit="records", ge=0)
    sigma_bar_ticks = Column(
        pl.Float64,
        "root mean square of the 15 s changes of the mid, times root 8; null with fewer than 4 of the 8",
        unit="ticks",
        nullable=True,
        ge=0,
    )
    sma200 = Column(
        pl.Float64, "mean of the last 200 closes; null until there are as many", unit="price", nullable=True
    )
    sma400 = Column(
        pl.Float64, "mean of the last 400 closes; null until there are as many", unit="price", nullable=True
    )
    roll_adj_int = Column(
        pl.Int64,
        "what prices of the earlier date's contract are moved by: mid of this contract minus mid of that one when the "
        "date opens; 0 without a roll, null where one of the two books is missing",
        unit="1e-9 price",
        nullable=True,
    )
    is_complete = Column(pl.Boolean, "all 120 seconds are there, and the file does not end inside the last")
    is_halt = Column(pl.Boolean, "the exchange does not trade, or the book is not valid, in some second of it")
    is_carry = Column(pl.Boolean, "no trade at the market")

    invariants = (
        Invariant(
            "two_minutes",
            "window_end - bar_start = 120 s, on a multiple of it",
            lambda pl: (
                (pl.col("window_end").to_physical() - pl.col("bar_start").to_physical() == BAR_NS)
                & (pl.col("bar_start").to_physical() == pl.col("bar_index") * BAR_NS)
            ),
        ),
        all_or_none("prices", _OHLC),
        Invariant("in_range", "low <= open, close <= high", _in_range),
        Invariant(
            "volume_by_aggressor",
            "volume = buy_volume + sell_volume + none_volume",
            lambda pl: pl.col("volume") == pl.col("buy_volume") + pl.col("sell_volume") + pl.col("none_volume"),
        ),
        Invariant(
            "carry_has_no_trades",
            "is_carry exactly without trades, and then without volume",
            lambda pl: (
                (pl.col("is_carry") == (pl.col("n_trades") == 0)) & (~pl.col("is_carry") | (pl.col("volume") == 0))
            ),
        ),
        Invariant(
            "vwap_of_volume",
            "vwap_price_int is null exactly without volume",
            lambda pl: pl.col("vwap_price_int").is_null() == (pl.col("volume") == 0),
        ),
        Invariant(
            "carried_prices_are_one",
            "a carried candle has one price",
            lambda pl: ~pl.col("is_carry") | (pl.col("high_price_int") == pl.col("low_price_int")),
        ),
        Invariant(
            "long_average_needs_more",
            "sma400 only with sma200",
            lambda pl: pl.col("sma400").is_null() | pl.col("sma200").is_not_null(),
        ),
    )
