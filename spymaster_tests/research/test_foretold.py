"""What the gates of the research count: models of constant p, several seeds together, nearness to the base rate."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import research_gates as gates
from benchmarks.foretold import Foretold, pooled_aucs
from spymaster_tests.research.made_samples import made_samples

SESSIONS, PER_SESSION = 12, 12


def told(seed: int, **p: np.ndarray) -> Foretold:
    """Labels by chance in twelve sessions, and what models said of them."""
    samples = made_samples(sessions=SESSIONS, per_session=PER_SESSION, seed=seed)
    y = np.random.default_rng(seed).random(len(samples)) < 0.5
    return Foretold(samples, y, p, 0.5)


def chance(seed: int, strength: float, shift: float = 0.0) -> Foretold:
    """A model that sees a little of the label."""
    plain = told(seed)
    noise = np.random.default_rng(1_000 + seed).normal(size=len(plain.y))
    return told(seed, knn=0.4 + shift + 0.01 * (noise + strength * plain.y), bar=np.full(len(plain.y), 0.41 + shift))


def test_a_model_that_says_the_same_of_all_is_no_evidence():
    one = chance(1, 0.0)
    assert one.constant == ["bar"]
    assert one.aucs()["bar"].value == 0.5  # holds 0.5 whatever is true
    assert list(one.pool()["rank"]) == ["knn"]


def test_a_leak_too_small_for_one_seed_shows_in_all_of_them_together():
    runs = [chance(seed, 0.2, shift=0.05 * seed) for seed in range(10)]
    held = [one.aucs()["knn"].holds(0.5) for one in runs]
    assert np.mean(held) >= 0.7
    walks = [{"pools": {"touch:120": one.pool()}} for one in runs]
    figures = gates.pooled_walks(walks, 0.95)
    assert figures["auc"]["touch:120:knn"]["low"] > 0.5
    assert figures["holding"] == 0.0


def test_seeds_together_hold_where_there_is_nothing_though_their_models_lean_apart():
    """Seeds of which more came true, and whose models say more, would make a find of p compared across seeds."""
    runs = []
    for seed in range(10):
        plain = chance(seed, 0.0, shift=0.04 * seed)
        y = np.random.default_rng(seed + 77).random(len(plain.y)) < 0.1 + 0.08 * seed
        runs.append(Foretold(plain.samples, y, plain.p, 0.5))
    assert pooled_aucs([one.pool() for one in runs])["knn"].holds(0.5)


def test_one_run_pooled_is_that_run():
    one = chance(3, 1.0)
    assert pooled_aucs([one.pool()])["knn"].value == pytest.approx(one.aucs()["knn"].value, abs=1e-6)


def test_nearness_to_the_base_rate_is_counted():
    plain = told(5)
    n = len(plain.y)
    p = np.where(np.arange(n) < n // 4, 0.449, 0.549)
    assert told(5, stack=p, bar=p).near_base() == {"stack": 1.0 - (n // 4) / n}
