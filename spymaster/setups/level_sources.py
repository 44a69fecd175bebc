"""What levels are made from: candles of several dates at the prices of one contract, and the hours of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from spymaster.market.calendar import RTH_OPEN, rth_window, session_bounds, wall_time_ns
from spymaster.market.instruments import Instrument
from spymaster.settings import Settings
from spymaster.tables.candle_2m import BAR_NS

CANDLE_COLUMNS: Final = (
    "contract", "session_date", "bar_start", "open_price_int", "high_price_int", "low_price_int", "close_price_int",
    "sma200", "sma400", "roll_adj_int", "is_complete", "is_halt", "is_carry",
)  # fmt: skip
MINUTE_NS: Final = 60_000_000_000


class Level(NamedTuple):
    """One stretch of one level; times in ns UTC, `price` 1e-9."""

    session_date: date
    level_type: str
    number: int
    price: int
    valid_from: int
    valid_to: int
    source_first: int
    source_last: int
    is_moving: bool
    is_partial: bool


@dataclass(frozen=True)
class Hours:
    """Times of one session, ns UTC: `open` to `close` of the exchange, `rth` of the stock exchange's day or None."""

    label: date
    open: int
    close: int
    rth: tuple[int, int] | None

    @classmethod
    def of(cls, label: date, item: Instrument, settings: Settings) -> Hours | None:
        """None where the exchange has no session."""
        bounds = session_bounds(label, item)
        return None if bounds is None else cls(label, *bounds, rth_window(label, item.root, settings))

    def at(self, wall: time) -> int:
        """A New York time of the trade date."""
        return wall_time_ns(self.label, wall)

    @property
    def morning(self) -> int:
        """09:30 New York."""
        return self.at(RTH_OPEN)


@dataclass(frozen=True)
class Candles:
    """Candles in order of time: int64 arrays of one length, prices in 1e-9 at the prices of the last date's contract.

    `priced` says which have prices (0 otherwise); `traded` which had a trade at the market.
    """

    start: np.ndarray
    session: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    priced: np.ndarray
    traded: np.ndarray
    complete: np.ndarray
    halted: np.ndarray

    @classmethod
    def of(cls, days: Sequence[pl.DataFrame]) -> Candles:
        """From `silver.candle_2m` rows of several dates, in order; older ones than an unknown roll are left out."""
        kept: list[pl.DataFrame] = []
        shift: int | None = 0
        for day in reversed(days):
            if shift is None:
                break
            prices = pl.col("high_price_int", "low_price_int", "close_price_int") + shift
            kept.append(day.select(CANDLE_COLUMNS).with_columns(prices))
            if day.height:
                roll = day["roll_adj_int"][0]
                shift = None if roll is None else shift + roll
        rows = pl.concat(kept[::-1])
        priced = rows["close_price_int"].is_not_null()
        high, low, close = (rows[f"{name}_price_int"].fill_null(0).to_numpy() for name in ("high", "low", "close"))
        return cls(
            start=rows["bar_start"].to_physical().to_numpy(),
            session=rows["session_date"].to_numpy().astype("datetime64[D]"),
            high=high,
            low=low,
            close=close,
            priced=priced.to_numpy(),
            traded=(priced & ~rows["is_carry"]).to_numpy(),
            complete=rows["is_complete"].to_numpy(),
            halted=rows["is_halt"].to_numpy(),
        )

    @property
    def end(self) -> np.ndarray:
        """int64: end of each candle."""
        return self.start + BAR_NS

    def within(self, first: int, last: int) -> np.ndarray:
        """Boolean: candles that lie in [first, last)."""
        return (self.start >= first) & (self.end <= last)

    def covers(self, first: int, last: int) -> bool:
        """Whether every candle of [first, last) is there and complete."""
        inside = self.within(first, last)
        return int((inside & self.complete).sum()) >= (last - first) // BAR_NS


@dataclass(frozen=True)
class Prints:
    """Trades at the market, in order of time: int64 ns, 1e-9 and lots."""

    ts: np.ndarray
    price: np.ndarray
    vwap: np.ndarray
    qty: np.ndarray

    @classmethod
    def of(cls, trades: pl.DataFrame) -> Prints:
        """From rows of `silver.trade`, in order of the file; times are made to rise."""
        ts = np.maximum.accumulate(trades["ts_event"].to_physical().to_numpy())
        price, vwap, qty = (trades[name].to_numpy() for name in ("price_int", "vwap_price_int", "qty"))
        return cls(ts, price, vwap, qty)

    @classmethod
    def none(cls) -> Prints:
        """No print."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, nothing)

    def between(self, first: int, last: int) -> Prints:
        """Those in [first, last)."""
        a, b = np.searchsorted(self.ts, [first, last])
        return Prints(self.ts[a:b], self.price[a:b], self.vwap[a:b], self.qty[a:b])
