"""How good stated probabilities were: losses, discrimination, calibration. Arrays in, numbers out.

y is bool or 0/1 [n], p is float[n], the probability stated for y = 1. A score that the sample cannot tell is NaN: none
of an empty sample, no AUC where all ended alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

LEAST_P: Final = 1e-6
"""Probabilities are moved this far from 0 and 1 before a logarithm is taken."""
BINS: Final = 10
_NORMAL: Final = NormalDist()


def log_losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """float64[n]: -ln of the probability stated for what happened, nats."""
    inside = np.clip(np.asarray(p, dtype=np.float64), LEAST_P, 1.0 - LEAST_P)
    return -np.log(np.where(np.asarray(y, dtype=bool), inside, 1.0 - inside))


def squared_errors(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """float64[n]: (p - y)^2, whose mean is the Brier score (1950)."""
    return (np.asarray(p, dtype=np.float64) - np.asarray(y, dtype=np.float64)) ** 2


def mean(values: np.ndarray) -> float:
    """Mean, NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")


def skill(score: float, of_reference: float) -> float:
    """1 - score/reference: for Brier scores the BSS, 0 no better than the reference, 1 perfect; NaN of nothing."""
    return 1.0 - score / of_reference if of_reference > 0.0 else float("nan")


def mid_ranks(values: np.ndarray) -> np.ndarray:
    """float64[n]: ranks from 1, of equal values their mean."""
    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2.0)[inverse]


def auc(y: np.ndarray, p: np.ndarray) -> float:
    """Chance that one that happened was given more than one that did not; a tie counts a half (Mann & Whitney 1947)."""
    happened = np.asarray(y, dtype=bool)
    n1, n0 = int(happened.sum()), int((~happened).sum())
    if not n1 or not n0:
        return float("nan")
    return (float(mid_ranks(np.asarray(p))[happened].sum()) - n1 * (n1 + 1) / 2.0) / (n1 * n0)


@dataclass(frozen=True)
class Reliability:
    """Bins of about equal mass in order of p: how often it happened where p said so."""

    n: np.ndarray
    """int64[b]."""
    stated: np.ndarray
    """float64[b], mean of p."""
    happened: np.ndarray
    """float64[b], mean of y."""


def reliability(y: np.ndarray, p: np.ndarray, bins: int = BINS) -> Reliability:
    """At most `bins` bins; equal p are never parted, so that the order of rows does not matter."""
    values, inverse, count = np.unique(np.asarray(p, dtype=np.float64), return_inverse=True, return_counts=True)
    n = int(count.sum())
    middle = np.cumsum(count) - count / 2.0
    which = np.minimum((middle * bins / max(n, 1)).astype(np.int64), bins - 1)
    _, which = np.unique(which, return_inverse=True)
    kinds = int(which.max()) + 1 if n else 0
    hit = np.bincount(inverse, weights=np.asarray(y, dtype=np.float64), minlength=len(values))
    mass = np.bincount(which, weights=count, minlength=kinds)
    return Reliability(
        mass.astype(np.int64),
        np.bincount(which, weights=count * values, minlength=kinds) / mass,
        np.bincount(which, weights=hit, minlength=kinds) / mass,
    )


def calibration_error(table: Reliability) -> float:
    """Expected calibration error: mean distance between what was stated and what happened, by mass of the bins."""
    if not len(table.n):
        return float("nan")
    return float((table.n * np.abs(table.stated - table.happened)).sum() / table.n.sum())


def resolution(table: Reliability) -> float:
    """How far apart the bins' outcomes lie: their variance by mass, at most that of y (Murphy 1973)."""
    if not len(table.n):
        return float("nan")
    rate = (table.n * table.happened).sum() / table.n.sum()
    return float((table.n * (table.happened - rate) ** 2).sum() / table.n.sum())


def auc_error(n1: int, n0: int) -> float:
    """Standard error of the AUC of a score that tells nothing: sqrt((n1 + n0 + 1)/(12 n1 n0))."""
    return ((n1 + n0 + 1) / (12.0 * n1 * n0)) ** 0.5 if n1 and n0 else float("nan")


def detectable_auc(n1: int, n0: int, *, level: float = 0.05, power: float = 0.8, error: float | None = None) -> float:
    """Smallest AUC that a two-sided test finds with this power; `error` replaces that of independent samples."""
    usual = auc_error(n1, n0)
    wide = usual if error is None or not error > usual else error
    return min(0.5 + (_NORMAL.inv_cdf(1.0 - level / 2.0) + _NORMAL.inv_cdf(power)) * wide, 1.0)
