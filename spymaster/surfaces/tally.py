"""Quantiles of more values than fit in memory, without an estimate: distinct values and how often each occurs.

Metrics are functions of a few small integers, so most of them repeat: a session's million values are some ten thousand
distinct ones. Tallies of sessions add up, in any order, to the tally of all their values, so a session is read once and
its tally serves every later date. Where a metric has more than `MOST_DISTINCT` distinct values (a second difference
over a full day may), its values are rounded to `SIGNIFICANT_BITS` bits at the end, a relative error of at most 2**-12;
integers up to 4096 stay exact. Whether that happens depends on the values alone, never on how they arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

MOST_DISTINCT: Final = 32_768
SIGNIFICANT_BITS: Final = 12
FOLD_VALUES: Final = 262_144
"""Values held before they are counted: bounds memory, leaves no trace in the result."""


@dataclass(frozen=True)
class Tally:
    """`values` float32[k], strictly rising; `counts` int64[k]; `total` the float64 sum before rounding."""

    values: np.ndarray
    counts: np.ndarray
    total: float

    @property
    def n(self) -> int:
        """Number of values counted."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean of the values, 0 of none."""
        return self.total / self.n if self.n else 0.0

    def quantiles(self, *shares: float) -> list[float]:
        """Quantiles with linear interpolation between neighbours (Hyndman & Fan 1996, type 7); zeros if empty."""
        if not self.n:
            return [0.0] * len(shares)
        upto = np.cumsum(self.counts)
        rank = (self.n - 1) * np.array(shares, dtype=np.float64)
        below = np.floor(rank).astype(np.int64)
        above = np.minimum(below + 1, self.n - 1)
        low = self.values[np.searchsorted(upto, below, side="right")].astype(np.float64)
        high = self.values[np.searchsorted(upto, above, side="right")].astype(np.float64)
        return (low + (rank - below) * (high - low)).tolist()

    def absolute(self) -> Tally:
        """The tally of the absolute values; its total is that of the rounded ones."""
        values, counts = _counted(np.abs(self.values), self.counts)
        return Tally(values, counts, _sum(values, counts))


class TallyBuilder:
    """Counts float32 values as they come, in bounded memory; order and batches do not matter."""

    def __init__(self) -> None:
        self._waiting: list[np.ndarray] = []
        self._held = 0
        self._values = np.empty(0, dtype=np.float32)
        self._counts = np.empty(0, dtype=np.int64)

    def add(self, values: np.ndarray) -> TallyBuilder:
        """Count some values (a copy is taken). Raises ValueError for NaN or infinity: no metric has them."""
        self._waiting.append(values.astype(np.float32) + np.float32(0.0))  # + 0 turns -0 into 0
        self._held += len(values)
        if self._held >= FOLD_VALUES:
            self._fold()
        return self

    def tally(self) -> Tally:
        """Everything counted so far."""
        self._fold()
        values, counts = self._values, self._counts
        total = _sum(values, counts)
        if len(values) > MOST_DISTINCT:
            values, counts = _counted(_rounded(values), counts)
        return Tally(values, counts, total)

    def _fold(self) -> None:
        if not self._held:
            return
        ordered = np.sort(np.concatenate(self._waiting))
        self._waiting, self._held = [], 0
        if not np.isfinite(ordered[[0, -1]]).all():
            raise ValueError("a metric to be calibrated is not finite")
        starts = _starts(ordered)
        values, counts = ordered[starts], np.diff(starts, append=len(ordered)).astype(np.int64)
        self._values, self._counts = _counted(
            np.concatenate([self._values, values]), np.concatenate([self._counts, counts])
        )


def tally(values: np.ndarray) -> Tally:
    """Count an array of values. Raises ValueError for NaN or infinity."""
    return TallyBuilder().add(values).tally()


def merged(tallies: Iterable[Tally]) -> Tally:
    """The tally of all values of several."""
    parts = list(tallies)
    values, counts = _counted(
        np.concatenate([np.empty(0, np.float32), *(part.values for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.counts for part in parts)]),
    )
    return Tally(values, counts, sum(part.total for part in parts))


def _counted(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort values and add the counts of equal ones."""
    if not len(values):
        return values, counts
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = _starts(ordered)
    return ordered[starts], np.add.reduceat(counts[order], starts)


def _starts(ordered: np.ndarray) -> np.ndarray:
    """Where each distinct value of a sorted array begins."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def _sum(values: np.ndarray, counts: np.ndarray) -> float:
    """One running sum over sorted distinct values, so that the same values give the same bytes."""
    return float(np.cumsum(values.astype(np.float64) * counts)[-1]) if len(values) else 0.0


def _rounded(values: np.ndarray) -> np.ndarray:
    """float32 values to the nearest with `SIGNIFICANT_BITS` significant bits; order is kept."""
    spare = np.uint32(24 - SIGNIFICANT_BITS)
    bits = values.view(np.uint32)
    half = np.uint32(1) << (spare - np.uint32(1))
    return (((bits + half) >> spare) << spare).view(np.float32)
