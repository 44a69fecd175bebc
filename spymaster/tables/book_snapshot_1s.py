"""`silver.book_snapshot_1s`: the book, the trades and the validity of every second."""

from __future__ import annotations

from typing import Any

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import BOOK_STATE, PHASE, TIMESTAMP


def all_or_none(name: str, columns: tuple[str, ...]) -> Invariant:
    """Columns that are known together or not at all."""

    def holds(pl: Any) -> pl.Expr:
        first = pl.col(columns[0]).is_null()
        return pl.all_horizontal([first == pl.col(other).is_null() for other in columns[1:]])

    return Invariant(name, f"{', '.join(columns)} are null together", holds)


def _quotes(pl: Any) -> tuple[pl.Expr, pl.Expr]:
    return pl.col("best_bid_price_int"), pl.col("best_ask_price_int")


def _mid_is_middle(pl: Any) -> pl.Expr:
    bid, ask = _quotes(pl)
    return (2 * pl.col("mid_price_int") - bid - ask).abs() <= 1


def _mid_needs_both(pl: Any) -> pl.Expr:
    bid, ask = _quotes(pl)
    one_sided = bid.is_null() | ask.is_null()
    return pl.all_horizontal(
        [pl.col(name).is_null() == one_sided for name in ("mid_price", "mid_price_int", "spread_ticks")]
    )


def _micro_between(pl: Any) -> pl.Expr:
    bid, ask = _quotes(pl)
    micro = pl.col("micro_price")
    tolerance = 1e-6
    low, high = pl.min_horizontal(bid, ask) * 1e-9 - tolerance, pl.max_horizontal(bid, ask) * 1e-9 + tolerance
    return micro.is_null() | (bid.is_not_null() & ask.is_not_null() & (micro >= low) & (micro <= high))


def _no_trade_no_prices(pl: Any) -> pl.Expr:
    volume = pl.col("buy_volume") + pl.col("sell_volume") + pl.col("none_volume")
    return (pl.col("trade_count") > 0) | (pl.col("trade_open_price_int").is_null() & (volume == 0))


