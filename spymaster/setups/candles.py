"""Two-minute candles of one date (`silver.candle_2m`), without what needs earlier dates.

Candles lie on multiples of 120 s since the epoch. Trades that the book does not explain stay out: an event counts as
at the market if its last print lies within `off_market_ticks` of the quotes before the event, and one tick further for
every price beyond the first that it swept. Without quotes nothing contradicts a print, and it counts.

The mid that `sigma_bar_ticks` uses is that of a valid, uncrossed book at the end of every fifteenth second.
"""

from __future__ import annotations

from datetime import time
from typing import Final

import numpy as np
import polars as pl

from spymaster.market.calendar import RTH_OPEN, session_dates, wall_time_ns
from spymaster.market.instruments import Instrument
from spymaster.tables.candle_2m import BAR_NS
from spymaster.tables.types import TIMESTAMP

TRADE_COLUMNS: Final = (
    "ts_event",
    "event_id",
    "price_int",
    "vwap_price_int",
    "qty",
    "aggressor",
    "levels_consumed",
)
BBO_COLUMNS: Final = ("event_id", "bid_price_int", "ask_price_int")
SNAPSHOT_COLUMNS: Final = (
    "window_end",
    "contract",
    "mid_price_int",
    "message_count",
    "crossed",
    "phase",
    "is_partial",
    "book_valid",
)
"""Columns that candles read of `silver.trade`, `silver.bbo_change` and `silver.book_snapshot_1s`."""

SECOND_NS: Final = 1_000_000_000
SIGMA_STEP_NS: Final = 15 * SECOND_NS
SIGMA_STEPS: Final = BAR_NS // SIGMA_STEP_NS
MIN_SIGMA_STEPS: Final = SIGMA_STEPS // 2

_BAR: Final = "bar_index"
_PRICES: Final = ("open_price_int", "high_price_int", "low_price_int", "close_price_int")


