"""E5: are there periodic senders, whether or not they follow the clock?

Windows of two minutes, events declustered and counted in bins of 4 or 1 ms, and the sum of power at a frequency and
at its double (Z2 of Buccheri et al. 1983), divided by what is usual around that frequency: bursts make all slow
frequencies strong, a sender makes one stand out. Windows whose largest value could not be chance (1 %, for the division
is itself noisy) are tested against surrogates: events drawn anew in cells of two periods, declustered again, and the
largest value of the whole band. Windows that were not screened have p 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS, DayArrays
from spymaster.evidence.bins import MS
from spymaster.evidence.bootstrap import RESAMPLES
from spymaster.evidence.maxstat import ALPHA, BAND, max_statistic, mc_p, tailed
from spymaster.evidence.nulls import decluster, jitter
from spymaster.evidence.result import Curve, First, TestResult, Weights, choose_links, exemplars
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import BOOTSTRAP, EXEMPLARS, Streams
from spymaster.jit import kernel

TEST = "E5"
WINDOW_S = 120
LEAST_EVENTS = 150
SPAN_NS = 2**17 * MS
"""Time that is transformed: a window and nothing after it."""
STEP_HZ = SECOND_NS / SPAN_NS
MEDIAN_BINS, LEAST_HALF = 601, 10
CHI2_4_MEDIAN, CHI2_2_MEDIAN = 3.357, 1.386
FINE = np.arange(-4, 5) / 8
"""Parts of a step around the strongest frequency that is a multiple of one."""
LINE_BINS = round(1 / STEP_HZ)
LEAST_LINE = 2 * np.log(26_000 / 1e-4)
SCREEN = 0.01
SAME_LINE = 0.005
HARMONICS = 8
LEAST_CELL, MOST_CELL = 20 * MS, 10 * SECOND_NS
BLOCK_NS = 5 * SECOND_NS
CURVE_SURROGATES, CURVE_BINS = 99, 512
"""Of the picture of a spectrum: surrogates, and stretches of frequencies at most."""
LEAST_PERSISTENT = 2
"""Windows in which a line has to stand out if it is not the strongest of its stratum and pass."""
MOST_LINES = 2
"""Lines of a stratum and pass that are tested, each in its strongest window. Others are counted, and have p 1."""


@dataclass(frozen=True)
class Pass:
    """A band of frequencies, and the dead time and the bins (which twice its end can be told in) that go with it."""

    name: str
    low_hz: float
    high_hz: float
    dead_ns: int
    bin_ns: int


PASSES = (Pass("slow", 0.2, 40.0, 10 * MS, 4 * MS), Pass("fast", 40.0, 200.0, 2 * MS, MS))
SLOW = PASSES[0]


def spectrum(times: NDArray[np.int64], start: int, band: Pass) -> NDArray[np.float64]:
    """Whitened Z2 at the frequencies of a band, of sorted times in the window from `start`.

    Under no structure each value has about a chi-squared distribution with four degrees of freedom.
    """
    first, last = round(band.low_hz / STEP_HZ), round(band.high_hz / STEP_HZ)
    both = np.empty(last + MEDIAN_BINS // 2 + 1)
    power_pairs(_transformed(times, start, band.bin_ns), 2 / max(len(times), 1), both)
    return both[first : last + 1] / (_usual(both, first, last) / CHI2_4_MEDIAN)


def powers(times: NDArray[np.int64], start: int, bin_ns: int = MS) -> NDArray[np.float64]:
    """Power at every multiple of `STEP_HZ`, 2 on average for events without structure."""
    found = _transformed(times, start, bin_ns)
    return (found.real**2 + found.imag**2) * (2 / max(len(times), 1))


def _transformed(times: NDArray[np.int64], start: int, bin_ns: int) -> NDArray[np.complex128]:
    """Transform of the counts of a window less their mean."""
    counts = np.empty(SPAN_NS // bin_ns)
    count_window(times, start, bin_ns, WINDOW_S * SECOND_NS // bin_ns, counts)
    return np.fft.rfft(counts)


@kernel()
def count_window(times, start, width, bins, counts):
    """Events by bin of `width` ns less their mean over the first `bins`, which are the window; 0 after it."""
    counts[:] = 0
    held = 0
    for i in range(times.shape[0]):
        place = (times[i] - start) // width
        if place < bins:
            counts[place] += 1
            held += 1
    mean = held / bins
    for place in range(bins):
        counts[place] -= mean


@kernel()
def power_pairs(transformed, factor, out):
    """Power at each place and at twice the place together."""
    for place in range(out.shape[0]):
        one, other = transformed[place], transformed[2 * place]
        out[place] = (one.real * one.real + one.imag * one.imag) * factor + (
            other.real * other.real + other.imag * other.imag
        ) * factor


def fundamental(times: NDArray[np.int64], start: int, frequency: float) -> float:
    """The slowest frequency of which `frequency` is a multiple (1 to 8) and that has a line of its own.

    A sender without much jitter is as strong at every multiple of its rate. Where `frequency` has no line either, Z2
    stood out by its double. A line is power that one of ten thousand windows without structure would show somewhere,
    against the median within 1 Hz.
    """
    power = powers(times, start)
    for multiple in range(HARMONICS, 0, -1):
        middle = round(frequency / multiple / STEP_HZ)
        if middle * STEP_HZ < SLOW.low_hz:
            continue
        near = np.arange(max(middle - 1, 1), middle + 2)
        around = power[max(middle - LINE_BINS, 1) : middle + LINE_BINS]
        if power[near].max() / (np.median(around) / CHI2_2_MEDIAN) >= LEAST_LINE:
            return float(near[power[near].argmax()]) * STEP_HZ
    return 2 * frequency


def line_of(times: NDArray[np.int64], start: int, strongest: float) -> float:
    """The frequency that the largest Z2, power at `strongest` and at its double, has most of its power from.

    How many events are locked is measured there: at the other one there may be nothing (jitter of half a period leaves
    no power at the double, and a sender of 70 Hz none at 35). To an eighth of `STEP_HZ`.
    """
    power, place = powers(times, start), round(strongest / STEP_HZ)
    near = [np.arange(multiple * place - 1, multiple * place + 2) for multiple in (1, 2)]
    middle = max(near, key=lambda places: power[places].max())
    # a frequency that is off by half a step loses a third of the resultant over the window
    fine = (float(middle[power[middle].argmax()]) + FINE) * STEP_HZ
    return float(fine[np.argmax([resultant(times, one) for one in fine])])


def _usual(values: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Median around each of the values `first` to `last`, at some of them and straight lines between.

    Of 601 values, and at slow frequencies of those up to a quarter slower and faster: the power of bursts falls so
    steeply there that a wider stretch says nothing about its middle.
    """
    at, half = _stretches(first, last)
    usual = np.empty(len(at))
    medians_around(values, at, half, usual)
    return np.interp(np.arange(first, last + 1), at, np.maximum(usual, 1e-12))


