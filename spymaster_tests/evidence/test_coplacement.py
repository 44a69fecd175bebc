"""E10 finds pairs that are placed and removed together, and not orders that merely come in bursts."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import coplacement
from spymaster.evidence.arrays import SECOND_NS
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, Market


def results(market: Market, surrogates: int = 99, seed: int = 1) -> dict[str, TestResult]:
    found = coplacement.run(market.day(), Stratum(), Streams(seed, "E10"), surrogates)
    return {result.sub_id: result for result in found}


def twins(market: Market, per_second: float, apart_ns: int, size: int = 4) -> int:
    """Plant pairs that live 200 ms; returns how many."""
    add = market.times(per_second)
    pair(market, add, add + apart_ns, size=size)
    return len(add)


def pair(market: Market, *add: np.ndarray, size: int | None = 4) -> None:
    """Bids and offers that enter at these times, each for 200 ms; without a size each of its own."""
    for side, at in enumerate(add):
        market.place(at, at + 200 * MS, side=side, size=size)


def test_planted_twins_are_recovered_with_their_share_and_life() -> None:
    market = Market(300, 1).background()
    pairs = twins(market, 0.7, 500)
    result = results(market)["1us"]
    assert result.p <= 0.01
    assert result.effect * result.n_ref == pytest.approx(2 * pairs, rel=0.1)
    assert result.effect_lo <= 2 * pairs / result.n_ref <= result.effect_hi
    assert result.peak_value == pytest.approx(200, abs=1)
    assert result.notes == ()
    assert result.exemplars is not None
    assert len(result.exemplars.index) == 2 * len(np.unique(result.exemplars.link))


def test_twins_a_little_apart_are_seen_by_the_wider_sub_tests() -> None:
    market = Market(300, 2).background()
    twins(market, 0.7, 30_000)
    found = results(market)
    assert found["50us"].p <= 0.01
    assert found["10us"].n_tgt < 10


def test_equal_sizes_by_chance_are_noted() -> None:
    """Where nobody places twins, sizes say nothing; where somebody does, even the commonest size is equal too often."""
    market = Market(120, 3).background()
    twins(market, 1, 500, size=1)
    busy = Market(120, 4).background()
    add = busy.times(20)
    pair(busy, add, add + busy.rng.integers(-5 * MS, 5 * MS, len(add)), size=None)
    assert (results(market)["1us"].facts["p_sizes_permuted"] or 1) <= 0.05
    assert results(busy)["50us"].notes == ("equal_sizes_by_chance",)


def test_p_keeps_its_level_where_pairs_keep_to_milliseconds_only() -> None:
    """Pairs do lie within microseconds, by chance: without any the test could not fail."""
    found = []
    for seed in range(40):
        market = Market(60, 400 + seed).background(orders=20)
        add = market.times(40)
        pair(market, add, add + market.rng.integers(-5 * MS, 5 * MS, len(add)))
        found += results(market, 39, seed).values()
    assert np.mean([one.n_tgt for one in found if one.sub_id == "50us"]) > 20
    p = np.array([one.p for one in found if one.p_raw is not None])
    assert len(p) >= 80
    assert np.mean(p <= 0.05) <= 0.12
    assert np.mean(p <= 0.5) >= 0.3


def test_four_pairs_are_nothing_to_test_and_five_are() -> None:
    for count, p in ((4, None), (5, 0.01)):
        market = Market(60, 5)
        add = (1 + np.arange(count)) * SECOND_NS
        pair(market, add, add + 500)
        (result,) = {(one.p_raw, one.n_tgt) for one in results(market).values()}
        assert result == (p, 2 * count)


def test_ladders_are_three_prices_of_a_side() -> None:
    add = np.array([0, 5, 9, 9, 500, 505, 510, 900], np.int64)
    side = np.array([0, 0, 0, 1, 1, 1, 0, 0], np.uint8)
    price = np.array([1, 2, 3, 9, 5, 6, 7, 8], np.int64)
    assert coplacement.count_ladders(add, add, side, price, 10, 3) == 1
    assert coplacement.count_ladders(add, add, side, price, 10, 2) == 2
