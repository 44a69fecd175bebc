"""E4 finds what the clock starts, and not what merely comes in bursts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spymaster.evidence import phase, shifts
from spymaster.evidence.maxstat import max_statistic, mc_p
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


def declustered(times: np.ndarray) -> np.ndarray:
    kept = np.empty_like(times)
    return kept[: decluster(times, phase.DEAD_NS, kept)]


def histogram(times: np.ndarray, period: int) -> list[int]:
    return np.bincount(times % period * shifts.BINS // period, minlength=shifts.BINS).tolist()


@pytest.mark.parametrize("minutes", [1, 30, 1380])
@pytest.mark.parametrize("name", phase.PERIODS)
def test_counts_are_those_of_groups_shifted_plainly(name: str, minutes: int) -> None:
    period, streams = phase.PERIODS[name], Streams(3, "E4")
    times = START + np.sort(np.random.default_rng(9).integers(0, 3600 * 10**9, 20_000))
    groups = shifts.Groups.of(times, period, minutes, streams)
    length = shifts.group_length(period, minutes)
    which = np.searchsorted(groups.begins, times // length * length)
    sets = groups.sets(5, 6)
    for number in range(5, 11):
        ways = streams.words(number, len(groups.begins)).astype(np.int64) * shifts.BINS >> 32
        assert sets[number - 5].tolist() == histogram(times + ways[which] * (period // shifts.BINS), period)
    assert len(np.unique(sets, axis=0)) > 1
    assert groups.observed().tolist() == histogram(times, period)
    alike = [histogram(times + way * (period // shifts.BINS), period) for way in range(shifts.BINS)]
    assert np.full(shifts.BINS, groups.average().sum()) == pytest.approx(np.mean(alike, axis=0))


def test_groups_are_of_one_minute_and_of_whole_periods() -> None:
    for minutes in (1, 10, 120, 500, 1380):
        for name, period in phase.PERIODS.items():
            length = shifts.group_length(period, minutes)
            assert length % period == 0, name
            assert length == period or (60 * 10**9) % length == 0
            assert length == period or minutes * 60 * 10**9 / length >= min(shifts.LEAST_GROUPS, minutes * 60)


def test_a_period_has_whole_bins_and_divides_its_group() -> None:
    for period in (10**9 + 1, 7 * 50 * MS):
        with pytest.raises(ValueError, match="bins"):
            shifts.Groups.of(np.zeros(1, np.int64), period, 600, Streams(3, "E4"))


def p_by_periods_alone(times: np.ndarray, period: int, rng: np.random.Generator, surrogates: int = 39) -> float:
    """The test that must not be used: every period is shifted circularly by itself, and declustered again."""
    block, bins = times // period, [histogram(declustered(times), period)]
    for _ in range(surrogates):
        way = rng.integers(0, shifts.BINS, block.max() - block.min() + 1)[block - block.min()]
        drawn = block * period + (times % period + way * (period // shifts.BINS)) % period
        bins.append(histogram(declustered(np.sort(drawn)), period))
    return mc_p(max_statistic(np.array(bins))[1].max(axis=1))


def test_runs_at_the_dead_time_have_no_phase() -> None:
    """Where much is sent an event is kept as soon as the last one lets it, and phases of 10 ms drift slowly."""
    rng, found, alone = np.random.default_rng(5), [], []
    for seed in range(60):
        market = Market(60, 900 + seed).background(orders=20)
        for start in market.rng.integers(0, 58 * 10**9, 12):
            at = start + np.cumsum(phase.DEAD_NS + market.rng.exponential(20_000, 40).astype(np.int64))
            market.place(at, at + 10**9)
        day = market.day()
        times = day.messages.ts[ADDS.among(day.messages, day.messages.qty)]
        groups = shifts.Groups.of(declustered(times), 10 * MS, day.minutes, Streams(seed, "E4"))
        bins = np.concatenate([[groups.observed()], groups.sets(1, 39)])
        found.append(mc_p(max_statistic(bins)[1].max(axis=1)))
        alone.append(p_by_periods_alone(times, 10 * MS, rng))
    assert np.mean(np.array(found) <= 0.05) <= 0.12
    assert np.mean(np.array(alone) <= 0.05) > 0.5


def test_kuiper_is_the_distance_from_a_uniform_circle() -> None:
    assert phase.kuiper(np.linspace(0, 1, 1000, endpoint=False)) == pytest.approx(0.001, abs=1e-3)
    assert phase.kuiper(np.full(10, 0.3)) == pytest.approx(1.0, abs=1e-9)
    assert phase.kuiper(np.zeros(0)) == 0.0
