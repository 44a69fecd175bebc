"""E5: are there periodic senders, whether or not they follow the clock?

Windows of two minutes, events declustered and counted in bins of 4 or 1 ms, and the sum of power at a frequency and
at its double (Z2 of Buccheri et al. 1983), divided by what is usual around that frequency: bursts make all slow
frequencies strong, a sender makes one stand out. Windows whose largest value could not be chance (1 %, for the division
is itself noisy) are tested against surrogates: events drawn anew in cells of two periods, declustered again, and the
largest value of the whole band. Windows that were not screened have p 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS, DayArrays
from spymaster.evidence.bins import MS
from spymaster.evidence.bootstrap import RESAMPLES, sums_of
from spymaster.evidence.maxstat import BAND, max_statistic, tailed
from spymaster.evidence.nulls import decluster
from spymaster.evidence.result import Curve, First, TestResult, Weights, choose_links, exemplars
from spymaster.evidence.spectra import (
    PASSES,
    STEP_HZ,
    WINDOW_NS,
    Pass,
    ends,
    fundamental,
    line_of,
    resultant,
    screen_p,
    spectrum,
)
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import BOOTSTRAP, EXEMPLARS, Streams
from spymaster.evidence.window_spectra import RedrawnWindow, Window, largest_values

TEST = "E5"
LEAST_EVENTS = 150
SCREEN = 0.01
SAME_LINE = 0.005
LEAST_CELL, MOST_CELL = 20 * MS, 10 * SECOND_NS
BLOCK_NS = 5 * SECOND_NS
CURVE_SURROGATES, CURVE_BINS = 99, 512
"""Of the picture of a spectrum: surrogates, and stretches of frequencies at most."""
LEAST_PERSISTENT = 2
"""Windows in which a line has to stand out if it is not the strongest of its stratum and pass."""
MOST_LINES = 2
"""Lines of a stratum and pass that are tested, each in its strongest window. Others are counted, and have p 1."""


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
    surrogates replace the first where p <= 0.05: they change p and nothing else. The effect is a share of the events of
    a window; n_ref is the events of all windows with the line, so that effect times n_ref is of the date, as elsewhere.
    """
    rows = np.flatnonzero(stratum.among(day.messages, day.messages.qty))
    every = day.messages.ts[rows]
    found = list(first) or [
        one
        for band in PASSES
        for one in _in_band(day, stratum, rows, every, band, streams.sub(band.name), surrogates)
    ]  # fmt: skip
    if more is None:
        return found
    return [_again(one, day, every, streams, surrogates, more) if one.is_small else one for one in found]


def _again(
    one: TestResult, day: DayArrays, every: NDArray[np.int64], streams: Streams, surrogates: int, more: int
) -> TestResult:
    """A result with the p of its second stage; in which window the line is, and in which cells, is known."""
    assert one.window is not None
    band = next(band for band in PASSES if band.name == one.sub_id)
    start, _ = one.window
    own = streams.sub(band.name).sub(f"window {(start - day.start) // WINDOW_NS}")
    statistics = _redrawn(every, start, band, one.null_param["cell_ns"], own).largest(1 + surrogates, more)
    p, method = tailed(np.append(one.statistic, statistics), own.random(EXEMPLARS))
    return replace(one, p_raw=p, p_floor=1 / (more + 1), p_method=method, n_surrogate=more)


def _redrawn(every: NDArray[np.int64], start: int, band: Pass, cell: int, streams: Streams) -> RedrawnWindow:
    around = every[slice(*np.searchsorted(every, [start - cell, start + WINDOW_NS + cell]))]
    return RedrawnWindow(around, start, band, cell, streams)


def _strongest(values: NDArray[np.float64], band: Pass) -> float:
    """Frequency of the largest value of a spectrum."""
    return (round(band.low_hz / STEP_HZ) + int(values.argmax())) * STEP_HZ


