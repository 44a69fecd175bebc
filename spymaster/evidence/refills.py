"""Entries that come back after a fill, in surrogates: entries redrawn in their cells, or their sizes permuted.

Only entries within reach of a fill are drawn, and sizes are permuted only where a fill looks at them. The counts are
those of `nulls.jitter_marked`, or of `nulls.markperm`, and a search of all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.bins import Edges, bin_of
from spymaster.evidence.nulls import below
from spymaster.evidence.streams import SomeWords, Streams, fill_blocks, fill_words_from
from spymaster.jit import kernel

Ints = NDArray[np.int64]


@kernel()
def find_candidates(fill, wanted, first, last, size, tolerance, ends, adds):
    """Entries of like size among those from `first` to `last` of each fill, as many as fit; `ends` of each fill's own.

    Returns how many there are.
    """
    found = 0
    for i in range(fill.shape[0]):
        for k in range(first[i], last[i]):
            if abs(size[k] - wanted[i]) * tolerance <= wanted[i]:
                if found < adds.shape[0]:
                    adds[found] = k
                found += 1
        ends[i] = found
    return found


@kernel()
def count_redrawn(
    fill, ends, starts, at, key_low, key_high, number, blocks, width, edges, low, high, block, sets
):  # fmt: skip
    """Delays from each fill to its first candidate, each drawn anew from the start of its cell, in `sets`.

    By bin; or where `block` has a number for each fill, those in `[low, high)` by that.
    """
    nothing = np.zeros(0, np.int32)
    words = np.empty(4 * blocks.shape[0], np.uint32)
    least, most = edges[0], edges[edges.shape[0] - 1]
    by_block = block.shape[0] > 0
    for one in range(sets.shape[0]):
        fill_blocks(key_low, key_high, number + one, blocks, words)
        p = 0
        for i in range(fill.shape[0]):
            soonest = most
            while p < ends[i]:
                delay = starts[p] + below(words[at[p]], width) - fill[i]
                if least <= delay < soonest:
                    soonest = delay
                p += 1
            if soonest < most:
                if not by_block:
                    sets[one, bin_of(edges, nothing, 0, soonest)] += 1
                elif low <= soonest < high:
                    sets[one, block[i]] += 1


@kernel()
def count_resized(fill, wanted, first, last, add, size, order, edges, tolerance, counts):
    """Delays from each fill to the first entry of like size from `first` to `last`; `order`: whose size it is."""
    nothing = np.zeros(0, np.int32)
    for i in range(fill.shape[0]):
        for k in range(first[i], last[i]):
            if abs(size[order[k]] - wanted[i]) * tolerance <= wanted[i]:
                counts[bin_of(edges, nothing, 0, add[k] - fill[i])] += 1
                break


@kernel()
def permute_some(begins, ends, key_low, key_high, number, order):
    """`nulls.permute_groups` with the words of surrogate `number`, of which only those of the groups are drawn."""
    longest = np.int64(0)
    for group in range(begins.shape[0]):
        longest = max(longest, ends[group] - begins[group])
    words = np.empty(longest + 4, np.uint32)
    for group in range(begins.shape[0]):
        start, end = begins[group], ends[group]
        aligned = start // 4 * 4
        fill_words_from(key_low, key_high, number, aligned // 4, words[: end - aligned])
        for i in range(start, end):
            order[i] = i
        for i in range(end - 1, start, -1):
            other = start + below(words[i - aligned], i - start + 1)
            order[i], order[other] = order[other], order[i]


@dataclass(frozen=True)
class Refills:
    """Fills and entries (times by place, entries sorted) with their sizes, bins of delay, and the likeness of sizes."""

    fill: Ints
    wanted: Ints
    add: Ints
    size: Ints
    edges: Edges
    tolerance: int

    def within(self, more: int) -> tuple[Ints, Ints]:
        """First and last entry that each fill can reach, if entries move by less than `more`."""
        first = np.searchsorted(self.add, self.fill + self.edges[0] - more)
        return first, np.searchsorted(self.add, self.fill + self.edges[-1] + more)


class RedrawnRefills:
    """Surrogates in which entries are drawn anew in their cells of `width` ns."""

    def __init__(self, refills: Refills, streams: Streams, width: int) -> None:
        first, last = refills.within(width)
        ends = np.zeros(len(refills.fill), np.int64)
        room, found = 0, 1024
        adds = ends[:0]
        while found > room:
            room, adds = found, np.empty(found, np.int64)
            arguments = (refills.fill, refills.wanted, first, last, refills.size, refills.tolerance)
            found = find_candidates(*arguments, ends, adds)
        origin = streams.offset(width)
        words = SomeWords.of(adds[:found])
        starts = origin + (refills.add[adds[:found]] - origin) // width * width
        self._candidates = (refills.fill, ends, starts, words.at)
        self._blocks, self._width, self._edges = words.blocks, width, refills.edges
        self._streams = streams

    def sets(self, first: int, count: int) -> Ints:
        """Counts by bin of surrogates `first`, `first + 1` ... [count, bins]."""
        return self._counted(first, np.zeros((count, len(self._edges) - 1), np.int64), 0, 0, np.zeros(0, np.int64))

    def by_block(self, low: int, high: int, block: Ints, blocks: int) -> Callable[[int, int], Ints]:
        """Of surrogates, delays in `[low, high)` by the block of the fill [count, blocks]."""
        return lambda first, count: self._counted(first, np.zeros((count, blocks), np.int64), low, high, block)

    def _counted(self, first: int, sets: Ints, low: int, high: int, block: Ints) -> Ints:
        drawn = (*self._streams.key, first, self._blocks, self._width, self._edges)
        count_redrawn(*self._candidates, *drawn, low, high, block, sets)
        return sets


class ResizedRefills:
    """Surrogates in which sizes are permuted among entries of one cell; `cells` rise."""

    def __init__(self, refills: Refills, streams: Streams, cells: Ints) -> None:
        self._refills, self._streams = refills, streams
        self._reach = refills.within(0)
        begins = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]])) if len(cells) else cells
        ends = np.concatenate([begins[1:], [len(cells)]])
        first, last = self._reach
        looked = np.zeros(len(cells) + 1, np.int64)
        np.add.at(looked, first, 1)
        np.add.at(looked, last, -1)
        seen = np.cumsum(looked)[:-1] > 0
        needed = np.add.reduceat(seen, begins) > 0 if len(begins) else np.zeros(0, np.bool_)
        self._groups = (begins[needed], ends[: len(begins)][needed])
        self._order = np.arange(len(cells))

    def counts(self, number: int) -> Ints:
        """Counts by bin of a surrogate, or of the data (0)."""
        refills = self._refills
        counts = np.zeros(len(refills.edges) - 1, np.int64)
        order = np.arange(len(self._order)) if number == 0 else self._order
        if number:
            permute_some(*self._groups, *self._streams.key, number, order)
        columns = (refills.fill, refills.wanted, *self._reach, refills.add, refills.size, order)
        count_resized(*columns, refills.edges, refills.tolerance, counts)
        return counts
