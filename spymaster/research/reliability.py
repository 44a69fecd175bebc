"""Calibration of scores, and how well probabilities agree with frequencies.

Scores (log odds) of samples that a model has not learned from become probabilities by one of two maps:

- Platt: the log odds times a slope that is not negative, plus a shift (Platt 1999, Advances in Large Margin
  Classifiers); a slope of 0 says that the scores tell nothing and leaves the base rate;
- isotonic: shares of blocks of scores, pooled until they rise (Ayer et al. 1955, Ann. Math. Statist. 26), only where
  there are more than `ISOTONIC_EVENTS` of either label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spymaster.research.logistic import log_odds, newton, sigmoid

BINS: Final = 10
ISOTONIC_EVENTS: Final = 1000


@dataclass(frozen=True)
class Calibration:
    """A map from log odds to probability."""

    method: str
    """`none`, `platt` or `isotonic`."""
    slope: float = 1.0
    shift: float = 0.0
    knots: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    """Of `isotonic`: middle scores of the blocks, and their shares; between them a straight line."""

    def probabilities(self, score: np.ndarray) -> np.ndarray:
        """float64[n]."""
        if self.method == "isotonic":
            return np.interp(score, self.knots, self.shares)
        return sigmoid(self.slope * score + self.shift)

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        if self.method == "isotonic":
            return {"method": self.method, "knots": list(self.knots), "shares": list(self.shares)}
        return {"method": self.method, "slope": self.slope, "shift": self.shift}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Calibration:
        """The map that wrote a document."""
        if document["method"] == "isotonic":
            return cls("isotonic", knots=tuple(document["knots"]), shares=tuple(document["shares"]))
        return cls(document["method"], document["slope"], document["shift"])


def calibrate(score: np.ndarray, label: np.ndarray, method: str = "platt", base: float | None = None) -> Calibration:
    """The map for scores (float64[n]) and labels (bool[n]) of samples that the model has not learned from.

    base: share of true labels of all that is known, which is more than these samples; what is left where scores tell
    nothing.
    """
    events = int(min(label.sum(), (~label).sum()))
    if events == 0:
        return Calibration("none")
    if method == "isotonic" and events > ISOTONIC_EVENTS:
        return _isotonic(score, label)
    design = np.stack([np.ones(len(score)), score], axis=1)
    shift, slope = newton(design, label, np.zeros(len(score)), np.array([0.0, _RIDGE]), np.array([0.0, 1.0]))
    if slope < 0.0:
        shift, slope = float(log_odds(np.array(label.mean() if base is None else base))), 0.0
    return Calibration("platt", float(slope), float(shift))


_RIDGE: Final = 1e-3
"""Pull of the slope towards 1; it matters only where scores do not vary, and the slope would not be determined."""


def _isotonic(score: np.ndarray, label: np.ndarray) -> Calibration:
    order = np.lexsort((~label, score))  # equal scores, true first, end up in one block
    blocks: list[list[float]] = []  # sum of scores, of labels, count
    for x, y in zip(score[order].tolist(), label[order].tolist(), strict=True):
        blocks.append([x, float(y), 1.0])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    knots = tuple(total / count for total, _, count in blocks)
    shares = tuple((hits + 1.0) / (count + 2.0) for _, hits, count in blocks)
    return Calibration("isotonic", knots=knots, shares=tuple(np.maximum.accumulate(shares).tolist()))


@dataclass(frozen=True)
class Reliability:
    """Bins of about equally many samples, by rising probability, and what came of them."""

    count: np.ndarray
    p_mean: np.ndarray
    share: np.ndarray
    """int64[b], float64[b], float64[b]."""
    ece: float
    """Expected calibration error: mean distance of the two, weighted by count."""

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "count": self.count.tolist(),
            "p_mean": self.p_mean.tolist(),
            "share": self.share.tolist(),
            "ece": self.ece,
        }


def reliability(p: np.ndarray, label: np.ndarray, bins: int = BINS) -> Reliability | None:
    """The table for probabilities (float64[n]) and labels (bool[n]), of at most `bins` bins; None without any.

    Equal probabilities are in one bin, so that the order of the samples does not matter.
    """
    if not len(p):
        return None
    values, of_value, count = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2.0
    wanted = np.minimum((middle * bins / len(p)).astype(np.int64), bins - 1)
    bin_of = np.unique(wanted, return_inverse=True)[1]
    mass = np.bincount(bin_of, weights=count).astype(np.int64)
    hits = np.bincount(of_value, weights=label)
    p_mean = np.bincount(bin_of, weights=count * values) / mass
    share = np.bincount(bin_of, weights=hits) / mass
    return Reliability(mass, p_mean, share, float((mass * np.abs(p_mean - share)).sum() / mass.sum()))
