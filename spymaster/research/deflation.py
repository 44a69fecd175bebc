"""What many trials are worth: the best of several is good by luck, and this is by how much.

Effective number of trials: clusters by average linkage of trials whose scores by session go together. Deflation: the
z-score that the best of so many would have by luck alone is taken off (Bailey & López de Prado 2014, J. Portfolio
Management 40(5)). For series of gains: the deflated Sharpe ratio of the same paper, and the probability of backtest
overfitting by combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado & Zhu 2017, J. Computational
Finance 20(4)).
"""

from __future__ import annotations

from itertools import combinations
from math import e, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

ALIKE: Final = 0.7
"""Correlation from which trials count as one."""
EULER_GAMMA: Final = 0.5772156649015329
LEAST_COMMON: Final = 5
"""Sessions that two trials share, at least, for their scores to be compared."""
LEAST_PLACEBOS: Final = 10
"""Scores at placebos from which the spread by luck is taken."""
_NORMAL: Final = NormalDist()


def clusters(similarity: np.ndarray, least: float = ALIKE) -> np.ndarray:
    """int64[n]: cluster of each, numbered from 0 in order of their first members. similarity: float64[n, n].

    Average linkage: the two clusters with the largest mean similarity are joined as long as it is `least` or more.
    """
    n = len(similarity)
    label = np.arange(n)
    size = np.ones(n)
    mean = np.array(similarity, dtype=np.float64)
    np.fill_diagonal(mean, -np.inf)
    alive = n
    while alive > 1:
        a, b = sorted(divmod(int(mean.argmax()), n))
        if not mean[a, b] >= least:
            break
        joined = (size[a] * mean[a] + size[b] * mean[b]) / (size[a] + size[b])
        mean[a], mean[:, a] = joined, joined
        mean[a, a] = -np.inf
        mean[b], mean[:, b] = -np.inf, -np.inf
        size[a] += size[b]
        label[label == b] = a
        alive -= 1
    return np.unique(label, return_inverse=True)[1]


def score_similarity(scores: np.ndarray) -> np.ndarray:
    """float64[n, n]: correlations of float64[n, sessions], over sessions that both have; 0 for too few."""
    known = np.isfinite(scores)
    filled = np.where(known, scores, 0.0)
    weight = known.astype(np.float64)
    n = weight @ weight.T
    one = filled @ weight.T
    square = (filled**2) @ weight.T
    with np.errstate(divide="ignore", invalid="ignore"):
        cov = filled @ filled.T / n - one * one.T / n**2
        var = np.maximum(square / n - (one / n) ** 2, 0.0)
        result = cov / np.sqrt(var * var.T)
    usable = (n >= LEAST_COMMON) & np.isfinite(result) & (var > 1e-18) & (var.T > 1e-18)
    return np.where(usable, np.clip(result, -1.0, 1.0), 0.0)


def effective_trials(scores: np.ndarray, least: float = ALIKE) -> int:
    """Number of clusters of trials, at least 1. scores: float64[trials, sessions], NaN where a trial has none."""
    return int(clusters(score_similarity(scores), least).max()) + 1 if len(scores) else 1


def best_by_luck(trials: int, variance: float) -> float:
    """SR0: expected largest of so many independent z-scores of this variance; 0 for one trial."""
    if trials < 2:
        return 0.0
    far = _NORMAL.inv_cdf(1.0 - 1.0 / trials), _NORMAL.inv_cdf(1.0 - 1.0 / (trials * e))
    return sqrt(max(variance, 0.0)) * ((1.0 - EULER_GAMMA) * far[0] + EULER_GAMMA * far[1])


def spread_by_luck(ideas: np.ndarray, placebos: np.ndarray) -> float:
    """Variance of z-scores where nothing is known: of placebos (float64[m]) around 0, at least 1, which is what
    z-scores have if their errors are right.

    With fewer than `LEAST_PLACEBOS` of them that of the ideas (float64[n]) stands in, what is true of them included.
    """
    if len(placebos) >= LEAST_PLACEBOS:
        return max(1.0, float((placebos**2).mean()))
    return float(np.var(ideas, ddof=1)) if len(ideas) > 1 else 0.0


def deflated_chance(z: float, trials: int, variance: float) -> float:
    """1 - Φ(z - SR0): chance of a z-score like this one after so many trials; NaN for a z that is not known."""
    return 1.0 - _NORMAL.cdf(z - best_by_luck(trials, variance)) if np.isfinite(z) else float("nan")


def deflated_sharpe(returns: np.ndarray, trials: int, variance: float) -> float:
    """DSR: chance that the Sharpe ratio of float[T] (per period) is above what luck alone gives the best of `trials`.

    variance: that of the trials' Sharpe ratios. Skew and tails of the returns widen its error. NaN if all are equal.
    """
    spread = float(np.std(returns))
    if len(returns) < 3 or spread == 0.0:
        return float("nan")
    centred = (returns - returns.mean()) / spread
    ratio, skew, kurtosis = float(returns.mean()) / spread, float((centred**3).mean()), float((centred**4).mean())
    wide = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    if wide <= 0.0:
        return float("nan")
    return _NORMAL.cdf((ratio - best_by_luck(trials, variance)) * sqrt(len(returns) - 1) / sqrt(wide))


def overfitting(gains: np.ndarray, blocks: int = 8) -> float:
    """PBO: how often the trial that is best in half of the time is below the median in the other half.

    gains: float64[T, trials]. The time is cut into an even number of `blocks`; every half of them is tried once. Ties
    share their ranks. NaN with fewer than two trials or fewer rows than blocks.
    """
    rows, trials = gains.shape
    if trials < 2 or rows < blocks or blocks % 2:
        return float("nan")
    sums = np.stack([part.sum(axis=0) for part in np.array_split(gains, blocks)])
    sizes = np.array([len(part) for part in np.array_split(gains, blocks)])
    below = 0.0
    halves = list(combinations(range(blocks), blocks // 2))
    for half in halves:
        inside = np.isin(np.arange(blocks), half)
        best = int((sums[inside].sum(axis=0) / sizes[inside].sum()).argmax())
        out = sums[~inside].sum(axis=0) / sizes[~inside].sum()
        rank = ((out < out[best]).sum() + 0.5 * ((out == out[best]).sum() - 1)) / (trials - 1)
        below += 1.0 if rank < 0.5 else 0.5 if rank == 0.5 else 0.0
    return below / len(halves)
