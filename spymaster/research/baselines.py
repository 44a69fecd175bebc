"""What a model has to beat: the base rate, the walk without drift, and what plain quantities tell.

    b0    base rate of the half hour and the kind of level
    b1    gambler's ruin: distance of the barriers against the usual size of moves, nothing else
    b2    logistic on the last moves of the mid, their size against the usual, and the spread
    b3    logistic on the imbalance at the best prices and the expected move of the mid
    bar   b1, b2 and b3 together: logistic on what b2 and b3 see, with the log odds of b1 as offset

`bar` is fitted in one, not on the outputs of b2 and b3: every combination of those two is among what it may choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spymaster.research.logistic import Logistic, fit_logistic, log_odds
from spymaster.research.samples import REGISTERED, Samples

LINEAR: Final = ("b2", "b3", "bar", "logit")
"""Algorithms that are a logistic regression."""
_WITH_OFFSET: Final = ("bar", "logit")


def inputs(algo: str, samples: Samples) -> np.ndarray:
    """float64[n, k] that a linear algorithm sees."""
    if algo == "logit":
        return samples.matrix()
    return {"b2": samples.b2, "b3": samples.b3, "bar": np.concatenate([samples.b2, samples.b3], axis=1)}[algo]


def input_names(algo: str, samples: Samples) -> tuple[str, ...]:
    """Their names."""
    both = (*samples.b2_names, *samples.b3_names)
    return {"b2": samples.b2_names, "b3": samples.b3_names, "bar": both, "logit": REGISTERED}[algo]


def offset(algo: str, samples: Samples, head: str) -> np.ndarray:
    """float64[n], log odds that a linear algorithm starts from."""
    return samples.offset(head) if algo in _WITH_OFFSET else np.zeros(len(samples))


@dataclass(frozen=True)
class Linear:
    """A logistic regression of one of `LINEAR`."""

    algo: str
    head: str
    fitted: Logistic

    @classmethod
    def learn(cls, algo: str, head: str, samples: Samples, label: np.ndarray, c: float) -> Linear:
        """From samples that count for the head and their labels (bool[n])."""
        return cls(algo, head, fit_logistic(inputs(algo, samples), label, offset(algo, samples, head), c))

    def scores(self, samples: Samples) -> np.ndarray:
        """float64[n], log odds."""
        return self.fitted.scores(inputs(self.algo, samples), offset(self.algo, samples, self.head))

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return self.fitted.document()

    @classmethod
    def of(cls, algo: str, head: str, document: Mapping[str, Any]) -> Linear:
        """The regression that wrote a document."""
        return cls(algo, head, Logistic.of(dict(document)))


@dataclass(frozen=True)
class Walk:
    """b1: nothing is learned."""

    head: str

    def scores(self, samples: Samples) -> np.ndarray:
        """float64[n], log odds."""
        return samples.offset(self.head)

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {}


@dataclass(frozen=True)
class BaseRates:
    """b0: shares of the label, those of few samples leaning on those of a wider class.

    The kind of level is the first of a setup's, in the order of the enumeration.
    """

    overall: float
    by_half_hour: Mapping[int, float]
    by_both: Mapping[tuple[int, str], float]

    @classmethod
    def learn(cls, samples: Samples, label: np.ndarray, shrink: float) -> BaseRates:
        """From samples that count for the head and their labels (bool[n]); `shrink` samples of the wider class."""
        overall = float((label.sum() + 1.0) / (len(label) + 2.0))
        keys = list(zip(samples.tod_bucket.tolist(), _first(samples), strict=True))
        hours: dict[int, list[float]] = {}
        both: dict[tuple[int, str], list[float]] = {}
        for key, hit in zip(keys, label.tolist(), strict=True):
            for group, name in ((hours, key[0]), (both, key)):
                count = group.setdefault(name, [0.0, 0.0])  # type: ignore[arg-type]
                count[0] += hit
                count[1] += 1.0
        by_half_hour = {h: (hits + shrink * overall) / (n + shrink) for h, (hits, n) in sorted(hours.items())}
        by_both = {
            key: (hits + shrink * by_half_hour[key[0]]) / (n + shrink) for key, (hits, n) in sorted(both.items())
        }
        return cls(overall, by_half_hour, by_both)

    def scores(self, samples: Samples) -> np.ndarray:
        """float64[n], log odds."""
        keys = zip(samples.tod_bucket.tolist(), _first(samples), strict=True)
        return log_odds(
            np.array([self.by_both.get(key, self.by_half_hour.get(key[0], self.overall)) for key in keys], dtype=float)
        )

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "overall": self.overall,
            "by_half_hour": [[hour, rate] for hour, rate in self.by_half_hour.items()],
            "by_both": [[hour, level, rate] for (hour, level), rate in self.by_both.items()],
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> BaseRates:
        """The rates that wrote a document."""
        return cls(
            document["overall"],
            dict(document["by_half_hour"]),
            {(hour, level): rate for hour, level, rate in document["by_both"]},
        )


def _first(samples: Samples) -> list[str]:
    return [kinds[0] if len(kinds) else "" for kinds in samples.level_types]
