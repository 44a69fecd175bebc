"""E7 counts groups of orders that go at one delay after the other side trades, against trades at other times."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import layer_groups, layers
from spymaster.evidence.arrays import SECOND_NS, kind
from spymaster.evidence.nulls import seriesshift
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, Market

BIDS, BOTH = Stratum(side="B"), Stratum()


def results(market: Market, surrogates: int = 99, seed: int = 1) -> dict[str, TestResult]:
    """`episodes` of bids, and `contra_pull`, which is of both sides."""
    day = market.day()
    found = [result for one in (BOTH, BIDS) for result in layers.run(day, one, Streams(seed, "E7"), surrogates)]
    return {result.sub_id: result for result in found}


def layer(market: Market, every_s: float, delay_ms: float, stands_s: float = 0.9, *, side: int = 0) -> int:
    """Four large bids before a purchase (or offers before a sale), gone after it; returns how often."""
    places = np.arange(35, market.seconds - 5, 4)
    chosen = market.rng.choice(places, round(len(places) * 4 / every_s), replace=False)
    moments = np.sort(chosen * SECOND_NS + market.rng.integers(0, SECOND_NS, len(chosen)))
    for number in range(4):
        add = moments - round(stands_s * SECOND_NS) + 100 * number * MS
        market.place(add, moments + round((delay_ms + number) * MS), size=40, side=side, distance=1 + number)
    market.trade(moments, aggressor=side)
    return len(moments)


def test_planted_episodes_are_recovered_with_their_delay() -> None:
    market = Market(600, 1).background(orders=5, trades=0.3)
    planted = layer(market, 20, 152)
    result = results(market)["episodes"]
    assert result.p == result.p_floor
    assert result.n_tgt == pytest.approx(planted, rel=0.2)
    assert result.effect > 5
    assert result.effect_lo > 1
    assert result.peak_value == pytest.approx(152, abs=1)
    assert [(low / MS, high / MS) for low, high, _ in result.weights.bins] == [(150, 160)]
    assert result.weights.bins[0][2] > 0.9
    assert result.curve is not None
    assert result.curve.observed[result.curve.peak].tolist() == [planted]


def test_both_sides_are_tested_together_each_with_its_own_trades() -> None:
    market = Market(600, 1).background(orders=5, trades=0.3)
    bids, offers = layer(market, 40, 152), layer(market, 40, 152, side=1)
    day = market.day()
    for stratum, planted in ((BIDS, bids), (Stratum(side="A"), offers), (BOTH, bids + offers)):
        result = layers.run(day, stratum, Streams(1, "E7"), 99)[0]
        assert (result.sub_id, result.n_tgt, result.p) == ("episodes", planted, result.p_floor)
    wrong = Market(600, 1).background(orders=5, trades=0.3)
    layer(wrong, 20, 152)
    wrong.trades = [np.stack([at, 1 - side, size]) for at, side, size in wrong.trades]
    assert results(wrong)["episodes"].p > 0.05


@pytest.mark.parametrize(("every_s", "trades", "usual"), [(20, 3.0, True), (60, 6.0, True), (200, 0.0, False)])
def test_the_interval_holds_the_effect(every_s: int, trades: float, usual: bool) -> None:
    """Also where shifted trades meet no episode, and what is usual is the least that so many shifts can tell."""
    market = Market(300, 4).background(orders=5, trades=trades)
    planted = layer(market, every_s, 152)
    result = results(market, 19)["episodes"]
    assert ((result.facts["expected_episodes"] or 0) > 0) == usual
    assert result.effect_lo <= result.effect <= result.effect_hi
    if not usual:
        assert (planted, result.n_tgt, result.effect) == (1, 1, 20)
        assert result.effect_hi <= 100


@pytest.mark.parametrize("stands_s", [0.9, 30])
def test_large_orders_that_stay_and_frequent_trades_hide_no_episode(stands_s: float) -> None:
    """Three trades of the other side a second, and many large orders around a group, however long it stands."""
    market = Market(600, 1).background(orders=20, trades=6)
    large = market.times(4)
    market.place(large, large + market.rng.integers(0, 60 * SECOND_NS, len(large)), size=40, side=0, distance=2)
    planted = layer(market, 20, 152, stands_s)
    result = results(market, 199)["episodes"]
    assert result.p == result.p_floor
    assert result.n_tgt == pytest.approx(planted, rel=0.2)
    assert result.peak_value == pytest.approx(152, abs=2)


def test_exemplars_are_whole_layers() -> None:
    market = Market(300, 2).background(orders=5, trades=0.3)
    planted = layer(market, 20, 152)
    day = market.day()
    result = layers.run(day, BIDS, Streams(1, "E7"), 19)[0]
    assert result.exemplars is not None
    assert np.mean(day.lives.size[result.exemplars.index] == 40) > 0.9
    assert np.bincount(result.exemplars.link).tolist() == [4] * planted
    assert sorted(set((result.exemplars.lag_ns // MS).tolist())) == [152, 153, 154, 155]


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
    day = market.day()
    messages = day.messages
    cancels = messages.ts[messages.usable & (messages.kind == kind("cancel"))]
    trades = day.trades.ts[day.trades.usable & (day.trades.aggressor < 2)]
    lag = cancels[:, None] - trades[None, :]
    after = int(((lag > 0) & (lag <= SECOND_NS)).any(axis=1).sum())
    assert 0 < after < min(len(cancels), len(trades))
    assert results(market)["contra_pull"].n_ref == after


def test_four_groups_are_nothing_to_test_and_five_are() -> None:
    """Every one after a purchase at one delay: it is the number that tells."""
    for count, tested in ((4, False), (5, True)):
        market = Market(120, 6).background(orders=5, trades=0.3)
        assert layer(market, 80 / count, 152) == count
        found = results(market)
        assert (found["episodes"].n_ref, found["episodes"].p_raw is not None) == (count, tested)
        assert found["contra_pull"].p_raw is not None
        nulls = [found["episodes"].facts[name] is not None for name in ("p_shifted", "p_redrawn")]
        assert nulls == [tested, tested]


def unlinked(market: Market, per_second: float) -> None:
    """Four large bids that enter together and go together, whatever trades do: more often where the market is busy."""
    gone = market.times(per_second)
    gone = gone[gone > 5 * SECOND_NS]
    stood = market.rng.integers(800, 4500, len(gone)) * MS
    for number in range(4):
        market.place(gone - stood, gone + number * MS, size=40, side=0, distance=1 + number)


def test_p_keeps_its_level_where_layers_and_trades_only_share_their_rate() -> None:
    """Groups do go after trades, by chance: without any the test could not fail."""
    found = []
    for seed in range(40):
        market = Market(120, 700 + seed).background(orders=5, trades=2)
        unlinked(market, 1)
        found.append(results(market, 39, seed))
    assert np.mean([one["episodes"].n_tgt for one in found]) > 2
    for name in ("episodes", "contra_pull"):
        p = np.array([one[name].p for one in found])
        assert np.mean(p <= 0.05) <= 0.15, name
        assert np.mean(p <= 0.5) <= 0.75, name
    assert np.mean([one["contra_pull"].p <= 0.5 for one in found]) >= 0.25
    assert np.mean([one["episodes"].p <= 0.8 for one in found]) >= 0.25


def slow_groups(
    add: np.ndarray, gone: np.ndarray, price: np.ndarray, size: np.ndarray, together: int, gone_together: int
) -> list[list[int]]:
    """Groups by their definition: every window of entry and withdrawal, the largest first."""
    windows = []
    for i in range(len(gone)):
        for j in range(len(gone)):
            inside = (gone >= gone[i]) & (gone <= gone[i] + gone_together) & (np.arange(len(gone)) >= i)
            inside &= (add >= add[j]) & (add < add[j] + together)
            if inside[i] and inside[j] and len(np.unique(price[inside])) >= 3:
                windows.append((-int(size[inside].sum()), i, j, np.flatnonzero(inside).tolist()))
    taken: list[list[int]] = []
    for *_, members in sorted(windows, key=lambda one: one[:3]):
        if not any(set(members) & set(other) for other in taken):
            taken.append(members)
    return sorted(taken)


@pytest.mark.parametrize("seed", range(12))
def test_groups_are_the_largest_windows_of_entry_and_withdrawal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 120
    gone = np.sort(rng.integers(0, 400, n))
    add = gone - rng.integers(1, 120, n)
    price, size = rng.integers(0, 4, n), rng.integers(5, 30, n)
    places, first = layer_groups.groups_of(add, gone, price, size, together=40, gone_together=10, least=3)
    found = [part.tolist() for part in np.split(places, first[1:-1])]
    assert found == slow_groups(add, gone, price, size, 40, 10)
    assert len(found) > 3


@pytest.mark.parametrize("shift", [0, 3, 700, -250, 999])
def test_lags_are_those_of_shifted_trades_each_group_once_a_bin(shift: int) -> None:
    rng = np.random.default_rng(2)
    gone, side = np.sort(rng.integers(0, 1000, 60)), rng.integers(0, 2, 60)
    trades = [np.sort(rng.integers(0, 1000, n)) for n in (150, 40)]
    found = layer_groups.Groups(
        np.zeros(0, np.int64), np.zeros(1, np.int64), gone, side, np.concatenate(trades), np.array([0, 150, 190]), 1000
    )
    edges = np.array([3, 10, 20, 30, 40])
    wanted, longest = np.zeros(4, np.int64), []
    for at, of in zip(gone, side, strict=True):
        lag = at - seriesshift(trades[of], 0, 1000, shift)[0]
        lag = lag[(lag >= 3) & (lag < 40)]
        wanted[np.unique(lag // 10)] += 1
        longest.append(max(lag[(lag >= 10) & (lag < 30)], default=-1))
    assert found.sets(np.array([shift]), edges, 10)[0].tolist() == wanted.tolist()
    assert found.lags(shift, 10, 30).tolist() == longest
    assert wanted.min() > 5


def test_withdrawals_are_redrawn_in_their_own_cells() -> None:
    rng = np.random.default_rng(3)
    gone, trade = np.sort(rng.integers(0, 10_000, 50)), np.sort(rng.integers(0, 10_000, 400))
    none = np.zeros(50, np.int64)
    found = layer_groups.Groups(none, none, gone, none, trade, np.array([0, 400, 400]), 10_000)
    streams, edges = Streams(1, "cells"), np.array([3, 10, 20, 30, 40])
    made = found.redrawn(streams, 200, 7, 3, edges, 10)
    origin = streams.offset(200)
    for number in range(3):
        start = origin + (gone - origin) // 200 * 200
        drawn = start + (streams.words(7 + number, 50).astype(object) * 200 >> 32).astype(np.int64)
        lags = [np.unique((lag := at - trade)[(lag >= 3) & (lag < 40)] // 10) for at in drawn]
        assert made[number].tolist() == np.bincount(np.concatenate(lags), minlength=4).tolist()
