"""The mid of a date, change by change, with what is known at each: is the book usable, how fast and how far moves are.

Times are those of the events. A row is usable if the book is complete, valid and not crossed, both sides are there and
the exchange trades; rows follow on one another, with one *segment*, as long as they are usable and every second that
ended meanwhile was. Of seconds, only those that have ended are known.

sigma_15 is the root mean square of changes of the mid over 15 s, between ends of seconds on multiples of 15 s, with
weights that halve every 30 minutes; it needs `MIN_CHANGES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from spymaster.market.calendar import CONTINUOUS, instrument_phases, session_dates
from spymaster.market.instruments import Instrument

BBO_COLUMNS: Final = ("ts_event", "bid_price_int", "ask_price_int", "crossed", "book_valid")
SNAPSHOT_COLUMNS: Final = (
    "window_end", "contract", "mid_price_int", "spot_ref_price_int", "message_count", "crossed", "phase",
    "window_valid",
)  # fmt: skip
"""Columns that episodes and outcomes read of `silver.bbo_change` and `silver.book_snapshot_1s`."""

SECOND_NS: Final = 1_000_000_000
STEP_NS: Final = 15 * SECOND_NS
HALF_LIFE_NS: Final = 1800 * SECOND_NS
MIN_CHANGES: Final = 20


@dataclass(frozen=True)
class Mids:
    """Arrays of one value per row of `silver.bbo_change`: ns UTC, twice the mid (1e-9), and the flags of the module."""

    ts: np.ndarray
    mid2: np.ndarray
    usable: np.ndarray
    fresh: np.ndarray
    """First row of a segment."""
    segment: np.ndarray
    seconds: Seconds

    @classmethod
    def of(cls, bbo: pl.DataFrame, seconds: Seconds, instrument: Instrument) -> Mids:
        """From rows with `BBO_COLUMNS` in order of the file; times are made to rise."""
        ts = np.maximum.accumulate(bbo["ts_event"].to_physical().to_numpy())
        both = bbo["bid_price_int"] + bbo["ask_price_int"]
        trading = instrument_phases(ts, instrument, window_ns=0) == CONTINUOUS
        usable = (both.is_not_null() & bbo["book_valid"] & ~bbo["crossed"]).to_numpy() & trading
        broken = np.searchsorted(seconds.bad, ts, side="right")
        label = session_dates(ts, instrument)
        fresh = usable.copy()
        fresh[1:] &= ~usable[:-1] | (np.diff(broken) > 0) | (label[1:] != label[:-1])
        return cls(ts, both.fill_null(0).to_numpy(), usable, fresh, np.cumsum(fresh), seconds)

    def standing(self, at: np.ndarray) -> np.ndarray:
        """int64: row whose mid stands at each time, from events before it; -1 without a usable book then."""
        row = np.searchsorted(self.ts, at, side="left") - 1
        known = np.maximum(row, 0)
        if not len(self.ts):
            return np.full(len(at), -1)
        since, until = (np.searchsorted(self.seconds.bad, t, side="right") for t in (self.ts[known], at))
        return np.where((row >= 0) & self.usable[known] & (since == until), row, -1)

    def moved(self, row: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Change of twice the mid in the 15 s up to each time, whose mid is that of `row`, and whether it is known."""
        if not len(self.ts):
            return np.zeros(len(row), dtype=np.int64), np.zeros(len(row), dtype=bool)
        before = np.searchsorted(self.ts, at - STEP_NS, side="right") - 1
        known = (before >= 0) & (row >= 0)
        a, b = np.maximum(before, 0), np.maximum(row, 0)
        known &= self.usable[b] & self.usable[a] & (self.segment[a] == self.segment[b])
        return self.mid2[b] - self.mid2[a], known


@dataclass(frozen=True)
class Seconds:
    """What whole seconds say: arrays in order of time.

    `good` and `bad` are ends of seconds that are usable or not (a missing one is bad where the next is); `end`, `spot`
    (1e-9, 0 for none) and `rate` (messages against the usual, NaN if unknown) are of every second; `mark` and `sigma`
    (ticks, NaN if unknown) of every fifteenth.
    """

    good: np.ndarray
    bad: np.ndarray
    end: np.ndarray
    spot: np.ndarray
    rate: np.ndarray
    mark: np.ndarray
    sigma: np.ndarray

    @classmethod
    def of(cls, snapshot: pl.DataFrame, tick: int) -> Seconds:
        """From rows with `SNAPSHOT_COLUMNS` in order; tick in 1e-9."""
        end = snapshot["window_end"].to_physical().to_numpy()
        trading = snapshot["phase"].cast(pl.String) == "continuous"
        usable = (trading & snapshot["window_valid"] & ~snapshot["crossed"]).to_numpy()
        gap = np.zeros(len(end), dtype=bool)
        gap[1:] = np.diff(end) > SECOND_NS
        messages = snapshot["message_count"].cast(pl.Float64)
        usual = snapshot.select(
            pl.when(trading).then(messages).ewm_mean(half_life=1800.0, ignore_nulls=True)
        ).to_series()
        rate = pl.select(pl.when(usual > 0).then(messages.rolling_mean(15) / usual)).to_series()
        at = end % STEP_NS == 0
        mid = np.where(usable, snapshot["mid_price_int"].cast(pl.Float64).fill_null(np.nan).to_numpy(), np.nan)[at]
        return cls(
            good=end[usable & ~gap],
            bad=end[~usable | gap],
            end=end,
            spot=snapshot["spot_ref_price_int"].fill_null(0).to_numpy(),
            rate=rate.cast(pl.Float64).fill_null(np.nan).to_numpy(),
            mark=end[at],
            sigma=_sigma(end[at], mid / tick),
        )

    def sigma_at(self, at: np.ndarray) -> np.ndarray:
        """sigma_15 at each time, ticks; NaN if unknown."""
        return _latest(self.mark, self.sigma, at, np.nan)

    def spot_at(self, at: np.ndarray) -> np.ndarray:
        """Spot at each time, 1e-9; 0 for none."""
        return _latest(self.end, self.spot, at, 0)

    def rate_at(self, at: np.ndarray) -> np.ndarray:
        """Messages of the 15 s up to each time against the usual; NaN if unknown."""
        return _latest(self.end, self.rate, at, np.nan)

    def whole(self, at: np.ndarray, count: int) -> np.ndarray:
        """Boolean: the last `count` seconds that have ended by each time are all there and usable."""
        last, first = (np.searchsorted(self.good, t, side="right") for t in (at, at - count * SECOND_NS))
        return last - first == count


def _latest(times: np.ndarray, values: np.ndarray, at: np.ndarray, missing: float) -> np.ndarray:
    index = np.searchsorted(times, at, side="right") - 1
    if not len(times):
        return np.full(len(at), missing)
    return np.where(index >= 0, values[np.maximum(index, 0)], missing)


def _sigma(mark: np.ndarray, mid: np.ndarray) -> np.ndarray:
    """float64[n]: weighted root mean square of the changes up to each mark; NaN where there are too few."""
    found = np.full(len(mark), np.nan)
    squares = weights = 0.0
    count = 0
    for k in range(1, len(mark)):
        decay = 0.5 ** ((mark[k] - mark[k - 1]) / HALF_LIFE_NS)
        squares, weights = squares * decay, weights * decay
        change = mid[k] - mid[k - 1]
        if mark[k] - mark[k - 1] == STEP_NS and np.isfinite(change):
            squares, weights, count = squares + change * change, weights + 1.0, count + 1
        if count >= MIN_CHANGES:
            found[k] = (squares / weights) ** 0.5
    return found
