"""Deviation of the mid: weights that halve in half an hour, known changes only, nothing of the future."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.setups.volatility import HALF_LIFE_S, LEAST_CHANGES, SPAN_S, over, sigma_15

TICK = 250_000_000


def walk(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    end = np.arange(n) + 5000
    return end, 2.0 * TICK * np.cumsum(rng.normal(0, 0.5, n)).round(1)


def test_it_is_the_weighted_mean_square_of_known_changes():
    end, mid2 = walk(1500)
    mid2[700:720] = np.nan
    end[900:] += 100
    got = sigma_15(end, mid2, TICK)
    for at in (899, 1000, 1499):
        weight = square = 0.0
        for i in range(SPAN_S, at + 1):
            change = (mid2[i] - mid2[i - SPAN_S]) / 2 / TICK
            if end[i] - end[i - SPAN_S] == SPAN_S and np.isfinite(change):
                share = 2.0 ** (-(end[at] - end[i]) / HALF_LIFE_S)
                weight, square = weight + share, square + share * change**2
        assert got[at] == pytest.approx(np.sqrt(square / weight), rel=1e-9)


def test_it_is_not_known_before_enough_changes_are():
    got = sigma_15(*walk(400), TICK)
    assert np.flatnonzero(np.isfinite(got))[0] == SPAN_S + LEAST_CHANGES - 1


def test_a_walk_of_known_size_has_it_and_longer_spans_follow():
    got = sigma_15(*walk(20_000), TICK)[-1]
    assert got == pytest.approx(0.5 * np.sqrt(15), rel=0.1)
    assert over(got, 60) == 2 * got


def test_later_seconds_change_nothing():
    end, mid2 = walk(900)
    other = mid2.copy()
    other[600:] = 7.0
    assert (
        sigma_15(end, other, TICK)[:600] == sigma_15(end, mid2, TICK)[:600]
    ).sum() == 600 - SPAN_S - LEAST_CHANGES + 1
