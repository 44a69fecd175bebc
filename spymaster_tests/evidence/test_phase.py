"""E4 finds what the clock starts, and not what merely comes in bursts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spymaster.evidence import phase, shifts
from spymaster.evidence.nulls import decluster
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


def test_one_message_in_fifty_on_the_second_is_enough() -> None:
    """Ten ms after a second: 240 of 12,000 orders, in groups of seconds that are shifted together."""
    found = []
    for seed in range(8):
        market = Market(600, 40 + seed).background(orders=20)
        on_the_second(market, 0.4, 10)
        found.append(results(market, 39)["1s"])
    assert sum(one.p <= 0.05 and abs(one.peak_value - 10) < 10 for one in found) >= 7


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


def shifted(times: np.ndarray, period: int, ways: np.ndarray) -> np.ndarray:
    """Times in order, each moved circularly within its block by so many bins."""
    return np.sort(times // period * period + (times % period + ways * (period // shifts.BINS)) % period)


def declustered(times: np.ndarray) -> np.ndarray:
    kept = np.empty_like(times)
    return kept[: decluster(times, phase.DEAD_NS, kept)]


def histogram(times: np.ndarray, period: int) -> list[int]:
    return np.bincount(times % period * shifts.BINS // period, minlength=shifts.BINS).tolist()


def bursts(n: int, seed: int) -> np.ndarray:
    """Times of half a minute, a third of them within 3 ms of another, and those of ten seconds each 1 ms."""
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 30 * 10**9, n)
    near = times[: n // 3] + rng.integers(0, 3 * MS, n // 3)
    return START + np.sort(np.concatenate([times, near, 10**10 + np.arange(0, 10**10, MS)[: 5 * n]]))


@pytest.mark.parametrize("n", [40, 3000, 30_000])
@pytest.mark.parametrize("name", phase.PERIODS)
def test_counts_are_those_of_blocks_shifted_and_declustered_plainly(name: str, n: int) -> None:
    times, period, streams = bursts(n, 9), phase.PERIODS[name], Streams(3, "E4")
    blocks = shifts.Blocks.of(times, period, phase.DEAD_NS, streams)
    of_block = np.repeat(np.arange(len(blocks.groups) - 1), np.diff(blocks.groups))
    group = of_block[np.searchsorted(blocks.numbers, times // period)]
    sets = blocks.sets(5, 6)
    for number in range(5, 11):
        words = streams.words(number, len(blocks.groups) - 1).astype(np.int64)
        drawn = shifted(times, period, (words * shifts.BINS >> 32)[group])
        assert sets[number - 5].tolist() == histogram(declustered(drawn), period)
    assert len(np.unique(sets, axis=0)) > 1
    alike = [declustered(shifted(times, period, np.full(len(times), way))) for way in range(shifts.BINS)]
    average = np.mean([histogram(one, period) for one in alike], axis=0)
    assert blocks.average().sum(axis=0) == pytest.approx(average)
    held = period * blocks.numbers[blocks.groups[:-1]]
    for at in range(0, len(held), 100):
        end = held[at + 1] if at + 1 < len(held) else held[at] + 10**12
        inside = [np.sum((one >= held[at]) & (one < end)) for one in alike]
        assert blocks.average()[at].sum() == pytest.approx(np.mean(inside))


def test_groups_are_neighbours_of_one_minute() -> None:
    times = START + np.arange(0, 3600 * 10**9, 50 * MS)
    for name, period in phase.PERIODS.items():
        blocks = shifts.Blocks.of(times, period, phase.DEAD_NS, Streams(3, "E4"))
        sizes = np.diff(blocks.groups)
        assert sizes.sum() == len(blocks.numbers) == len(np.unique(times // period))
        first, last = blocks.numbers[blocks.groups[:-1]], blocks.numbers[blocks.groups[1:] - 1]
        assert np.array_equal(first * period // (60 * 10**9), last * period // (60 * 10**9))
        assert len(sizes) <= shifts.MOST_GROUPS + 60
        if period >= 60 * 10**9:
            assert set(sizes) == {1}, name


def test_a_period_has_whole_bins_and_room_for_the_dead_time() -> None:
    for period in (10**9 + 1, 5 * MS):
        with pytest.raises(ValueError, match="bins"):
            shifts.Blocks.of(np.zeros(1, np.int64), period, phase.DEAD_NS, Streams(3, "E4"))


def test_kuiper_is_the_distance_from_a_uniform_circle() -> None:
    assert phase.kuiper(np.linspace(0, 1, 1000, endpoint=False)) == pytest.approx(0.001, abs=1e-3)
    assert phase.kuiper(np.full(10, 0.3)) == pytest.approx(1.0, abs=1e-9)
    assert phase.kuiper(np.zeros(0)) == 0.0
