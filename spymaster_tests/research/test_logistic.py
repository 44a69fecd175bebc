"""Logistic regression and calibration against slow ways to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from spymaster.research.logistic import fit_logistic, log_odds, losses, scaled, sigmoid
from spymaster.research.reliability import Calibration, calibrate, reliability


def problem(seed: int, n: int = 300, k: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels that lean on two of them and on the offset, and the offset."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k)) * np.array([1.0, 10.0, 0.1, 1.0, 3.0]) + 2.0
    offset = rng.normal(size=n)
    score = offset + 0.8 * (x[:, 0] - 2.0) - 0.05 * (x[:, 1] - 2.0) - 0.4
    return x, rng.random(n) < sigmoid(score), offset


@pytest.mark.parametrize("c", [0.01, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_weights_are_those_of_a_general_minimiser(seed: int, c: float):
    x, label, offset = problem(seed)
    made = fit_logistic(x, label, offset, c)
    z = scaled(x, x.mean(axis=0), x.std(axis=0))

    def objective(weights: np.ndarray) -> float:
        score = offset + weights[0] + z @ weights[1:]
        return float(np.logaddexp(0, np.where(label, -score, score)).sum() + (weights[1:] ** 2).sum() / (2 * c))

    slow = minimize(objective, np.zeros(6), method="BFGS", options={"gtol": 1e-8})
    assert np.append(made.intercept, made.coefficient) == pytest.approx(slow.x, abs=2e-5)


def test_an_offset_that_tells_all_leaves_nothing_to_learn():
    rng = np.random.default_rng(3)
    offset = rng.normal(scale=2.0, size=20_000)
    x = np.stack([offset + rng.normal(size=20_000), rng.normal(size=20_000)], axis=1)
    label = rng.random(20_000) < sigmoid(offset)
    with_it = fit_logistic(x, label, offset, 1.0)
    without = fit_logistic(x, label, np.zeros(20_000), 1.0)
    assert np.abs([with_it.intercept, *with_it.coefficient]).max() < 0.06
    assert without.coefficient[0] > 1.0


def test_a_feature_that_never_varies_counts_as_nothing():
    x, label, offset = problem(4)
    x[:, 2] = 7.0
    made = fit_logistic(x, label, offset, 1.0)
    assert made.coefficient[2] == 0.0
    moved = x.copy()
    moved[:, 2] = -50.0
    assert (made.scores(moved, offset) == made.scores(x, offset)).all()


def test_labels_that_can_be_told_apart_end_in_finite_weights():
    x = np.concatenate([np.full((20, 1), -1.0), np.full((20, 1), 1.0)])
    made = fit_logistic(x, x[:, 0] > 0, np.zeros(40), 1.0)
    assert np.isfinite(made.coefficient).all()
    assert (made.scores(x, np.zeros(40)) > 0).tolist() == (x[:, 0] > 0).tolist()


def test_losses_and_odds_are_those_of_the_formulas():
    p = np.array([0.001, 0.3, 0.9])
    label = np.array([True, False, True])
    assert sigmoid(log_odds(p)) == pytest.approx(p)
    assert losses(log_odds(p), label) == pytest.approx(-np.log(np.where(label, p, 1 - p)))
    assert np.isfinite(losses(np.array([-800.0, 800.0]), np.array([True, False]))).all()


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_scores_that_say_too_much_are_taken_back(method: str):
    rng = np.random.default_rng(5)
    truth = rng.normal(size=20_000)
    label = rng.random(20_000) < sigmoid(truth)
    score = 3.0 * truth + 1.0
    made = calibrate(score, label, method)
    assert made.method == method
    before = reliability(sigmoid(score), label)
    after = reliability(made.probabilities(score), label)
    assert before is not None
    assert after is not None
    assert before.ece > 0.12
    assert after.ece < 0.02
    if method == "platt":
        assert (made.slope, made.shift) == pytest.approx((1 / 3, -1 / 3), abs=0.03)
    assert (np.diff(made.probabilities(np.sort(score))) >= 0).all()
    assert Calibration.of(made.document()) == made


def test_isotonic_needs_a_thousand_of_either_label():
    rng = np.random.default_rng(6)
    score = rng.normal(size=5000)
    label = np.zeros(5000, dtype=bool)
    label[:900] = True
    assert calibrate(score, label, "isotonic").method == "platt"
    label[:1001] = True
    assert calibrate(score, label, "isotonic").method == "isotonic"


def test_scores_that_point_the_wrong_way_leave_the_base_rate():
    rng = np.random.default_rng(7)
    score = rng.normal(size=2000)
    label = rng.random(2000) < sigmoid(-2.0 * score - 1.0)
    made = calibrate(score, label)
    assert made.slope == 0.0
    assert made.probabilities(score) == pytest.approx(np.full(2000, label.mean()), abs=1e-6)


def test_bins_hold_equally_many_and_their_error_is_the_mean_distance():
    p = np.repeat([0.2, 0.8], 500)
    label = np.tile([True, False, False, False], 250)
    apart = reliability(p + np.arange(1000) * 1e-9, label, bins=4)
    made = reliability(p, label, bins=4)
    assert apart is not None
    assert made is not None
    assert apart.count.tolist() == [250] * 4
    assert apart.p_mean == pytest.approx([0.2, 0.2, 0.8, 0.8], abs=1e-5)
    assert made.count.tolist() == [500] * 2  # equal ones are not parted
    assert made.p_mean == pytest.approx([0.2, 0.8])
    assert made.ece == pytest.approx((0.05 + 0.55) / 2)
    order = np.lexsort((label, p))
    again = reliability(p[order], label[order], bins=4)
    assert again is not None
    assert again.ece == pytest.approx(made.ece)
    assert reliability(np.empty(0), np.empty(0, dtype=bool)) is None
