"""E3 finds answers after a sharp delay, and none where rates merely rise together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spymaster.evidence import reactions
from spymaster.evidence.bins import steps_of
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, Market

CANCELS = Stratum(kind="cancel", reference="trade_buy", relation="same")


def results(market: Market, stratum: Stratum = CANCELS, surrogates: int = 99) -> dict[str, TestResult]:
    found = reactions.run(market.day(), stratum, Streams(1, "E3"), surrogates)
    return {result.sub_id: result for result in found}


def answer(market: Market, share: float, lag_ms: float, sd_ms: float, side: int = 0) -> float:
    """Some orders are cancelled a lag after a buyer's trade; returns the share of trades answered."""
    trades = market.trade_times(0)
    chosen = trades[market.rng.random(len(trades)) < share]
    lag = np.maximum(market.rng.normal(lag_ms * MS, sd_ms * MS, len(chosen)), 60_000).astype(np.int64)
    market.place(chosen - 10**9, chosen + lag, side=side)
    return len(chosen) / len(trades)


def test_a_planted_answer_is_recovered_with_its_share() -> None:
    market = Market(600, 1).background()
    share = answer(market, 0.15, 20, 0.5)
    result = results(market)["ms"]
    assert result.p <= 0.01
    assert result.peak_value == pytest.approx(20, abs=1)
    assert result.effect == pytest.approx(share, rel=0.3)
    assert result.effect_lo <= share <= result.effect_hi
    assert result.notes == ()


def test_answers_of_the_other_side_are_another_stratum() -> None:
    market = Market(300, 2).background()
    answer(market, 0.3, 20, 0.5, side=1)
    other = Stratum(kind="cancel", reference="trade_buy", relation="other")
    assert results(market, other)["ms"].p <= 0.02
    assert results(market)["ms"].p > 0.05


def test_fast_answers_have_a_fine_grid() -> None:
    market = Market(300, 3).background()
    answer(market, 0.3, 0.2, 0.02)
    assert results(market)["sub_ms"].peak_value == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize("mean_ms", [0.15, 0.4])
def test_what_comes_at_once_and_fades_has_no_delay(mean_ms: float) -> None:
    """The rise at lag 0 is sharper than any cell; a grid that reaches it takes it for a delay of its first bins."""
    market = Market(600, 7).background()
    trades = market.trade_times(0)
    chosen = trades[market.rng.random(len(trades)) < 0.6]
    lag = 2000 + (market.rng.exponential(mean_ms * MS, len(chosen))).astype(np.int64)
    market.place(chosen - 10**9, chosen + lag, side=0)
    found = results(market)
    assert min(found["sub_ms"].p, found["few_ms"].p) > 0.05


def test_two_bursts_that_happen_to_lie_apart_are_no_answer() -> None:
    """Bursts of references and of messages, independent of each other: p keeps its level."""
    small = 0
    for seed in range(12):
        market = Market(200, 100 + seed)
        starts = (market.times(2)[:, None], market.times(3)[:, None])
        trades, ends = ((at + market.rng.integers(0, MS, (len(at), 6))).ravel() for at in starts)
        market.trade(np.sort(trades), aggressor=0)
        market.place(ends - 10**9, ends, side=0)
        small += results(market)["ms"].p <= 0.05
    assert small <= 3  # of twelve; more in one of fifty such dozens by chance


def test_answers_of_a_millisecond_have_a_grid_between() -> None:
    market = Market(300, 6).background()
    answer(market, 0.3, 1, 0.1)
    assert results(market)["few_ms"].peak_value == pytest.approx(1, abs=0.1)


def test_what_comes_before_the_reference_is_noted() -> None:
    market = Market(300, 4).background()
    trades = market.trade_times(0)
    market.place(trades - 10**9, trades - 30 * MS, side=0)
    market.place(trades - 10**9, trades + 30 * MS, side=0)
    assert results(market)["ms"].notes == ("leads_reference",)


def test_exemplars_are_the_answers() -> None:
    market = Market(300, 5).background()
    answer(market, 0.5, 20, 0.3)
    day = market.day()
    result = reactions.run(day, CANCELS, Streams(1, "E3"), 99)[0]
    assert result.exemplars is not None
    chosen = result.exemplars.index[result.exemplars.is_typical]
    assert np.mean(day.messages.order[chosen] > len(market.orders[0][0])) > 0.8


def test_messages_of_the_same_event_are_no_answers() -> None:
    ref, target = np.array([100_000], np.int64), np.array([200_000, 300_000], np.int64)
    counts = np.zeros(2, np.int64)
    edges = np.array([50_000, 150_000, 250_000], np.int64)
    reactions.count_lags(ref, np.array([5]), target, np.array([5, 6]), edges, *steps_of(edges), counts)
    assert counts.tolist() == [0, 1]


def level(seed: int) -> tuple[float, bool]:
    """p of the surrogate test, and whether a Poisson test would see something, without anybody answering."""
    market = Market(120, 200 + seed).background()
    day = market.day()
    result = reactions.run(day, CANCELS, Streams(seed, "E3"), 39)[0]
    ref, target = reactions.references(day, "trade_buy"), reactions.targets(day, CANCELS)
    edges = np.arange(1, 201, dtype=np.int64) * MS
    counts = np.zeros(199, np.int64)
    reactions.count_lags(ref.ts, ref.event, target.ts, target.event, edges, *steps_of(edges), counts)
    mean = len(ref.ts) * len(target.ts) / (day.end - day.start) * MS
    tail = 1 - math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(int(counts.max())))
    return result.p, tail * len(counts) <= 0.05


def test_surrogates_keep_their_level_where_a_poisson_test_always_rejects() -> None:
    """The Poisson test lives here only: it shows that the market is bursty enough for the level to mean something."""
    p, poisson = zip(*map(level, range(40)), strict=True)
    assert np.mean(np.array(p) <= 0.05) <= 0.13
    assert np.mean(poisson) > 0.5
