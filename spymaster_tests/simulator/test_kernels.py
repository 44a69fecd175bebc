"""The small parts: random numbers, laws, the wake-up heap, the checksum, the ladder's invariants."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from spymaster.jit import kernel
from spymaster.simulator import laws, layout
from spymaster.simulator.ladder import book_checksum
from spymaster.simulator.profile import load_profile
from spymaster.simulator.rng import draw, exponential, pick, seeded_streams
from spymaster.simulator.wake import pop_wake, wake_at
from spymaster_tests.simulator.days import small_day, usual_day


@kernel()
def _draws(market, stream, values):
    for k in range(len(values)):
        values[k] = draw(market, stream)


@kernel()
def _exponentials(market, values):
    for k in range(len(values)):
        values[k] = exponential(market, 0)


@kernel()
def _sizes(market, values):
    for k in range(len(values)):
        values[k] = pick(market, 1, market.size_law, layout.MAX_SIZE + 1)


@kernel()
def _sorted_by_heap(market, times, found):
    for k in range(len(times)):
        wake_at(market, times[k], 0, k, 0)
    for k in range(len(times)):
        found[k] = market.heap[0].ts
        pop_wake(market)


def market_with(**arrays: np.ndarray) -> np.void:
    market = layout.empty_market()
    market["rng"][0] = seeded_streams(3, date(2026, 1, 6))
    for name, value in arrays.items():
        market[name][0] = value
    return market[0]


def xoshiro256ss(state: list[int], n: int) -> list[int]:
    """Blackman & Vigna's reference algorithm in plain integers."""
    mask, found = (1 << 64) - 1, []

    def rotl(x: int, k: int) -> int:
        return ((x << k) | (x >> (64 - k))) & mask

    for _ in range(n):
        found.append(rotl(state[1] * 5 & mask, 7) * 9 & mask)
        t = state[1] << 17 & mask
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= t
        state[3] = rotl(state[3], 45)
    return found


def test_streams_are_xoshiro256_starstar_and_differ() -> None:
    market = market_with()
    expected = xoshiro256ss([int(word) for word in market["rng"][2]], 50)
    values = np.zeros(50, np.uint64)
    _draws(market, 2, values)
    assert values.tolist() == expected
    streams = seeded_streams(3, date(2026, 1, 6))
    assert len({tuple(state) for state in streams.tolist()}) == layout.STREAMS
    assert not (streams == seeded_streams(4, date(2026, 1, 6))).any()
    assert not (streams == seeded_streams(3, date(2026, 1, 7))).any()


def test_exponentials_have_the_right_moments_and_tail() -> None:
    values = np.zeros(400_000)
    _exponentials(market_with(exp_table=laws.exponential_table()), values)
    assert values.mean() == pytest.approx(1, abs=0.01)
    assert values.var() == pytest.approx(1, abs=0.02)
    assert (values > 9).mean() == pytest.approx(np.exp(-9), rel=0.5)


def test_sizes_follow_the_profile() -> None:
    section = load_profile("es").add_size
    values = np.zeros(200_000, np.int64)
    _sizes(market_with(size_law=laws.size_law(section.ranges, section.tail)), values)
    assert (values == 1).mean() == pytest.approx(0.73, abs=0.005)
    assert values.max() <= layout.MAX_SIZE
    assert (values > 20).mean() == pytest.approx(0.01, abs=0.002)


def test_alias_tables_reproduce_their_weights() -> None:
    weights = np.array([0.5, 0.0, 3.0, 1.5, 0.001])
    table = laws.alias_table(weights)
    mass = np.zeros(5)
    for k, (threshold, other) in enumerate(table):
        mass[k] += threshold / laws.ONE
        mass[other] += 1 - threshold / laws.ONE
    assert mass / 5 == pytest.approx(weights / weights.sum(), abs=1e-9)


def test_patience_keeps_both_marginals() -> None:
    profile = load_profile("es")
    distances = laws.distance_weights(profile.add_distance)
    tables = laws.class_laws(distances, profile.patience)
    edges = [0, 1, 2, 3, 6, 21, layout.MAX_DISTANCE + 1]
    total = np.zeros(layout.CLASSES)
    for bucket, table in enumerate(tables):
        share = distances[edges[bucket] : edges[bucket + 1]].sum()
        for k, (threshold, other) in enumerate(table):
            total[k] += share * threshold / laws.ONE / layout.CLASSES
            total[other] += share * (1 - threshold / laws.ONE) / layout.CLASSES
    assert total[:7] == pytest.approx(profile.patience.shares, abs=0.003)


def test_wake_ups_come_in_order_of_time() -> None:
    times = np.random.default_rng(5).integers(0, 1_000, 500)
    found = np.zeros(500, np.int64)
    _sorted_by_heap(market_with(), times, found)
    assert found.tolist() == sorted(times.tolist())


def test_checksum_tells_queue_order_size_price_and_id_apart() -> None:
    ids, price = np.array([5, 6, 7]), np.array([100, 100, 101])
    side, qty = np.array([0, 0, 1]), np.array([1, 1, 2])
    original = book_checksum(ids, price, side, qty)
    swapped = book_checksum(np.array([6, 5, 7]), price, side, qty)
    resized = book_checksum(ids, price, side, np.array([1, 2, 2]))
    moved = book_checksum(ids, np.array([100, 101, 101]), side, qty)
    turned = book_checksum(ids, price, np.array([0, 0, 0]), qty)
    assert len({int(value) for value in (original, swapped, resized, moved, turned)}) == 5


@pytest.mark.parametrize("walk", [False, True])
def test_ladder_counts_what_it_holds(walk: bool) -> None:
    day = small_day(walk=True) if walk else usual_day()
    state = day.market.state
    for inst in range(layout.INSTRUMENTS):
        orders, row = day.market.resting(inst), state["inst"][inst]
        assert len(orders) == row["n_orders"]
        assert len(np.unique(orders.order_id)) == len(orders)
        assert (orders.size > 0).all()
        cells = state["cells"][inst * layout.TICKS * 2 : (inst + 1) * layout.TICKS * 2]
        assert cells[:, layout.QTY].sum() == orders.size.sum()
        assert cells[:, layout.COUNT].sum() == len(orders)
        ticks = (orders.price - row["origin"]) // row["tick_size"]
        assert ticks[orders.side == 0].max() == row["bid"] < row["ask"] == ticks[orders.side == 1].min()
        total = book_checksum(orders.order_id, orders.price, orders.side, orders.size)
        assert int(total) == int(row["checksum"])
    assert state["n_class"].sum() == state["inst"]["n_orders"].sum()


def test_walk_mode_keeps_the_spread_and_moves_only_by_jumps() -> None:
    day = small_day(walk=True, messages=30_000)
    quotes = day.truth("quotes")
    assert (quotes["ask"] - quotes["bid"] == 1).all()
    assert set(np.diff(quotes["bid"]).tolist()) <= {-1, 0, 1}
    latent = day.truth("latent")
    bids = day.truth("levels")[day.truth("seconds")["inst"] == 0][:, 0, 0, 0]
    assert (np.diff(bids) == np.diff(latent["walk"])).all()
    assert len(np.unique(latent["walk"])) > 5
