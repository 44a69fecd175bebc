"""Chance: shuffles stay where they belong, and their share is a probability that can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.research.nulls import (
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
    assert drawn.shape == (60,)
    assert drawn.mean() == pytest.approx(0.7**2 + 0.3**2, abs=0.02)
    # each session ends in its own way: nothing earlier agrees, unless the own session were among the neighbours
    assert random_agreement(session, session, 10, 5).tolist() == [0.0] * 5
    # the session next to the question's is not among them either
    late = np.where(session == 10, 5, np.where(session == 11, 5, session + 20))
    assert random_agreement(late, session, 10, 5).max() == 0.0
    assert len(random_agreement(outcome, np.zeros(360, int), 10, 5)) == 0


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
