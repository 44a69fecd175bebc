"""E4: does activity prefer places inside the second, the minute, or a shorter period of the clock?

Phases of declustered events, against surrogates in which neighbouring periods, at most a minute of them, are shifted as
a whole, by whole bins (see `shifts`): what prefers no phase might as well have come so much later. Without declustering
one burst counts as many events at one phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS, DayArrays
from spymaster.evidence.bins import MS, SECOND, Edges
from spymaster.evidence.bootstrap import block_sums
from spymaster.evidence.effects import KnownSums, effect_of
from spymaster.evidence.maxstat import Together, staged
from spymaster.evidence.nulls import first_of_bursts
from spymaster.evidence.peaks import Null, Peak, peak_of, result_of_bins
from spymaster.evidence.result import Exemplars, First, Tested, TestResult, carried_on, choose_links, exemplars
from spymaster.evidence.shifts import BINS, Groups, bins_of, group_length
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import EXEMPLARS, Streams
from spymaster.jit import kernel

TEST = "E4"
PERIODS = {
    "10ms": 10 * MS,
    "50ms": 50 * MS,
    "100ms": 100 * MS,
    "250ms": 250 * MS,
    "500ms": 500 * MS,
    "1s": SECOND,
    "60s": 60 * SECOND,
    "300s": 300 * SECOND,
}
DEAD_NS = 10 * MS
LEAST_BLOCKS = 20
"""Shifting a handful of blocks says nothing about their phase."""
AFTER = (10 * MS, 100 * MS)
"""Shares described: this long after the period begins."""


@dataclass(frozen=True)
class Series:
    """Rows of the messages that are tested, their times, and the times of those that declustering keeps."""

    rows: NDArray[np.int64]
    times: NDArray[np.int64]
    data: NDArray[np.int64]

    @classmethod
    def of(cls, day: DayArrays, rows: NDArray[np.int64]) -> Series:
        """Of some rows."""
        times = day.messages.ts[rows]
        kept = np.empty(len(rows), np.bool_)
        first_of_bursts(times, DEAD_NS, kept)
        return cls(rows, times, times[kept])


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """One result per period that the day has at least 20 blocks of. `more` fresh surrogates follow where p <= 0.05."""
    rows = np.flatnonzero(stratum.among(day.messages, day.messages.qty))
    rows = rows[~day.scheduled[(day.messages.ts[rows] - day.start) // SECOND_NS]]
    every = Series.of(day, rows)
    tests: dict[str, Tested] = {}
    for name, period in PERIODS.items():
        whole = in_whole_blocks(day, rows, period)
        series = every if whole is rows else Series.of(day, whole)
        if has_blocks(series.times, period, LEAST_BLOCKS):
            tests[name] = partial(_on_period, day, stratum, series, name, streams.sub(name), surrogates, more)
    return carried_on(tests, first)


def has_blocks(times: NDArray[np.int64], period: int, least: int) -> bool:
    """Whether sorted times lie in so many blocks of a period or more."""
    found, place = 0, 0
    while place < len(times) and found < least:
        found += 1
        place = int(np.searchsorted(times, (times[place] // period + 1) * period))
    return found >= least


def in_whole_blocks(day: DayArrays, rows: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    """Those rows whose block of one period was open from its beginning to its end.

    A block cut off by a halt, a scheduled moment or the end of the file has a phase by that alone.
    """
    if period <= SECOND:
        return rows
    seconds = day.start // SECOND + np.arange(len(day.open))
    length = period // SECOND
    blocks, opened = np.unique(seconds[day.open & ~day.scheduled] // length, return_counts=True)
    return rows[np.isin(day.messages.ts[rows] // period, blocks[opened == length])]


def _on_period(
    day: DayArrays,
    stratum: Stratum,
    series: Series,
    name: str,
    streams: Streams,
    surrogates: int,
    more: int | None,
    *,
    is_small: bool,
) -> TestResult:
    """The test of one period."""
    period = PERIODS[name]
    edges: Edges = np.linspace(0, period, BINS + 1).astype(np.int64)
    data = series.data
    groups = Groups.of(data, period, day.minutes, streams)
    phase = data % period

    counts = Together(groups.observed(), groups.sets)
    result = staged(counts, surrogates, more, rng=streams.random(EXEMPLARS), is_small=is_small)
    peak = peak_of(result, edges, circular=True)
    in_peak = np.isin(np.arange(BINS), peak.places)

    sums = KnownSums(
        block_sums(data[in_peak[bins_of(data, period)]], day.start, day.minutes),
        _peak_by_minute(day, groups, period, in_peak),
    )
    effect = effect_of(day, result, peak.places, sums, data, len(peak.places) / BINS, streams)
    variance = np.maximum(result.mean, 1.0)
    share: dict[str, float | None] = {
        f"share_first_{after // MS}_ms": float(np.mean(phase < after))
        for after in AFTER
        if after < period and len(data)
    }
    return result_of_bins(
        (TEST, name, stratum.json()),
        result,
        edges,
        peak,
        effect,
        counts=(len(data), len(series.rows)),
        stat_name="largest z of a phase",
        null=Null(
            "blockshift",
            {
                "period_ns": period,
                "dead_ns": DEAD_NS,
                "step_ns": period // BINS,
                "groups": len(groups.begins),
                "group_ns": group_length(period, day.minutes),
            },
        ),
        exemplars=_exemplars(series, period, peak, effect.weights, streams),
        facts={
            "chi2": float(np.sum((result.observed - result.mean) ** 2 / variance)),
            "kuiper": kuiper(phase, period),
            **share,
        },
    )


def _peak_by_minute(day: DayArrays, groups: Groups, period: int, in_peak: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much surrogates have in the peak on average, by minute of the day.

    A group lies within a minute, or is one period of some minutes and in each of them with other bins.
    """
    bins = np.flatnonzero(in_peak)
    at = groups.begins[:, None] + bins * (period // BINS)
    return block_sums(at.ravel(), day.start, day.minutes, np.repeat(groups.average(), len(bins)))


def kuiper(phases: NDArray, period: float = 1.0) -> float:
    """Kuiper's V: distance of phases in [0, period) from a uniform circle, both ways (Kuiper 1960)."""
    return float(both_ways(np.sort(phases), period)) if len(phases) else 0.0


@kernel()
def both_ways(ordered, period):
    """Kuiper's V of phases in order."""
    n = ordered.shape[0]
    above = below = -np.inf
    for i in range(n):
        phase = ordered[i] / period
        above, below = max(above, (i + 1) / n - phase), max(below, phase - i / n)
    return above + below


def _exemplars(series: Series, period: int, peak: Peak, weights: NDArray[np.float64], streams: Streams) -> Exemplars:
    weight, in_peak = np.zeros(BINS), np.zeros(BINS, np.bool_)
    weight[peak.places], in_peak[peak.places] = weights, True
    inside = np.flatnonzero(in_peak[bins_of(series.times, period)])
    phases = series.times[inside] % period
    away = np.abs((phases - peak.value + period / 2) % period - period / 2)
    chosen, typical = choose_links(away, streams.random(EXEMPLARS))
    picked = inside[chosen]
    of_bin = weight[bins_of(series.times[picked], period)]
    return exemplars("messages", series.rows[picked], "member", phases[chosen], of_bin, typical)
