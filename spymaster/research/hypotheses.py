"""The registered tests on the conditions of a turn, and the sixteen states that they make.

H1  log odds of reject rise with the soft AND beyond the four conditions themselves
H2  the share of chop differs between the states
H3  the sign of each condition's coefficient

Coefficients are of a logistic regression without a penalty to speak of; their intervals come from whole sessions: of
each draw the first step of Newton's method from the estimate, b + H^-1 (sum over sessions of (times taken - 1) g_s),
where g_s is the gradient of session s (as in the sandwich of Liang & Zeger 1986).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spymaster.research.day_blocks import LEAST_SESSIONS, Interval, difference_interval, interval, mean_interval
from spymaster.research.logistic import newton, sigmoid
from spymaster.research.nulls import chance

CONDITIONS: Final = ("z_r_ah", "z_n_ah", "z_r_bh", "z_n_bh")
"""C1 to C4 in the frame of the direction: retreat and net pull of the side ahead, then of the side behind."""
WEAK_PENALTY: Final = 1e-3
"""Of a standardised coefficient: it matters only where the sample would leave one without bound."""


def state_codes(conditions: np.ndarray, theta: float) -> np.ndarray:
    """int64[n], 0 to 15: C1 C2 C3 C4 as binary digits, from float64[n, 4]."""
    return (conditions >= theta) @ np.array([8, 4, 2, 1])


def state_label(code: int) -> str:
    """`1100` for 12."""
    return f"{code:04b}"


@dataclass(frozen=True)
class Coefficients:
    """Of one regression: per feature, and deviation of it, an interval and the chance of not being above 0."""

    names: tuple[str, ...]
    intervals: tuple[Interval, ...]
    not_above: tuple[float, ...]


def coefficients(
    x: np.ndarray, names: tuple[str, ...], label: np.ndarray, session: np.ndarray, draws: np.ndarray
) -> Coefficients | None:
    """Regression of bool[n] on float64[n, k]; None where labels or sessions are too few to tell."""
    least = 10 * (len(names) + 1)
    if min(int(label.sum()), int((~label).sum())) < least or draws.shape[1] < LEAST_SESSIONS:
        return None
    deviation = x.std(axis=0)
    z = (x - x.mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)
    design = np.concatenate([np.ones((len(z), 1)), z], axis=1)
    penalty = np.full(design.shape[1], WEAK_PENALTY)
    penalty[0] = 0.0
    b = newton(design, label, np.zeros(len(label)), penalty)
    p = sigmoid(design @ b)
    hessian = (design * (p * (1.0 - p))[:, None]).T @ design + np.diag(penalty)
    gradient = np.zeros((draws.shape[1], design.shape[1]))
    np.add.at(gradient, session, design * (label - p)[:, None])
    drawn = b + np.linalg.solve(hessian, ((draws - 1.0) @ gradient).T).T
    found = tuple(interval(float(b[k + 1]), drawn[:, k + 1]) for k in range(len(names)))
    # a draw's distance from the estimate is what the estimate's from the truth might be
    below = tuple(chance(float(b[k + 1]), drawn[:, k + 1] - b[k + 1]) for k in range(len(names)))
    return Coefficients(names, found, below)


def spread_of_shares(state: np.ndarray, label: np.ndarray) -> float:
    """Chi-square of a table of states (int[n], 0 to 15) and a label (bool[n] or float64): 0 where shares are equal."""
    n = np.bincount(state, minlength=16).astype(np.float64)
    hits = np.bincount(state, weights=label, minlength=16)
    rate = hits.sum() / max(n.sum(), 1.0)
    if not 0.0 < rate < 1.0:
        return float("nan")
    there = n > 0
    return float(((hits[there] - n[there] * rate) ** 2 / (n[there] * rate * (1.0 - rate))).sum())


def spread_chance(state: np.ndarray, label: np.ndarray, shuffled: np.ndarray) -> float:
    """Chance of a spread as large under shuffled labels (bool[count, n])."""
    seen = spread_of_shares(state, label)
    if not np.isfinite(seen):
        return float("nan")
    onehot = (state[:, None] == np.arange(16)).astype(np.float64)
    n = onehot.sum(axis=0)
    hits = shuffled @ onehot
    rate = label.mean()
    there = n > 0
    drawn = ((hits[:, there] - n[there] * rate) ** 2 / (n[there] * rate * (1.0 - rate))).sum(axis=1)
    return chance(seen, drawn)


@dataclass(frozen=True)
class StateRow:
    """One state: how many setups, from how many sessions, and the share of each outcome."""

    code: int
    n: int
    sessions: int
    shares: tuple[Interval, ...]


def state_table(
    state: np.ndarray, outcome: np.ndarray, kinds: int, session: np.ndarray, draws: np.ndarray
) -> list[StateRow]:
    """Rows of the states that were seen, in order. outcome: int[n], 0 to `kinds` - 1."""
    rows = []
    for code in np.unique(state).tolist():
        own = state == code
        shares = tuple(
            mean_interval((outcome[own] == one).astype(np.float64), session[own], draws) for one in range(kinds)
        )
        rows.append(StateRow(code, int(own.sum()), len(np.unique(session[own])), shares))
    return rows


def matched_difference(
    hit: np.ndarray, placebo: np.ndarray, match: np.ndarray, session: np.ndarray, draws: np.ndarray
) -> tuple[Interval, int]:
    """Share of `hit` (bool[n]) at real levels less that at their matched placebos, and how many sets there are.

    match: object[n], the set of each, None without one. A set counts once, for the session of its real setup, and only
    if it has both.
    """
    known = np.array([one is not None for one in match], dtype=bool)
    names, index = np.unique(np.array([str(one) for one in match[known]]), return_inverse=True)
    if not len(names):
        return interval(float("nan"), np.empty(0)), 0
    fake, happened = placebo[known], hit[known].astype(np.float64)
    real_n, fake_n = (np.bincount(index[kept], minlength=len(names)) for kept in (~fake, fake))
    real, false = (np.bincount(index[kept], weights=happened[kept], minlength=len(names)) for kept in (~fake, fake))
    of_set = np.full(len(names), -1)
    of_set[index[~fake]] = session[known][~fake]
    both = (real_n > 0) & (fake_n > 0)
    if not both.any():
        return interval(float("nan"), np.empty(0)), 0
    shares = real[both] / real_n[both], false[both] / fake_n[both]
    found = difference_interval(shares[0], of_set[both], shares[1], of_set[both], draws)
    return found, int(both.sum())
