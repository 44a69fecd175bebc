"""Spectra of events in windows of two minutes, and what is usual around each of their frequencies.

Events are counted in bins, and the sum of power at a frequency and at its double (Z2 of Buccheri et al. 1983) is
divided by its median around that frequency: bursts make all slow frequencies strong, a sender makes one stand out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS
from spymaster.evidence.bins import MS
from spymaster.jit import kernel

WINDOW_S = 120
WINDOW_NS = WINDOW_S * SECOND_NS
SPAN_NS = 2**17 * MS
"""Time that is transformed: a window and nothing after it."""
STEP_HZ = SECOND_NS / SPAN_NS
MEDIAN_BINS, LEAST_HALF = 601, 10
CHI2_4_MEDIAN, CHI2_2_MEDIAN = 3.357, 1.386
LEAST_USUAL = 1e-12
"""In place of a smaller median: a window may be all but empty."""
FINE = np.arange(-4, 5) / 8
"""Parts of a step around the strongest frequency that is a multiple of one."""
HARMONICS = 8
LINE_BINS = round(1 / STEP_HZ)
LEAST_LINE = 2 * np.log(26_000 / 1e-4)


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
    return whitened(transform(times, start, band.bin_ns), len(times), band)


def whitened(transformed: NDArray[np.complexfloating], events: int, band: Pass) -> NDArray[np.float64]:
    """`spectrum` of a window of so many events from its transform."""
    first, last = ends(band)
    both = np.empty(last + MEDIAN_BINS // 2 + 1)
    power_pairs(transformed, 2 / max(events, 1), both)
    return both[first : last + 1] / (_usual(both, first, last) / CHI2_4_MEDIAN)


def ends(band: Pass) -> tuple[int, int]:
    """The first and the last frequency of a band, in multiples of `STEP_HZ`."""
    return round(band.low_hz / STEP_HZ), round(band.high_hz / STEP_HZ)


def powers(times: NDArray[np.int64], start: int, bin_ns: int = MS) -> NDArray[np.float64]:
    """Power at every multiple of `STEP_HZ`, 2 on average for events without structure."""
    found = transform(times, start, bin_ns)
    return (found.real**2 + found.imag**2) * (2 / max(len(times), 1))


def transform(times: NDArray[np.int64], start: int, bin_ns: int) -> NDArray[np.complex128]:
    """Transform of the counts of a window less their mean."""
    counts = np.empty(SPAN_NS // bin_ns)
    count_window(times, start, bin_ns, WINDOW_NS // bin_ns, counts)
    return np.fft.rfft(counts)


@kernel()
def count_window(times, start, width, bins, counts):
    """Events by bin of `width` ns less their mean over the first `bins`, which are the window; 0 after it."""
    held = np.searchsorted(times, start + bins * width)
    counts[:bins] = -held / bins
    counts[bins:] = 0
    for i in range(held):
        counts[(times[i] - start) // width] += 1


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
    at, half = stretches(first, last)
    usual = np.empty(len(at))
    medians_around(values, at, half, usual)
    return np.interp(np.arange(first, last + 1), at, np.maximum(usual, LEAST_USUAL))


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
def stretches(first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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


def resultant(times: NDArray[np.int64], frequency: float) -> float:
    """Share of events that are locked to a phase: length of the mean of their directions."""
    if not len(times):
        return 0.0
    angle = 2 * np.pi * frequency * ((times - times[0]) / SECOND_NS)
    return float(np.abs(np.mean(np.exp(1j * angle))))
