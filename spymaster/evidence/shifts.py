"""Phases of events whose blocks are shifted, declustered, of many surrogates at once.

Two ways to the same counts. Where a block has many events, only those kept are visited, for gaps within a block
stay. Where it has few, nothing is worth skipping: all events are moved and put in order without a branch, which would
be a coin that no processor guesses.
"""

from __future__ import annotations

import numpy as np

from spymaster.evidence.nulls import below
from spymaster.evidence.streams import fill_words_from
from spymaster.jit import kernel

FEW = 12
"""Events of a block, on average, up to which all of them are moved."""
AT_HAND = 2**11
"""Events whose blocks are shifted for all surrogates of a stage before the next ones are looked at."""


@kernel()
def count_phases(
    times, follows, starts, key_low, key_high, number, period, dead, bins, in_peak, start, minute, lasts, sets
):  # fmt: skip
    """Histograms of phases after `blockshift` and `decluster` in `sets` [surrogates, bins]; `number` is of the first.

    Only events that are kept are visited, for gaps within a block stay: follows and starts are of `following` and
    `block_starts`. With `minute` above 0 what lies in the bins `in_peak` is counted by it from `start` instead. lasts:
    room for a time per surrogate.
    """
    per_bin = bins / period
    blocks = starts.shape[0] - 1
    words = np.empty(AT_HAND + 8, np.uint32)
    lasts[:] = -(2**62)
    begin_block = 0
    while begin_block < blocks:
        stop_block = begin_block + 1
        while stop_block < blocks and starts[stop_block + 1] - starts[begin_block] <= AT_HAND:
            stop_block += 1
        aligned = begin_block // 4 * 4
        for one in range(sets.shape[0]):
            fill_words_from(key_low, key_high, number + one, aligned // 4, words[: stop_block - aligned])
            counts = sets[one]
            last = lasts[one]
            for block in range(begin_block, stop_block):
                begin, end = starts[block], starts[block + 1]
                base = times[begin] // period * period
                offset = below(words[block - aligned], period)
                low, high = begin, end
                turn = base + period - offset
                while low < high:  # the first event that the shift carries over the end of the block
                    middle = (low + high) // 2
                    if times[middle] < turn:
                        low = middle + 1
                    else:
                        high = middle
                for part in range(2):
                    first, stop = (low, end) if part == 0 else (begin, low)
                    moved_by = offset - period if part == 0 else offset
                    i = first
                    while i < stop and times[i] + moved_by - last < dead:
                        i += 1
                    while i < stop:
                        last = times[i] + moved_by
                        # half a ns above, so that what lies on an edge stays in its bin
                        place = np.int64((last - base + 0.5) * per_bin)
                        if minute == 0:
                            counts[place] += 1
                        elif in_peak[place]:
                            counts[min(max((last - start) // minute, 0), counts.shape[0] - 1)] += 1
                        i = follows[i]
            lasts[one] = last
        begin_block = stop_block


@kernel()
def count_few(times, starts, key_low, key_high, number, period, dead, bins, lasts, sets):
    """The histograms of `count_phases`, for blocks of few events."""
    per_bin = bins / period
    blocks = starts.shape[0] - 1
    words = np.empty(AT_HAND + 8, np.uint32)
    offset = np.empty(AT_HAND + 8, np.int64)
    columns = np.empty((7, AT_HAND), np.int64)
    staying = np.zeros(AT_HAND + 1, np.int64)  # number of events before each that stay within their block
    lasts[:] = -(2**62)
    begin_block = 0
    while begin_block < blocks:
        stop_block = begin_block + 1
        while stop_block < blocks and starts[stop_block + 1] - starts[begin_block] <= AT_HAND:
            stop_block += 1
        origin = starts[begin_block]
        n = starts[stop_block] - origin
        if n > columns.shape[1]:
            columns, staying = np.empty((7, n), np.int64), np.zeros(n + 1, np.int64)
        own, phase, base, first, stop, shifted, moved = columns
        aligned = begin_block // 4 * 4
        for block in range(begin_block, stop_block):
            begin, end = starts[block] - origin, starts[block + 1] - origin
            start = times[origin + begin] // period * period
            for i in range(begin, end):
                own[i], phase[i], base[i] = block - aligned, times[origin + i] - start, start
                first[i], stop[i] = begin, end
        for one in range(sets.shape[0]):
            fill_words_from(key_low, key_high, number + one, aligned // 4, words[: stop_block - aligned])
            for block in range(stop_block - aligned):
                offset[block] = below(words[block], period)
            for i in range(n):
                turned = phase[i] + offset[own[i]]
                stays = np.int64(turned < period)
                shifted[i] = turned - (1 - stays) * period
                staying[i + 1] = staying[i] + stays
            for i in range(n):  # what is carried over the end of a block comes first in it
                stays = staying[i + 1] - staying[i]
                moved[i - (staying[stop[i]] - staying[first[i]]) + stays * (stop[i] - first[i])] = shifted[i]
            counts = sets[one]
            last = lasts[one]
            for i in range(n):
                at = base[i] + moved[i]
                kept = at - last >= dead
                last = at if kept else last
                # half a ns above, so that what lies on an edge stays in its bin
                counts[np.int64((moved[i] + 0.5) * per_bin)] += np.int64(kept)
            lasts[one] = last
        begin_block = stop_block
