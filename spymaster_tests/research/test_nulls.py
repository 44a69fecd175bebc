"""Chance: shuffles stay where they belong, and their share is a probability that can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.research.logistic import sigmoid
from spymaster.research.nulls import (
    agreement_chance,
    bar_strata,
    beyond_bar,
    chance,
    permuted_auc_chance,
    random_agreement,
    rank_agreement,
    rank_trend,
    shuffled_labels,
    strata,
)


def test_labels_are_shuffled_within_session_and_direction_only():
    rng = np.random.default_rng(2)
    session, direction = rng.integers(0, 5, 200), np.where(rng.random(200) < 0.5, 1, -1)
    y = rng.random(200) < 0.1 + 0.15 * session
    where = strata(session, direction)
    assert len(np.unique(where)) == 10
    shuffled = shuffled_labels(y, where, 50, seed=1)
    for stratum in range(10):
        assert (shuffled[:, where == stratum].sum(axis=1) == y[where == stratum].sum()).all()
    assert (shuffled != y).any(axis=1).all()
    assert shuffled.mean(axis=0)[where == 0] == pytest.approx(y[where == 0].mean(), abs=0.25)


def test_a_base_rate_that_differs_by_day_is_not_taken_for_skill():
    """A forecast that only knows which day it is has a high AUC, and a shuffle within days knows that."""
    rng = np.random.default_rng(3)
    session = np.repeat(np.arange(20), 40)
    rate = np.where(np.arange(20) % 2, 0.8, 0.2)[session]
    y = rng.random(800) < rate
    where = strata(session, np.ones(800))
    shuffled = shuffled_labels(y, where, 199)
    assert permuted_auc_chance(y, rate, shuffled) == 1.0
    informed = rate + 0.3 * (y - 0.5) + rng.normal(0, 0.3, 800)
    assert permuted_auc_chance(y, informed, shuffled) == pytest.approx(1 / 200)
    assert np.isnan(permuted_auc_chance(np.ones(800), rate, shuffled))


def test_chances_under_no_signal_are_even():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(200):
        y, p = rng.random(60) < 0.5, rng.random(60)
        found.append(
            permuted_auc_chance(y, p, shuffled_labels(y, np.zeros(60, int), 99, seed=int(rng.integers(10**9))))
        )
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.06)
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.5, abs=0.1)
    assert chance(2.0, np.array([1.0, 2.0, 3.0])) == 0.75


def test_random_neighbours_agree_as_base_rates_do_and_are_of_earlier_sessions():
    rng = np.random.default_rng(7)
    session = np.repeat(np.arange(12), 30)
    outcome = np.where(rng.random(360) < 0.7, 0, 1)
    drawn = random_agreement(outcome, session, 10, 60, seed=2)
    assert drawn.shape == (360,)
    assert np.isnan(drawn).sum() == 60
    late = session > 3
    assert drawn[late & (outcome == 0)].mean() == pytest.approx(0.7, abs=0.03)
    assert drawn[late & (outcome == 1)].mean() == pytest.approx(0.3, abs=0.03)
    turned = rng.permutation(360)
    mixed = random_agreement(outcome[turned], session[turned], 10, 60, seed=3)
    assert mixed == pytest.approx(drawn[turned], abs=0.15, nan_ok=True)
    # each session ends in its own way: nothing earlier agrees, unless the own session were among the neighbours
    assert np.nanmax(random_agreement(session, session, 10, 5)) == 0.0
    # the session next to the question's is not among them either
    late = np.where(session == 10, 5, np.where(session == 11, 5, session + 20))
    assert np.nanmax(random_agreement(late, session, 10, 5)) == 0.0
    assert np.isnan(random_agreement(outcome, np.zeros(360, int), 10, 5)).all()


def weathered(rng: np.random.Generator, likeness: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes, neighbours' outcomes and sessions where every day has its weather, and questions of a day find
    setups of the same two days. likeness: share of neighbours that end like the setup because they are like it.
    """
    session = np.repeat(np.arange(20), 15)
    rate = 1.0 / (1.0 + np.exp(-rng.normal(0.5, 2.0, 20)))
    own = (rng.random(300) < rate[session]).astype(np.int64)
    found = rng.choice(20, (20, 2))[session][np.arange(300)[:, None], rng.integers(0, 2, (300, 10))]
    ended = (rng.random((300, 10)) < rate[found]).astype(np.int64)
    return own, np.where(rng.random((300, 10)) < likeness, own[:, None], ended), session


