"""Small p-values from few surrogates: a generalised Pareto tail (Knijnenburg, Wessels, Reinders & Shmulevich 2009).

Shapes below 0 are not fitted. Such a tail ends, often close to the largest surrogate, and calls everything beyond
its end impossible; an exponential one in its place never ends and gives larger p-values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spymaster.jit import kernel

FITS = 99
"""Samples that the goodness of fit is judged against."""
LEAST_FIT = 0.05
"""A tail that fits worse than this is not used."""
FEWER = (0.6, 0.4, 0.25)
"""Shares of the values that are tried where a tail does not fit to all of them."""
LARGEST_SHAPE = 0.9
SMALLEST_P = 1e-12
"""Nothing is claimed below: a tail fitted to 250 values is no evidence that far out."""


GRID = 120
FINER, FINER_GRID = 2, 41
"""Values of the parameter that are tried, and times that the neighbourhood of the best one is, with so many."""


@kernel()
def fit_pareto(excesses):
    """Shape (0 to 0.9) and scale by likelihood over one parameter (Grimshaw 1993), on a grid refined around its best.

    Excesses are positive. The parameter is shape / scale; at 0 the tail is exponential.
    """
    n = excesses.shape[0]
    mean = excesses.mean()
    best, shape, scale = -np.log(mean) - 1, 0.0, mean
    first, ratio = 1e-3 / mean, 50_000.0 ** (1 / (GRID - 1))
    low, high = first, first
    for level in range(1 + FINER):
        points = GRID if level == 0 else FINER_GRID
        at, top = 0, -np.inf
        for k in range(points):
            value = first * ratio**k if level == 0 else low + (high - low) * k / (points - 1)
            one = 0.0
            for i in range(n):
                one += np.log1p(value * excesses[i])
            one /= n
            likelihood = -np.log(one / value) - one - 1 if one <= LARGEST_SHAPE else -np.inf
            if likelihood > top:
                at, top = k, likelihood
            if likelihood > best:
                best, shape, scale = likelihood, one, one / value
        before, after = max(at - 1, 0), min(at + 1, points - 1)
        if level == 0:
            low, high = first * ratio**before, first * ratio**after
        else:
            step = (high - low) / (points - 1)
            low, high = low + step * before, low + step * after
    return shape, scale


@kernel()
def pareto_cdf(value, shape, scale):
    """Generalised Pareto distribution of an excess: 1 - (1 + shape x / scale)^(-1/shape)."""
    if abs(shape) < 1e-9:
        return 1 - np.exp(-value / scale)
    return 1 - max(1 + shape * value / scale, 0.0) ** (-1 / shape)


@kernel()
def anderson_darling(excesses, shape, scale):
    """Distance of a sample from a generalised Pareto distribution (Anderson & Darling 1952)."""
    ordered = np.sort(excesses)
    n = ordered.shape[0]
    total = 0.0
    for i in range(n):
        u = min(max(pareto_cdf(ordered[i], shape, scale), 1e-12), 1 - 1e-12)
        v = min(max(pareto_cdf(ordered[n - 1 - i], shape, scale), 1e-12), 1 - 1e-12)
        total += (2 * i + 1) * (np.log(u) + np.log1p(-v))
    return -n - total / n


@kernel()
def larger_distances(uniform, shape, scale, distance, enough):
    """How many samples of a tail [samples, values], each fitted anew, are at least as far from their fit.

    No more are looked for than `enough`.
    """
    larger = 0
    for sample in uniform:
        drawn = -scale * np.log(sample) if abs(shape) < 1e-9 else scale * (sample**-shape - 1) / shape
        own_shape, own_scale = fit_pareto(drawn)
        larger += np.int64(anderson_darling(drawn, own_shape, own_scale) >= distance)
        if larger == enough:
            break
    return larger


def tail_p(statistic: float, surrogates: NDArray[np.float64], values: int, rng: np.random.Generator) -> float | None:
    """P of a statistic above all surrogates, by a tail fitted to their `values` largest, or to fewer where that is bad.

    The fit is judged by its Anderson-Darling distance against samples of the fitted tail, each fitted anew. None where
    no tail fits, or there are no more surrogates than values.
    """
    if len(surrogates) <= values:
        return None
    ordered = np.sort(surrogates)[::-1]
    for kept in (values, *(round(values * share) for share in FEWER)):
        p = _fitted_p(statistic, ordered, kept, rng)
        if p is not None:
            return p
    return None


def _fitted_p(statistic: float, ordered: NDArray[np.float64], values: int, rng: np.random.Generator) -> float | None:
    threshold = (ordered[values - 1] + ordered[values]) / 2
    excesses = ordered[:values] - threshold
    if excesses[-1] <= 0:
        return None
    shape, scale = fit_pareto(excesses)
    distance = anderson_darling(excesses, shape, scale)
    enough = int(LEAST_FIT * (FITS + 1))  # the fit is then no worse than that
    if larger_distances(rng.random((FITS, values)), shape, scale, distance, enough) < enough:
        return None
    beyond = statistic - threshold
    tail = np.exp(-beyond / scale) if abs(shape) < 1e-9 else (1 + shape * beyond / scale) ** (-1 / shape)
    return max(values / len(ordered) * float(tail), SMALLEST_P)
