"""Small p-values from few surrogates: a generalised Pareto tail (Knijnenburg, Wessels, Reinders & Shmulevich 2009)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FITS = 199
"""Samples that the goodness of fit is judged against."""
LEAST_FIT = 0.05
"""A tail that fits worse than this is not used."""
SMALLEST_SHAPE, LARGEST_SHAPE = -0.5, 0.9


def pareto_cdf(values: NDArray[np.float64], shape: float, scale: float) -> NDArray[np.float64]:
    """Generalised Pareto distribution of excesses: 1 - (1 + shape x / scale)^(-1/shape)."""
    if abs(shape) < 1e-9:
        return 1 - np.exp(-values / scale)
    return 1 - np.maximum(1 + shape * values / scale, 0.0) ** (-1 / shape)


def fit_pareto(excesses: NDArray[np.float64]) -> tuple[float, float]:
    """Shape and scale by likelihood over one parameter (Grimshaw 1993), on a grid refined around its best point."""
    largest, mean = float(excesses.max()), float(excesses.mean())
    if mean <= 0:
        return 0.0, 1.0
    lowest = -1 / largest + 1e-6 / largest
    grid = np.concatenate([np.linspace(lowest, 0, 80, endpoint=False), np.geomspace(1e-4, 50, 120) / mean])
    for _ in range(3):
        shapes = np.log1p(grid[:, None] * excesses[None, :]).mean(axis=1)
        shapes = np.where(np.abs(shapes) < 1e-12, 1e-12, shapes)
        with np.errstate(invalid="ignore", divide="ignore"):
            likelihood = -np.log(shapes / grid) - shapes - 1
        likelihood[~np.isfinite(likelihood) | (shapes < SMALLEST_SHAPE) | (shapes > LARGEST_SHAPE)] = -np.inf
        best = int(np.argmax(likelihood))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        chosen, shape = grid[best], shapes[best]
        grid = np.linspace(low, high, 41)
        grid = grid[grid != 0]
    if not np.isfinite(likelihood[best]):
        return 0.0, mean
    return float(shape), float(shape / chosen)


def anderson_darling(excesses: NDArray[np.float64], shape: float, scale: float) -> float:
    """Distance of a sample from a generalised Pareto distribution (Anderson & Darling 1952)."""
    u = np.clip(pareto_cdf(np.sort(excesses), shape, scale), 1e-12, 1 - 1e-12)
    n = len(u)
    weights = 2 * np.arange(1, n + 1) - 1
    return float(-n - np.mean(weights * (np.log(u) + np.log1p(-u[::-1]))))


def tail_p(statistic: float, surrogates: NDArray[np.float64], values: int, rng: np.random.Generator) -> float | None:
    """P of a statistic above all surrogates, by a tail fitted to their `values` largest; None where none fits.

    The fit is judged by its Anderson-Darling distance against samples of the fitted tail, each fitted anew. A bounded
    tail that ends before the statistic says nothing about it: None.
    """
    if len(surrogates) <= values:
        return None
    ordered = np.sort(surrogates)[::-1]
    threshold = (ordered[values - 1] + ordered[values]) / 2
    excesses = ordered[:values] - threshold
    if excesses[0] <= excesses[-1]:
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
    p = values / len(surrogates) * (1 - float(pareto_cdf(np.array([statistic - threshold]), shape, scale)[0]))
    return p if p > 0 else None
