"""p-values by the largest z over bins, against surrogates: strong control of errors over bins, lags and frequencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.tail import tail_p

Counts = Callable[[int], NDArray]
"""Counts by bin of the data (0) or of surrogate 1, 2, ..."""


@dataclass(frozen=True)
class Together:
    """Counts of the data, and of surrogates that are made together: of `first`, `first + 1` ... as [count, bins]."""

    observed: NDArray
    sets: Callable[[int, int], NDArray]


Source = Counts | Together
Made = TypeVar("Made")

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


def one_stage(counts: Source, surrogates: int, *, first: int = 1) -> tuple[MaxResult, NDArray[np.float64]]:
    """Test with surrogates `first`, `first + 1`, ...; also the statistics, the data's first."""
    if surrogates < 1:
        raise ValueError(f"a test needs at least one surrogate, got {surrogates}")
    observed = np.asarray(counts.observed if isinstance(counts, Together) else counts(0))
    sets = np.empty((surrogates + 1, len(observed)), np.float64)
    sets[0] = observed
    if isinstance(counts, Together):
        sets[1:] = counts.sets(first, surrogates)
    else:
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


def staged(
    counts: Source, surrogates: int, more: int | None = None, *, rng: np.random.Generator, is_small: bool = False
) -> MaxResult:
    """Test in stages: `surrogates`, and where p <= 0.05 `more` fresh ones whose p replaces the first.

    A p at its floor after that is carried on by a generalised Pareto tail where one fits (see `tail`). is_small: the
    first stage was done before, with p <= 0.05; where there is a second it is not done again.
    """
    result, statistics = in_stages(
        lambda first, count: one_stage(counts, count, first=first), lambda made: mc_p(made[1]), surrogates, more,
        is_small=is_small,
    )  # fmt: skip
    p, method = tailed(statistics, rng)
    return replace(result, p=p, p_method=method)


def in_stages(
    stage: Callable[[int, int], Made],
    p_of: Callable[[Made], float],
    surrogates: int,
    more: int | None,
    *,
    is_small: bool = False,
) -> Made:
    """What `stage` makes of the surrogates from a first one on, so many; of the second stage where there is one.

    is_small: as in `staged`.
    """
    if more is None or not is_small:
        made = stage(1, surrogates)
        if more is None or p_of(made) > ALPHA:
            return made
    return stage(1 + surrogates, more)


def tailed(statistics: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, str]:
    """p of the first statistic against the others, and its method: counted, or at the floor by a fitted tail.

    The tail is fitted to the 250 largest surrogates. Fewer than 750 have none: more than a third of them is no tail.
    """
    p, surrogates = mc_p(statistics), len(statistics) - 1
    if p > 1 / len(statistics) or surrogates < LEAST_FITTED:
        return p, "mc"
    fitted = tail_p(statistics[0], statistics[1:], TAIL_VALUES, rng)
    return (p, "mc") if fitted is None or fitted >= p else (fitted, "gpd")
