"""How much of a stratum is beyond the null: the excess in the peak as a share, with an interval over blocks of time.

Surrogates redraw what makes the peak, too, and leave some of it inside: with bins of 1 ms and cells of 5 ms a fifth
per bin. Observed minus mean is therefore too small by that share, the `kept` one. It is known, and divided out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.bootstrap import block_sums, ratio_interval
from spymaster.evidence.maxstat import MaxResult
from spymaster.evidence.result import excess_share
from spymaster.evidence.streams import BOOTSTRAP, Streams

INTERVAL_SURROGATES = 19
"""Surrogates that the expected excess of each block is taken from, beyond those of the test."""
FIRST = 2**30
MOST_KEPT = 0.9
"""A peak that surrogates leave nearly whole says nothing about its size: it is divided by no less than a tenth."""

PeakTimes = Callable[[int], NDArray[np.int64]]
"""Times of what lies in the peak: of the data (0) or of a surrogate."""


@dataclass(frozen=True)
class PeakSums:
    """How much lies in the peak by block of 60 s: of the data, and of surrogates `first` and so on [count, blocks]."""

    observed: NDArray
    sets: Callable[[int, int], NDArray]

    def expected(self) -> NDArray:
        """What surrogates have on average: of those that are drawn for it."""
        return self.sets(FIRST, INTERVAL_SURROGATES).sum(axis=0) / INTERVAL_SURROGATES


@dataclass(frozen=True)
class KnownSums:
    """The same where the average of all surrogates is known without drawing any."""

    observed: NDArray
    average: NDArray

    def expected(self) -> NDArray:
        """What surrogates have on average."""
        return self.average


def sums_of(day: DayArrays, times: PeakTimes) -> PeakSums:
    """By block what lies in the peak, from its times."""

    def sums(number: int) -> NDArray:
        return block_sums(times(number), day.start, day.minutes)

    return PeakSums(sums(0), lambda first, count: np.stack([sums(first + number) for number in range(count)]))


@dataclass(frozen=True)
class Effect:
    """Excess in a peak: number of events, its share of a whole with a 95 % interval, and weight by bin of the peak."""

    excess: float
    share: float
    low: float
    high: float
    weights: NDArray[np.float64]


def effect_of(
    day: DayArrays,
    result: MaxResult,
    peak: NDArray[np.int64],
    sums: PeakSums | KnownSums,
    whole: NDArray[np.int64],
    kept: float,
    streams: Streams,
) -> Effect:
    """Size of the peak of a test (places of its bins), of which surrogates leave the share `kept` inside.

    whole: times of what it is a share of. A bin's weight is the share of its events that the null does not explain, at
    most 1.
    """
    lost = 1 - min(kept, MOST_KEPT)
    excess = float(result.excess[peak].sum()) / lost
    low, high = excess_interval(day, sums, whole, streams)
    weights = np.minimum(excess_share(result.observed[peak], result.mean[peak]) / lost, 1.0)
    return Effect(excess, excess / max(len(whole), 1), low / lost, high / lost, weights)


def excess_interval(
    day: DayArrays, peak: PeakSums | KnownSums, whole: NDArray[np.int64], streams: Streams
) -> tuple[float, float]:
    """95 % interval of (in the peak, less what surrogates have there) / number of `whole`, by blocks of 60 s."""
    parts = peak.observed - peak.expected()
    wholes = block_sums(whole, day.start, day.minutes)
    held = wholes > 0
    if not held.any():
        return 0.0, 0.0
    return ratio_interval(parts[held], wholes[held], streams.random(BOOTSTRAP))
