"""Intervals by whole sessions: exact where they can be compared, and honest where independent samples would not be."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.research import scores
from spymaster.research.day_blocks import (
    auc_interval,
    difference_interval,
    interval,
    mean_interval,
    ratio_interval,
    session_draws,
    session_index,
    session_means,
    skill_interval,
)

SESSIONS = 12


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, p with ties, and session of 300 samples; sessions differ in size, one has no event."""
    rng = np.random.default_rng(5)
    session = np.sort(rng.integers(0, SESSIONS, 300))
    p = np.round(rng.random(300), 1)
    y = rng.random(300) < 0.2 + 0.5 * p
    y[session == 3] = False
    return y, p, session


def repeated(values: np.ndarray, session: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """The sample that a draw stands for, written out."""
    return np.concatenate([np.tile(values[session == k], int(times)) for k, times in enumerate(draw)])


def test_a_draw_takes_as_many_sessions_as_there_are():
    draws = session_draws(SESSIONS, 500, seed=3)
    assert draws.shape == (500, SESSIONS)
    assert (draws.sum(axis=1) == SESSIONS).all()
    assert draws.mean(axis=0) == pytest.approx(np.ones(SESSIONS), abs=0.2)
    assert draws.tobytes() == session_draws(SESSIONS, 500, seed=3).tobytes()


def test_sums_by_session_say_what_the_repeated_samples_say(sample):
    y, p, session = sample
    draws = session_draws(SESSIONS, 40, seed=1)
    losses = scores.log_losses(y, p)
    reference = scores.squared_errors(y, np.full(len(y), 0.4))
    errors = scores.squared_errors(y, p)
    means = [repeated(losses, session, draw).mean() for draw in draws]
    ratios = [repeated(errors, session, draw).sum() / repeated(reference, session, draw).sum() for draw in draws]
    aucs = [scores.auc(repeated(y, session, draw), repeated(p, session, draw)) for draw in draws]
    assert mean_interval(losses, session, draws) == interval(losses.mean(), np.array(means)) or np.allclose(
        [*vars(mean_interval(losses, session, draws)).values()],
        [*vars(interval(losses.mean(), np.array(means))).values()],
    )
    for found, value, drawn in (
        (ratio_interval(errors, reference, session, draws), errors.sum() / reference.sum(), ratios),
        (auc_interval(y, p, session, draws), scores.auc(y, p), aucs),
        (skill_interval(errors, reference, session, draws), 1 - errors.sum() / reference.sum(), 1 - np.array(ratios)),
    ):
        assert list(vars(found).values()) == pytest.approx(list(vars(interval(value, np.array(drawn))).values()))


def test_differences_are_drawn_together(sample):
    _y, p, session = sample
    draws = session_draws(SESSIONS, 400, seed=2)
    same = difference_interval(p, session, p, session, draws)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    less = difference_interval(p, session, p - 0.25, session, draws)
    assert (less.low, less.high) == pytest.approx((0.25, 0.25))
    assert less.above_zero


def test_sessions_without_samples_and_draws_that_tell_nothing(sample):
    _y, p, session = sample
    index, n = session_index(session * 7 + 100)
    assert n == SESSIONS
    assert (index == session).all()
    means = session_means(p, np.where(session == 2, 1, session), SESSIONS)
    assert np.isnan(means[2])
    assert means[4] == pytest.approx(p[session == 4].mean())
    nothing = auc_interval(np.zeros(300), p, session, session_draws(SESSIONS, 50))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert not nothing.above_zero


def test_samples_of_few_sessions_have_an_estimate_and_no_interval():
    """Of two sessions one can draw the first twice, or the second twice: that is not what other days would bring."""
    rng = np.random.default_rng(8)
    values = rng.random(40)
    for sessions, known in ((2, False), (4, False), (5, True)):
        session = np.arange(40) % sessions
        draws = session_draws(sessions, 100)
        found = mean_interval(values, session, draws)
        assert found.value == pytest.approx(values.mean())
        assert np.isfinite(found.low) == known
        assert np.isfinite(auc_interval(values > 0.5, rng.random(40), session, draws).low) == known
        assert np.isfinite(difference_interval(values, session, values / 2, session, draws).low) == known


def weather(rng: np.random.Generator, days: int, windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Signs of the next 60 steps and sums of the last 60, at every fourth step of driftless walks: no signal at all."""
    look, every = 60, 4
    steps = rng.normal(size=(days, 2 * look + every * windows))
    path = np.cumsum(steps, axis=1)
    at = look + every * np.arange(windows)
    return (path[:, at + look] > path[:, at]).reshape(-1), (path[:, at] - path[:, at - look]).reshape(-1)


def independent_interval(y: np.ndarray, p: np.ndarray, rng: np.random.Generator, draws: int) -> tuple[float, float]:
    """Interval of the AUC by samples taken one by one, as if windows did not overlap: what is forbidden."""
    order = np.argsort(p)
    happened = y[order]
    taken = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), size=draws).astype(np.float64)
    below = np.cumsum(taken * ~happened, axis=1)
    won = (taken * happened * below).sum(axis=1)
    ones = (taken * happened).sum(axis=1)
    low, high = np.quantile(won / (ones * below[:, -1]), [0.025, 0.975])
    return float(low), float(high)


def test_independent_samples_promise_too_much_where_windows_overlap():
    """23 days of 100 overlapping windows without signal: the interval by days holds 0.5 about as often as it says."""
    rng = np.random.default_rng(11)
    days, windows, trials = 23, 100, 120
    session = np.repeat(np.arange(days), windows)
    draws = session_draws(days, 300, seed=4)
    by_days = by_samples = 0
    for _ in range(trials):
        y, p = weather(rng, days, windows)
        by_days += auc_interval(y, p, session, draws).holds(0.5)
        low, high = independent_interval(y, p, rng, 120)
        by_samples += low <= 0.5 <= high
    assert by_days / trials >= 0.88
    assert by_samples / trials <= 0.60
