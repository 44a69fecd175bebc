"""How good stated probabilities were: losses, discrimination, calibration. Arrays in, numbers out.

y is bool or 0/1 [n], p is float[n], the probability stated for y = 1. A score that the sample cannot tell is NaN: none
of an empty sample, no AUC where all ended alike.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np

from spymaster.research.reliability import Reliability

LEAST_P: Final = 1e-6
"""Probabilities are moved this far from 0 and 1 before a logarithm is taken."""
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


def resolution(table: Reliability | None) -> float:
    """How far apart the outcomes of the bins lie: their variance by count, at most that of y (Murphy 1973)."""
    if table is None:
        return float("nan")
    rate = (table.count * table.share).sum() / table.count.sum()
    return float((table.count * (table.share - rate) ** 2).sum() / table.count.sum())


def auc_error(n1: int, n0: int) -> float:
    """Standard error of the AUC of a score that tells nothing: sqrt((n1 + n0 + 1)/(12 n1 n0))."""
    return ((n1 + n0 + 1) / (12.0 * n1 * n0)) ** 0.5 if n1 and n0 else float("nan")


def detectable_auc(n1: int, n0: int, *, level: float = 0.05, power: float = 0.8, error: float | None = None) -> float:
    """Smallest AUC that a two-sided test finds with this power; `error` replaces that of independent samples."""
    usual = auc_error(n1, n0)
    wide = usual if error is None or not error > usual else error
    return min(0.5 + (_NORMAL.inv_cdf(1.0 - level / 2.0) + _NORMAL.inv_cdf(power)) * wide, 1.0)
