"""Scores, against the definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spymaster.research import scores
from spymaster.research.reliability import reliability

Y = np.array([True, False, True, True, False, False])
P = np.array([0.9, 0.2, 0.6, 0.4, 0.4, 0.1])


def test_losses_are_those_of_the_definitions():
    expected = [-np.log(p if y else 1 - p) for y, p in zip(Y, P, strict=True)]
    assert scores.log_losses(Y, P) == pytest.approx(expected)
    assert scores.squared_errors(Y, P) == pytest.approx((P - Y) ** 2)
    sure = scores.log_losses(np.array([True]), np.array([0.0]))
    assert sure == pytest.approx([-np.log(scores.LEAST_P)])
    assert scores.skill(0.2, 0.25) == pytest.approx(0.2)


def by_pairs(y: np.ndarray, p: np.ndarray) -> float:
    won = [1.0 if a > b else 0.5 if a == b else 0.0 for a in p[y] for b in p[~y]]
    return float(np.mean(won))


def test_auc_is_the_share_of_pairs_and_a_tie_is_a_half():
    assert scores.auc(Y, P) == pytest.approx(by_pairs(Y, P)) == pytest.approx(8.5 / 9)
    assert scores.auc(Y, np.full(6, 0.3)) == pytest.approx(0.5)
    assert np.isnan(scores.auc(np.ones(3), np.arange(3)))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=40))
def test_auc_of_any_sample_is_the_share_of_pairs(rows: list[tuple[bool, int]]):
    y, p = np.array([row[0] for row in rows]), np.array([row[1] / 4 for row in rows])
    if y.all() or not y.any():
        assert np.isnan(scores.auc(y, p))
    else:
        assert scores.auc(y, p) == pytest.approx(by_pairs(y, p))


def test_bins_have_equal_mass_and_do_not_part_equal_probabilities():
    rng = np.random.default_rng(1)
    p = rng.random(1000)
    y = rng.random(1000) < p
    table = reliability(p, y)
    assert table is not None
    assert table.count.tolist() == [100] * 10
    assert table.share == pytest.approx(y[np.argsort(p)].reshape(10, 100).mean(axis=1))
    tied = reliability(np.where(p < 0.95, 0.5, 0.9), y)
    assert tied is not None
    assert tied.count.tolist() == [int((p < 0.95).sum()), int((p >= 0.95).sum())]


def test_a_forecast_that_is_off_by_a_tenth_has_that_error_and_keeps_its_resolution():
    stated = np.repeat([0.3, 0.7], 500)
    happened = np.concatenate([np.arange(500) < 100, np.arange(500) < 300])  # 0.2 and 0.6
    table = reliability(stated, happened)
    assert table is not None
    assert table.ece == pytest.approx(0.1)
    assert scores.resolution(table) == pytest.approx(0.2**2)
    rate = happened.mean()
    brier = scores.squared_errors(happened, stated).mean()
    # Murphy's parts: reliability - resolution + uncertainty
    assert brier == pytest.approx(0.1**2 - 0.2**2 + rate * (1 - rate))


def test_nothing_is_known_of_an_empty_sample():
    none = np.empty(0)
    assert np.isnan([scores.mean(none), scores.auc(none, none), scores.skill(0.1, 0.0)]).all()
    assert np.isnan(scores.resolution(reliability(none, none)))


def test_power_of_the_design():
    assert scores.auc_error(200, 200) == pytest.approx(0.029, abs=5e-4)
    assert scores.auc_error(450, 450) == pytest.approx(0.019, abs=5e-4)
    # 75 sessions of six hits of each kind cannot see less than about 0.55
    assert scores.detectable_auc(450, 450) == pytest.approx(0.55, abs=0.01)
    assert scores.detectable_auc(450, 450, error=0.04) > 0.6
    assert np.isnan(scores.auc_error(0, 5))