def _in_band(
    day: DayArrays,
    stratum: Stratum,
    rows: NDArray[np.int64],
    ts: NDArray[np.int64],
    band: Pass,
    streams: Streams,
    surrogates: int,
) -> list[TestResult]:
    tested: list[int] = []
    windows: list[Window] = []
    for number, start in enumerate(range(day.start, day.end - WINDOW_NS + 1, WINDOW_NS)):
        times = _declustered(ts[slice(*np.searchsorted(ts, [start, start + WINDOW_NS]))], band)
        if len(times) >= LEAST_EVENTS:
            tested.append(number)
            windows.append((times, start))
    z2 = largest_values(windows, band)
    largest, events = float(z2.max(initial=0.0)), sum(len(times) for times, _ in windows)
    frequencies = 1 + ends(band)[1] - ends(band)[0]
    hits: list[_Hit] = []
    for number, (times, start), one in zip(tested, windows, z2.tolist(), strict=True):
        if screen_p(one, frequencies) <= SCREEN:
            strongest = _strongest(spectrum(times, start, band), band)
            hits.append(_Hit(number, fundamental(times, start, strongest), one, strongest, len(times)))
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
        own = streams.sub(f"window {hit.number}")
        result = _tested(day, stratum, rows, ts, band, hit, own, surrogates, facts)
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
    every: NDArray[np.int64],
    band: Pass,
    hit: _Hit,
    streams: Streams,
    surrogates: int,
    facts: dict[str, float | None],
) -> TestResult:
    start = day.start + hit.number * WINDOW_NS
    end = start + WINDOW_NS
    cell = int(np.clip(2 / hit.strongest * SECOND_NS, LEAST_CELL, MOST_CELL))
    rows = rows[slice(*np.searchsorted(every, [start, end]))]
    ts = day.messages.ts[rows]
    times = _declustered(ts, band)
    line = line_of(times, start, hit.strongest)
    redrawn = _redrawn(every, start, band, cell, streams)
    statistics, spectra = [np.array([hit.z2])], [spectrum(times, start, band)]
    for some in redrawn.transformed(1, surrogates):
        statistics.append(some.largest())
        drawn = min(len(some.held), 1 + CURVE_SURROGATES - len(spectra))
        spectra += [some.spectrum(place) for place in range(drawn)]
    p, method = tailed(np.concatenate(statistics), streams.random(EXEMPLARS))
    expected = float(np.mean([resultant(redrawn.events(one), line) for one in range(1, 1 + surrogates)]))
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
        statistic=hit.z2,
        stat_name="largest whitened Z2",
        p_raw=p,
        p_floor=1 / (surrogates + 1),
        p_method=method,
        n_surrogate=surrogates,
        null_method="jitter",
        null_param={"cell_ns": cell, "redrawn": "event", "dead_ns": band.dead_ns},
        effect=locked,
        effect_unit="share",
        effect_lo=low,
        effect_hi=high,
        peak_value=hit.frequency,
        peak_unit="Hz",
        peak_width=STEP_HZ,
        notes=("outside_band",) if not band.low_hz <= hit.frequency <= band.high_hz else (),
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


def _interval(times: NDArray[np.int64], frequency: float, expected: float, streams: Streams) -> tuple[float, float]:
    """95 % interval of the resultant beyond the surrogates', from blocks of 5 s drawn with replacement."""
    angle = 2 * np.pi * frequency * ((times - times[0]) / SECOND_NS)
    block = (times - times[0]) // BLOCK_NS
    n = int(block[-1]) + 1
    real, imaginary = (np.bincount(block, part(angle), n) for part in (np.cos, np.sin))
    drawn = streams.random(BOOTSTRAP).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    sums = [sums_of(drawn, part) for part in (real, imaginary, np.bincount(block, minlength=n))]
    length = np.hypot(sums[0], sums[1]) / np.maximum(sums[2], 1)
    low, high = np.quantile(length - expected, [0.025, 0.975])
    return float(low), float(high)
