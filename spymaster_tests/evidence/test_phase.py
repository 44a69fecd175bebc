"""E4 finds what the clock starts, and not what merely comes in bursts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spymaster.evidence import phase, shifts
from spymaster.evidence.nulls import blockshift, decluster
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, START, Market

ADDS = Stratum(kind="add")


def results(market: Market, surrogates: int = 99) -> dict[str, TestResult]:
    return {result.sub_id: result for result in phase.run(market.day(), ADDS, Streams(1, "E4"), surrogates)}


def on_the_second(market: Market, share: float, after_ms: float) -> None:
    """Orders that enter so long after whole seconds, in a share of them."""
    seconds = np.flatnonzero(market.rng.random(market.seconds) < share) * 10**9
    at = seconds + round(after_ms * MS) + market.rng.integers(0, MS, len(seconds))
    market.place(at, at + 10**9, distance=0)


def test_orders_at_a_moment_of_the_second_are_found_there() -> None:
    market = Market(600, 1).background(orders=20)
    on_the_second(market, 0.8, 10)
    found = results(market)
    assert found["1s"].p <= 0.01
    assert found["1s"].peak_value == pytest.approx(10, abs=10)
    assert found["1s"].effect * found["1s"].n_ref == pytest.approx(0.8 * 600, rel=0.35)
    assert found["1s"].effect_lo > 0


def test_a_peak_on_both_sides_of_the_second_is_one() -> None:
    market = Market(600, 4).background(orders=20)
    seconds = np.arange(1, 600)[market.rng.random(599) < 0.8] * 10**9
    at = seconds + market.rng.integers(-40 * MS, 40 * MS, len(seconds))
    market.place(at, at + 10**9, distance=0)
    found = results(market)["1s"]
    assert min(found.peak_value, 1000 - found.peak_value) < 20
    assert found.peak_width < 60
    assert found.effect * found.n_ref == pytest.approx(len(at), rel=0.3)
    assert found.exemplars is not None
    phase_ms = found.exemplars.lag_ns[found.exemplars.is_typical] / MS
    assert np.all(np.minimum(phase_ms, 1000 - phase_ms) < 60)


def test_minutes_have_a_phase_too() -> None:
    market = Market(25 * 60, 5).background(orders=4)
    minutes = np.arange(25) * 60 * 10**9 + 30 * 10**9
    at = np.sort((minutes[:, None] + market.rng.integers(0, 10**9, (25, 40))).ravel())
    market.place(at, at + 10**9, distance=0)
    found = results(market)["60s"]
    assert found.p <= 0.02
    assert found.peak_value == pytest.approx(30_600, abs=1200)


def test_only_blocks_that_were_open_throughout_have_a_phase() -> None:
    day = Market(150, 6).background().day()  # two minutes and a half
    rows = np.arange(len(day.messages.ts))
    minute = (day.messages.ts - START) // (60 * 10**9)
    assert np.array_equal(phase.in_whole_blocks(day, rows, 60 * 10**9), rows[minute < 2])
    assert np.array_equal(phase.in_whole_blocks(day, rows, 10**9), rows)
    scheduled = np.zeros(150, np.bool_)
    scheduled[30:40] = True
    around = replace(day, scheduled=scheduled)
    assert np.array_equal(phase.in_whole_blocks(around, rows, 60 * 10**9), rows[minute == 1])
    result = phase.run(around, ADDS, Streams(1, "E4"), 19)[0]
    adds = (day.messages.kind == 0) & ~scheduled[(day.messages.ts - START) // 10**9]
    assert result.n_tgt == adds.sum()


def test_bursts_alone_have_no_phase() -> None:
    """Single bursts of a hundred orders: a histogram of phases would show each of them."""
    market = Market(300, 2).background(orders=20)
    for start in market.rng.integers(0, 299 * 10**9, 4):
        at = start + np.arange(100) * 100_000
        market.place(at, at + 10**9)
    assert min(result.p for result in results(market).values()) > 0.01


def test_p_keeps_its_level_in_a_bursty_market() -> None:
    p = np.array(
        [
            result.p
            for seed in range(25)
            for result in phase.run(Market(60, 300 + seed).background(orders=20).day(), ADDS, Streams(seed, "E4"), 39)
        ]
    )
    assert np.mean(p <= 0.05) <= 0.13


def rayleigh_rejects(times: np.ndarray, period: int) -> bool:
    """The test that must not be used: resultant length of raw events as if they were independent."""
    angle = times % period / period * 2 * np.pi
    n = len(times)
    return bool(np.exp(-(np.cos(angle).sum() ** 2 + np.sin(angle).sum() ** 2) / n) <= 0.05)


def test_the_rayleigh_test_of_raw_events_rejects_without_a_clock() -> None:
    """It lives here only, to show that the market would fool it."""
    fooled = [
        rayleigh_rejects(Market(90, 300 + seed).background(orders=60).day().messages.ts, 10**9 * k)
        for seed in range(20)
        for k in (7, 11, 13)
    ]
    assert np.mean(fooled) > 0.5


@pytest.mark.parametrize("name", ["10ms", "100ms", "1s", "60s"])
def test_the_fused_histogram_is_shift_then_decluster(name: str) -> None:
    times, period = Market(30, 9).background().day().messages.ts, phase.PERIODS[name]
    words = Streams(3, "E4").words(1, len(times))
    shifted, kept = np.empty_like(times), np.empty_like(times)
    blockshift(times, words, period, shifted)
    kept = kept[: decluster(shifted, phase.DEAD_NS, kept)]
    place = kept % period * phase.BINS // period
    follows, starts = np.empty_like(times), np.empty(len(times) + 1, np.int64)
    phase.following(times, phase.DEAD_NS, follows)
    starts = starts[: phase.block_starts(times, period, starts) + 1]
    counts, sums, room = np.zeros((2, phase.BINS), np.int64), np.zeros((1, 3), np.int64), np.empty(2, np.int64)
    in_peak = np.arange(phase.BINS) < 7
    for number, minute, found in ((0, 0, counts), (1, 10**10, sums)):
        where = (period, phase.DEAD_NS, phase.BINS, in_peak, START, minute)
        shifts.count_phases(times, follows, starts, *Streams(3, "E4").key, number, *where, room, found)
    assert counts[1].tolist() == np.bincount(place, minlength=phase.BINS).tolist()
    assert counts[0].tolist() != counts[1].tolist()
    few = np.zeros_like(counts)
    shifts.count_few(times, starts, *Streams(3, "E4").key, 0, period, phase.DEAD_NS, phase.BINS, room, few)
    assert few.tolist() == counts.tolist()
    by_time = np.clip((kept[place < 7] - START) // 10**10, 0, 2)
    assert sums[0].tolist() == np.bincount(by_time, minlength=3).tolist()


def test_kuiper_is_the_distance_from_a_uniform_circle() -> None:
    assert phase.kuiper(np.linspace(0, 1, 1000, endpoint=False)) == pytest.approx(0.001, abs=1e-3)
    assert phase.kuiper(np.full(10, 0.3)) == pytest.approx(1.0, abs=1e-9)
    assert phase.kuiper(np.zeros(0)) == 0.0
