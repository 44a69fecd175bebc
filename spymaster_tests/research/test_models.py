"""Models: planted signals are found, noise is not, nothing of later sessions is used, and artifacts tell the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spymaster.research.errors import ModelError
from spymaster.research.knn import with_neighbours
from spymaster.research.logistic import sigmoid
from spymaster.research.model_rules import ModelRules, configuration, trial_id
from spymaster.research.models import (
    ALGOS,
    BASELINES,
    MODELS,
    Fitted,
    Insufficient,
    Trainer,
    fit,
    fit_all,
    outcome_probabilities,
    restore,
    sha256,
)
from spymaster.research.out_of_sample import out_of_sample
from spymaster.research.reliability import reliability
from spymaster.research.retrieval import Rules
from spymaster.research.samples import HEADS, Samples
from spymaster.research.walk_forward import outer_folds
from spymaster.settings import OutcomeModelSettings, RetrievalSettings
from spymaster_tests.research.made_samples import auc, auc_interval, made_samples

RULES = ModelRules.of(OutcomeModelSettings())
SPLIT = 31


def asked(samples: Samples) -> Samples:
    return with_neighbours(samples, Rules.of(RetrievalSettings(), "standard"))


@pytest.fixture(scope="module")
def planted() -> Samples:
    return asked(made_samples(sessions=45, per_session=40, signal=0.8))


@pytest.fixture(scope="module")
def models(planted: Samples) -> dict[str, dict[str, Fitted]]:
    train = planted.select(planted.session < planted.sessions[SPLIT])
    made = {head: fit_all(head, ALGOS, train, RULES) for head in HEADS}
    return {head: {algo: one for algo, one in of.items() if isinstance(one, Fitted)} for head, of in made.items()}


def later(samples: Samples, head: str) -> Samples:
    part = samples.select(samples.session > samples.sessions[SPLIT])
    return part.select(part.scored(head))


def test_every_algorithm_has_a_model_of_both_heads(models: dict[str, dict[str, Fitted]]):
    assert {head: tuple(of) for head, of in models.items()} == dict.fromkeys(HEADS, ALGOS)


def test_a_planted_signal_is_found_on_later_sessions(planted: Samples, models: dict[str, dict[str, Fitted]]):
    test = later(planted, "side")
    label = test.label("side")
    areas = {algo: auc(model.probabilities(test), label) for algo, model in models["side"].items()}
    assert min(areas["logit"], areas["gbm"]) > 0.62
    assert areas["stack"] > max(areas["logit"], areas["gbm"])  # one sees one half of the signal, one the other
    assert max(areas[algo] for algo in BASELINES) < 0.58


def test_what_is_told_beats_the_bar_where_there_is_a_signal_only(
    planted: Samples, models: dict[str, dict[str, Fitted]]
):
    for head, better in (("side", True), ("resolve", False)):
        test = later(planted, head)
        label = test.label(head)
        loss = {
            algo: -np.log(np.where(label, p := models[head][algo].probabilities(test), 1 - p)).mean()
            for algo in ("bar", "logit", "stack")
        }
        assert (loss["stack"] < loss["bar"] - 0.02) == better, loss
        assert loss["logit"] < loss["bar"] + 0.03


def test_an_artifact_tells_the_same_probabilities(planted: Samples, models: dict[str, dict[str, Fitted]]):
    for head in HEADS:
        test = later(planted, head)
        for algo, model in models[head].items():
            artifact = model.artifact()
            again = restore(artifact, sha256(artifact))
            assert (again.probabilities(test) == model.probabilities(test)).all(), algo
            assert again.artifact() == artifact
    with pytest.raises(ModelError, match="has the hash"):
        restore(models["side"]["logit"].artifact(), "00")
    with pytest.raises(ModelError, match="cannot be read"):
        restore(b'{"head": "side"}')


def test_probabilities_of_the_outcomes_add_up(planted: Samples, models: dict[str, dict[str, Fitted]]):
    test = planted.select(planted.session > planted.sessions[SPLIT])
    p = outcome_probabilities(models["resolve"]["stack"], models["side"]["stack"], test)
    assert p.sum(axis=1) == pytest.approx(np.ones(len(test)))
    assert (p > 0).all()


def test_the_formula_is_calibrated_on_a_walk():
    walked = made_samples(sessions=40, per_session=100, walk=True, seed=3)
    for head in HEADS:
        part = walked.select(walked.scored(head))
        made = fit(head, "b1", part, RULES)
        assert isinstance(made, Fitted)
        table = reliability(made.probabilities(part), part.label(head))
        assert table is not None
        assert table.ece < 0.03, head
        if head == "side":
            assert (made.probabilities(part) == 0.5).all()


@pytest.mark.parametrize("seed", [11, 12])
def test_noise_is_not_foretold(seed: int):
    noise = asked(made_samples(sessions=44, per_session=30, seed=seed))
    tried = out_of_sample("side", (*BASELINES, *MODELS), noise, outer_folds(noise, RULES.plan), RULES)
    rows = tried.tested("bar", "logit", "gbm", "stack")
    assert rows.sum() > 100
    for algo in ("bar", "logit", "gbm", "stack"):
        low, high = auc_interval(tried.p[algo][rows], noise.label("side")[rows], noise.session[rows])
        assert low <= 0.5 <= high, (algo, low, high)


def test_what_knows_nothing_says_the_base_rate():
    """Three parts that found nothing tempt the stack to fit their noise: its calibration takes most of that back, and
    where nothing is left of a score, all of training says what the base rate is.
    """
    told, fitted, constant = [], [], 0
    for seed in range(21, 26):
        noise = asked(made_samples(sessions=44, per_session=12, seed=seed))
        train = noise.select(noise.session < noise.sessions[SPLIT])
        made, tried = fit("side", "stack", train, RULES), later(noise, "side")
        assert isinstance(made, Fitted)
        told.append(made.probabilities(tried).std())
        fitted.append(sigmoid(made.scores(tried)).std())
        if made.calibration.slope == 0.0:
            constant += 1
            base = train.select(train.scored("side")).label("side").mean()
            assert made.probabilities(tried) == pytest.approx(np.full(len(tried), base), abs=1e-12)
    assert np.mean(told) < 0.6 * np.mean(fitted)
    assert constant >= 2


def test_the_calibration_of_a_stack_never_makes_odds_larger(models: dict[str, dict[str, Fitted]]):
    for head in HEADS:
        assert models[head]["stack"].calibration.slope <= 1.0


def test_later_sessions_change_no_model_of_a_fold():
    one = asked(made_samples(sessions=40, per_session=20, signal=0.5))
    changed = one.session >= one.sessions[26]
    other = asked(replace(one, outcome=np.where(changed, (one.outcome + 1) % 3, one.outcome).astype(np.int8)))
    folds = outer_folds(one, RULES.plan)
    for algo in ("bar", "logit", "stack"):
        here, there = (out_of_sample("resolve", (algo,), part, folds[:1], RULES).p[algo] for part in (one, other))
        assert np.isfinite(here).sum() > 0
        assert here.tobytes() == there.tobytes()


def test_too_little_is_no_error():
    few = made_samples(sessions=19, per_session=40)
    made = fit("side", "logit", few, RULES)
    assert isinstance(made, Insufficient)
    assert made.reason == "19 sessions, 20 are needed"
    thin = made_samples(sessions=30, per_session=8)
    made = fit("side", "stack", thin, RULES)
    assert isinstance(made, Insufficient)
    assert "setups reached a barrier, 200 are needed" in made.reason
    alike = made_samples(sessions=30, per_session=40)
    made = fit("resolve", "logit", alike.select(alike.resolved), RULES)
    assert isinstance(made, Insufficient)
    assert made.reason == "all labels are alike"
    unasked = made_samples(sessions=30, per_session=40)
    made = fit("side", "knn", unasked, RULES)
    assert isinstance(made, Insufficient)
    assert made.reason == "no sample has neighbours"
    stack = fit("side", "stack", unasked, RULES)
    assert isinstance(stack, Fitted)
    assert stack.features == ("logit", "gbm")


def test_what_there_is_not_is_named():
    samples = made_samples(sessions=2, per_session=3)
    with pytest.raises(ModelError, match="no head up"):
        fit("up", "logit", samples, RULES)
    with pytest.raises(ModelError, match="no algorithm oracle"):
        fit("side", "oracle", samples, RULES)


def test_the_stack_is_fitted_on_scores_of_samples_that_were_not_learned_from(planted: Samples):
    train = planted.select(planted.session < planted.sessions[SPLIT])
    trainer = Trainer("side", train, RULES)
    first = trainer.folds[0]
    for part in ("logit", "gbm"):
        score = trainer.held_out(part)
        assert np.isnan(score[first.train]).all()
        known = np.flatnonzero(np.isfinite(score))
        assert set(known.tolist()) == {row for fold in trainer.folds for row in fold.test.tolist()}


def test_shares_of_neighbours_are_of_earlier_sessions(planted: Samples):
    base = made_samples(sessions=45, per_session=40, signal=0.8)
    changed = base.session >= base.sessions[30]
    other = asked(replace(base, outcome=np.where(changed, (base.outcome + 1) % 3, base.outcome).astype(np.int8)))
    before = base.session <= base.sessions[30]
    assert np.isfinite(planted.knn[before]).all(axis=1).sum() > 300
    assert other.knn[before].tobytes() == planted.knn[before].tobytes()
    assert other.knn[~before].tobytes() != planted.knn[~before].tobytes()


def test_a_configuration_has_one_name():
    panel = {"kind": "touch", "horizon_s": 120, "family": "s1", "lead_s": 0, "head": "side", "rules": RULES}
    one = trial_id(configuration(algo="gbm", **panel))
    assert one == trial_id(configuration(algo="gbm", **panel))
    other = ModelRules.of(OutcomeModelSettings(num_leaves=31))
    assert len({one, trial_id(configuration(algo="logit", **panel)),
                trial_id(configuration(algo="gbm", **{**panel, "rules": other}))}) == 3  # fmt: skip
