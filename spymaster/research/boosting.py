"""Boosted trees on the whole vector and the context (LightGBM), starting from the walk without drift.

The last training sessions say how many trees to grow; a model with that many is then grown on all of them. Where no
number of trees is better than none, there are none. One thread, fixed seeds: equal samples give equal bytes. LightGBM
is imported when a model is grown or asked, never before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spymaster.research.logistic import losses, newton
from spymaster.research.model_rules import ModelRules
from spymaster.research.samples import CONTEXT_NAMES, Samples

if TYPE_CHECKING:
    import lightgbm

SEED: Final = 17
RISING: Final = {"side": ("w0.v.queue_imb", "w0.v.micro_disp")}
"""Inputs by head that the log odds may not fall with: more quantity behind and less ahead, an expected move ahead."""


def inputs(samples: Samples) -> np.ndarray:
    """float32[n, d]: vector, `B2_NAMES`, `CONTEXT_NAMES`."""
    return np.concatenate([samples.vectors, samples.b2, samples.context], axis=1, dtype=np.float32)


def input_names(samples: Samples) -> tuple[str, ...]:
    """Names of the inputs."""
    return (*samples.vector_names, *samples.b2_names, *CONTEXT_NAMES)


@dataclass(frozen=True)
class Boosted:
    """Grown trees. text: the model as LightGBM writes it, empty without a tree; base: log odds added to the offset."""

    head: str
    base: float
    rounds: int
    text: str

    def scores(self, samples: Samples) -> np.ndarray:
        """float64[n], log odds."""
        start = samples.offset(self.head) + self.base
        if not self.rounds or not len(samples):
            return start
        return start + np.asarray(self._booster.predict(inputs(samples), raw_score=True, num_threads=1))

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"base": self.base, "rounds": self.rounds, "text": self.text}

    @classmethod
    def of(cls, head: str, document: Mapping[str, Any]) -> Boosted:
        """The trees that wrote a document."""
        return cls(head, document["base"], document["rounds"], document["text"])

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)


def learn(head: str, samples: Samples, label: np.ndarray, rules: ModelRules) -> Boosted:
    """Trees from samples that count for the head and their labels (bool[n])."""
    offset = samples.offset(head)
    base = float(newton(np.ones((len(label), 1)), label, offset, np.zeros(1))[0])
    rounds = _rounds(head, samples, label, rules)
    if not rounds:
        return Boosted(head, base, 0, "")
    grown = _grow(head, samples, label, offset + base, rules, rounds)
    return Boosted(head, base, rounds, grown.model_to_string())


def _rounds(head: str, samples: Samples, label: np.ndarray, rules: ModelRules) -> int:
    """How many trees do best on the last training sessions; 0 where none does better than the base rate."""
    sessions = samples.sessions
    late = sessions[len(sessions) - max(1, round(rules.settings.validation_share * len(sessions))) :]
    judge = np.isin(samples.session, late)
    grow = ~judge & (samples.ts_label_end <= samples.ts_decision[judge].min())
    if len({*label[grow].tolist()}) < 2:
        return 0
    early, last = samples.select(grow), samples.select(judge)
    base = float(newton(np.ones((int(grow.sum()), 1)), label[grow], early.offset(head), np.zeros(1))[0])
    start = last.offset(head) + base
    without = float(losses(start, label[judge]).mean())
    booster = _grow(
        head, early, label[grow], early.offset(head) + base, rules, rules.rounds, judge=(last, label[judge], start)
    )
    best = booster.best_score["judge"]["binary_logloss"]
    return booster.best_iteration if best < without else 0


def _grow(
    head: str, samples: Samples, label: np.ndarray, start: np.ndarray, rules: ModelRules, rounds: int,
    judge: tuple[Samples, np.ndarray, np.ndarray] | None = None,
) -> lightgbm.Booster:  # fmt: skip
    import lightgbm

    chosen, names = rules.settings, list(input_names(samples))
    rising = RISING.get(head, ())
    parameters = {
        "objective": "binary",
        "metric": "binary_logloss",
        "num_leaves": chosen.num_leaves,
        "min_data_in_leaf": rules.min_data_in_leaf,
        "learning_rate": chosen.learning_rate,
        "feature_fraction": chosen.feature_fraction,
        "monotone_constraints": [int(name in rising) for name in names],
        "max_bin": chosen.max_bin,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "seed": SEED,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(
        inputs(samples), label.astype(np.float32), init_score=start, feature_name=names, params=parameters
    )
    if judge is None:
        return lightgbm.train(parameters, data, rounds)
    last, truth, begun = judge
    held = lightgbm.Dataset(inputs(last), truth.astype(np.float32), init_score=begun, reference=data)
    stop = lightgbm.early_stopping(chosen.patience, verbose=False)
    return lightgbm.train(parameters, data, rounds, valid_sets=[held], valid_names=["judge"], callbacks=[stop])