NEAR_MEDIAN = 0.08
"""How far the next median is looked for around the last one."""


@kernel()
def medians_around(values, at, half, out):
    """Median of the values up to `half` before and after each place.

    Most of a stretch is in the one before, so most medians are among the few values near the last one: these are put in
    order, and the others only counted.
    """
    near = np.empty(values.shape[0])
    last = -1.0
    for k in range(at.shape[0]):
        first, stop = at[k] - half[k], at[k] + half[k] + 1
        low, high = last * (1 - NEAR_MEDIAN), last * (1 + NEAR_MEDIAN)
        below, held = 0, 0
        for i in range(first, stop):
            value = values[i]
            below += np.int64(value < low)
            near[held] = value
            held += np.int64(low <= value <= high)
        wanted = half[k] - below
        last = np.partition(near[:held], wanted)[wanted] if 0 <= wanted < held else np.median(values[first:stop])
        out[k] = last


@lru_cache
def _stretches(first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Middles and half widths of the stretches that medians are taken of, from `first` to `last`."""
    at, half = [first], [_half_width(first)]
    while at[-1] < last:
        at.append(min(at[-1] + max(half[-1] // 3, 1), last))
        half.append(_half_width(at[-1]))
    return np.array(at), np.array(half)


def _half_width(middle: int) -> int:
    return min(max(middle // 4, LEAST_HALF), MEDIAN_BINS // 2)


def screen_p(largest: float, frequencies: int) -> float:
    """P that the largest of so many chi-squared values (four degrees of freedom) is this large."""
    tail = np.exp(-largest / 2) * (1 + largest / 2)
    return float(-np.expm1(frequencies * np.log1p(-min(tail, 1 - 1e-15))))


@dataclass(frozen=True)
class _Hit:
    """A window that passed the screen: its rate, its largest Z2 and at which frequency that is, and its events."""

    number: int
    frequency: float
    z2: float
    strongest: float
    events: int


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """One result per pass and screened window; `facts["windows"]` says how many windows were looked at.

    A pass in which no window was screened has one result without a p, for its windows were looked at, too. `more`
    surrogates replace the first where p <= 0.05. The effect is a share of the events of a window; n_ref is the events
    of all windows with the line, so that effect times n_ref is of the date, as elsewhere.
    """
    rows = np.flatnonzero(stratum.among(day.messages, day.messages.qty))
    if first:
        return [_again(day, stratum, rows, one, streams, surrogates, more) if one.is_small else one for one in first]
    found: list[TestResult] = []
    for band in PASSES:
        found += _in_band(day, stratum, rows, band, streams.sub(band.name), surrogates, more)
    return found


def _again(
    day: DayArrays,
    stratum: Stratum,
    rows: NDArray[np.int64],
    one: TestResult,
    streams: Streams,
    surrogates: int,
    more: int | None,
) -> TestResult:
    """The test of a line with a second stage; which windows have it is known."""
    assert one.window is not None
    band = next(band for band in PASSES if band.name == one.sub_id)
    start, end = one.window
    every = day.messages.ts[rows]
    values = spectrum(_declustered(every[slice(*np.searchsorted(every, [start, end]))], band), start, band)
    both = (one.peak_value, _strongest(values, band))
    number = (start - day.start) // (WINDOW_S * SECOND_NS)
    own = streams.sub(band.name).sub(f"window {number}")
    return replace(_tested(day, stratum, rows, band, number, both, own, surrogates, more, one.facts), n_ref=one.n_ref)


def _strongest(values: NDArray[np.float64], band: Pass) -> float:
    """Frequency of the largest value of a spectrum."""
    return (round(band.low_hz / STEP_HZ) + int(values.argmax())) * STEP_HZ


def _in_band(
    day: DayArrays,
    stratum: Stratum,
    rows: NDArray[np.int64],
    band: Pass,
    streams: Streams,
    surrogates: int,
    more: int | None,
) -> list[TestResult]:
    ts = day.messages.ts[rows]
    tested: list[int] = []
    largest, events = 0.0, 0
    hits: list[_Hit] = []
    for number, start in enumerate(range(day.start, day.end - WINDOW_S * SECOND_NS + 1, WINDOW_S * SECOND_NS)):
        part = slice(*np.searchsorted(ts, [start, start + WINDOW_S * SECOND_NS]))
        times = _declustered(ts[part], band)
        if len(times) < LEAST_EVENTS:
            continue
        tested.append(number)
        events += len(times)
        values = spectrum(times, start, band)
        largest = max(largest, float(values.max()))
        if screen_p(float(values.max()), len(values)) <= SCREEN:
            strongest = _strongest(values, band)
            line = fundamental(times, start, strongest)
            hits.append(_Hit(number, line, float(values.max()), strongest, len(times)))
    if tested and not hits:
        return [_without_line(stratum, band, len(tested), largest, events, len(rows))]
    results: list[TestResult] = []
    hits.sort(key=lambda hit: -hit.z2)
    lines: list[float] = []
    for hit in hits:
        frequency = hit.frequency
        same = [one for one in hits if abs(one.frequency / frequency - 1) <= SAME_LINE]
        known = any(abs(frequency / line - 1) <= SAME_LINE for line in lines)
        if known or len(lines) == MOST_LINES or (lines and len(same) < LEAST_PERSISTENT):
            continue
        lines.append(frequency)
        # by the windows that were tested: a group of the afternoon has nothing before noon, and two halves
        middle = tested[len(tested) // 2]
        facts: dict[str, float | None] = {
            "windows": float(len(tested)),
            "windows_with_line": float(len(same)),
            "windows_with_line_first_half": float(sum(one.number < middle for one in same)),
        }
        one = streams.sub(f"window {hit.number}")
        both = (frequency, hit.strongest)
        result = _tested(day, stratum, rows, band, hit.number, both, one, surrogates, more, facts)
        results.append(replace(result, n_ref=sum(one.events for one in same)))
    return results


def _without_line(stratum: Stratum, band: Pass, windows: int, largest: float, events: int, messages: int) -> TestResult:
    """Windows were looked at, and none was strong enough to be tested: nothing is measured beyond the statistic."""
    return TestResult(
        test_id=TEST,
        sub_id=band.name,
        stratum_json=stratum.json(),
        n_ref=events,
        n_tgt=messages,
        statistic=largest,
        stat_name="largest whitened Z2",
        p_raw=None,
        p_floor=None,
        p_method="screened",
        n_surrogate=0,
        null_method="none",
        null_param={},
        effect=np.nan,
        effect_unit="share",
        effect_lo=np.nan,
        effect_hi=np.nan,
        peak_value=np.nan,
        peak_unit="Hz",
        peak_width=np.nan,
        facts={"windows": float(windows), "windows_with_line": 0.0},
    )


def _declustered(ts: NDArray[np.int64], band: Pass) -> NDArray[np.int64]:
    kept = np.empty_like(ts)
    return kept[: decluster(ts, band.dead_ns, kept)]


def _tested(
    day: DayArrays,
    stratum: Stratum,
    rows: NDArray[np.int64],
    band: Pass,
    number: int,
    lines: tuple[float, float],
    streams: Streams,
    surrogates: int,
    more: int | None,
    facts: dict[str, float | None],
) -> TestResult:
    start = day.start + number * WINDOW_S * SECOND_NS
    end = start + WINDOW_S * SECOND_NS
    frequency, strongest = lines
    cell = int(np.clip(2 / strongest * SECOND_NS, LEAST_CELL, MOST_CELL))
    origin = streams.offset(cell)
    every = day.messages.ts[rows]
    rows = rows[slice(*np.searchsorted(every, [start, end]))]
    ts = day.messages.ts[rows]
    times = _declustered(ts, band)
    observed = spectrum(times, start, band)
    line = line_of(times, start, strongest)
    # events from beyond the window may be drawn into it: without them its ends would empty
    around = every[slice(*np.searchsorted(every, [start - cell, end + cell]))]
    drawn = np.empty_like(around)
    spectra, resultants = [observed], []

    def largest(surrogate: int) -> float:
        jitter(around, streams.words(surrogate, len(around)), origin, cell, drawn)
        events = _declustered(drawn[slice(*np.searchsorted(drawn, [start, end]))], band)
        resultants.append(resultant(events, line))
        values = spectrum(events, start, band)
        if len(spectra) <= CURVE_SURROGATES:
            spectra.append(values)
        return float(values.max())

    used = surrogates
    statistics = np.array([observed.max(), *(largest(one) for one in range(1, used + 1))])
    if more is not None and mc_p(statistics) <= ALPHA:
        used = more
        statistics = np.array([observed.max(), *(largest(surrogates + one) for one in range(1, used + 1))])
    p, method = tailed(statistics, streams.random(EXEMPLARS))
    expected = float(np.mean(resultants))
    locked = resultant(times, line) - expected
    low, high = _interval(times, line, expected, streams)
    period = SECOND_NS / line
    phase = (ts % period) / period
    middle = np.angle(np.mean(np.exp(2j * np.pi * phase))) / (2 * np.pi) % 1
    away = np.abs((phase - middle + 0.5) % 1 - 0.5) * period
    chosen, typical = choose_links(away, streams.random(EXEMPLARS))
    return TestResult(
        test_id=TEST,
        sub_id=band.name,
        stratum_json=stratum.json(),
        n_ref=len(times),
        n_tgt=len(ts),
        statistic=float(statistics[0]),
        stat_name="largest whitened Z2",
        p_raw=p,
        p_floor=1 / (used + 1),
        p_method=method,
        n_surrogate=used,
        null_method="jitter",
        null_param={"cell_ns": cell, "redrawn": "event", "dead_ns": band.dead_ns},
        effect=locked,
        effect_unit="share",
        effect_lo=low,
        effect_hi=high,
        peak_value=frequency,
        peak_unit="Hz",
        peak_width=STEP_HZ,
        notes=("outside_band",) if not band.low_hz <= frequency <= band.high_hz else (),
        weights=Weights("Hz", ((line * (1 - SAME_LINE), line * (1 + SAME_LINE), max(locked, 0.0)),)),
        exemplars=exemplars(
            "messages",
            rows[chosen],
            "member",
            away[chosen].astype(np.int64),
            np.full(len(chosen), max(locked, 0.0)),
            typical,
        ),
        window=(start, end),
        facts=facts,
        curve=_curve(np.array(spectra), band, line),
    )


def _curve(spectra: NDArray[np.float64], band: Pass, line: float) -> Curve:
    """The spectrum against those of some surrogates, neighbouring frequencies together: the largest of each."""
    first, n = round(band.low_hz / STEP_HZ), spectra.shape[1]
    starts = np.arange(0, n, -(-n // CURVE_BINS))
    together = np.maximum.reduceat(spectra, starts, axis=1)
    low, high = (first + starts - 0.5) * STEP_HZ, (first + np.append(starts[1:], n) - 0.5) * STEP_HZ
    outside = int(BAND * (len(spectra) - 1))
    ordered = np.sort(together[1:], axis=0)
    mean, z = max_statistic(together)
    return Curve(
        "Hz", low, high, together[0], mean, ordered[outside], ordered[-1 - outside], z[0], (low <= line) & (line < high)
    )


def resultant(times: NDArray[np.int64], frequency: float) -> float:
    """Share of events that are locked to a phase: length of the mean of their directions."""
    if not len(times):
        return 0.0
    angle = 2 * np.pi * frequency * ((times - times[0]) / SECOND_NS)
    return float(np.abs(np.mean(np.exp(1j * angle))))


def _interval(times: NDArray[np.int64], frequency: float, expected: float, streams: Streams) -> tuple[float, float]:
    """95 % interval of the resultant beyond the surrogates', from blocks of 5 s drawn with replacement."""
    angle = 2 * np.pi * frequency * ((times - times[0]) / SECOND_NS)
    block = (times - times[0]) // BLOCK_NS
    n = int(block[-1]) + 1
    real, imaginary = (np.bincount(block, part(angle), n) for part in (np.cos, np.sin))
    drawn = streams.random(BOOTSTRAP).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    length = np.hypot(drawn @ real, drawn @ imaginary) / np.maximum(drawn @ np.bincount(block, minlength=n), 1)
    low, high = np.quantile(length - expected, [0.025, 0.975])
    return float(low), float(high)
