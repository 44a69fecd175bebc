"""The smoothing spline against what defines it: the least of misfit and bending, found by other means."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster_tests.options.plain import smoothed


def cubic_spline(x: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Second derivatives of the natural cubic spline through points, and the matrix of their integral; dense."""
    gap, n = np.diff(x), len(x)
    difference, integral = np.zeros((n, n - 2)), np.zeros((n - 2, n - 2))
    for j in range(n - 2):
        difference[j : j + 3, j] = [1 / gap[j], -1 / gap[j] - 1 / gap[j + 1], 1 / gap[j + 1]]
        integral[j, j] = (gap[j] + gap[j + 1]) / 3
        if j + 1 < n - 2:
            integral[j, j + 1] = integral[j + 1, j] = gap[j + 1] / 6
    return np.linalg.solve(integral, difference.T @ values), integral


def cost(x: np.ndarray, y: np.ndarray, w: np.ndarray, bend: float, values: np.ndarray) -> float:
    """Misfit and bending of the natural spline through `values`."""
    second, integral = cubic_spline(x, values)
    return float((w * (y - values) ** 2).sum() + bend * second @ integral @ second)


@pytest.fixture
def quotes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(-4, 4, 40))
    y = 0.15 + 0.01 * x**2 - 0.02 * x + rng.normal(0, 0.004, 40)
    return x, y, 1 / rng.uniform(0.002, 0.02, 40) ** 2


@pytest.mark.parametrize("bend", [1e-3, 1.0, 1e3, 1e6])
def test_no_other_values_cost_less(quotes, bend: float):
    x, y, w = quotes
    best = smoothed(x, y, w, bend, x)
    least = cost(x, y, w, bend, best)
    rng = np.random.default_rng(5)
    for size in (1e-6, 1e-4, 1e-2):
        for _ in range(30):
            assert cost(x, y, w, bend, best + rng.normal(0, size, len(x))) > least
    # the least of a quadratic: its gradient, by central differences, is 0
    steps = np.eye(len(x)) * 1e-5
    slope = [cost(x, y, w, bend, best + one) - cost(x, y, w, bend, best - one) for one in steps]
    curve = [cost(x, y, w, bend, best + one) + cost(x, y, w, bend, best - one) - 2 * least for one in steps]
    assert np.abs(np.array(slope) / np.array(curve)).max() < 1e-2


def test_without_a_price_for_bending_it_goes_through_every_point(quotes):
    x, y, w = quotes
    np.testing.assert_allclose(smoothed(x, y, w, 0.0, x), y, rtol=1e-13)


def test_when_bending_is_dear_it_is_the_weighted_straight_line(quotes):
    x, y, w = quotes
    line = np.polynomial.Polynomial.fit(x, y, 1, w=np.sqrt(w))
    np.testing.assert_allclose(smoothed(x, y, w, 1e12, x), line(x), rtol=1e-6)


def test_a_straight_smile_stays_straight_within_and_beyond_its_points():
    x = np.array([-2.0, -0.5, 0.1, 1.0, 3.0])
    at = np.linspace(-6, 8, 29)
    np.testing.assert_allclose(smoothed(x, 0.2 - 0.03 * x, np.ones(5), 7.0, at), 0.2 - 0.03 * at, rtol=1e-12)


def test_it_is_a_natural_cubic_between_its_points_and_smooth_through_them(quotes):
    x, y, w = quotes
    values = smoothed(x, y, w, 0.5, x)
    second, _ = cubic_spline(x, values)
    step = 1e-4
    for k in (3, 17, 30):
        around = smoothed(x, y, w, 0.5, x[k] + step * np.array([-1, 0, 1]))
        assert (around[0] - 2 * around[1] + around[2]) / step**2 == pytest.approx(second[k - 1], rel=1e-2)
    for end, way in ((x[0], -1), (x[-1], 1)):
        outside = smoothed(x, y, w, 0.5, end + way * np.array([0.0, 1.0, 2.0]))
        assert outside[0] - 2 * outside[1] + outside[2] == pytest.approx(0, abs=1e-13)


def test_a_stale_wing_with_a_wide_quote_makes_no_spike():
    x = np.linspace(-3, 3, 25)
    smile = 0.14 + 0.008 * x**2
    y, w = smile.copy(), np.full(25, 1 / 0.003**2)
    y[22] += 0.2
    w[22] = 1 / 0.5**2
    assert np.abs(smoothed(x, y, w, 1.0, x) - smile).max() < 0.004


@pytest.mark.parametrize("n", [1, 2])
def test_few_points_are_met(n: int):
    x, y = np.array([0.5, 1.5])[:n], np.array([0.2, 0.3])[:n]
    np.testing.assert_allclose(smoothed(x, y, np.ones(n), 3.0, x), y)
    assert smoothed(x, y, np.ones(n), 3.0, 2.5) == pytest.approx(0.2 if n == 1 else 0.4)
