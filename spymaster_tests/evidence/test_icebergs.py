"""E6 lists what order ids prove, and finds orders that come back after a fill at a delay of their own."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import icebergs
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, Market


def filled(market: Market, per_second: float, size: int) -> np.ndarray:
    """Orders that are executed in full; returns the times of their ends."""
    add = market.times(per_second)
    end = add + market.rng.integers(10 * MS, 3_000 * MS, len(add))
    market.place(add, end, size=size, side=0, filled=size)
    return end


def results(market: Market, size: int, surrogates: int = 99, seed: int = 1) -> dict[str, TestResult]:
    """Facts of the bids, and the test of those that were as large as `size`."""
    day, strata = market.day(), (Stratum(side="B"), Stratum(side="B", size="11-50" if size > 10 else f"={size}"))
    found = [icebergs.run(day, one, Streams(seed, "E6"), surrogates) for one in strata]
    return {result.sub_id: result for results in found for result in results}


def test_orders_that_come_back_are_recovered_with_their_delay() -> None:
    market = Market(600, 1).background()
    end = filled(market, 0.5, 12)
    delay = market.rng.normal(3 * MS, 0.2 * MS, len(end)).astype(np.int64)
    market.place(end + delay, end + delay + 10**10, size=12, side=0)
    result = results(market, 12)["synthetic"]
    assert result.p <= 0.01
    assert result.peak_value == pytest.approx(3, abs=0.5)
    assert result.effect == pytest.approx(1.0, abs=0.25)
    assert (result.facts["share_within_1_ms"] or 0) > 0.8
    assert result.exemplars is not None
    assert np.all(np.abs(result.exemplars.lag_ns - 3 * MS) < 2 * MS)


@pytest.mark.parametrize("seed", range(60, 63))
def test_the_peak_holds_what_comes_back_and_not_only_its_largest_bin(seed: int) -> None:
    """One order in twenty, among others of its size: bins a fifth wide keep 75 to 80 % of them."""
    market = Market(600, seed).background()
    end, add = filled(market, 6, 12), market.times(3)
    market.place(add, add + 10**10, size=12, side=0)
    delay = market.rng.normal(3 * MS, 0.2 * MS, len(end[::20])).astype(np.int64)
    market.place(end[::20] + delay, end[::20] + delay + 10**10, size=12, side=0)
    bins = results(market, 12)["synthetic"].weights.bins
    assert np.mean((delay >= bins[0][0]) & (delay < bins[-1][1])) >= 0.9
    assert bins[-1][1] - bins[0][0] < 2 * MS


def test_p_keeps_its_level_where_nobody_comes_back() -> None:
    p = []
    for seed in range(40):
        market = Market(60, 500 + seed).background(orders=200)
        filled(market, 4, 5)
        p.append(results(market, 5, 39, seed)["synthetic"].p)
    assert np.mean(np.array(p, float) <= 0.05) <= 0.13


def test_refilled_orders_are_facts_with_their_hidden_share() -> None:
    market = Market(120, 2).background()
    market.place(np.array([10**9]), np.array([50 * 10**9]), size=10, side=0, filled=200, refills=19)
    day = market.day()
    result = icebergs.native(day, Stratum(side="B"), Streams(1, "E6"))
    assert (result.n_tgt, result.p_raw, result.facts["hidden_lots"]) == (1, None, 190)
    assert result.effect == pytest.approx(190 / day.trades.qty.sum())
    assert result.peak_value == 20
    assert icebergs.native(day, Stratum(side="A"), Streams(1, "E6")).n_tgt == 0


@pytest.mark.parametrize(
    ("refills", "ups", "moved", "listed", "lots"),
    [(0, 0, False, 1, 6), (0, 1, False, 0, 0), (0, 0, True, 0, 0), (1, 1, False, 1, 0)],
    ids=["plain", "raised", "moved", "refilled and raised"],
)
def test_executing_more_than_the_largest_display_proves_nothing_of_an_order_that_was_changed(
    refills: int, ups: int, moved: bool, listed: int, lots: int
) -> None:
    """Ten lots, six of them executed, raised to twelve, and those executed: eighteen, all of them displayed."""
    market = Market(120, 2)
    market.place(np.array([10**9]), np.array([50 * 10**9]), size=12, side=0, filled=18, refills=refills, ups=ups)
    market.trade(np.array([50 * 10**9]))
    if moved:
        market.reprices.append(np.array([[30 * 10**9], [1], [0], [1]]))
    result = icebergs.native(market.day(), Stratum(side="B"), Streams(1, "E6"))
    assert (result.n_tgt, result.facts["hidden_lots"]) == (listed, lots)


@pytest.mark.parametrize(("low", "high"), [(2, 3), (3, 9), (60, 300)], ids=["narrow", "wider than a cell", "wide"])
def test_the_share_that_surrogates_leave_in_a_peak_is_that_of_redrawn_entries(low: int, high: int) -> None:
    rng = np.random.default_rng(4)
    fill = np.sort(rng.integers(0, 10**12, 400))
    add = fill + rng.integers(low * MS, high * MS, 400)
    cell = add // icebergs.CELL * icebergs.CELL
    drawn = cell + rng.integers(0, icebergs.CELL, (400, 400)).T - fill
    redrawn = np.mean((drawn >= low * MS) & (drawn < high * MS))
    assert icebergs._kept(fill, add, low * MS, high * MS, 0) == pytest.approx(redrawn, abs=0.01)


def slow_refills(fill, fill_size, add, add_size) -> np.ndarray:
    counts = np.zeros(len(icebergs.EDGES) - 1, np.int64)
    for at, size in zip(fill, fill_size, strict=True):
        for other, lots in zip(add, add_size, strict=True):
            lag = other - at
            if icebergs.EDGES[0] <= lag < icebergs.EDGES[-1] and abs(lots - size) * icebergs.TOLERANCE <= size:
                counts[np.searchsorted(icebergs.EDGES, lag, side="right") - 1] += 1
                break
    return counts


def test_the_first_entry_of_like_size_counts() -> None:
    rng = np.random.default_rng(7)
    fill, add = (np.sort(rng.integers(0, 5_000 * MS, n)).astype(np.int64) for n in (60, 400))
    fill_size, add_size = (rng.choice([5, 6, 10, 11, 12, 20], n).astype(np.int64) for n in (60, 400))
    counts, room = np.zeros(len(icebergs.EDGES) - 1, np.int64), np.empty((2, 60), np.int64)
    found = icebergs.find_refills(fill, fill_size, add, add_size, icebergs.EDGES, icebergs.TOLERANCE, counts, *room)
    assert counts.sum() == found > 20
    assert counts.tolist() == slow_refills(fill, fill_size, add, add_size).tolist()
