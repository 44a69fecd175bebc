"""Largest whitened Z2 of windows of two minutes, of data or drawn anew, transformed a few at a time.

A search looks at tens of thousands of windows and needs one number of most of them, so

- windows are transformed together in single precision, of which an instruction holds four numbers: a statistic is exact
  to a millionth of itself, and data and surrogates go the same way;
- a median is taken only where the largest value could lie; everywhere else it is enough to count that too many values
  are above what the median would have to be (`largest_over_usual`).

Arrays: counts float32[LANES, bins] and transformed complex64[LANES, bins / 2 + 1], a window a row; held int64[LANES]
events of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from spymaster.evidence.nulls import decluster, jitter
from spymaster.evidence.spectra import (
    CHI2_4_MEDIAN,
    LEAST_USUAL,
    SPAN_NS,
    WINDOW_NS,
    Pass,
    count_window,
    ends,
    power_pairs,
    stretches,
    whitened,
)
from spymaster.evidence.streams import Streams, fill_words_from
from spymaster.jit import kernel

LANES = 4
"""Windows that are transformed together, always so many: what one gets may not depend on how many there are."""

KEPT_BYTES = 24 * 2**20

Window = tuple[NDArray[np.int64], int]
"""Sorted declustered times of a window, and where it starts."""


@dataclass(frozen=True)
class Transformed:
    """Some windows: rows of `rows` from the first on, each of so many events."""

    rows: NDArray[np.complex64]
    held: NDArray[np.int64]
    band: Pass

    def largest(self) -> NDArray[np.float64]:
        """The largest whitened Z2 of each, as `spectrum` has it."""
        first, last = ends(self.band)
        at, half = stretches(first, last)
        found = np.empty(len(self.held))
        largest_of(self.rows, self.held, first, last, at, half, CHI2_4_MEDIAN, LEAST_USUAL, found)
        return found

    def spectrum(self, place: int) -> NDArray[np.float64]:
        """Whitened Z2 of one at all frequencies."""
        return whitened(self.rows[place], int(self.held[place]), self.band)


def largest_values(windows: Sequence[Window], band: Pass) -> NDArray[np.float64]:
    """The largest whitened Z2 of each window."""
    found = [np.zeros(0)]
    counts = np.zeros((LANES, SPAN_NS // band.bin_ns), np.float32)
    for place in range(0, len(windows), LANES):
        some = windows[place : place + LANES]
        for row, (times, start) in zip(counts, some, strict=False):
            count_window(times, start, band.bin_ns, WINDOW_NS // band.bin_ns, row)
        found.append(_transformed(counts, np.array([len(times) for times, _ in some]), band).largest())
    return np.concatenate(found)


def _transformed(counts: NDArray[np.float32], held: NDArray[np.int64], band: Pass) -> Transformed:
    _keep_memory()
    return Transformed(np.asarray(scipy.fft.rfft(counts, axis=1)), held, band)


@cache
def _keep_memory() -> None:
    """Let the C library keep freed memory: it gives back what is larger than any it has seen freed (glibc, to 32 MB).

    A transform takes 4 MB and frees them. Given back each time, they come back as a thousand empty pages, which takes
    longer than the transform.
    """
    np.empty(KEPT_BYTES, np.uint8)


@dataclass(frozen=True)
class RedrawnWindow:
    """Surrogates of a window from `start`: events redrawn in cells of `cell` ns, and declustered.

    times: sorted, of the window and of a cell before and after it. What lies there may be drawn into the window:
    without it its ends would empty.
    """

    times: NDArray[np.int64]
    start: int
    band: Pass
    cell: int
    streams: Streams

    def events(self, number: int) -> NDArray[np.int64]:
        """Times of one surrogate."""
        drawn, kept = np.empty_like(self.times), np.empty_like(self.times)
        jitter(self.times, self.streams.words(number, len(drawn)), self.streams.offset(self.cell), self.cell, drawn)
        inside = drawn[slice(*np.searchsorted(drawn, [self.start, self.start + WINDOW_NS]))]
        return kept[: decluster(inside, self.band.dead_ns, kept)]

    def transformed(self, first: int, count: int) -> Iterator[Transformed]:
        """Surrogates `first`, `first + 1`, ..., some at a time."""
        n, band = len(self.times), self.band
        room = np.empty(n, np.uint32), np.empty(n, np.int64), np.empty(n, np.int64)
        counts = np.empty((LANES, SPAN_NS // band.bin_ns), np.float32)
        grid = self.streams.offset(self.cell), self.cell, self.start, WINDOW_NS, band.dead_ns, band.bin_ns
        for number in range(first, first + count, LANES):
            held = np.empty(LANES, np.int64)
            count_redrawn(self.times, *self.streams.key, number, *grid, *room, counts, held)
            yield _transformed(counts, held[: first + count - number], band)

    def largest(self, first: int, count: int) -> NDArray[np.float64]:
        """Largest whitened Z2 of surrogates `first`, `first + 1`, ..."""
        return np.concatenate([some.largest() for some in self.transformed(first, count)])


@kernel()
def count_redrawn(
    times, key_low, key_high, number, origin, cell, start, length, dead, bin_ns, words, drawn, kept, counts, held
):  # fmt: skip
    """Counts less their mean of surrogates `number`, ... by row, and their events; words, drawn, kept: room for all."""
    for row in range(counts.shape[0]):
        fill_words_from(key_low, key_high, number + row, 0, words)
        jitter(times, words, origin, cell, drawn)
        inside = drawn[np.searchsorted(drawn, start) : np.searchsorted(drawn, start + length)]
        held[row] = decluster(inside, dead, kept)
        count_window(kept[: held[row]], start, bin_ns, length // bin_ns, counts[row])


@kernel()
def largest_of(transformed, held, first, last, at, half, chi2_median, least, found):
    """Largest whitened Z2 of each of the first rows, as many as `held` has."""
    values = np.empty(at[-1] + half[-1] + 1, np.float32)
    for row in range(held.shape[0]):
        power_pairs(transformed[row], 2 / max(held[row], 1), values)
        found[row] = largest_over_usual(values, at, half, chi2_median, least)


@kernel()
def largest_over_usual(values, at, half, chi2_median, least):
    """Largest of the values from the first place to the last over straight lines between medians around the places.

    The part between two places that promises most is looked at first. What it has is to be beaten, and elsewhere that
    takes a median below a known number: where no more than half of a stretch is below it, the median is not.
    """
    parts = at.shape[0] - 1
    highest, usual = np.empty(parts), np.full(parts + 1, -1.0)
    first = highest_of_parts(values, at, highest)
    best = over_line(values, at, half, first, chi2_median, least, usual)
    for place in range(parts + 1):
        reach = max(highest[max(place - 1, 0)], highest[min(place, parts - 1)])
        if reach == 0:
            continue
        # a little more, for what is divided by is rounded
        needed = np.float32(reach * chi2_median / best * (1 + 1e-5)) if best > 0 else np.float32(np.inf)
        if needed <= least or usual[place] >= needed:
            continue
        if usual[place] < 0:
            below = np.int32(0)
            for i in range(at[place] - half[place], at[place] + half[place] + 1):
                below += np.int32(values[i] < needed)
            if below <= half[place]:
                continue
        for part in range(max(place - 1, 0), min(place + 1, parts)):
            best = max(best, over_line(values, at, half, part, chi2_median, least, usual))
    return best


@kernel(fastmath={"nnan", "nsz", "reassoc"})
def highest_of_parts(values, at, highest):
    """Largest value of each part; returns the part in which it is the most times the mean of the part.

    Sums are rounded as the processor likes: where one begins to look does not matter.
    """
    promise, best = -1.0, 0
    for part in range(highest.shape[0]):
        top, total = np.float32(0), np.float32(1e-30)
        for i in range(at[part], at[part + 1] + 1):
            value = values[i]
            top = value if value > top else top
            total += value
        highest[part] = top
        if top * (at[part + 1] - at[part] + 1) > promise * total:
            promise, best = top * (at[part + 1] - at[part] + 1) / total, part
    return best


@kernel()
def over_line(values, at, half, part, chi2_median, least, usual):
    """Largest of the values of a part over the line between the medians at its ends, which are kept in `usual`."""
    for place in (part, part + 1):
        if usual[place] < 0:
            usual[place] = max(np.median(values[at[place] - half[place] : at[place] + half[place] + 1]), least)
    slope = (usual[part + 1] - usual[part]) / (at[part + 1] - at[part])
    best = 0.0
    for i in range(at[part], at[part + 1] + 1):
        best = max(best, values[i] / ((usual[part] + slope * (i - at[part])) / chi2_median))
    return best
