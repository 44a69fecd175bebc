"""Logistic regression with an offset and an L2 penalty, by Newton's method.

    minimise  sum_i log(1 + exp(-s_i (o_i + a + x_i b))) + |b|^2/(2 C),    s_i = +1 where the label is true, else -1

The intercept `a` is not penalised; `o` is given. Features are centred and scaled by their mean and deviation over
training, and clipped, so that one odd sample cannot decide a fit. Sums are taken in one order, whatever the number of
threads, so that equal samples give equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

LIMIT: Final = 6.0
"""Scaled features are clipped to this many deviations."""
ITERATIONS: Final = 100
TOLERANCE: Final = 1e-10
"""Newton's method ends where a step would lower the sum by less than this times the number of samples."""


@dataclass(frozen=True)
class Logistic:
    """A fitted regression."""

    mean: np.ndarray
    deviation: np.ndarray
    """float64[k]; features that never vary count as 0."""
    coefficient: np.ndarray
    """float64[k], per deviation."""
    intercept: float
    c: float

    def scores(self, x: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """float64[n], log odds of float64[n, k] and an offset."""
        z = scaled(x, self.mean, self.deviation)
        return np.asarray(offset + self.intercept + np.einsum("ij,j->i", z, self.coefficient))

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
            "coefficient": self.coefficient.tolist(),
            "intercept": self.intercept,
            "c": self.c,
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Logistic:
        """The regression that wrote a document."""
        mean, deviation, coefficient = (np.array(document[name]) for name in ("mean", "deviation", "coefficient"))
        return cls(mean, deviation, coefficient, document["intercept"], document["c"])


def scaled(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """float64[n, k] in deviations, within `LIMIT`."""
    alive = deviation > 0.0
    return np.clip((x - mean) / np.where(alive, deviation, 1.0), -LIMIT, LIMIT) * alive


def fit_logistic(x: np.ndarray, label: np.ndarray, offset: np.ndarray, c: float) -> Logistic:
    """The regression of labels (bool[n]) on features (float64[n, k]) with an offset (float64[n])."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 1e-12 * np.maximum(np.abs(mean), 1.0), deviation, 0.0)
    z = scaled(x, mean, deviation)
    design = np.concatenate([np.ones((len(z), 1)), z], axis=1)
    penalty = np.full(design.shape[1], 1.0 / c)
    penalty[0] = 0.0
    weights = newton(design, label, offset, penalty)
    return Logistic(mean, deviation, weights[1:], float(weights[0]), c)


def newton(
    design: np.ndarray, label: np.ndarray, offset: np.ndarray, penalty: np.ndarray, around: np.ndarray | None = None
) -> np.ndarray:
    """float64[k]: weights that minimise the sum of the module for a design (float64[n, k]), penalty (float64[k]).

    around: weights that are not penalised; 0 without it. Where labels are all alike and an unpenalised weight has no
    finite optimum, the weights after `ITERATIONS` steps.
    """
    centre = np.zeros(design.shape[1]) if around is None else around
    weights = centre.copy()
    truth = label.astype(np.float64)
    value = _value(design, truth, offset, penalty, centre, weights)
    for _ in range(ITERATIONS):
        p = sigmoid(offset + np.einsum("ij,j->i", design, weights))
        gradient = np.einsum("ij,i->j", design, p - truth) + penalty * (weights - centre)
        curvature = np.maximum(p * (1.0 - p), 1e-12)
        hessian = np.einsum("ij,ik->jk", design * curvature[:, None], design) + np.diag(penalty)
        hessian[np.diag_indices_from(hessian)] += 1e-12
        step = np.linalg.solve(hessian, gradient)
        decrease = float(np.einsum("i,i->", gradient, step))
        if decrease < TOLERANCE * max(len(truth), 1):
            weights = weights - step
            break
        share = 1.0
        while share > 1e-6:
            trial = weights - share * step
            tried = _value(design, truth, offset, penalty, centre, trial)
            if tried <= value - 1e-4 * share * decrease:
                break
            share /= 2.0
        weights, value = trial, tried
    return weights


def sigmoid(score: np.ndarray) -> np.ndarray:
    """Probability of log odds, without overflow."""
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1.0, small) / (1.0 + small)


def log_odds(p: np.ndarray, least: float = 1e-9) -> np.ndarray:
    """Log odds of probabilities, which are kept away from 0 and 1 by `least`."""
    inside = np.clip(p, least, 1.0 - least)
    return np.log(inside) - np.log1p(-inside)


def losses(score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """float64[n], log loss of log odds (nats)."""
    return np.logaddexp(0.0, np.where(label, -score, score))


def _value(design, truth, offset, penalty, centre, weights) -> float:
    score = offset + np.einsum("ij,j->i", design, weights)
    return float(losses(score, truth > 0.5).sum() + 0.5 * (penalty * (weights - centre) ** 2).sum())
