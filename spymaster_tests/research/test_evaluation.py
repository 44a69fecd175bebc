"""The evaluation on samples made of numbers: what is looked at, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spymaster.research.evaluation import Asked, Numbers, evaluate, held_out, outside
from spymaster.research.logistic import sigmoid
from spymaster.research.model_rules import ModelRules
from spymaster.research.retrieval import Rules
from spymaster.research.scores import auc
from spymaster.research.trial_rows import Place, Rows
from spymaster.research.walk_scores import Forecast, score_forecast
from spymaster.settings import OutcomeModelSettings, RetrievalSettings
from spymaster_tests.research.made_samples import made_samples

RULES = replace(ModelRules.of(OutcomeModelSettings()), min_sessions=1_000)
"""Nothing is fitted."""
RETRIEVAL = Rules.of(RetrievalSettings(), "standard")
NUMBERS = Numbers(draws=50, permutations=9, placebo_draws=5)
PLACE = Place("touch", 120, 0)


def test_nothing_that_is_described_is_of_a_shut_holdout():
    """Outcomes, conditions, placebos and neighbours of the hold-out are turned about, and no row changes."""
    samples = made_samples(sessions=20, per_session=12)
    placebo = np.arange(len(samples)) % 3 == 0
    own = replace(samples, is_placebo=placebo, match_set_id=np.array([f"set {k // 3}" for k in range(len(samples))]))
    held = held_out({PLACE: own}, 0.3)
    assert held.tolist() == own.sessions[-6:].tolist()
    late = np.isin(own.session, held)
    turned = replace(
        own, outcome=np.where(late, (own.outcome + 1) % 3, own.outcome).astype(np.int8),
        features={name: np.where(late, -values, values) for name, values in own.features.items()},
    )  # fmt: skip
    near = np.random.default_rng(1).integers(0, 3, (len(own), 4))
    told = []
    for one in (own, turned):
        asked = asked_of(one, np.where(late[:, None], (near + (one is turned)) % 3, near))
        told += [
            evaluate(
                {PLACE: one}, RULES, RETRIEVAL, NUMBERS, held=held, asked={PLACE: asked}, open_holdout=opens
            ).rows.found
            for opens in (False, True)
        ]
    assert {row["section"] for row in told[0]} >= {"sample", "states", "hypothesis", "levels", "neighbours"}
    assert str(told[0]) == str(told[2])
    for section in ("sample", "states", "hypothesis", "levels", "neighbours"):
        here, there = ([row for row in rows if row["section"] == section] for rows in (told[1], told[3]))
        assert str(here) != str(there), section


def asked_of(samples, neighbours: np.ndarray) -> Asked:
    return Asked(samples.outcome.astype(np.int64), neighbours, samples.session, samples.direction)


def test_the_chance_of_resolve_is_what_is_said_beyond_the_bar():
    rng = np.random.default_rng(5)
    session, known, feature = np.repeat(np.arange(20), 25), rng.normal(size=500), rng.normal(size=500)
    forecast = Forecast(
        y=rng.random(500) < sigmoid(1.5 * known + feature), session=session, direction=np.ones(500, dtype=np.int8),
        fold=session // 5,
        p={"bar": sigmoid(1.5 * known), "echo": sigmoid(1.8 * known), "logit": sigmoid(1.5 * known + feature)},
    )  # fmt: skip
    found = {
        head: score_forecast(forecast, PLACE.of(head=head), draws=50, permutations=99, rows=Rows())
        for head in ("resolve", "side")
    }
    assert {algo: one.p_perm for algo, one in found["resolve"].items()} == {"bar": 1.0, "echo": 1.0, "logit": 0.01}
    assert {one.p_perm for one in found["side"].values()} == {0.01}


def test_base_rates_of_the_folds_before_are_no_score_and_no_folly():
    """Nothing but the share of breaks so far is told: across folds its AUC is below 0.5, for a fold with many breaks
    raises all later ones; within folds it is what it is worth.
    """
    rng = np.random.default_rng(2)
    session = np.repeat(np.arange(40), 10)
    fold, across, within = session // 5, [], []
    for _ in range(200):
        y = rng.random(400) < 0.5
        told = np.array([y[fold < max(k, 1)].mean() for k in range(8)])[fold]
        forecast = Forecast(y, session, np.ones(400, dtype=np.int8), fold, {"rate": told})
        across.append(auc(y[fold > 0], told[fold > 0]))
        within.append(auc(y, forecast.ranked("rate")))
    assert np.mean(across) < 0.48
    assert within == [0.5] * 200
    mixed = replace(forecast, p={"rate": told, "more": told + 0.1 * y})
    assert auc(y, mixed.ranked("more")) == 1.0


def test_neighbours_drawn_at_random_have_an_interval_by_sessions():
    """A quarter of the sessions ends in a way that is rare in the others: 2,000 neighbours of as many independent draws
    would spread by 0.04.
    """
    samples = made_samples(sessions=20, per_session=30)
    rng = np.random.default_rng(2)
    outcome = np.where(rng.random(len(samples)) < np.where(samples.session % 4, 0.9, 0.1), 0, 1).astype(np.int8)
    own = replace(samples, outcome=outcome)
    asked = asked_of(own, rng.integers(0, 2, (len(own), 4)))
    found = evaluate({PLACE: own}, RULES, RETRIEVAL, NUMBERS, held=np.empty(0, dtype=np.int64), asked={PLACE: asked})
    rows = {row["metric"]: row for row in found.rows.of("neighbours")}
    band = rows["agreement_random"]
    assert band["ci_hi"] - band["ci_lo"] > 0.1
    assert (band["n_sessions"], band["n_episodes"]) == (18, 540)
    assert rows["agreement"]["ci_lo"] < rows["agreement"]["value"] < rows["agreement"]["ci_hi"]
    assert rows["agreement"]["p_perm"] > 0.05


def test_a_panel_with_sessions_in_the_holdout_only_is_not_there():
    samples = made_samples(sessions=3, per_session=2)
    assert outside({PLACE: samples}, samples.sessions) == {}
    assert len(outside({PLACE: samples}, samples.sessions[1:])[PLACE]) == 2
