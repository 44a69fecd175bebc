"""`silver.candle_2m` of a date, with its averages and the roll, from the event tables of that date and earlier ones.

An average is the mean of the last n closes up to and including its own candle, of candles that are not halted, over
this date and up to five earlier ones. Earlier dates are read backwards and only as far as the longest average needs
them. Where a date's contract is not that of the last date with candles before it, older prices are moved by what the
roll was worth (`spymaster.setups.roll`); where that is not known, nothing older enters an average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.calendar import rth_window
from spymaster.market.instruments import Instrument, instrument
from spymaster.settings import Settings
from spymaster.setups.candles import BBO_COLUMNS, SNAPSHOT_COLUMNS, TRADE_COLUMNS, day_bars
from spymaster.setups.contracts import tick_size
from spymaster.setups.roll import roll_adjustment
from spymaster.tables.candle_2m import BAR_NS, Candle2m

LENGTHS: Final = (200, 400)
PRICE_SCALE: Final = 1_000_000_000


@dataclass(frozen=True)
class Closes:
    """Eligible closes of one date, in order, and what turns older prices into prices of its contract."""

    close: np.ndarray
    """int64[n], 1e-9."""
    roll_adj_int: int | None
    """Added to prices of earlier dates; None if unknown."""


def eligible(bars: pl.DataFrame, *, calendar: str, rth: tuple[int, int] | None) -> np.ndarray:
    """Boolean per candle: whether its close enters averages; with calendar `rth`, only those inside `rth` (ns UTC)."""
    usable = (~bars["is_halt"] & bars["close_price_int"].is_not_null()).to_numpy()
    if calendar == "globex":
        return usable
    if rth is None:
        return np.zeros(len(usable), dtype=bool)
    start = bars["bar_index"].to_numpy() * BAR_NS
    return usable & (start >= rth[0]) & (start + BAR_NS <= rth[1])


def moving_average(closes: np.ndarray, enters: np.ndarray, earlier: np.ndarray, length: int) -> np.ndarray:
    """float64[n], price: mean of the last `length` closes up to each candle; NaN until there are as many.

    closes: int64[n], 1e-9; those where `enters` is false are not looked at. earlier: int64[m], closes before them.
    Sums are exact integers, so the same closes give the same bytes whatever came before them.
    """
    held = np.concatenate([earlier[-length:], closes[enters]])
    sums = np.concatenate([[0], np.cumsum(held)])
    known = min(len(earlier), length) + np.cumsum(enters)
    enough = known >= length
    last = np.where(enough, known, length)
    if len(held) < length:
        return np.full(len(closes), np.nan)
    return np.where(enough, (sums[last] - sums[last - length]) / (length * PRICE_SCALE), np.nan)


def with_averages(
    bars: pl.DataFrame, enters: np.ndarray, roll_adj_int: int | None, earlier: Sequence[Closes]
) -> pl.DataFrame:
    """`silver.candle_2m` from a date's bars and the closes of earlier dates, the nearest first."""
    older, shift = [], roll_adj_int
    for day in earlier:
        if shift is None:
            break
        older.append(day.close + shift)
        shift = None if day.roll_adj_int is None else shift + day.roll_adj_int
    before = np.concatenate([np.empty(0, np.int64), *reversed(older)])
    closes = bars["close_price_int"].fill_null(0).to_numpy()
    averages = {
        f"sma{length}": pl.Series(moving_average(closes, enters, before, length)).fill_nan(None) for length in LENGTHS
    }
    adjusted = bars.with_columns(**averages, roll_adj_int=pl.lit(roll_adj_int, pl.Int64))
    return adjusted.select(pl.col(name).cast(dtype) for name, dtype in Candle2m.schema().items())


def session_candles(
    trades: Sequence[Partition],
    quotes: Sequence[Partition],
    snapshots: Sequence[Partition],
    mbo: Sequence[Partition],
    definitions: Partition,
    *,
    settings: Settings,
) -> pl.DataFrame:
    """`silver.candle_2m` of the last date of stored `trade`, `bbo_change` and `book_snapshot_1s` partitions.

    The four lists are partitions of that date and earlier ones, in order of date; `mbo` (`bronze.future_mbo`) is read
    only where the contract changes. Raises `SetupInputError` if the contract has no definition.
    """
    days = _Days(trades, quotes, snapshots, mbo, definitions, settings)
    today, *before = sorted(days.dates, reverse=True)
    bars = days.bars(today)
    if bars.is_empty():
        return Candle2m.empty()
    earlier: list[Closes] = []
    found = 0
    for dt in before:
        if found >= max(LENGTHS):
            break
        day = days.bars(dt)
        closes = day["close_price_int"].fill_null(0).to_numpy()[days.enters(dt, day)]
        earlier.append(Closes(closes, days.roll(dt)))
        found += len(closes)
    return with_averages(bars, days.enters(today, bars), days.roll(today), earlier)


class _Days:
    """The dates of which trades, quotes and seconds are all there."""

    def __init__(
        self,
        trades: Sequence[Partition],
        quotes: Sequence[Partition],
        snapshots: Sequence[Partition],
        mbo: Sequence[Partition],
        definitions: Partition,
        settings: Settings,
    ) -> None:
        self._of = [{partition.dt: partition for partition in one} for one in (trades, quotes, snapshots)]
        self._mbo = {partition.dt: partition for partition in mbo}
        self._item: Instrument = instrument(definitions.symbol, settings)
        self._settings = settings
        self._tick = tick_size(self._of[2][max(self._of[2])], definitions)
        self.dates = set(self._of[0]) & set(self._of[1]) & set(self._of[2])

    def bars(self, dt: date) -> pl.DataFrame:
        trade, quotes, snapshot = (one[dt] for one in self._of)
        return day_bars(
            trade.read(TRADE_COLUMNS),
            quotes.read(BBO_COLUMNS),
            snapshot.read(SNAPSHOT_COLUMNS),
            instrument=self._item,
            tick_size_int=self._tick,
            off_market_ticks=self._settings.setups.off_market_ticks,
        )

    def enters(self, dt: date, bars: pl.DataFrame) -> np.ndarray:
        rth = rth_window(dt, self._item.root, self._settings)
        return eligible(bars, calendar=self._settings.setups.sma_calendar, rth=rth)

    def roll(self, dt: date) -> int | None:
        """Roll since the latest earlier date with candles; 0 without one, and on a date that has none itself."""
        new = self._contract(dt)
        earlier = (self._contract(day) for day in sorted(self.dates, reverse=True) if day < dt)
        old = next((one for one in earlier if one is not None), None)
        if old is None or new is None or old == new:
            return 0
        return roll_adjustment(self._mbo[dt], old, new) if dt in self._mbo else None

    def _contract(self, dt: date) -> str | None:
        """The contract of a date with candles: one with a second of trading hours."""
        seconds = self._of[2][dt].scan(["contract", "phase"])
        trading = seconds.filter(pl.col("phase").cast(pl.String) == "continuous").head(1).collect()
        return next(iter(trading["contract"]), None)
