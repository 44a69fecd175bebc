"""States, registered tests and matched differences find what was put in, and not more."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.research.day_blocks import session_draws
from spymaster.research.hypotheses import (
    CONDITIONS,
    coefficients,
    matched_difference,
    spread_chance,
    spread_of_shares,
    state_codes,
    state_label,
    state_table,
)
from spymaster.research.nulls import shuffled_labels

SESSIONS, N = 30, 1500


@pytest.fixture(scope="module")
def conditions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(N, 4)), np.repeat(np.arange(SESSIONS), N // SESSIONS), session_draws(SESSIONS, 300)


def test_states_are_the_digits_of_the_conditions():
    z = np.array([[0.5, 0.6, -1.0, 0.0], [1.0, 1.0, 1.0, 1.0], [0.4, 0.4, 0.4, 0.5]])
    assert [state_label(code) for code in state_codes(z, 0.5)] == ["1100", "1111", "0001"]


def test_coefficients_are_those_of_the_sample_and_their_intervals_hold_them(conditions):
    x, session, draws = conditions
    rng = np.random.default_rng(2)
    truth = np.array([0.8, 0.0, -0.5, 0.0])
    label = rng.random(N) < 1 / (1 + np.exp(-(x @ truth)))
    found = coefficients(x, CONDITIONS, label, session, draws)
    assert found is not None
    for interval, true in zip(found.intervals, truth, strict=True):
        assert interval.value == pytest.approx(true, abs=0.2)
        assert interval.low < interval.value < interval.high
        # about as wide as independent sessions allow: 2 x 1.96/sqrt(n p q)
        assert interval.high - interval.low == pytest.approx(4 / np.sqrt(N * 0.22), rel=0.5)
    assert found.not_above[0] < 0.02
    assert found.not_above[2] > 0.98
    assert coefficients(x[:40], CONDITIONS, label[:40], session[:40], draws) is None


def test_intervals_widen_where_sessions_go_together(conditions):
    """Copies of the same setups within a session add rows and no knowledge."""
    x, _session, draws = conditions
    rng = np.random.default_rng(3)
    few = slice(0, N // 5)
    label = rng.random(N) < 1 / (1 + np.exp(-x[:, 0]))
    own = np.repeat(np.arange(SESSIONS), N // 5 // SESSIONS)
    once = coefficients(x[few], CONDITIONS, label[few], own, draws)
    often = coefficients(np.tile(x[few], (5, 1)), CONDITIONS, np.tile(label[few], 5), np.tile(own, 5), draws)
    assert once is not None
    assert often is not None
    widths = [one.intervals[0].high - one.intervals[0].low for one in (once, often)]
    assert widths[1] == pytest.approx(widths[0], rel=0.02)


def test_shares_that_differ_between_states_are_seen_and_others_not(conditions):
    x, session, _ = conditions
    rng = np.random.default_rng(4)
    state = state_codes(x, 0.5)
    flat = rng.random(N) < 0.4
    steep = rng.random(N) < np.where(state == 15, 0.9, np.where(state == 0, 0.25, 0.4))
    for label, least, most in ((flat, 0.05, 1.0), (steep, 0.0, 0.01)):
        chance = spread_chance(state, label, shuffled_labels(label, session, 199))
        assert least <= chance <= most
    assert spread_of_shares(state, np.full(N, 1.0)) != spread_of_shares(state, flat)
    assert np.isnan(spread_chance(state, np.zeros(N, dtype=bool), shuffled_labels(flat, session, 9)))


def test_rows_of_states_are_shares_by_state(conditions):
    x, session, draws = conditions
    outcome = np.random.default_rng(5).integers(0, 3, N)
    state = state_codes(x, 0.5)
    rows = state_table(state, outcome, 3, session, draws)
    assert sum(row.n for row in rows) == N
    assert [row.code for row in rows] == sorted({*state.tolist()})
    first = rows[0]
    assert [share.value for share in first.shares] == pytest.approx(
        [(outcome[state == first.code] == one).mean() for one in range(3)]
    )
    assert sum(share.value for share in first.shares) == pytest.approx(1.0)


def test_a_set_counts_once_and_only_with_both_sides():
    match = np.array(["a", "a", "a", "b", "b", "c", None, "d"], dtype=object)
    placebo = np.array([False, True, True, False, True, False, False, True])
    hit = np.array([True, False, True, True, False, True, True, True])
    session = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    found, sets = matched_difference(hit, placebo, match, session, session_draws(3, 50))
    assert sets == 2
    assert found.value == pytest.approx(((1 - 0.5) + (1 - 0.0)) / 2)
    nothing = matched_difference(hit[5:7], placebo[5:7], match[5:7], session[5:7], session_draws(3, 50))
    assert nothing[1] == 0
    assert np.isnan(nothing[0].value)
