"""E1 finds ages that orders are withdrawn at, measures how many, and stays quiet where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spymaster.evidence import lifetimes
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, Market

ALL = Stratum(kind="cancel")


def results(market: Market, seed: int = 1, surrogates: int = 99) -> dict[str, TestResult]:
    found = lifetimes.run(market.day(), ALL, Streams(seed, "E1"), surrogates)
    return {result.sub_id: result for result in found}


def fleeting(market: Market, age_ms: float, sd_ms: float, per_second: float) -> int:
    """Plant orders withdrawn at an age; returns how many."""
    add = market.times(per_second)
    age = np.maximum(market.rng.normal(age_ms * MS, sd_ms * MS, len(add)), 20_000).astype(np.int64)
    market.place(add, add + age, distance=0)
    return len(add)


def test_a_planted_age_is_recovered_with_its_share() -> None:
    market = Market(300, 3).background()
    planted = fleeting(market, 20, 0.3, 2.0)
    result = results(market)["ms"]
    assert result.p <= 0.01
    assert result.peak_value == pytest.approx(20, abs=1)
    assert result.effect * result.n_ref == pytest.approx(planted, rel=0.25)
    assert result.effect_lo <= planted / result.n_ref <= result.effect_hi
    assert result.weights.unit == "ns"
    assert sum(share for _, _, share in result.weights.bins) > 0


def test_its_exemplars_are_the_planted_orders() -> None:
    market = Market(300, 3).background()
    fleeting(market, 20, 0.3, 4.0)
    day = market.day()
    result = lifetimes.run(day, ALL, Streams(1, "E1"), 99)[0]
    assert result.exemplars is not None
    rows = result.exemplars.index[result.exemplars.is_typical]
    assert np.mean(day.lives.order[rows] > len(market.orders[0][0])) > 0.8
    assert np.all(np.abs(result.exemplars.lag_ns[result.exemplars.is_typical] - 20 * MS) < MS)


def test_ages_of_some_milliseconds_and_around_a_second_have_their_own_grids() -> None:
    market = Market(300, 4).background()
    fleeting(market, 2, 0.05, 3.0)
    fleeting(market, 1000, 3, 6.0)
    found = results(market)
    assert found["sub_ms"].peak_value == pytest.approx(2, rel=0.1)
    assert found["s"].peak_value == pytest.approx(1000, rel=0.01)
    assert max(found["sub_ms"].p, found["s"].p) <= 0.02


def test_p_keeps_its_level_in_a_bursty_market() -> None:
    p = [
        result.p
        for seed in range(40)
        for result in lifetimes.run(Market(60, 100 + seed).background().day(), ALL, Streams(seed, "E1"), 39)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.11
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.14)


def test_two_bursts_a_second_apart_are_one_coincidence() -> None:
    """A dozen entries in a few ms, a dozen cancels in a few ms so much later: everybody has one age."""
    found = []
    for seed in range(20):
        market = Market(120, 300 + seed).background()
        for start in market.rng.integers(0, 118 * 10**9, 4):
            age = market.rng.integers(910 * MS, 1090 * MS)
            at = start + np.arange(12) * 200_000
            market.place(at, at + age)
        found.append(results(market, seed, 39)["s"].p)
    assert np.mean(np.array(found) <= 0.05) <= 0.2


def test_the_same_seed_is_the_same_result() -> None:
    market = Market(60, 5).background()
    one, other = (lifetimes.run(market.day(), ALL, Streams(9, "E1"), 19)[0] for _ in range(2))
    assert (one.p, one.effect_lo, one.effect_hi, one.weights) == (
        other.p, other.effect_lo, other.effect_hi, other.weights,
    )  # fmt: skip


def test_orders_that_were_moved_or_took_first_are_not_looked_at() -> None:
    market = Market(60, 6).background()
    day = market.day()
    rows = lifetimes.cancelled(day, ALL)
    reprices, aggressive = day.lives.reprices.copy(), day.lives.aggressive.copy()
    reprices[rows[:10]], aggressive[rows[10:20]] = 1, True
    other = replace(day, lives=replace(day.lives, reprices=reprices, aggressive=aggressive))
    assert len(lifetimes.cancelled(other, ALL)) == len(rows) - 20
