"""The baseline of a walk without drift: the formula against walks."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.setups.ruin import CHUNK, first_passage


def walks(above: float, below: float, sigma: float, step: float, *, lattice: bool, n: int = 60_000) -> np.ndarray:
    """Shares of simulated walks that reach the upper barrier first, the lower, or neither.

    Steps have one root mean square; they are normal, or up or down by it.
    """
    steps = round((sigma / step) ** 2)
    rng = np.random.default_rng(11)
    at, ended = np.zeros(n), np.zeros(n, dtype=np.int8)
    for _ in range(steps):
        moves = rng.choice([-1.0, 1.0], n) if lattice else rng.standard_normal(n)
        at = np.where(ended == 0, at + step * moves, at)
        ended = np.where((ended == 0) & (at >= above), 1, np.where((ended == 0) & (at <= -below), 2, ended))
    return np.array([(ended == k).mean() for k in (1, 2, 0)])


@pytest.mark.parametrize(
    ("above", "below", "sigma", "step"),
    [(4.0, 4.0, 4.0, 0.5), (6.0, 6.0, 5.8, 0.5), (3.0, 9.0, 6.0, 0.5), (9.0, 3.0, 12.0, 0.5), (8.0, 8.0, 3.0, 0.25)],
)
@pytest.mark.parametrize(("lattice", "overshoot"), [(False, 0.5826), (True, 0.0)])
def test_the_formula_is_what_walks_do(
    above: float, below: float, sigma: float, step: float, lattice: bool, overshoot: float
):
    given = (above, below, sigma, overshoot * step)
    found = np.array(first_passage(*(np.array([one]) for one in given)))[:, 0]
    expected = walks(above, below, sigma, step, lattice=lattice)
    # three standard errors of 60,000 walks, and what the correction for steps leaves
    assert np.abs(found - expected).max() < 0.006 + 0.003


def test_what_cannot_be_told_is_not_and_what_is_certain_is():
    nan = np.nan
    above, below = np.array([4.0, 0.0, 5.0, 400.0, -2.0]), np.array([4.0, 8.0, -1.0, 400.0, 10.0])
    sigma, step = np.array([nan, 3.0, 3.0, 3.0, 3.0]), np.full(5, 0.5)
    up, down, none = first_passage(above, below, sigma, step)
    assert np.isnan([up[0], down[0], none[0]]).all()
    assert up[1] > 0.99999
    assert down[2] > 0.99999
    assert none[3] > 0.99999
    assert up[4] > 0.99999
    assert np.allclose((up + down + none)[1:], 1.0)
    assert (np.stack([up, down, none])[:, 1:] > 0).all()


def test_many_starts_are_as_each_alone():
    rng = np.random.default_rng(2)
    given = [rng.uniform(1, 9, CHUNK + 5) for _ in range(3)] + [np.full(CHUNK + 5, 0.1)]
    together = np.stack(first_passage(*given))
    for k in (0, CHUNK - 1, CHUNK, CHUNK + 4):
        assert np.array_equal(np.stack(first_passage(*(one[k : k + 1] for one in given)))[:, 0], together[:, k])


def test_without_drift_both_ways_are_alike_and_further_barriers_are_reached_less():
    near = first_passage(*(np.array([one]) for one in (5.0, 5.0, 6.0, 0.5)))
    far = first_passage(*(np.array([one]) for one in (8.0, 8.0, 6.0, 0.5)))
    assert near[0][0] == pytest.approx(near[1][0], abs=1e-9)
    assert far[0][0] < near[0][0] < 0.5
    assert far[2][0] > near[2][0]
