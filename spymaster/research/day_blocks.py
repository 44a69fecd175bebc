"""Uncertainty by whole sessions: what would have been seen on other days.

Samples of one session share its weather: their windows overlap, its volatility and its trend are the same for all.
Taken for independent, they promise far more than they hold (`spymaster_tests/research/test_day_blocks.py` shows by how
much). So sessions are drawn whole, with replacement (Efron & Tibshirani 1993, ch. 8), and a draw is how often each was
taken: int64[B, S]. Scores that are means come from sums by session; the AUC from a table of pairs of sessions, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

DRAWS: Final = 2_000
LEVEL: Final = 0.95
LEAST_SESSIONS: Final = 5
"""With samples from fewer sessions there is an estimate, but no interval: it would be far too narrow."""


@dataclass(frozen=True)
class Interval:
    """An estimate, its percentile interval over the draws, and the standard deviation over them; NaN if not known."""

    value: float
    low: float
    high: float
    error: float

    @property
    def above_zero(self) -> bool:
        """Whether all of the interval is above 0."""
        return self.low > 0.0

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the interval."""
        return self.low <= value <= self.high


UNKNOWN: Final = Interval(*[float("nan")] * 4)


def session_draws(sessions: int, draws: int = DRAWS, *, seed: int = 0) -> np.ndarray:
    """int64[draws, sessions]: how often each of `sessions` is taken in a sample of as many."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(sessions, np.full(sessions, 1.0 / sessions), size=draws)


def session_index(session: np.ndarray) -> tuple[np.ndarray, int]:
    """Sessions as numbers from 0 in their order, and how many there are."""
    known, index = np.unique(session, return_inverse=True)
    return index, len(known)


def interval(value: float, drawn: np.ndarray, level: float = LEVEL) -> Interval:
    """From the statistic of the sample and of the draws (float64[B]); draws that do not tell it (NaN) are left out."""
    told = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(told) < 2:
        return Interval(value, float("nan"), float("nan"), float("nan"))
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(told, [tail, 1.0 - tail])
    return Interval(value, float(low), float(high), float(told.std(ddof=1)))


def mean_interval(values: np.ndarray, session: np.ndarray, draws: np.ndarray, level: float = LEVEL) -> Interval:
    """Of the mean of float[n]. session: int[n], 0 to S - 1, as in `session_draws`."""
    return ratio_interval(values, np.ones(len(values)), session, draws, level)


def ratio_interval(
    top: np.ndarray, bottom: np.ndarray, session: np.ndarray, draws: np.ndarray, level: float = LEVEL
) -> Interval:
    """Of the sum of `top` over the sum of `bottom`."""
    sums = [np.bincount(session, weights=part, minlength=draws.shape[1]) for part in (top, bottom)]
    value, drawn = _ratio(sums[0], sums[1], draws)
    return interval(value, _of_enough(drawn, session), level)


def skill_interval(
    losses: np.ndarray, reference: np.ndarray, session: np.ndarray, draws: np.ndarray, level: float = LEVEL
) -> Interval:
    """Of 1 - sum of losses/sum of the reference's: for squared errors the Brier skill score."""
    one = ratio_interval(losses, reference, session, draws, level)
    return Interval(1.0 - one.value, 1.0 - one.high, 1.0 - one.low, one.error)


def difference_interval(
    values: np.ndarray, session: np.ndarray, others: np.ndarray, other_session: np.ndarray, draws: np.ndarray,
    level: float = LEVEL,
) -> Interval:  # fmt: skip
    """Of the mean of `values` less that of `others`, which are of the same sessions: drawn together."""
    parts = []
    for numbers, index in ((values, session), (others, other_session)):
        sums = np.bincount(index, weights=numbers, minlength=draws.shape[1])
        parts.append(_ratio(sums, np.bincount(index, minlength=draws.shape[1]).astype(np.float64), draws))
    drawn = _of_enough(_of_enough(parts[0][1] - parts[1][1], session), other_session)
    return interval(parts[0][0] - parts[1][0], drawn, level)


def auc_interval(
    y: np.ndarray, p: np.ndarray, session: np.ndarray, draws: np.ndarray, level: float = LEVEL
) -> Interval:
    """Of the AUC."""
    return interval(*auc_draws(y, p, session, draws), level)


def auc_draws(y: np.ndarray, p: np.ndarray, session: np.ndarray, draws: np.ndarray) -> tuple[float, np.ndarray]:
    """The AUC, and that of every draw (float64[B]), exactly: by pairs of sessions, see `pair_wins`."""
    n = draws.shape[1]
    happened = np.asarray(y, dtype=bool)
    pairs = pair_wins(happened, p, session, n)
    ones, zeros = (np.bincount(session[kept], minlength=n).astype(np.float64) for kept in (happened, ~happened))
    total = ones.sum() * zeros.sum()
    taken = draws.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = ((taken @ pairs) * taken).sum(axis=1) / ((taken @ ones) * (taken @ zeros))
    return float(pairs.sum() / total) if total else float("nan"), _of_enough(drawn, session)


def pair_wins(happened: np.ndarray, p: np.ndarray, session: np.ndarray, n: int) -> np.ndarray:
    """float64[n, n]: pairs of one that happened (row: its session) and one that did not, that p orders so; a tie, ½."""
    won = np.zeros((n, n))
    top, of_top = p[happened], session[happened]
    for other in range(n):
        below = np.sort(p[~happened & (session == other)])
        if len(below):
            beaten = (np.searchsorted(below, top, "left") + np.searchsorted(below, top, "right")) / 2.0
            won[:, other] = np.bincount(of_top, weights=beaten, minlength=n)
    return won


def session_means(values: np.ndarray, session: np.ndarray, n: int) -> np.ndarray:
    """float64[n]: mean by session, NaN for one without samples."""
    count = np.bincount(session, minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.bincount(session, weights=values, minlength=n) / np.where(count, count, np.nan)


def _of_enough(drawn: np.ndarray, session: np.ndarray) -> np.ndarray:
    """What was drawn, or nothing where the samples are of too few sessions."""
    return drawn if len(np.unique(session)) >= LEAST_SESSIONS else drawn[:0]


def _ratio(top: np.ndarray, bottom: np.ndarray, draws: np.ndarray) -> tuple[float, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.float64(top.sum()) / bottom.sum())
        return value, (draws @ top) / (draws @ bottom)
