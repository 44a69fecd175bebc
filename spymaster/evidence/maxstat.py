"""p-values by the largest z over bins, against surrogates: strong control of errors over bins, lags and frequencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.tail import tail_p

Counts = Callable[[int], NDArray]
"""Counts by bin of the data (0) or of surrogate 1, 2, ..."""

ALPHA = 0.05
BAND = 0.05
"""Share of the surrogates on either side of the band that is drawn around them."""
TAIL_VALUES, LEAST_FITTED = 250, 750
"""Largest statistics of surrogates that a tail is fitted to, and surrogates that there are at least for it."""


@dataclass(frozen=True)
class MaxResult:
    """Outcome of a max-statistic test.

    observed, mean, z: by bin, mean over the data and all surrogates together. low, high: by bin, 5 % of the surrogates
    are below, or above. statistic: largest z. p_floor: smallest p that counting alone could give. p_method: `mc`
    counted, `gpd` by a fitted tail.
    """

    observed: NDArray
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
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

    def peak(self, *, circular: bool = False, least: float = 3.0) -> NDArray[np.int64]:
        """Places of contiguous bins with z above `least` around the largest, in order.

        circular: the last bin and the first are neighbours; the peak may begin at the end and go on at the start.
        """
        first = last = self.best
        n = len(self.z)
        while (circular or first > 0) and last - first < n - 1 and self.z[(first - 1) % n] > least:
            first -= 1
        while (circular or last + 1 < n) and last - first < n - 1 and self.z[(last + 1) % n] > least:
            last += 1
        return np.arange(first, last + 1) % n


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
    held = np.flatnonzero(sets.any(axis=0))  # of the bins of rare things most are always empty
    if not len(held):
        held = np.zeros(1, np.int64)
    part = sets[:, held]
    mean_held, z = max_statistic(part)
    statistics = z.max(axis=1)
    outside = int(BAND * surrogates)
    ordered = np.partition(part[1:], (outside, surrogates - 1 - outside), axis=0)
    mean, low, high, z_all = (np.zeros(len(observed)) for _ in range(4))
    mean[held], low[held], high[held], z_all[held] = mean_held, ordered[outside], ordered[-1 - outside], z[0]
    result = MaxResult(
        observed=observed,
        mean=mean,
        low=low,
        high=high,
        z=z_all,
        statistic=float(statistics[0]),
        p=mc_p(statistics),
        p_floor=1 / (surrogates + 1),
        p_method="mc",
        surrogates=surrogates,
    )
    return result, statistics


def staged(counts: Counts, surrogates: int, more: int | None = None, *, rng: np.random.Generator) -> MaxResult:
    """Test in stages: `surrogates`, and where p <= 0.05 `more` fresh ones whose p replaces the first.

    A p at its floor after that is carried on by a generalised Pareto tail where one fits (see `tail`).
    """
    result, statistics = one_stage(counts, surrogates)
    if more is not None and result.p <= ALPHA:
        result, statistics = one_stage(counts, more, first=1 + surrogates)
    p, method = tailed(statistics, rng)
    return replace(result, p=p, p_method=method)


def tailed(statistics: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, str]:
    """p of the first statistic against the others, and its method: counted, or at the floor by a fitted tail.

    The tail is fitted to the 250 largest surrogates. Fewer than 750 have none: more than a third of them is no tail.
    """
    p, surrogates = mc_p(statistics), len(statistics) - 1
    if p > 1 / len(statistics) or surrogates < LEAST_FITTED:
        return p, "mc"
    fitted = tail_p(statistics[0], statistics[1:], TAIL_VALUES, rng)
    return (p, "mc") if fitted is None or fitted >= p else (fitted, "gpd")