def test_neighbours_from_days_with_a_weather_are_not_taken_for_likeness():
    """Draws of single neighbours at random would make a find of it far too often."""
    rng = np.random.default_rng(8)
    told, single = [], []
    for _ in range(100):
        own, found, session = weathered(rng, 0.0)
        told.append(agreement_chance(own, found, session, 99, seed=int(rng.integers(10**9))))
        drawn = np.array([(own[rng.integers(0, 300, (300, 10))] == own[:, None]).mean() for _ in range(40)])
        single.append(chance(float((found == own[:, None]).mean()), drawn))
    assert np.mean(np.array(told) <= 0.05) <= 0.12
    assert np.mean(told) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(single) <= 0.05) >= 0.2
    own, found, session = weathered(rng, 0.15)
    assert agreement_chance(own, found, session, 199) == pytest.approx(1 / 200)
    assert np.isnan(agreement_chance(own, np.full((300, 3), -1), session))


def test_what_the_bar_knows_is_no_skill_of_a_model():
    """Labels follow the bar and the day's weather: a model that stretches the bar has a high AUC and an even chance."""
    rng = np.random.default_rng(9)
    session = np.repeat(np.arange(30), 20)
    told, plain = [], []
    for _ in range(100):
        known, feature = rng.normal(0.5, 1.2, 600), rng.normal(size=600)
        y = rng.random(600) < sigmoid(known + rng.normal(0, 0.7, 30)[session])
        bar, seed = sigmoid(known), int(rng.integers(10**9))
        model = sigmoid(1.2 * known + 0.3 * feature + rng.normal(0, 0.5, 30)[session])
        labels = shuffled_labels(y, bar_strata(session, bar), 99, seed=seed)
        told.append(permuted_auc_chance(y, beyond_bar(model, bar), labels))
        plain.append(permuted_auc_chance(y, model, shuffled_labels(y, session, 99, seed=seed)))
    assert np.mean(np.array(told) <= 0.05) <= 0.12
    assert np.mean(told) == pytest.approx(0.5, abs=0.1)
    assert np.max(plain) == pytest.approx(1 / 100)
    # what is added to it is seen
    known, feature = rng.normal(size=600), rng.normal(size=600)
    bar, model = sigmoid(known), sigmoid(1.2 * known + 0.3 * feature)
    y = rng.random(600) < sigmoid(known + feature)
    labels = shuffled_labels(y, bar_strata(session, bar), 199)
    assert permuted_auc_chance(y, beyond_bar(model, bar), labels) == pytest.approx(1 / 200)
    assert permuted_auc_chance(y, beyond_bar(bar, bar), labels) == 1.0
    assert permuted_auc_chance(y, beyond_bar(sigmoid(np.asarray(2.0 * known - 1.0)), bar), labels) == 1.0


def test_strata_of_the_bar_are_tenths_within_sessions():
    rng = np.random.default_rng(10)
    bar, session = rng.random(1000), np.repeat(np.arange(2), 500)
    where = bar_strata(session, bar)
    assert len(np.unique(where)) == 20
    for one in range(20):
        assert np.ptp(bar[where == one]) < 0.13
        assert len(np.unique(session[where == one])) == 1
    assert np.unique(bar_strata(session, np.full(1000, 0.5))).tolist() == [0, 1]


def test_agreement_falls_with_rank_where_the_nearest_know_more():
    rng = np.random.default_rng(6)
    own = rng.integers(0, 3, 3000)
    knows = rng.random((3000, 20)) < np.linspace(0.4, 0.0, 20)
    found = np.where(knows, own[:, None], rng.integers(0, 3, (3000, 20)))
    agreement = rank_agreement(own, found)
    assert agreement[0] == pytest.approx(0.4 + 0.6 / 3, abs=0.04)
    assert agreement[-1] == pytest.approx(1 / 3, abs=0.04)
    assert rank_trend(agreement) < -0.2
    assert abs(rank_trend(rank_agreement(own, rng.integers(0, 3, (3000, 20))))) < 0.04
    short = rank_agreement(np.array([1, 1]), np.array([[1, -1], [0, -1]]))
    assert short[0] == 0.5
    assert np.isnan(short[1])
    assert np.isnan(rank_trend(short))
