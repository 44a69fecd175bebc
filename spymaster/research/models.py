"""Models of the outcome of a setup: `fit`, and what comes of it.

Two heads are fitted apart: `resolve`, whether a barrier is reached, and `side`, whether it is that of break, given one
is. Together, p_break = p_resolve p_side and p_reject = p_resolve (1 - p_side). Algorithms:

    b0 b1 b2 b3 bar   what a model has to beat (`baselines`)
    logit             logistic on the twelve registered features, the log odds of b1 as offset
    gbm               boosted trees on the whole vector (`boosting`)
    knn               similar earlier setups (`knn`)
    stack             logistic on what the last three say beyond the offset, fitted on samples they did not learn from

Everything that is chosen or calibrated is so inside training, on inner walk-forward folds: penalties, how the stack
weights its parts, and the map from scores to probabilities. A fit on too little is `Insufficient`, which is an answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from spymaster.research import boosting
from spymaster.research.baselines import LINEAR, BaseRates, Linear, Walk, input_names
from spymaster.research.boosting import Boosted
from spymaster.research.errors import ModelError
from spymaster.research.knn import Neighbours, is_said
from spymaster.research.logistic import Logistic, fit_logistic, losses
from spymaster.research.model_rules import ModelRules
from spymaster.research.reliability import Calibration, Reliability, calibrate, reliability
from spymaster.research.samples import BREAK, CHOP, HEADS, REJECT, Samples
from spymaster.research.walk_forward import Fold, inner_folds

BASELINES: Final = ("b0", "b1", "b2", "b3", "bar")
MODELS: Final = ("logit", "gbm", "knn", "stack")
ALGOS: Final = (*BASELINES, *MODELS)
_PARTS: Final = ("logit", "gbm", "knn")
_FORMULAS: Final = ("b0", "b1")
"""Rates and formulas: they are what they are, from however few samples, and are not calibrated."""


class Scorer(Protocol):
    """What tells log odds: one of each algorithm."""

    def scores(self, samples: Samples) -> np.ndarray:
        """float64[n], log odds of the label of the head."""
        ...

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        ...


@dataclass(frozen=True)
class Stacked:
    """A logistic regression on what other scorers say beyond the offset."""

    head: str
    parts: Mapping[str, Scorer]
    weights: Logistic

    def scores(self, samples: Samples) -> np.ndarray:
        """float64[n], log odds."""
        offset = samples.offset(self.head)
        beyond = [part.scores(samples) - offset for part in self.parts.values()]
        return self.weights.scores(np.stack(beyond, axis=1), offset)

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        parts = [[name, part.document()] for name, part in self.parts.items()]  # in the order of the weights
        return {"parts": parts, "weights": self.weights.document()}


@dataclass(frozen=True)
class Insufficient:
    """There is no model, and why."""

    head: str
    algo: str
    reason: str
    train_sessions: np.ndarray
    n_train: int
    n_events: int


@dataclass(frozen=True)
class Fitted:
    """A model of one head."""

    head: str
    algo: str
    scorer: Scorer
    calibration: Calibration
    reliability: Reliability | None
    """Of inner folds: samples that the scores were not learned from; None without any."""
    features: tuple[str, ...]
    chosen: Mapping[str, Any]
    """What was chosen inside training."""
    train_sessions: np.ndarray
    """int64[s], days since the epoch."""
    n_train: int
    """Samples that count for the head."""
    n_events: int
    """Those of them whose label is true."""

    def scores(self, samples: Samples) -> np.ndarray:
        """float64[n], log odds before calibration."""
        return self.scorer.scores(samples)

    def probabilities(self, samples: Samples) -> np.ndarray:
        """float64[n], probability of the label of the head."""
        return self.calibration.probabilities(self.scores(samples))

    def artifact(self) -> bytes:
        """The model as JSON text: `restore` makes one of it that tells the same probabilities."""
        document = {
            "format": 1,
            "head": self.head,
            "algo": self.algo,
            "model": self.scorer.document(),
            "calibration": self.calibration.document(),
            "features": list(self.features),
            "chosen": dict(self.chosen),
            "train_sessions": self.train_sessions.tolist(),
            "n_train": self.n_train,
            "n_events": self.n_events,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(artifact: bytes) -> str:
    """Hash of an artifact."""
    return hashlib.sha256(artifact).hexdigest()


def restore(artifact: bytes, expected_sha256: str | None = None) -> Fitted:
    """The model of an artifact, without its table of reliability.

    Raises `ModelError` if the artifact has another hash than expected, or is none.
    """
    if expected_sha256 is not None and sha256(artifact) != expected_sha256:
        raise ModelError(
            f"an artifact has the hash {sha256(artifact)}, expected {expected_sha256}",
            hint="Materialise gold.outcome_model again.",
        )
    try:
        told = json.loads(artifact)
        head, algo = told["head"], told["algo"]
        return Fitted(
            head,
            algo,
            _scorer_of(head, algo, told["model"]),
            Calibration.of(told["calibration"]),
            None,
            tuple(told["features"]),
            told["chosen"],
            np.array(told["train_sessions"], dtype=np.int64),
            told["n_train"],
            told["n_events"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"an artifact cannot be read: {type(error).__name__}: {error}") from error


def fit(head: str, algo: str, train: Samples, rules: ModelRules) -> Fitted | Insufficient:
    """The model of a head by one algorithm, learned from samples of one panel. Nothing outside `train` is seen."""
    return fit_all(head, (algo,), train, rules)[algo]


def fit_all(head: str, algos: Iterable[str], train: Samples, rules: ModelRules) -> dict[str, Fitted | Insufficient]:
    """As `fit`, for several algorithms, which share what they have in common."""
    trainer = Trainer(head, train, rules)
    return {algo: trainer.fit(algo) for algo in algos}


def outcome_probabilities(resolve: Fitted, side: Fitted, samples: Samples) -> np.ndarray:
    """float64[n, 3], probabilities in order of `OUTCOMES`, from both heads."""
    hit, along = resolve.probabilities(samples), side.probabilities(samples)
    result = np.empty((len(samples), 3))
    result[:, BREAK], result[:, REJECT], result[:, CHOP] = hit * along, hit * (1.0 - along), 1.0 - hit
    return result


class Trainer:
    """Fits algorithms of one head to the same samples; what several of them need is made once."""

    def __init__(self, head: str, train: Samples, rules: ModelRules) -> None:
        if head not in HEADS:
            raise ModelError(f"no head {head}: there are {', '.join(HEADS)}")
        self.head, self.rules = head, rules
        self.samples = train.select(train.scored(head))
        self.label = self.samples.label(head)
        self.folds: list[Fold] = inner_folds(
            self.samples,
            first_share=rules.settings.inner_first_share,
            blocks=rules.settings.inner_blocks,
            embargo=rules.embargo,
        )
        self._short = self._refusal(train)
        self._held_out: dict[str, np.ndarray] = {}
        self._chosen_c: dict[str, float] = {}
        self._final: dict[str, Scorer] = {}

    def fit(self, algo: str) -> Fitted | Insufficient:
        """The model of an algorithm, or why there is none."""
        if algo not in ALGOS:
            raise ModelError(f"no algorithm {algo}: there are {', '.join(ALGOS)}")
        reason = self._reason(algo)
        if reason is not None:
            return Insufficient(self.head, algo, reason, self.samples.sessions, len(self.label), int(self.label.sum()))
        score = self.held_out(algo)
        known = np.isfinite(score)
        if algo in _FORMULAS:
            calibration = Calibration("none")
        else:
            base = float(self.label.mean())
            calibration = calibrate(score[known], self.label[known], self.rules.settings.calibration, base)
            if algo == "stack" and calibration.slope > 1.0:
                calibration = Calibration("none")  # fitted on held-out scores already: there is nothing to sharpen
        table = reliability(calibration.probabilities(score[known]), self.label[known])
        scorer, features = self._learned(algo), self._features(algo)
        return Fitted(
            self.head, algo, scorer, calibration, table, features, self._told(algo, scorer),
            self.samples.sessions, len(self.label), int(self.label.sum()),
        )  # fmt: skip

    def held_out(self, algo: str) -> np.ndarray:
        """float64[n], scores of samples by models of earlier inner folds; NaN where there is none."""
        if algo not in self._held_out:
            if algo in LINEAR:
                self._choose_c(algo)
            elif algo == "stack":
                self._held_out[algo] = self._held_out_stack()
            else:
                self._held_out[algo] = self._walk(algo)
        return self._held_out[algo]

    def _reason(self, algo: str) -> str | None:
        if algo in _FORMULAS:
            return None if len(self.label) else "no sample"
        if self._short is None and algo == "knn" and not is_said(self.samples).any():
            return "no sample has neighbours"
        if self._short is None and algo == "stack":
            known = np.asarray(np.isfinite(self._beyond()).all(axis=1))
            return None if _varied(self.label[known]) else "labels of the inner folds are all alike"
        return self._short

    def _refusal(self, train: Samples) -> str | None:
        sessions, resolved = len(train.sessions), int(train.resolved.sum())
        if sessions < self.rules.min_sessions:
            return f"{sessions} sessions, {self.rules.min_sessions} are needed"
        if resolved < self.rules.min_resolved:
            return f"{resolved} setups reached a barrier, {self.rules.min_resolved} are needed"
        if self.label.all() or not self.label.any():
            return "all labels are alike"
        if not any(_varied(self.label[fold.train]) for fold in self.folds):
            return "no inner fold to choose and calibrate with"
        return None

    def _learn(self, algo: str, samples: Samples, label: np.ndarray) -> Scorer:
        if algo in LINEAR:
            return Linear.learn(algo, self.head, samples, label, self._chosen_c[algo])
        if algo == "b0":
            return BaseRates.learn(samples, label, self.rules.settings.base_shrink)
        if algo == "b1":
            return Walk(self.head)
        if algo == "gbm":
            return boosting.learn(self.head, samples, label, self.rules)
        if algo == "knn":
            return Neighbours.learn(self.head, label)
        raise ModelError(f"no algorithm {algo}: there are {', '.join(ALGOS)}")

    def _learned(self, algo: str) -> Scorer:
        """The scorer of an algorithm, learned from all of training; of those of the stack, each once."""
        if algo not in self._final:
            if algo == "stack":
                known = np.asarray(np.isfinite(self._beyond()).all(axis=1))
                parts = {part: self._learned(part) for part in self._parts()}
                self._final[algo] = Stacked(self.head, parts, self._stack_weights(known))
            else:
                self._final[algo] = self._learn(algo, self.samples, self.label)
        return self._final[algo]

    def _walk(self, algo: str) -> np.ndarray:
        score = np.full(len(self.label), np.nan)
        for fold in self.folds:
            label = self.label[fold.train]
            if algo in _FORMULAS or _varied(label):
                if not len(label):
                    continue
                learned = self._learn(algo, self.samples.select(fold.train), label)
                score[fold.test] = learned.scores(self.samples.select(fold.test))
        if algo == "knn":
            score[~is_said(self.samples)] = np.nan
        return score

    def _choose_c(self, algo: str) -> None:
        tried = []
        for c in self.rules.settings.c_grid:
            self._chosen_c[algo] = c
            score = self._walk(algo)
            known = np.isfinite(score)
            tried.append((float(losses(score[known], self.label[known]).mean()), c, score))
        best = min(tried, key=lambda one: one[:2])
        self._chosen_c[algo], self._held_out[algo] = best[1], best[2]

    def _parts(self) -> tuple[str, ...]:
        return tuple(part for part in _PARTS if self._reason(part) is None)

    def _beyond(self) -> np.ndarray:
        """float64[n, parts], held-out scores less the offset; a sample without neighbours gets the base rate's."""
        offset = self.samples.offset(self.head)
        columns = {part: self.held_out(part).copy() for part in self._parts()}
        if "knn" in columns:
            silent = ~is_said(self.samples)
            for fold in self.folds:
                rows = fold.test[silent[fold.test]]
                columns["knn"][rows] = Neighbours.learn(self.head, self.label[fold.train]).base
        return np.stack([column - offset for column in columns.values()], axis=1)

    def _stack_weights(self, rows: np.ndarray) -> Logistic:
        offset = self.samples.offset(self.head)
        return fit_logistic(self._beyond()[rows], self.label[rows], offset[rows], self.rules.settings.stack_c)

    def _held_out_stack(self) -> np.ndarray:
        """Scores of each inner fold by a stack of the folds before it."""
        beyond, offset = self._beyond(), self.samples.offset(self.head)
        known = np.asarray(np.isfinite(beyond).all(axis=1))
        score = np.full(len(self.label), np.nan)
        for number, fold in enumerate(self.folds):
            before = [earlier.test for earlier in self.folds[:number]]
            rows = np.zeros(len(self.label), dtype=bool)
            for one in before:
                rows[one] = known[one] & (self.samples.ts_label_end[one] <= self.samples.ts_decision[fold.test].min())
            if _varied(self.label[rows]):
                now = fold.test[known[fold.test]]
                score[now] = self._stack_weights(rows).scores(beyond[now], offset[now])
        return score

    def _features(self, algo: str) -> tuple[str, ...]:
        if algo in LINEAR:
            return input_names(algo, self.samples)
        return {
            "b0": ("tod_bucket", "level_types"),
            "b1": ("b1",),
            "gbm": boosting.input_names(self.samples),
            "knn": ("knn",),
            "stack": self._parts() if algo == "stack" else (),
        }[algo]

    def _told(self, algo: str, scorer: Scorer) -> dict[str, Any]:
        if algo == "stack":
            return {"parts": {part: self._told(part, one) for part, one in scorer.parts.items()}}  # type: ignore[attr-defined]
        if algo in LINEAR:
            return {"c": self._chosen_c[algo]}
        return {"rounds": scorer.rounds} if isinstance(scorer, Boosted) else {}


def _varied(label: np.ndarray) -> bool:
    """Whether labels are of both kinds."""
    return bool(len(label)) and bool(label.any()) and not bool(label.all())


def _scorer_of(head: str, algo: str, document: dict[str, Any]) -> Scorer:
    if algo in LINEAR:
        return Linear.of(algo, head, document)
    if algo == "b0":
        return BaseRates.of(document)
    if algo == "b1":
        return Walk(head)
    if algo == "gbm":
        return Boosted.of(head, document)
    if algo == "knn":
        return Neighbours.of(head, document)
    if algo == "stack":
        parts = {name: _scorer_of(head, name, part) for name, part in document["parts"]}
        return Stacked(head, parts, Logistic.of(document["weights"]))
    raise ModelError(f"no algorithm {algo}: there are {', '.join(ALGOS)}")