class BookSnapshot1s(TableModel):
    """One row per second of the selected contract: best bid and offer at window_end, trades of the window, validity.

    Windows are [window_start, window_end) on whole UTC seconds; every second from the first to the last live record has
    a row. Prices of a side are null where that side is empty, never 0. A crossed book is reported, never repaired.
    """

    layer = "silver"
    name = "book_snapshot_1s"
    key = ("window_end",)
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument")

    window_start = Column(TIMESTAMP, "start of the window, inclusive", unit="ns")
    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    best_bid_price_int = Column(pl.Int64, "best bid at window_end; null without bids", unit="1e-9 price", nullable=True)
    best_bid_qty = Column(pl.Int32, "quantity at the best bid; null without bids", unit="lots", nullable=True, ge=0)
    best_bid_orders = Column(pl.Int32, "orders at the best bid; null without bids", unit="orders", nullable=True, ge=1)
    best_ask_price_int = Column(pl.Int64, "best ask at window_end; null without asks", unit="1e-9 price", nullable=True)
    best_ask_qty = Column(pl.Int32, "quantity at the best ask; null without asks", unit="lots", nullable=True, ge=0)
    best_ask_orders = Column(pl.Int32, "orders at the best ask; null without asks", unit="orders", nullable=True, ge=1)
    mid_price = Column(pl.Float64, "mean of best bid and ask; null if a side is empty", unit="price", nullable=True)
    mid_price_int = Column(pl.Int64, "the same as integer; null if a side is empty", unit="1e-9 price", nullable=True)
    micro_price = Column(
        pl.Float64,
        "best prices weighted by the opposite quantity; null if a side is empty or both quantities are 0",
        unit="price",
        nullable=True,
    )
    last_trade_price_int = Column(
        pl.Int64, "price of the last trade up to window_end; null before the first", unit="1e-9 price", nullable=True
    )
    spot_ref_price_int = Column(
        pl.Int64,
        "spot: the last trade, before the first the best bid of a valid book; otherwise null",
        unit="1e-9 price",
        nullable=True,
    )
    spread_ticks = Column(
        pl.Int32, "best ask minus best bid, negative if crossed; null if a side is empty", unit="ticks", nullable=True
    )
    trade_open_price_int = Column(
        pl.Int64, "price of the window's first trade; null without trades", unit="1e-9 price", nullable=True
    )
    trade_high_price_int = Column(
        pl.Int64, "highest trade price of the window; null without trades", unit="1e-9 price", nullable=True
    )
    trade_low_price_int = Column(
        pl.Int64, "lowest trade price of the window; null without trades", unit="1e-9 price", nullable=True
    )
    buy_volume = Column(pl.Int64, "traded quantity with a buying aggressor", unit="lots", ge=0)
    sell_volume = Column(pl.Int64, "traded quantity with a selling aggressor", unit="lots", ge=0)
    none_volume = Column(pl.Int64, "traded quantity without an aggressor (auction, implied)", unit="lots", ge=0)
    trade_count = Column(pl.Int32, "live trade records of the window", unit="records", ge=0)
    message_count = Column(pl.Int32, "live records of the window", unit="records", ge=0)
    crossed = Column(pl.Boolean, "best bid >= best ask at the close of some event of the window")
    book_state = Column(BOOK_STATE, "what the book is made of at window_end")
    phase = Column(PHASE, "trading phase at the start of the window, from the exchange calendar")
    maybe_bad_book = Column(pl.Boolean, "the publisher doubts the book during the window or at its end")
    sequence_gap = Column(pl.Boolean, "the sequence number of a record is below the one before it")
    is_partial = Column(pl.Boolean, "the file ends inside the window")
    spot_age_s = Column(
        pl.Float32, "time since the last trade at window_end; null before the first", unit="s", nullable=True, ge=0
    )
    book_valid = Column(pl.Boolean, "the book at window_end is complete and not in doubt")
    window_valid = Column(pl.Boolean, "book_valid throughout the window and no snapshot inside it")

    invariants = (
        Invariant(
            "one_second",
            "window_end - window_start = 1 s, on whole seconds",
            lambda pl: (
                (pl.col("window_end") - pl.col("window_start") == pl.duration(seconds=1, time_unit="ns"))
                & (pl.col("window_end").to_physical() % 1_000_000_000 == 0)
            ),
        ),
        all_or_none("bid_side", ("best_bid_price_int", "best_bid_qty", "best_bid_orders")),
        all_or_none("ask_side", ("best_ask_price_int", "best_ask_qty", "best_ask_orders")),
        Invariant("mid_needs_both_sides", "mid and spread are null exactly when a side is empty", _mid_needs_both),
        Invariant("mid_is_middle", "mid_price_int is half of bid plus ask", _mid_is_middle),
        Invariant("micro_between", "micro_price lies between best bid and best ask", _micro_between),
        all_or_none("trade_prices", ("trade_open_price_int", "trade_high_price_int", "trade_low_price_int")),
        Invariant(
            "trade_range",
            "trade_low <= trade_open <= trade_high",
            lambda pl: (
                (pl.col("trade_low_price_int") <= pl.col("trade_open_price_int"))
                & (pl.col("trade_open_price_int") <= pl.col("trade_high_price_int"))
            ),
        ),
        Invariant(
            "no_trade_no_prices", "a window without trades has no volume and no trade prices", _no_trade_no_prices
        ),
        Invariant(
            "trades_are_messages",
            "trade_count <= message_count",
            lambda pl: pl.col("trade_count") <= pl.col("message_count"),
        ),
        Invariant(
            "spot_is_last_trade",
            "spot is the last trade once there is one",
            lambda pl: (
                pl.col("last_trade_price_int").is_null()
                | (pl.col("spot_ref_price_int").eq_missing(pl.col("last_trade_price_int")))
            ),
        ),
        Invariant(
            "spot_age_needs_trade",
            "spot_age_s is null exactly before the first trade",
            lambda pl: pl.col("spot_age_s").is_null() == pl.col("last_trade_price_int").is_null(),
        ),
        Invariant(
            "valid_book_is_live",
            "book_valid only with book_state live",
            lambda pl: ~pl.col("book_valid") | (pl.col("book_state") == "live"),
        ),
        Invariant(
            "valid_window_has_valid_book",
            "window_valid only with book_valid and without maybe_bad_book",
            lambda pl: ~pl.col("window_valid") | (pl.col("book_valid") & ~pl.col("maybe_bad_book")),
        ),
    )
