"""p-values by the largest z over bins, against surrogates: strong control of errors over bins, lags and frequencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.tail import tail_p

Counts = Callable[[int], NDArray]
"""Counts by bin of the data (0) or of surrogate 1, 2, ..."""

ALPHA = 0.05
TAIL_VALUES = 250
"""Largest statistics of surrogates that a tail is fitted to."""


@dataclass(frozen=True)
class MaxResult:
    """Outcome of a max-statistic test.

    observed, mean, z: by bin, mean over the data and all surrogates together. statistic: largest z. p_floor: smallest p
    that counting alone could give. p_method: `mc` counted, `gpd` by a fitted tail.
    """

    observed: NDArray
    mean: NDArray[np.float64]
    z: NDArray[np.float64]
    statistic: float
    p: float
    p_floor: float
    p_method: str
    surrogates: int

    @property
    def best(self) -> int:
        """The bin of the largest z."""
        return int(np.argmax(self.z))

    @property
    def excess(self) -> NDArray[np.float64]:
        """Observed minus mean, by bin."""
        return self.observed - self.mean

    def peak(self, least: float = 3.0) -> slice:
        """Contiguous bins with z above `least` around the largest."""
        first = last = self.best
        while first > 0 and self.z[first - 1] > least:
            first -= 1
        while last + 1 < len(self.z) and self.z[last + 1] > least:
            last += 1
        return slice(first, last + 1)


def max_statistic(sets: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean by bin and z by set and bin of counts [S + 1, bins], the data first.

    Mean and variance are over all sets, the data among them: the data are then exchangeable with the surrogates under
    the null, and counting is exact. A variance below 1 counts as 1.
    """
    mean = sets.mean(axis=0)
    return mean, (sets - mean) / np.sqrt(np.maximum(sets.var(axis=0), 1.0))


def mc_p(statistics: NDArray[np.float64]) -> float:
    """(1 + surrogates at least as large as the data) / (S + 1); the data's statistic is the first."""
    return float(1 + np.sum(statistics[1:] >= statistics[0])) / len(statistics)


def one_stage(counts: Counts, surrogates: int, *, first: int = 1) -> tuple[MaxResult, NDArray[np.float64]]:
    """Test with surrogates `first`, `first + 1`, ...; also the statistics, the data's first."""
    if surrogates < 1:
        raise ValueError(f"a test needs at least one surrogate, got {surrogates}")
    observed = np.asarray(counts(0))
    sets = np.empty((surrogates + 1, len(observed)), np.float64)
    sets[0] = observed
    for number in range(surrogates):
        sets[1 + number] = counts(first + number)
    mean, z = max_statistic(sets)
    statistics = z.max(axis=1)
    result = MaxResult(
        observed, mean, z[0], float(statistics[0]), mc_p(statistics), 1 / (surrogates + 1), "mc", surrogates
    )
    return result, statistics


def staged(counts: Counts, surrogates: int, more: int | None = None, *, rng: np.random.Generator) -> MaxResult:
    """Test in stages: `surrogates`, and where p <= 0.05 `more` fresh ones whose p replaces the first.

    A p at its floor after that is carried on by a generalised Pareto tail where one fits (see `tail`).
    """
    result, _ = one_stage(counts, surrogates)
    if more is None or result.p > ALPHA:
        return result
    result, statistics = one_stage(counts, more, first=1 + surrogates)
    if result.p > result.p_floor:
        return result
    fitted = tail_p(statistics[0], statistics[1:], TAIL_VALUES, rng)
    if fitted is None or fitted >= result.p:
        return result
    return MaxResult(
        result.observed, result.mean, result.z, result.statistic, fitted, result.p_floor, "gpd", result.surrogates
    )
