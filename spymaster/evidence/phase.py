"""E4: does activity prefer places inside the second, the minute, or a shorter period of the clock?

Phases of declustered events, against surrogates in which every block of one period is shifted circularly by an offset
of its own, and declustered again. Without declustering one burst counts as many events at one phase.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.bins import MS, SECOND, Edges, centres
from spymaster.evidence.effects import effect_of
from spymaster.evidence.lifetimes import by_edge
from spymaster.evidence.maxstat import staged
from spymaster.evidence.nulls import below, blockshift, decluster
from spymaster.evidence.result import Exemplars, TestResult, choose_links, weighted_peak
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
BINS = 50
DEAD_NS = 10 * MS
LEAST_BLOCKS = 20
"""Shifting a handful of blocks says nothing about their phase."""
AFTER = (10 * MS, 100 * MS)
"""Shares described: this long after the period begins."""


@kernel()
def count_phases(times, words, period, dead, bins, counts):
    """Histogram of phases after `blockshift` and `decluster`, in one pass."""
    n = times.shape[0]
    blocks = 0
    start = 0
    last = np.int64(-(2**62))
    while start < n:
        base = times[start] // period * period
        offset = below(words[blocks], period)
        blocks += 1
        end = start
        wrapped = start
        while end < n and times[end] - base < period:
            wrapped += times[end] - base + offset < period
            end += 1
        for part in range(2):
            first, stop, back = (wrapped, end, period) if part == 0 else (start, wrapped, 0)
            for i in range(first, stop):
                moved = times[i] + offset - back
                if moved - last >= dead:
                    last = moved
                    counts[(moved - base) * bins // period] += 1
        start = end


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None
) -> list[TestResult]:
    """One result per period that the day has at least 20 blocks of. `more` fresh surrogates follow where p <= 0.05."""
    rows = np.flatnonzero(stratum.among(day.messages, day.messages.qty))
    results = []
    for name, period in PERIODS.items():
        whole = in_whole_blocks(day, rows, period)
        if len(np.unique(day.messages.ts[whole] // period)) >= LEAST_BLOCKS:
            results.append(_on_period(day, stratum, whole, name, streams.sub(name), surrogates, more))
    return results


def in_whole_blocks(day: DayArrays, rows: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    """Those rows whose block of one period was open from its beginning to its end.

    A block cut off by a halt or the end of the file has a phase by that alone.
    """
    if period <= SECOND:
        return rows
    seconds = day.start // SECOND + np.arange(len(day.open))
    length = period // SECOND
    blocks, opened = np.unique(seconds[day.open] // length, return_counts=True)
    return rows[np.isin(day.messages.ts[rows] // period, blocks[opened == length])]


def _on_period(
    day: DayArrays,
    stratum: Stratum,
    rows: NDArray[np.int64],
    name: str,
    streams: Streams,
    surrogates: int,
    more: int | None,
) -> TestResult:
    """The test of one period, on some rows of the messages."""
    period = PERIODS[name]
    raw = day.messages.ts[rows]
    edges: Edges = np.linspace(0, period, BINS + 1).astype(np.int64)
    shifted, kept = np.empty_like(raw), np.empty_like(raw)
    data = kept[: decluster(raw, DEAD_NS, kept)].copy()

    def drawn(number: int) -> NDArray[np.int64]:
        if number == 0:
            return data
        blockshift(raw, streams.words(number, len(raw)), period, shifted)
        return kept[: decluster(shifted, DEAD_NS, kept)]

    def counts(number: int) -> NDArray[np.int64]:
        if number == 0:
            return np.bincount(data % period * BINS // period, minlength=BINS)
        found = np.zeros(BINS, np.int64)
        count_phases(raw, streams.words(number, len(raw)), period, DEAD_NS, BINS, found)
        return found

    result = staged(counts, surrogates, more, rng=streams.random(EXEMPLARS))
    peak = result.peak()

    def times(number: int) -> NDArray[np.int64]:
        events = drawn(number)
        place = events % period * BINS // period
        return events[(place >= peak.start) & (place < peak.stop)]

    kept_share = (peak.stop - peak.start) / BINS
    effect = effect_of(day, result, peak, times, data, kept_share, streams)
    value, spread = weighted_peak(centres(edges)[peak], result.excess[peak])
    phase = data % period
    variance = np.maximum(result.mean, 1.0)
    share = {
        f"share_first_{after // MS}_ms": float(np.mean(phase < after))
        for after in AFTER
        if after < period and len(data)
    }
    return TestResult(
        test_id=TEST,
        sub_id=name,
        stratum_json=stratum.json(),
        n_ref=len(data),
        n_tgt=len(raw),
        statistic=result.statistic,
        stat_name="largest z of a phase",
        p_raw=result.p,
        p_floor=result.p_floor,
        p_method=result.p_method,
        n_surrogate=result.surrogates,
        null_method="blockshift",
        null_param={"period_ns": period, "dead_ns": DEAD_NS},
        effect=effect.share,
        effect_unit="share",
        effect_lo=effect.low,
        effect_hi=effect.high,
        peak_value=value / MS,
        peak_unit="ms",
        peak_width=spread / MS,
        weights=by_edge(edges[peak], effect.weights),
        exemplars=_exemplars(day, rows, period, peak, value, effect.weights, streams),
        facts={
            "chi2": float(np.sum((result.observed - result.mean) ** 2 / variance)),
            "kuiper": kuiper(phase / period),
            **share,
        },
    )


def kuiper(phases: NDArray[np.float64]) -> float:
    """Kuiper's V: distance of phases in [0, 1) from a uniform circle, both ways (Kuiper 1960)."""
    n = len(phases)
    if n == 0:
        return 0.0
    ordered = np.sort(phases)
    above = np.arange(1, n + 1) / n - ordered
    below = ordered - np.arange(n) / n
    return float(above.max() + below.max())


def _exemplars(
    day: DayArrays,
    rows: NDArray[np.int64],
    period: int,
    peak: slice,
    value: float,
    weights: NDArray[np.float64],
    streams: Streams,
) -> Exemplars:
    phase = day.messages.ts[rows] % period
    place = phase * BINS // period
    inside = np.flatnonzero((place >= peak.start) & (place < peak.stop))
    chosen, typical = choose_links(np.abs(phase[inside] - value), streams.random(EXEMPLARS))
    picked = inside[chosen]
    weight = weights[place[picked] - peak.start]
    role = ("member",) * len(picked)
    return Exemplars("messages", rows[picked], np.arange(len(picked)), role, phase[picked], weight, typical)
