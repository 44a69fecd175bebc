"""E2 knows steered orders by their id, and tells those that follow the quote from those that merely move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from spymaster.evidence import chains
from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, Market

BIDS = Stratum(kind="reprice", side="B")


@dataclass
class Quoted:
    """A market whose best bid walks, and the times and signs of its moves."""

    market: Market
    at: np.ndarray
    sign: np.ndarray

    @classmethod
    def of(cls, seed: int, seconds: int = 300) -> Quoted:
        market = Market(seconds, seed).background(orders=20, trades=4)
        at = np.unique(market.times(3))
        sign = market.rng.choice([-1, 1], len(at))
        bid = 19_200 + np.cumsum(sign)
        market.quotes.append(np.stack([np.append(-1, at), np.append(19_200, bid), np.append(19_200, bid) + 1]))
        return cls(market, at, sign)

    def steer(self, at: np.ndarray, sign: np.ndarray) -> None:
        """One more bid, moved by a tick at these times."""
        order = sum(part.shape[1] for part in self.market.orders) + 1
        self.market.place(np.array([0]), np.array([-1]), side=0, size=1)
        price = np.cumsum(sign)
        rows = np.stack([at, np.full(len(at), order), price - sign, price])
        self.market.reprices.append(rows)

    def run(self, surrogates: int = 99) -> TestResult:
        return chains.run(self.market.day(), BIDS, Streams(1, "E2"), surrogates)[0]


def test_a_peg_is_recovered_with_its_lag() -> None:
    quoted = Quoted.of(1)
    lag = np.maximum(quoted.market.rng.normal(0.3 * MS, 0.05 * MS, len(quoted.at)), 60_000).astype(np.int64)
    quoted.steer(quoted.at + lag, quoted.sign)
    result = quoted.run()
    assert result.p <= 0.01
    assert result.peak_value == pytest.approx(0.3, abs=0.05)
    assert (result.facts["chains_pegged"], result.facts["chains_other"]) == (1, 0)
    assert result.effect == 1.0


def test_an_order_that_moves_by_itself_is_no_peg() -> None:
    quoted = Quoted.of(2)
    at = np.unique(quoted.market.times(2))
    quoted.steer(at, quoted.market.rng.choice([-1, 1], len(at)))
    result = quoted.run()
    assert result.facts["chains_pegged"] == 0
    assert result.p > 0.01


def test_an_order_that_goes_back_and_forth_oscillates() -> None:
    quoted = Quoted.of(3)
    at = np.unique(quoted.market.times(1))
    quoted.steer(at, np.where(np.arange(len(at)) % 2, 1, -1))
    assert quoted.run().facts["chains_oscillating"] == 1


def test_only_orders_with_ten_moves_are_chains() -> None:
    quoted = Quoted.of(4)
    for moves in (9, 10, 40):
        at = np.sort(quoted.market.rng.integers(0, 299 * 10**9, moves))
        quoted.steer(at, quoted.market.rng.choice([-1, 1], moves))
    day = quoted.market.day()
    assert chains.chains_of(day, BIDS).lengths.tolist() == [10, 40]
    result = chains.run(day, BIDS, Streams(1, "E2"), 19)[0]
    assert [result.facts[f"orders_with_{least}"] for least in chains.REPORTED] == [3, 2, 1, 0]
    assert result.effect == pytest.approx(50 / 59)


def test_p_keeps_its_level_where_orders_and_quote_move_independently() -> None:
    p = []
    for seed in range(30):
        quoted = Quoted.of(50 + seed, 60)
        for _ in range(4):
            at = np.unique(quoted.market.times(3))
            quoted.steer(at, quoted.market.rng.choice([-1, 1], len(at)))
        p.append(quoted.run(39).p)
    assert np.mean(np.array(p) <= 0.05) <= 0.17


def test_chains_are_shown_from_the_longest_on() -> None:
    """Links are numbered as they are to be shown, whatever the orders' ids are."""
    quoted = Quoted.of(8)
    for moves in (12, 40, 25):
        quoted.steer(
            np.sort(quoted.market.rng.integers(0, 299 * 10**9, moves)), quoted.market.rng.choice([-1, 1], moves)
        )
    day = quoted.market.day()
    shown = chains.run(day, BIDS, Streams(1, "E2"), 19)[0].exemplars
    assert shown is not None
    lengths = dict(zip((found := chains.chains_of(day, BIDS)).order.tolist(), found.lengths.tolist(), strict=True))
    by_link = np.argsort(shown.link)
    assert [lengths[order] for order in day.messages.order[shown.index[by_link]].tolist()] == [40, 25, 12]


def slow_counts(day: DayArrays) -> np.ndarray:
    """Lags, looked for one by one."""
    found = np.zeros(len(chains.EDGES) - 1, np.int64)
    all_chains, quotes = chains.chains_of(day, BIDS), day.quotes
    for chain in range(len(all_chains.order)):
        part = slice(all_chains.first[chain], all_chains.first[chain + 1])
        ts, sign = all_chains.ts[part], all_chains.sign[part]
        for at, move in zip(quotes.ts, quotes.bid_move, strict=True):
            lags = [t - at for t, s in zip(ts, sign, strict=True) if s == move and t - at >= chains.EDGES[0]]
            if move and lags and lags[0] < chains.EDGES[-1]:
                found[np.searchsorted(chains.EDGES, lags[0], side="right") - 1] += 1
    return found


def test_lags_are_those_of_a_slow_search() -> None:
    quoted = Quoted.of(6, 60)
    for _ in range(2):
        at = np.unique(quoted.market.times(2))
        quoted.steer(at, quoted.market.rng.choice([-1, 1], len(at)))
    day = quoted.market.day()
    all_chains, quotes = chains.chains_of(day, BIDS), day.quotes
    counts = np.zeros(len(chains.EDGES) - 1, np.int64)
    moved = quotes.bid_move != 0
    chains.count_peg_lags(
        quotes.ts[moved], quotes.event[moved], quotes.bid_move[moved].astype(np.int64), all_chains.ts, all_chains.event,
        all_chains.sign, all_chains.first, chains.EDGES, *chains.steps_of(chains.EDGES), counts,
    )  # fmt: skip
    assert counts.sum() > 3
    assert counts.tolist() == slow_counts(day).tolist()


def test_a_day_without_chains_says_so() -> None:
    result = Quoted.of(7, 60).run(19)
    assert (result.n_tgt, result.effect, result.p) == (0, 0.0, 1.0)
