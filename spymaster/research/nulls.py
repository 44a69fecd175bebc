"""What chance alone would have shown: labels shuffled where they could have been swapped, neighbours drawn at random.

The chance of a value as large as the one seen counts the one seen among the draws, so it is never 0 (Phipson & Smyth
2010).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spymaster.research.scores import mid_ranks

PERMUTATIONS: Final = 999
PLACEBO_DRAWS: Final = 200


def shuffled_labels(y: np.ndarray, stratum: np.ndarray, count: int = PERMUTATIONS, *, seed: int = 0) -> np.ndarray:
    """bool[count, n]: y shuffled within each stratum (int[n]: session and direction), which keeps its rate."""
    rng = np.random.default_rng(seed)
    order = np.argsort(stratum, kind="stable")
    sorted_stratum, labels = stratum[order], np.asarray(y, dtype=bool)[order]
    result = np.empty((count, len(y)), dtype=bool)
    for k in range(count):
        shuffled = np.lexsort((rng.random(len(y)), sorted_stratum))
        result[k, order] = labels[shuffled]
    return result


def permuted_auc_chance(y: np.ndarray, p: np.ndarray, shuffled: np.ndarray) -> float:
    """Chance of an AUC as large under shuffled labels; NaN where all ended alike. One-sided: better than chance."""
    happened = np.asarray(y, dtype=bool)
    if not happened.any() or happened.all():
        return float("nan")
    ranks = mid_ranks(np.asarray(p))
    return chance(float(ranks[happened].sum()), shuffled @ ranks)


def chance(seen: float, drawn: np.ndarray) -> float:
    """(1 + draws at least as large)/(1 + draws)."""
    least = seen - 1e-9 * max(abs(seen), 1.0)  # sums in another order differ in the last digits
    return float((1 + int((drawn >= least).sum())) / (1 + len(drawn)))


def strata(session: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """int64[n]: one number per session and direction."""
    return np.unique(np.stack([session, np.asarray(direction) > 0]), axis=1, return_inverse=True)[1].reshape(-1)


def random_agreement(outcome: np.ndarray, session: np.ndarray, k: int, count: int = PLACEBO_DRAWS, *, seed: int = 0,
                     embargo: int = 1) -> np.ndarray:  # fmt: skip
    """float64[count]: share of k neighbours that ended alike, where they are drawn at random: a placebo index.

    It answers under the same filters, from sessions before the one next to the question's, but knows nothing of
    likeness. outcome, session: int[n] of the setups that are asked about; draws are with replacement. Empty where no
    setup has earlier sessions.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(session, kind="stable")
    ended, days = outcome[order], session[order]
    known = np.unique(days)
    place = np.searchsorted(known, days)
    stop = np.where(place >= embargo, np.searchsorted(days, known[np.maximum(place - embargo, 0)]), 0)
    alike = np.zeros(count)
    asked = np.flatnonzero(stop > 0)
    for row in asked:
        drawn = rng.integers(0, stop[row], (count, k))
        alike += (ended[drawn] == ended[row]).mean(axis=1)
    return alike / len(asked) if len(asked) else np.empty(0)


def rank_agreement(own: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """float64[k]: share of neighbours, by rank, that ended like the one that was asked about.

    own: int[n], outcomes; neighbours: int[n, k], theirs, -1 where there is none. NaN for a rank that nobody has.
    """
    there = neighbours >= 0
    count = there.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((neighbours == own[:, None]) & there).sum(axis=0) / np.where(count, count, np.nan)


def rank_trend(agreement: np.ndarray) -> float:
    """Change of the agreement from the first rank to the last, by the straight line through all; below 0: it falls."""
    known = np.flatnonzero(np.isfinite(agreement))
    if len(known) < 2:
        return float("nan")
    centred = known - known.mean()
    slope = (centred * agreement[known]).sum() / (centred**2).sum()
    return float(slope * (known[-1] - known[0]))
