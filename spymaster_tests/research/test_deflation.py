"""Many trials: what is alike counts once, and the best of noise is not taken for a find."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.research.deflation import (
    best_by_luck,
    clusters,
    deflated_chance,
    deflated_sharpe,
    effective_trials,
    overfitting,
    score_similarity,
    spread_by_luck,
)


def families(rng: np.random.Generator, groups: int, members: int, sessions: int = 60) -> np.ndarray:
    """Scores by session: members of a group share most of theirs."""
    common = rng.normal(size=(groups, 1, sessions))
    return (common + 0.3 * rng.normal(size=(groups, members, sessions))).reshape(groups * members, sessions)


def test_trials_that_go_together_are_one():
    rng = np.random.default_rng(1)
    scores = families(rng, 4, 5)
    assert effective_trials(scores) == 4
    assert clusters(score_similarity(scores)).tolist() == np.repeat(np.arange(4), 5).tolist()
    assert effective_trials(scores[:1]) == effective_trials(np.empty((0, 10))) == 1
    assert effective_trials(rng.normal(size=(12, 60))) == 12


def test_clusters_join_by_the_mean_not_by_a_chain():
    """b is like a and like c, but a and c are not alike: average linkage keeps c apart."""
    similarity = np.array([[1.0, 0.8, 0.2], [0.8, 1.0, 0.75], [0.2, 0.75, 1.0]])
    assert clusters(similarity).tolist() == [0, 0, 1]
    assert clusters(similarity, 0.4).tolist() == [0, 0, 0]


def test_scores_are_compared_over_the_sessions_that_both_have():
    rng = np.random.default_rng(2)
    base = rng.normal(size=40)
    other = base.copy()
    other[:10] = np.nan
    few = np.full(40, np.nan)
    few[:3] = base[:3]
    likeness = score_similarity(np.stack([base, other, few, np.full(40, 0.5)]))
    assert likeness[0, 1] == pytest.approx(1.0)
    assert likeness[0, 2] == 0.0
    assert likeness[3].tolist() == [0.0] * 4


def test_the_best_of_noise_is_what_luck_gives():
    rng = np.random.default_rng(3)
    for trials in (5, 50):
        best = rng.normal(0, 2.0, size=(20_000, trials)).max(axis=1).mean()
        assert best_by_luck(trials, 4.0) == pytest.approx(best, rel=0.04)
    assert best_by_luck(1, 4.0) == 0.0


def test_a_find_must_beat_luck():
    assert deflated_chance(2.0, 1, 1.0) == pytest.approx(0.02275, abs=1e-4)
    assert deflated_chance(2.0, 50, 1.0) > 0.5
    assert deflated_chance(6.0, 50, 1.0) < 1e-3
    assert np.isnan(deflated_chance(float("nan"), 5, 1.0))


def test_finds_do_not_hide_one_another():
    """Half of the ideas are true, and luck is told from placebos: true ones are found, and others are not."""
    rng = np.random.default_rng(5)
    found, luck = [], []
    for _ in range(400):
        true, false, placebos = rng.normal(7.0, 1.0, 20), rng.normal(size=20), rng.normal(size=40)
        ideas = np.concatenate([true, false])
        spread = spread_by_luck(ideas, placebos)
        found.append(np.mean([deflated_chance(z, 40, spread) <= 0.05 for z in true]))
        luck.append(min(deflated_chance(z, 40, spread) for z in false) <= 0.05)
        # of the ideas themselves the spread is so large that nothing stands out
        assert deflated_chance(7.0, 40, spread_by_luck(ideas, placebos[:9])) > 0.05
    assert np.mean(found) > 0.95
    assert np.mean(luck) <= 0.05
    calm, wild = rng.normal(0.0, 0.1, 40), rng.normal(0.0, 3.0, 40)
    assert spread_by_luck(calm, calm) == 1.0
    assert spread_by_luck(calm, wild) > 4.0


def test_sharpe_ratio_is_taken_down_for_trials_tails_and_short_series():
    rng = np.random.default_rng(4)
    calm = rng.normal(0.1, 1.0, 500)
    assert deflated_sharpe(calm, 1, 0.0) > 0.95
    assert deflated_sharpe(calm, 100, 0.01) < deflated_sharpe(calm, 5, 0.01) < deflated_sharpe(calm, 1, 0.01)
    assert deflated_sharpe(calm[:60], 1, 0.0) < deflated_sharpe(np.tile(calm[:60], 6), 1, 0.0)
    assert np.isnan(deflated_sharpe(np.ones(10), 1, 0.0))
    zero = rng.normal(0.0, 1.0, (400, 60))
    found = [deflated_sharpe(row - row.mean(), 1, 0.0) for row in zero[:3]]
    assert found == pytest.approx([0.5] * 3)


def test_overfitting_is_even_for_noise_and_rare_for_one_that_is_really_better():
    rng = np.random.default_rng(5)
    noise = np.mean([overfitting(rng.normal(size=(80, 10))) for _ in range(40)])
    assert noise == pytest.approx(0.5, abs=0.12)
    better = rng.normal(size=(80, 10))
    better[:, 3] += 1.0
    assert overfitting(better) < 0.05
    assert np.isnan(overfitting(better[:, :1]))
    assert np.isnan(overfitting(better[:5]))
    assert overfitting(np.zeros((16, 4))) == 0.5
