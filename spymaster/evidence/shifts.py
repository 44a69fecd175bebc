"""Histograms of phases of events whose blocks are shifted, declustered: of many surrogates for the work of fifty.

Shifts are whole bins of the period, and neighbouring blocks, a `group`, are shifted together. A group can then be
shifted in no more than fifty ways. All of them are walked through once, side by side, and every surrogate adds up one
way per group. What lies within the dead time of the group before is put right event by event: counts are those of
blocks shifted and declustered plainly.

Arrays: `phases` and `places` (bins) of all events; `starts`, place of the first event of each block that has some, then
the number of events; `numbers`, which block of the clock each is; `groups`, first block of each group, then the number
of blocks. A way k moves by `offsets[k]`. `free[k]` is where in its block a chain of kept events may go on: the last
that is kept and the dead time. All times are ns; phases, offsets and limits (period, dead time) have one type, int32
where a period is a second or less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.nulls import below
from spymaster.evidence.streams import Streams, four_words
from spymaster.jit import hot_kernel, kernel

BINS = 50
LANES = 64
"""Ways that are walked through: more than there are, for a processor takes eight at a time and four such together."""
MOST_GROUPS = 512
"""Groups of a day with few minutes; one with more has a group a minute, for none goes beyond its minute."""
MINUTE = 60 * 10**9


@kernel()
def split(times, period, phases, places, starts, numbers):
    """Fill phases, places, starts and numbers of sorted times. Returns how many blocks have events."""
    per_bin = BINS / period
    blocks, block, base = 0, np.int64(-(2**62)), np.int64(-(2**62))
    for i in range(times.shape[0]):
        if times[i] - base >= period:
            block = times[i] // period
            base = block * period
            starts[blocks], numbers[blocks] = i, block
            blocks += 1
        phases[i] = times[i] - base
        # half a ns above, so that what lies on an edge stays in its bin
        places[i] = np.int64((times[i] - base + 0.5) * per_bin)
    starts[blocks] = times.shape[0]
    return blocks


@kernel()
def gather(numbers, period, groups):
    """Fill groups: blocks of one minute, as few as make 512 groups if all minutes had as many. Returns how many."""
    size = -(-numbers.shape[0] // MOST_GROUPS)
    found, minute, held = 0, np.int64(-(2**62)), 0
    for block in range(numbers.shape[0]):
        own = numbers[block] * period // MINUTE
        if own != minute or held == size:
            groups[found] = block
            found += 1
            minute, held = own, 0
        held += 1
    groups[found] = numbers.shape[0]
    return found


@hot_kernel()
def see_alone(phase, offsets, carried, period, dead, free, counts):
    """Keep the only event of a block in every way in which it is free."""
    t = offsets.dtype.type
    for k in range(LANES):
        moved = t(phase + offsets[k])
        back = t(moved - period)
        moved = moved if moved < period else back
        held = t(free[k] - carried)
        kept = t(moved >= held)
        free[k] = max(held, t(moved + t(dead & t(-kept))))
        counts[k] += np.int32(kept)


@hot_kernel()
def see_carried_over(phase, offsets, period, dead, free, counts):
    """Keep an event in every way that carries it over the end of its block, if it is free there."""
    t = offsets.dtype.type
    for k in range(LANES):
        moved = t(t(phase + offsets[k]) - period)
        kept = t(moved >= free[k])  # what is not carried over lies below 0, and nothing is free there
        free[k] = max(free[k], t(t(moved + dead) & t(-kept)))
        counts[k] += np.int32(kept)


@hot_kernel()
def see_staying(phase, offsets, period, dead, free, counts):
    """The same in every way that leaves it before the end of its block."""
    t = offsets.dtype.type
    for k in range(LANES):
        moved = t(phase + offsets[k])
        kept = t(t(moved < period) & t(moved >= free[k]))
        free[k] = max(free[k], t(t(moved + dead) & t(-kept)))
        counts[k] += np.int32(kept)


@kernel()
def see_block(phases, places, begin, end, offsets, carried, period, dead, free, counts):
    """Walk through one block in all ways. carried: how much later it begins than what `free` is told of."""
    t = offsets.dtype.type
    if end - begin == 1:
        see_alone(phases[begin], offsets, carried, period, dead, free, counts[places[begin]])
        return
    for k in range(LANES):
        free[k] = max(t(free[k] - carried), t(0))
    for i in range(begin, end):
        see_carried_over(phases[i], offsets, period, dead, free, counts[places[i]])
    for i in range(begin, end):
        see_staying(phases[i], offsets, period, dead, free, counts[places[i]])


@kernel()
def first_events(phases, begin, end, offsets, period, cuts, comes):
    """In every way the first event that is carried over the end of a block, and where its first one then lies."""
    at = end
    for k in range(BINS):
        while at > begin and phases[at - 1] + offsets[k] >= period:
            at -= 1
        cuts[k] = at
        comes[k] = phases[at] + offsets[k] - period if at < end else phases[begin] + offsets[k]


@kernel()
def amend(phases, places, starts, numbers, first, last, k, offset, period, dead, cut, own, same, settled, counts):
    """Count what a group has otherwise after another group than the one its table was made after, until they agree.

    own, same: where it is free from, of the surrogate and of the table. settled: where the table's last block is free
    from. Returns that of the surrogate.
    """
    for block in range(first, last):
        begin, end = starts[block], starts[block + 1]
        if block > first:
            carried = (numbers[block] - numbers[block - 1]) * period
            own, same = max(own - carried, 0), max(same - carried, 0)
            if own == same:
                return settled
            cut, high = begin, end
            while cut < high:
                middle = (cut + high) // 2
                if phases[middle] + offset < period:
                    cut = middle + 1
                else:
                    high = middle
        for part in range(2):
            low, high, moved_by = (cut, end, offset - period) if part == 0 else (begin, cut, offset)
            for i in range(low, high):
                moved = phases[i] + moved_by
                if moved >= own:
                    if moved >= same:
                        return settled
                    own = moved + dead
                    counts[(places[i] + k) % BINS] += 1
                elif moved >= same:
                    same = moved + dead
                    counts[(places[i] + k) % BINS] -= 1
    return own


@kernel()
def count_shifts(phases, places, starts, numbers, groups, offsets, limits, key_low, key_high, number, sets, sums):
    """Add histograms of surrogates `number`, `number + 1` ... to `sets`, int32[surrogates, LANES].

    A group takes one word, its place among the words of a surrogate being its number.

    sums, int64[groups, BINS]: what each group has in all fifty ways together, every group shifted alike.
    """
    t = offsets.dtype.type
    period, dead = limits[0], limits[1]
    free, entry = np.zeros(LANES, offsets.dtype), np.zeros(LANES, offsets.dtype)
    ways, table = np.empty((BINS, LANES), np.int32), np.zeros((BINS, LANES), np.int32)
    total = np.zeros(LANES, np.int32)
    cuts, comes = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    words, left = np.empty((sets.shape[0], 4), np.uint32), np.zeros(sets.shape[0], np.int64)
    before = np.int64(-(2**62))
    for group in range(groups.shape[0] - 1):
        first, last = groups[group], groups[group + 1]
        entered = min(numbers[first] - before, 2) * np.int64(period)
        for k in range(LANES):
            entry[k] = max(t(free[k] - t(entered)), t(0))
        first_events(phases, starts[first], starts[first + 1], offsets, period, cuts, comes)
        ways[:] = 0
        for block in range(first, last):
            # nothing is held beyond the next block: none is shorter than the dead time
            carried = t(min(numbers[block] - before, 2) * np.int64(period))
            see_block(phases, places, starts[block], starts[block + 1], offsets, carried, period, dead, free, ways)
            before = numbers[block]
        total[:] = 0
        for place in range(BINS):
            for k in range(BINS - place):
                table[k, place + k] = ways[place, k]
            for k in range(BINS - place, BINS):
                table[k, place + k - BINS] = ways[place, k]
        for k in range(BINS):
            for place in range(LANES):
                total[place] += table[k, place]
        sums[group] = total[:BINS]
        for one in range(sets.shape[0]):
            if group % 4 == 0:
                a, b, c, d = four_words(group // 4, number + one, key_low, key_high)
                words[one, 0], words[one, 1], words[one, 2], words[one, 3] = a, b, c, d
            k = below(words[one, group % 4], BINS)
            counts, row = sets[one], table[k]
            for place in range(LANES):
                counts[place] += row[place]
            own, same = max(left[one] - entered, 0), np.int64(entry[k])
            left[one] = free[k]
            if own != same and max(own, same) > comes[k]:
                left[one] = amend(
                    phases, places, starts, numbers, first, last, k, np.int64(offsets[k]), np.int64(period),
                    np.int64(dead), cuts[k], own, same, np.int64(free[k]), counts,
                )  # fmt: skip


@dataclass(frozen=True)
class Blocks:
    """Events by blocks and groups, as this module's drawing tells.

    sums: of `count_shifts`, below 0 until something was counted. key: of the words that surrogates are shifted by.
    """

    phases: NDArray
    places: NDArray[np.uint8]
    starts: NDArray[np.int64]
    numbers: NDArray[np.int64]
    groups: NDArray[np.int64]
    offsets: NDArray
    limits: NDArray
    sums: NDArray[np.int64]
    key: tuple[int, int]

    @classmethod
    def of(cls, times: NDArray[np.int64], period: int, dead: int, streams: Streams) -> Blocks:
        """Of sorted times. Raises ValueError for a period that bins do not divide, or below the dead time."""
        if period % BINS or period < dead:
            raise ValueError(f"a period of {period} ns has no {BINS} bins, or is below the dead time of {dead} ns")
        n = len(times)
        kind = np.int32 if 2 * period + dead < 2**31 else np.int64
        phases, places = np.empty(n, kind), np.empty(n, np.uint8)
        starts, numbers = np.empty(n + 1, np.int64), np.empty(n, np.int64)
        blocks = split(times, period, phases, places, starts, numbers)
        starts, numbers, groups = starts[: blocks + 1].copy(), numbers[:blocks].copy(), np.empty(blocks + 1, np.int64)
        groups = groups[: gather(numbers, period, groups) + 1].copy()
        offsets = np.zeros(LANES, kind)
        offsets[:BINS] = np.arange(BINS) * (period // BINS)
        limits, sums = np.array([period, dead], kind), np.full((len(groups) - 1, BINS), -1)
        return cls(phases, places, starts, numbers, groups, offsets, limits, sums, streams.key)

    def sets(self, first: int, count: int) -> NDArray[np.int32]:
        """Histograms of surrogates `first`, `first + 1` ... [count, BINS]."""
        sets = np.zeros((count, LANES), np.int32)
        count_shifts(
            self.phases, self.places, self.starts, self.numbers, self.groups, self.offsets, self.limits,
            *self.key, first, sets, self.sums,
        )  # fmt: skip
        return sets[:, :BINS]

    def average(self) -> NDArray[np.float64]:
        """By group and bin what surrogates have on average; of neighbouring groups, what those shifted alike have."""
        if self.sums.min(initial=0) < 0:
            self.sets(0, 0)
        return self.sums / BINS
