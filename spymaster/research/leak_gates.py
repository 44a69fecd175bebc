"""Scores that are too good to be true, and what they have to pass before anything is said of them.

An AUC above 0.62 half a minute or more ahead is more than a book is known to tell, so the first suspicion is that the
model knows what it should not. Two gates ask that of the very configuration, and the suspicion stands unless it passes
both:

    labels of another session   outcomes are exchanged for those of the session before, neighbours are asked anew, and
                                models are fitted anew: nothing may be left. Where the way from labels to scores knows a
                                label that it is scored on, it is left
    placebos                    at prices that mean nothing, the same models may not be as good: what looks ahead in
                                features, or labels that follow from geometry, do so at any price

Neither is an idea about markets: their scores are told in the report, and are no trials of the ledger. That nothing
after a moment changes what is stored of it, and that scales come from earlier sessions, are tests of the tables.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spymaster.research.knn import with_neighbours
from spymaster.research.model_rules import ModelRules
from spymaster.research.retrieval import Rules
from spymaster.research.samples import Samples
from spymaster.research.trial_rows import Place, Rows
from spymaster.research.walk_forward import outer_folds
from spymaster.research.walk_scores import BAR, Score, forecasts, score_forecast


def labels_of_another_session(samples: Samples, back: int = 1) -> Samples:
    """Outcomes of so many sessions before, setup by setup as far as it has as many; the others are left out."""
    outcome = samples.outcome.copy()
    keep = np.zeros(len(samples), dtype=bool)
    rows = [np.flatnonzero(samples.session == day) for day in samples.sessions]
    for before, own in zip(rows, rows[back:], strict=False):
        n = min(len(before), len(own))
        outcome[own[:n]] = samples.outcome[before[:n]]
        keep[own[:n]] = True
    return replace(samples, outcome=outcome).select(keep)


def shifted_scores(
    samples: Samples, place: Place, suspected: dict[str, list[str]], rules: ModelRules, retrieval: Rules, *, draws: int
) -> dict[Place, Score]:  # fmt: skip
    """Scores of suspected configurations (algorithms by head) where labels are of another session.

    samples: of the panel at real levels, without the hold-out; models are fitted and tried as on the labels themselves.
    """
    moved = with_neighbours(labels_of_another_session(samples), retrieval)
    folds = outer_folds(moved, replace(rules.plan, holdout_share=0.0))
    found: dict[Place, Score] = {}
    for head, algos in suspected.items():
        told = forecasts(moved, folds, rules, [BAR, *algos], [head])
        if head in told:
            scored = score_forecast(told[head], place.of(head=head), draws=draws, permutations=9, rows=Rows())
            found |= {one.place: one for one in scored.values() if one.place.algo in algos}
    return found
