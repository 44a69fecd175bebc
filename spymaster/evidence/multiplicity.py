"""Many tests, many days: false discovery rates over a family, and what holds on several days at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

LARGEST_P = 0.999
"""A p of 1, which discrete tests do give, would outweigh everything else in a Cauchy combination."""


def _checked(p: ArrayLike) -> Values:
    values = np.asarray(p, np.float64)
    if values.ndim != 1 or not (np.all(values > 0) and np.all(values <= 1)):
        raise ValueError(f"p-values lie in (0, 1]: {values}")
    return values


def benjamini_hochberg(p: ArrayLike) -> Values:
    """Adjusted p (q) that controls the false discovery rate of independent tests (Benjamini & Hochberg 1995)."""
    return _step_up(_checked(p), 1.0)


def benjamini_yekutieli(p: ArrayLike) -> Values:
    """The same under any dependence (Benjamini & Yekutieli 2001)."""
    values = _checked(p)
    return _step_up(values, float(np.sum(1 / np.arange(1, len(values) + 1))))


def _step_up(p: Values, factor: float) -> Values:
    n = len(p)
    order = np.argsort(p, kind="stable")[::-1]
    adjusted = np.minimum.accumulate(p[order] * factor * n / np.arange(n, 0, -1))
    q = np.empty(n)
    q[order] = np.minimum(adjusted, 1.0)
    return np.maximum(q, p)  # rounding may have left it a last digit below


def partial_conjunction(p: ArrayLike, u: int) -> float:
    """P that fewer than `u` of the days have an effect (Benjamini & Heller 2008, by Simes).

    min over j >= u of (n - u + 1) / (j - u + 1) p_(j), at most 1.
    """
    ordered = np.sort(_checked(p))
    n = len(ordered)
    if not 1 <= u <= n:
        raise ValueError(f"u must be between 1 and {n}, got {u}")
    j = np.arange(u, n + 1)
    return float(min(np.min((n - u + 1) / (j - u + 1) * ordered[u - 1 :]), 1.0))


def cauchy(p: ArrayLike) -> float:
    """One p from several that may depend on each other (Liu & Xie 2020)."""
    values = np.minimum(_checked(p), LARGEST_P)
    mean = float(np.mean(np.where(values < 1e-15, 1 / (values * np.pi), np.tan((0.5 - values) * np.pi))))
    return 1 / (mean * np.pi) if mean > 1e15 else 0.5 - float(np.arctan(mean)) / np.pi


def is_underpowered(p_floor: float, family: int, alpha: float = 0.05) -> bool:
    """Whether a lone discovery of this family could not have reached `alpha`, however strong."""
    return p_floor * family > alpha
