"""What chance alone would have shown: labels shuffled where they could have been swapped, neighbours drawn at random.

Labels are swapped within a session only, for the setups of one share its weather. Whether a barrier is reached at all
follows from its distance, which the bar knows: there labels are swapped between setups that the bar gives about the
same, and what a model says beyond the bar is what is ranked.

The chance of a value as large as the one seen counts the one seen among the draws, so it is never 0 (Phipson & Smyth
2010).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spymaster.research.logistic import log_odds
from spymaster.research.scores import mid_ranks

PERMUTATIONS: Final = 999
PLACEBO_DRAWS: Final = 200
BINS: Final = 10
"""Groups of equal size by what the bar says."""


def shuffled(values: np.ndarray, stratum: np.ndarray, count: int = PERMUTATIONS, *, seed: int = 0) -> np.ndarray:
    """[count, n]: values shuffled within each stratum (int[n]: session and direction), which keeps its rates."""
    rng = np.random.default_rng(seed)
    order = np.argsort(stratum, kind="stable")
    sorted_stratum, sorted_values = stratum[order], values[order]
    result = np.empty((count, len(values)), dtype=values.dtype)
    for k in range(count):
        result[k, order] = sorted_values[np.lexsort((rng.random(len(values)), sorted_stratum))]
    return result


def shuffled_labels(y: np.ndarray, stratum: np.ndarray, count: int = PERMUTATIONS, *, seed: int = 0) -> np.ndarray:
    """bool[count, n]: labels shuffled within each stratum."""
    return shuffled(np.asarray(y, dtype=bool), stratum, count, seed=seed)


def permuted_auc_chance(y: np.ndarray, p: np.ndarray, labels: np.ndarray) -> float:
    """Chance of an AUC as large under shuffled labels (bool[count, n]); NaN where all ended alike. One-sided: better
    than chance.
    """
    happened = np.asarray(y, dtype=bool)
    if not happened.any() or happened.all():
        return float("nan")
    ranks = mid_ranks(np.asarray(p))
    return chance(float(ranks[happened].sum()), labels @ ranks)


def chance(seen: float, drawn: np.ndarray) -> float:
    """(1 + draws at least as large)/(1 + draws)."""
    least = seen - 1e-9 * max(abs(seen), 1.0)  # sums in another order differ in the last digits
    return float((1 + int((drawn >= least).sum())) / (1 + len(drawn)))


def strata(session: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """int64[n]: one number per session and direction."""
    return np.unique(np.stack([session, np.asarray(direction) > 0]), axis=1, return_inverse=True)[1].reshape(-1)


def bar_strata(session: np.ndarray, bar: np.ndarray) -> np.ndarray:
    """int64[n]: one number per session and tenth of what the bar says (float[n]); equal values are not parted."""
    tenth = np.minimum((mid_ranks(bar) - 0.5) * BINS // max(len(bar), 1), BINS - 1).astype(np.int64)
    return np.unique(np.stack([session, tenth]), axis=1, return_inverse=True)[1].reshape(-1)


def beyond_bar(p: np.ndarray, bar: np.ndarray) -> np.ndarray:
    """float64[n]: log odds of p less the straight line through those of the bar: 0 for what only repeats or
    stretches it.

    Within a tenth the bar still tells setups apart a little, and so would a model that adds nothing to it.
    """
    told, known = log_odds(p), log_odds(bar)
    centred = known - known.mean()
    square = float((centred**2).sum())
    slope = float((centred * told).sum()) / square if square > 0.0 else 0.0
    return np.round(told - told.mean() - slope * centred, 9)


def random_agreement(outcome: np.ndarray, session: np.ndarray, k: int, count: int = PLACEBO_DRAWS, *, seed: int = 0,
                     embargo: int = 1) -> np.ndarray:  # fmt: skip
    """float64[n]: mean share, over `count` draws, of k neighbours that ended alike where they are drawn at random: a
    placebo index.

    It answers under the same filters, from sessions before the one next to the question's, but knows nothing of
    likeness. outcome, session: int[n] of the setups that are asked about; draws are with replacement. NaN for a setup
    without earlier sessions. How far draws spread tells nothing: they know neither days that have the same weather nor
    that many questions find the same neighbours. So its mean is for an interval by whole sessions.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(session, kind="stable")
    ended, days = outcome[order], session[order]
    known = np.unique(days)
    place = np.searchsorted(known, days)
    stop = np.where(place >= embargo, np.searchsorted(days, known[np.maximum(place - embargo, 0)]), 0)
    alike = np.full(len(outcome), np.nan)
    for row in np.flatnonzero(stop > 0):
        drawn = rng.integers(0, stop[row], (count, k))
        alike[order[row]] = (ended[drawn] == ended[row]).mean()
    return alike


def agreement_chance(
    own: np.ndarray, neighbours: np.ndarray, stratum: np.ndarray, count: int = PERMUTATIONS, *, seed: int = 0
) -> float:
    """Chance of neighbours that end like the setups as often, where the setups' outcomes are shuffled within strata.

    own: int[n]; neighbours: int[n, k], -1 where there is none; stratum: int[n], session and direction. The neighbours
    stay as they are, so days with one weather and neighbours that many questions share are the same in every shuffle.
    NaN without neighbours.
    """
    if not (neighbours >= 0).any():
        return float("nan")
    of_kind = np.stack([(neighbours == code).sum(axis=1) for code in range(int(own.max()) + 1)], axis=1)
    row = np.arange(len(own))
    drawn = of_kind[row, shuffled(own, stratum, count, seed=seed)].sum(axis=1)
    return chance(float(of_kind[row, own].sum()), drawn)


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
