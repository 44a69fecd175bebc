"""E7 counts layers that go when the other side trades, against trades at other times."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import layers
from spymaster.evidence.arrays import SECOND_NS, kind
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, Market

BIDS, BOTH = Stratum(side="B"), Stratum()


def results(market: Market, surrogates: int = 99, seed: int = 1) -> dict[str, TestResult]:
    day = market.day(100)
    found = [layers.run(day, stratum, Streams(seed, "E7"), surrogates) for stratum in (BIDS, BOTH)]
    return {result.sub_id: result for (result,) in found}


def layer(market: Market, every_s: int, delay_ms: float) -> int:
    """Four large bids before a purchase, gone after it; returns how often."""
    places = np.arange(5, market.seconds - 5, 4)
    chosen = market.rng.choice(places, len(places) * 4 // every_s, replace=False)
    moments = np.sort(chosen * SECOND_NS + market.rng.integers(0, SECOND_NS, len(chosen)))
    for number in range(4):
        add = moments - (900 - 100 * number) * MS
        market.place(add, moments + round((delay_ms + number) * MS), size=40, side=0, distance=1 + number)
    market.trade(moments, aggressor=0)
    return len(moments)


def test_planted_episodes_are_recovered_with_their_delay() -> None:
    market = Market(600, 1).background(orders=5, trades=0.3)
    planted = layer(market, 20, 150)
    result = results(market)["episodes"]
    assert result.p == result.p_floor
    assert result.n_tgt == pytest.approx(planted, rel=0.2)
    assert result.effect > 5
    assert result.effect_lo > 1
    assert result.peak_value == pytest.approx(151.5, abs=3)


@pytest.mark.parametrize(("every_s", "trades", "usual"), [(20, 0.3, True), (60, 0.1, True), (200, 0.0, False)])
def test_the_interval_holds_the_effect(every_s: int, trades: float, usual: bool) -> None:
    """Also where shifted trades meet no episode, and what is usual is the least that so many shifts can tell."""
    market = Market(300, 4).background(orders=5, trades=trades)
    planted = layer(market, every_s, 150)
    result = results(market, 19)["episodes"]
    assert ((result.facts["expected_episodes"] or 0) > 0) == usual
    assert result.effect_lo <= result.effect <= result.effect_hi
    if not usual:
        assert (planted, result.n_tgt, result.effect) == (1, 1, 20)
        assert result.effect_hi <= 100


def test_other_large_orders_hide_some_of_the_episodes() -> None:
    """Orders that stay count against a layer of which 80 % has to go."""
    market = Market(600, 1).background(orders=20, trades=0.3)
    planted = layer(market, 20, 150)
    result = results(market)["episodes"]
    assert result.p == result.p_floor
    assert planted / 2 < result.n_tgt < planted


def test_exemplars_are_whole_layers() -> None:
    market = Market(300, 2).background(orders=5, trades=0.3)
    layer(market, 20, 150)
    day = market.day(100)
    result = layers.run(day, BIDS, Streams(1, "E7"), 19)[0]
    assert result.exemplars is not None
    assert np.mean(day.lives.size[result.exemplars.index] == 40) > 0.9
    assert np.bincount(result.exemplars.link).min() >= layers.LEAST_LAYERS


def test_volume_pulled_on_the_side_that_was_not_taken_from_is_contra() -> None:
    market = Market(300, 3).background(orders=20, trades=0.3)
    layer(market, 10, 150)
    found = results(market)["contra_pull"]
    assert found.p == found.p_floor
    assert found.effect_lo > 0
    assert found.notes == ()


def test_a_share_that_random_sides_have_too_is_noted() -> None:
    """Buyers alone trade, mostly offers are pulled; after purchases more bids are than usual, but fewer than offers."""
    market = Market(300, 3)
    pulled = market.times(20)
    market.place(pulled - 100 * MS, pulled, size=5, side=1)
    market.trade(market.times(0.3), aggressor=0)
    bids = market.trade_times(0) + 200 * MS
    market.place(bids - 100 * MS, bids, size=5, side=0)
    found = results(market)["contra_pull"]
    usual, random = found.facts["usual_share"], found.facts["share_with_random_signs"]
    assert usual is not None
    assert random is not None
    assert found.p == found.p_floor
    assert usual < found.statistic < random
    assert found.notes == ("signs_disagree",)


def test_contra_pull_is_of_messages_and_not_of_trades() -> None:
    """Cancels within a second after a trade, each once, however many trades came before it or lots went with it."""
    market = Market(120, 5).background(orders=3, trades=6)
    day = market.day(100)
    messages = day.messages
    cancels = messages.ts[messages.usable & (messages.kind == kind("cancel"))]
    trades = day.trades.ts[day.trades.usable & (day.trades.aggressor < 2)]
    lag = cancels[:, None] - trades[None, :]
    after = int(((lag > 0) & (lag <= SECOND_NS)).any(axis=1).sum())
    assert 0 < after < min(len(cancels), len(trades))
    assert results(market)["contra_pull"].n_ref == after


def unlinked(market: Market, per_minute: float) -> None:
    """Four large bids that enter together and go together, whatever trades do."""
    n = round(market.seconds * per_minute / 60)
    moments = np.sort(market.rng.integers(5 * SECOND_NS, (market.seconds - 8) * SECOND_NS, n))
    gone = moments + market.rng.integers(800, 2500, n) * MS
    for number in range(4):
        add = moments + number * 100 * MS
        market.place(add, gone + number * MS, size=40, side=0, distance=1 + number)


def test_p_keeps_its_level_where_layers_and_trades_only_share_their_rate() -> None:
    """Episodes do happen, by chance: without any the test could not fail."""
    found = []
    for seed in range(40):
        market = Market(120, 700 + seed).background(orders=5, trades=0.5)
        unlinked(market, 12)
        found.append(results(market, 39, seed))
    seen = np.array([one["episodes"].statistic for one in found])
    assert np.mean(seen > 0) > 0.8
    for name in ("episodes", "contra_pull"):
        p = np.array([one[name].p for one in found])
        assert np.mean(p <= 0.05) <= 0.15, name
        assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.25), name


def test_totals_are_of_the_last_two_seconds() -> None:
    ts = np.array([0, 1, 2, 3, 10], np.int64) * SECOND_NS
    totals, counts = np.zeros(5, np.int64), np.zeros(5, np.int64)
    layers.window_totals(ts, np.array([5, 6, 7, 8, 9]), 2 * SECOND_NS, totals, counts)
    assert totals.tolist() == [5, 11, 13, 15, 9]
    assert counts.tolist() == [1, 2, 2, 2, 1]


@pytest.mark.parametrize(("gone", "found"), [([3.5, 3.6, 3.7], 1), ([3.5, 3.6, 9.0], 0), ([2.9, 3.6, 3.7], 0)])
def test_an_episode_needs_the_trade_between_layers_and_withdrawal(gone: list[float], found: int) -> None:
    ts = np.array([1.0, 1.1, 1.2]) * SECOND_NS
    withdrawn = (np.array(gone) * SECOND_NS).astype(np.int64)
    arrays = (ts.astype(np.int64), withdrawn, np.full(3, 10), np.array([0]), np.array([2]))
    at = np.empty(1, np.int64)
    trade = np.array([3 * SECOND_NS], np.int64)
    assert layers.find_episodes(*arrays, trade, 2 * SECOND_NS, SECOND_NS, 0.8, at) == found
    assert at[0] == found - 1
