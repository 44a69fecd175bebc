"""Lags from redrawn references, many surrogates at once.

Which targets a reference can meet does not depend on where in its cell it is drawn. They are gathered once for some
neighbouring references, with their distance from the cell, and all surrogates of a stage are drawn while they are at
hand: nothing is sorted, and of the others nothing is read. The counts are those of `nulls.jitter` and a count of all
pairs, to the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.bins import Edges, bin_of, divider, steps_of
from spymaster.evidence.nulls import below
from spymaster.evidence.streams import Streams, fill_words_from
from spymaster.jit import kernel

AT_HAND = 2**15
"""Pairs that are gathered at a time, if one reference has no more."""

Ints = NDArray[np.int64]


@kernel()
def count_redrawn(
    ref, ref_event, target, target_event, key_low, key_high, first, origin, cell, turn, edges, bins, step, factor,
    shift, start, minute, sets,
):  # fmt: skip
    """Counts in `sets` [surrogates, bins] of the lags of redrawn references; the first surrogate is number `first`.

    turn: 1 for targets after the reference, -1 for those before. bins, step: of `steps_of(edges)`; factor, shift: of
    `divider` where all bins are as wide, else shift is 0. With `minute` above 0, references are counted by it from
    `start`, each as often as it has a lag between the outer edges.
    """
    n, m = ref.shape[0], target.shape[0]
    low, high = edges[0], edges[edges.shape[0] - 1]
    span = high - low
    nearest, farthest = (low, cell - 1 + high) if turn > 0 else (1 - high, cell - low)
    away = np.empty(AT_HAND, np.int64)
    held = np.empty(n, np.int64)
    ends = np.empty(n + 1, np.int64)
    words = np.empty(n + 8, np.uint32)
    lowest, i = 0, 0
    while i < n:
        begin, kept, used = i, 0, 0
        ends[0] = 0
        while i < n:  # gather
            base = origin + (ref[i] - origin) // cell * cell
            while lowest < m and target[lowest] < base + nearest:
                lowest += 1
            stop = lowest
            while stop < m and target[stop] < base + farthest:
                stop += 1
            if used + stop - lowest > away.shape[0]:
                if kept > 0:
                    break
                away = np.empty(stop - lowest, np.int64)
            for k in range(lowest, stop):
                if target_event[k] != ref_event[i]:
                    away[used] = turn * (target[k] - base) - low
                    used += 1
            if used > ends[kept]:
                held[kept] = i
                kept += 1
                ends[kept] = used
            i += 1
        aligned = begin // 4 * 4
        if kept == 0:
            continue
        for one in range(sets.shape[0]):  # draw
            fill_words_from(key_low, key_high, first + one, aligned // 4, words[: held[kept - 1] + 1 - aligned])
            counts = sets[one]
            for k in range(kept):
                drawn = below(words[held[k] - aligned], cell)
                moved = turn * drawn
                if minute > 0:
                    found = 0
                    for p in range(ends[k], ends[k + 1]):
                        found += np.int64(np.uint64(away[p] - moved) < np.uint64(span))
                    if found > 0:
                        at = origin + (ref[held[k]] - origin) // cell * cell + drawn
                        counts[min(max((at - start) // minute, 0), counts.shape[0] - 1)] += found
                elif shift > 0:
                    for p in range(ends[k], ends[k + 1]):
                        lag = away[p] - moved
                        if 0 <= lag < span:
                            counts[(lag * factor) >> shift] += 1
                else:
                    for p in range(ends[k], ends[k + 1]):
                        lag = away[p] - moved
                        if 0 <= lag < span:
                            counts[bin_of(edges, bins, step, lag + low)] += 1


@dataclass(frozen=True)
class Redrawn:
    """References and targets (times and events, sorted), bins of lag, and the cells that references are redrawn in.

    turn: 1 for targets after the reference, -1 for those before, whose lags count backwards.
    """

    ref: tuple[Ints, Ints]
    target: tuple[Ints, Ints]
    edges: Edges
    cell: int
    streams: Streams
    turn: int = 1

    def sets(self, first: int, count: int) -> Ints:
        """Counts by bin of surrogates `first`, `first + 1` ... [count, bins]."""
        made = np.zeros((count, len(self.edges) - 1), np.int64)
        self._fill(self.edges, first, made, 0, 0)
        return made

    def by_block(self, low: int, high: int, start: int, width: int, blocks: int) -> Callable[[int, int], Ints]:
        """Of surrogates, lags in `[low, high)` by block of time in which the reference lies [count, blocks]."""

        def sums(first: int, count: int) -> Ints:
            made = np.zeros((count, blocks), np.int64)
            self._fill(np.array([low, high], np.int64), first, made, start, width)
            return made

        return sums

    def _fill(self, edges: Edges, first: int, sets: Ints, start: int, width: int) -> None:
        count_redrawn(
            *self.ref, *self.target, *self.streams.key, first, self.streams.offset(self.cell), self.cell, self.turn,
            edges, *steps_of(edges), *divider(edges), start, width, sets,
        )  # fmt: skip
