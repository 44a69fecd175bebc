"""Probabilities of samples by models that learned from earlier sessions only, fold by fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from spymaster.research.model_rules import ModelRules
from spymaster.research.models import Fitted, Insufficient, Trainer
from spymaster.research.samples import Samples
from spymaster.research.walk_forward import Fold


@dataclass(frozen=True)
class OutOfSample:
    """What came of trying algorithms of one head on the test samples of some folds."""

    head: str
    p: dict[str, np.ndarray]
    """float64[n] by algorithm, probability of the label of the head; NaN where not tested, or without a model."""
    fold: np.ndarray
    """int64[n], number of the fold that tested a sample; -1 for none, and for samples that do not count."""
    refused: dict[tuple[int, str], str] = field(default_factory=dict)
    """Why there is no model, by fold and algorithm."""

    def tested(self, *algos: str) -> np.ndarray:
        """bool[n], samples that all these algorithms (all, without any) have a probability for."""
        names = algos or tuple(self.p)
        return np.asarray(np.isfinite(np.stack([self.p[name] for name in names])).all(axis=0))


def out_of_sample(
    head: str, algos: Iterable[str], samples: Samples, folds: Sequence[Fold], rules: ModelRules
) -> OutOfSample:
    """Fit on the training samples of each fold, and tell the probabilities of its test samples."""
    names = tuple(algos)
    p = {algo: np.full(len(samples), np.nan) for algo in names}
    number = np.full(len(samples), -1, dtype=np.int64)
    refused: dict[tuple[int, str], str] = {}
    for fold in folds:
        rows = fold.test[samples.scored(head)[fold.test]]
        number[rows] = fold.number
        trainer, tried = Trainer(head, samples.select(fold.train), rules), samples.select(rows)
        for algo in names:
            made = trainer.fit(algo)
            if isinstance(made, Insufficient):
                refused[fold.number, algo] = made.reason
            else:
                assert isinstance(made, Fitted)
                p[algo][rows] = made.probabilities(tried)
    return OutOfSample(head, p, number, refused)