def at_market(trade: pl.DataFrame, bbo: pl.DataFrame, *, tick_size_int: int, reach_ticks: int) -> pl.Series:
    """Boolean per trade event: whether the quotes before the event explain its price.

    trade, bbo: rows with `TRADE_COLUMNS` and `BBO_COLUMNS`, in order of `event_id`.
    """
    low, high = pl.min_horizontal("bid_price_int", "ask_price_int"), pl.max_horizontal("bid_price_int", "ask_price_int")
    reach = (reach_ticks + pl.col("levels_consumed").cast(pl.Int64) - 1) * tick_size_int
    return (
        trade.select("event_id", "price_int", "levels_consumed")
        .join_asof(
            bbo.select(BBO_COLUMNS),
            on="event_id",
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .select(pl.col("price_int").is_between(low - reach, high + reach).fill_null(True).alias("at_market"))
        .to_series()
    )


def day_bars(
    trade: pl.DataFrame,
    bbo: pl.DataFrame,
    snapshot: pl.DataFrame,
    *,
    instrument: Instrument,
    tick_size_int: int,
    off_market_ticks: int,
) -> pl.DataFrame:
    """Columns of `silver.candle_2m` but the averages and the roll, of one date: a row per candle with trading hours.

    trade, bbo, snapshot: the date's rows, in order. Only rows before the end of a candle have a part in it.
    """
    seconds = _of_seconds(snapshot, tick_size_int)
    kept = at_market(trade, bbo, tick_size_int=tick_size_int, reach_ticks=off_market_ticks)
    trades = _of_trades(trade.with_columns(at_market=kept))
    bars = seconds.join(trades, on=_BAR, how="left", maintain_order="left")
    counts = ("volume", "buy_volume", "sell_volume", "none_volume", "n_trades", "n_off_market")
    bars = bars.with_columns(pl.col(counts).fill_null(0)).with_columns(is_carry=pl.col("n_trades") == 0)
    close = pl.col("close_price_int").forward_fill()
    bars = bars.with_columns(pl.when("is_carry").then(close).otherwise(pl.col(name)).alias(name) for name in _PRICES)
    return _named(bars, instrument)


def _of_seconds(snapshot: pl.DataFrame, tick_size_int: int) -> pl.DataFrame:
    """Per candle: contract, messages, sigma and the flags, of those with a second of trading hours."""
    ends = pl.col("window_end").to_physical()
    bar = ((ends - SECOND_NS) // BAR_NS).alias(_BAR)
    trading = pl.col("phase").cast(pl.String) == "continuous"
    usable = pl.col("book_valid") & ~pl.col("crossed")
    marks = (
        snapshot.filter(ends % SIGMA_STEP_NS == 0)
        .select(end=ends, mid=pl.when(usable).then(pl.col("mid_price_int")) / tick_size_int)
        .with_columns(
            change=pl.when(pl.col("end").diff() == SIGMA_STEP_NS).then(pl.col("mid").diff()),
            bar_index=(pl.col("end") - SECOND_NS) // BAR_NS,
        )
        .group_by(_BAR)
        .agg(known=pl.col("change").count(), square=pl.col("change").pow(2).mean())
        .select(
            _BAR,
            sigma_bar_ticks=pl.when(pl.col("known") >= MIN_SIGMA_STEPS).then((pl.col("square") * SIGMA_STEPS).sqrt()),
        )
    )
    return (
        snapshot.group_by(bar, maintain_order=True)
        .agg(
            contract=pl.col("contract").first(),
            n_msgs=pl.col("message_count").cast(pl.Int64).sum(),
            seconds=pl.len(),
            is_complete=~pl.col("is_partial").any(),
            is_halt=(~trading | ~pl.col("book_valid")).any(),
            trades_at_all=trading.any(),
        )
        .filter("trades_at_all")
        .with_columns(is_complete=pl.col("is_complete") & (pl.col("seconds") == BAR_NS // SECOND_NS))
        .join(marks, on=_BAR, how="left", maintain_order="left")
    )


def _of_trades(trade: pl.DataFrame) -> pl.DataFrame:
    """Per candle with a trade event: prices, quantities and counts."""
    kept, qty = pl.col("at_market"), pl.col("qty")
    price = pl.col("price_int").filter(kept)
    side = pl.col("aggressor").cast(pl.String)
    base = pl.col("vwap_price_int").filter(kept).first()
    offset = (pl.col("vwap_price_int").filter(kept) - base) * qty.filter(kept)
    volume = qty.filter(kept).sum()
    return trade.group_by((pl.col("ts_event").to_physical() // BAR_NS).alias(_BAR), maintain_order=True).agg(
        open_price_int=price.first(),
        high_price_int=price.max(),
        low_price_int=price.min(),
        close_price_int=price.last(),
        volume=volume,
        buy_volume=qty.filter(kept & (side == "B")).sum(),
        sell_volume=qty.filter(kept & (side == "A")).sum(),
        none_volume=qty.filter(kept & (side == "N")).sum(),
        n_trades=kept.sum().cast(pl.Int32),
        n_off_market=(~kept).sum().cast(pl.Int32),
        vwap_price_int=pl.when(volume > 0).then(base + (offset.sum() / volume).round().cast(pl.Int64)),
    )


def _named(bars: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    """Times, trade date and candle id of each bar."""
    start = bars[_BAR].to_numpy() * BAR_NS
    dates = session_dates(start, instrument)
    opens = {label: rth_open_ns(label) for label in np.unique(dates)}
    since_open = start - np.array([opens[label] for label in dates], dtype=np.int64)
    return bars.with_columns(
        session_date=pl.Series(dates, dtype=pl.Date),
        candle_id=pl.Series(since_open // BAR_NS, dtype=pl.Int32),
        bar_start=pl.Series(start).cast(TIMESTAMP),
        window_end=pl.Series(start + BAR_NS).cast(TIMESTAMP),
    )


def rth_open_ns(label: np.datetime64, wall: time = RTH_OPEN) -> int:
    """09:30 New York of a trade date, ns UTC."""
    return wall_time_ns(label.astype("datetime64[D]").item(), wall)
