"""E4: does activity prefer places inside the second, the minute, or a shorter period of the clock?

Phases of declustered events, against surrogates in which every block of one period is shifted circularly by an offset
of its own, and declustered again. Without declustering one burst counts as many events at one phase.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS, DayArrays
from spymaster.evidence.bins import MS, SECOND, Edges
from spymaster.evidence.bootstrap import BLOCK_NS, block_sums
from spymaster.evidence.effects import PeakSums, effect_of
from spymaster.evidence.maxstat import Together, staged
from spymaster.evidence.nulls import decluster
from spymaster.evidence.peaks import Null, Peak, peak_of, result_of_bins
from spymaster.evidence.result import Exemplars, First, Tested, TestResult, carried_on, choose_links, exemplars
from spymaster.evidence.shifts import FEW, count_few, count_phases
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
def following(times, dead, out):
    """For each event the place of the first one `dead` ns later or more: what is kept next if it is kept."""
    n = times.shape[0]
    k = 0
    for i in range(n):
        while k < n and times[k] - times[i] < dead:
            k += 1
        out[i] = k


@kernel()
def block_starts(times, period, out):
    """Places of the first events of all blocks that have some, then the number of events. Returns how many blocks."""
    blocks = 0
    last = np.int64(-(2**62))
    for i in range(times.shape[0]):
        block = times[i] // period
        if block != last:
            out[blocks] = i
            blocks += 1
            last = block
    out[blocks] = times.shape[0]
    return blocks


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """One result per period that the day has at least 20 blocks of. `more` fresh surrogates follow where p <= 0.05."""
    rows = np.flatnonzero(stratum.among(day.messages, day.messages.qty))
    rows = rows[~day.scheduled[(day.messages.ts[rows] - day.start) // SECOND_NS]]
    tests: dict[str, Tested] = {}
    for name, period in PERIODS.items():
        whole = in_whole_blocks(day, rows, period)
        if has_blocks(day.messages.ts[whole], period, LEAST_BLOCKS):
            tests[name] = partial(_on_period, day, stratum, whole, name, streams.sub(name), surrogates, more)
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
    rows: NDArray[np.int64],
    name: str,
    streams: Streams,
    surrogates: int,
    more: int | None,
    *,
    is_small: bool,
) -> TestResult:
    """The test of one period, on some rows of the messages."""
    period = PERIODS[name]
    raw = day.messages.ts[rows]
    edges: Edges = np.linspace(0, period, BINS + 1).astype(np.int64)
    kept = np.empty_like(raw)
    data = kept[: decluster(raw, DEAD_NS, kept)]
    phase = data % period
    place = phase * BINS // period
    follows, starts = np.empty(len(raw), np.int64), np.empty(len(raw) + 1, np.int64)
    following(raw, DEAD_NS, follows)
    starts = starts[: block_starts(raw, period, starts) + 1]

    nowhere = np.zeros(BINS, np.bool_)

    def shifted(number: int, count: int, *, minute: int = 0, in_peak: NDArray[np.bool_] = nowhere) -> NDArray[np.int64]:
        found, lasts = np.zeros((count, day.minutes if minute else BINS), np.int64), np.empty(count, np.int64)
        if len(raw) <= FEW * (len(starts) - 1) and not minute:
            count_few(raw, starts, *streams.key, number, period, DEAD_NS, BINS, lasts, found)
            return found
        where = (period, DEAD_NS, BINS, in_peak, day.start, minute)
        count_phases(raw, follows, starts, *streams.key, number, *where, lasts, found)
        return found

    counts = Together(np.bincount(place, minlength=BINS), shifted)
    result = staged(counts, surrogates, more, rng=streams.random(EXEMPLARS), is_small=is_small)
    peak = peak_of(result, edges, circular=True)
    in_peak = np.isin(np.arange(BINS), peak.places)

    sums = PeakSums(
        block_sums(data[in_peak[place]], day.start, day.minutes),
        partial(shifted, minute=BLOCK_NS, in_peak=in_peak),
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
        counts=(len(data), len(raw)),
        stat_name="largest z of a phase",
        null=Null("blockshift", {"period_ns": period, "dead_ns": DEAD_NS}),
        exemplars=_exemplars(day, rows, period, peak, effect.weights, streams),
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
    day: DayArrays, rows: NDArray[np.int64], period: int, peak: Peak, weights: NDArray[np.float64], streams: Streams
) -> Exemplars:
    phase = day.messages.ts[rows] % period
    weight = np.zeros(BINS)
    weight[peak.places] = weights
    place = phase * BINS // period
    inside = np.flatnonzero(np.isin(place, peak.places))
    away = np.abs((phase[inside] - peak.value + period / 2) % period - period / 2)
    chosen, typical = choose_links(away, streams.random(EXEMPLARS))
    picked = inside[chosen]
    return exemplars("messages", rows[picked], "member", phase[picked], weight[place[picked]], typical)
