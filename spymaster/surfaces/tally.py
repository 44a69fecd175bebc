"""Quantiles of more values than fit in memory, without an estimate: distinct values and how often each occurs.

Metrics are functions of a few small integers, so most of them repeat: a session's million values are some ten thousand
distinct ones. Tallies of sessions add up, in any order, to the tally of all their values, so a session is read once and
its tally serves every later date. Where a metric has more than `MOST_DISTINCT` distinct values (a second difference
over a full day does), its values are first rounded to `SIGNIFICANT_BITS` bits, a relative error of at most 2**-12;
integers up to 4096 stay exact. Whether that happens depends on the values alone, never on how they arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

MOST_DISTINCT: Final = 32_768
SIGNIFICANT_BITS: Final = 12


@dataclass(frozen=True)
class Tally:
    """`values` float32[k], strictly rising; `counts` int64[k]; `total` the float64 sum of the values before
    rounding."""

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
        return _counted(np.abs(self.values), self.counts)


def tally(values: np.ndarray) -> Tally:
    """Count float32 values, in any order. Raises ValueError for a NaN or an infinity: no metric has them."""
    ordered = np.sort(values.astype(np.float32, copy=False) + np.float32(0.0))  # + 0 turns -0 into 0
    if len(ordered) and not np.isfinite(ordered[[0, -1]]).all():
        raise ValueError("a metric to be calibrated is not finite")
    distinct, counts = _runs(ordered)
    total = _sum(distinct, counts)
    if len(distinct) > MOST_DISTINCT:
        distinct, starts = _starts(_rounded(distinct))
        counts = np.add.reduceat(counts, starts)
    return Tally(distinct, counts, total)


def merged(tallies: Iterable[Tally]) -> Tally:
    """The tally of all values of several."""
    parts = list(tallies)
    if not parts:
        return Tally(np.empty(0, np.float32), np.empty(0, np.int64), 0.0)
    counted = _counted(np.concatenate([part.values for part in parts]), np.concatenate([part.counts for part in parts]))
    return Tally(counted.values, counted.counts, sum(part.total for part in parts))


def _counted(values: np.ndarray, counts: np.ndarray) -> Tally:
    order = np.argsort(values, kind="stable")
    counts = counts[order]
    distinct, starts = _starts(values[order])
    total = _sum(values[order], counts)
    return Tally(distinct, np.add.reduceat(counts, starts) if len(starts) else counts, total)


def _sum(ordered: np.ndarray, counts: np.ndarray) -> float:
    """One running sum over sorted values: the same bytes whatever order and batches they came in."""
    return float(np.cumsum(ordered.astype(np.float64) * counts)[-1]) if len(ordered) else 0.0


def _starts(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values of a sorted array and where each begins."""
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]]))
    return ordered[starts], starts


def _runs(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, starts = _starts(ordered)
    return distinct, np.diff(starts, append=len(ordered)).astype(np.int64)


def _rounded(values: np.ndarray) -> np.ndarray:
    """float32 values to the nearest with `SIGNIFICANT_BITS` significant bits; order is kept."""
    spare = np.uint32(24 - SIGNIFICANT_BITS)
    bits = values.view(np.uint32)
    half = np.uint32(1) << (spare - np.uint32(1))
    return (((bits + half) >> spare) << spare).view(np.float32)
