"""Neighbours as a model: shares of the outcomes among similar earlier setups, as `gold.retrieval_result` tells them.

The shares of a sample are of sessions before its own, so they are out of sample whatever a fold is; all that is fitted
is what a sample without an answer gets (the base rate of training), and the calibration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spymaster.research.logistic import log_odds
from spymaster.research.retrieval import Library, Question, Rules, answer
from spymaster.research.samples import BREAK, CHOP, CONTEXT_NAMES, REJECT, Samples


def with_neighbours(samples: Samples, rules: Rules) -> Samples:
    """The samples with `knn` from each other: of earlier sessions, by the rules of retrieval.

    Every vector is scaled as it stands in the samples. Real setups and placebos are asked apart, by the caller.
    """
    context = {name: samples.context[:, k] for k, name in enumerate(CONTEXT_NAMES)}
    library = Library(
        points=samples.vectors,
        session=samples.session,
        group=samples.group_id,
        ts=samples.ts_decision,
        direction=samples.direction,
        tod_sec=samples.tod_sec,
        sigma_60=context["sigma_60"],
        level_types=tuple(tuple(kinds) for kinds in samples.level_types),
        outcome=samples.outcome.astype(np.int64),
    )
    shares = np.full((len(samples), 3), np.nan)
    nothing_usual = np.empty(0)
    for row in range(len(samples)):
        question = Question(
            samples.vectors[row],
            int(samples.session[row]),
            int(samples.direction[row]),
            int(library.tod_sec[row]),
            float(library.sigma_60[row]),
        )
        said = answer(library, question, rules, nothing_usual)
        if said.p is not None:
            shares[row] = said.p
    return replace(samples, knn=shares)


@dataclass(frozen=True)
class Neighbours:
    """The stored shares as log odds of a head. base: log odds where nothing is said."""

    head: str
    base: float

    @classmethod
    def learn(cls, head: str, label: np.ndarray) -> Neighbours:
        """From labels (bool[n]) of samples that count for the head."""
        return cls(head, float(log_odds(np.array((label.sum() + 1.0) / (len(label) + 2.0)))))

    def scores(self, samples: Samples) -> np.ndarray:
        """float64[n], log odds."""
        said = is_said(samples)
        shares = np.where(said[:, None], samples.knn, 1.0 / 3.0)
        hit = shares[:, BREAK] + shares[:, REJECT]
        p = 1.0 - shares[:, CHOP] if self.head == "resolve" else shares[:, BREAK] / np.maximum(hit, 1e-12)
        return np.where(said, log_odds(p), self.base)

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"base": self.base}

    @classmethod
    def of(cls, head: str, document: Mapping[str, Any]) -> Neighbours:
        """What wrote a document."""
        return cls(head, document["base"])


def is_said(samples: Samples) -> np.ndarray:
    """bool[n], samples with an answer."""
    return np.asarray(np.isfinite(samples.knn).all(axis=1))
