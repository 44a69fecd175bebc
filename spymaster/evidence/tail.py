"""Small p-values from few surrogates: a generalised Pareto tail (Knijnenburg, Wessels, Reinders & Shmulevich 2009).

Shapes below 0 are not fitted. Such a tail ends, often close to the largest surrogate, and calls everything beyond
its end impossible; an exponential one in its place never ends and gives larger p-values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FITS = 199
"""Samples that the goodness of fit is judged against."""
LEAST_FIT = 0.05
"""A tail that fits worse than this is not used."""
FEWER = (0.6, 0.4, 0.25)
"""Shares of the values that are tried where a tail does not fit to all of them."""
LARGEST_SHAPE = 0.9
SMALLEST_P = 1e-12
"""Nothing is claimed below: a tail fitted to 250 values is no evidence that far out."""


def pareto_cdf(values: NDArray[np.float64], shape: float, scale: float) -> NDArray[np.float64]:
    """Generalised Pareto distribution of excesses: 1 - (1 + shape x / scale)^(-1/shape)."""
    if abs(shape) < 1e-9:
        return 1 - np.exp(-values / scale)
    return 1 - np.maximum(1 + shape * values / scale, 0.0) ** (-1 / shape)


def fit_pareto(excesses: NDArray[np.float64]) -> tuple[float, float]:
    """Shape (0 to 0.9) and scale by likelihood over one parameter (Grimshaw 1993), on a grid refined around its best.

    Excesses are positive. The parameter is shape / scale; at 0 the tail is exponential.
    """
    mean = float(excesses.mean())
    best, shape, scale = -np.log(mean) - 1, 0.0, mean
    grid = np.geomspace(1e-3, 50, 120) / mean
    for _ in range(3):
        shapes = np.log1p(grid[:, None] * excesses[None, :]).mean(axis=1)
        likelihood = np.where(shapes <= LARGEST_SHAPE, -np.log(shapes / grid) - shapes - 1, -np.inf)
        at = int(np.argmax(likelihood))
        if likelihood[at] > best:
            best, shape, scale = likelihood[at], float(shapes[at]), float(shapes[at] / grid[at])
        grid = np.linspace(grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)], 41)
    return shape, scale


def anderson_darling(excesses: NDArray[np.float64], shape: float, scale: float) -> float:
    """Distance of a sample from a generalised Pareto distribution (Anderson & Darling 1952)."""
    u = np.clip(pareto_cdf(np.sort(excesses), shape, scale), 1e-12, 1 - 1e-12)
    n = len(u)
    weights = 2 * np.arange(1, n + 1) - 1
    return float(-n - np.mean(weights * (np.log(u) + np.log1p(-u[::-1]))))


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
    larger = 0
    for _ in range(FITS):
        uniform = rng.random(values)
        sample = -scale * np.log(uniform) if abs(shape) < 1e-9 else scale * (uniform**-shape - 1) / shape
        larger += anderson_darling(sample, *fit_pareto(sample)) >= distance
    if (1 + larger) / (FITS + 1) <= LEAST_FIT:
        return None
    beyond = statistic - threshold
    tail = np.exp(-beyond / scale) if abs(shape) < 1e-9 else (1 + shape * beyond / scale) ** (-1 / shape)
    return max(values / len(ordered) * float(tail), SMALLEST_P)
