"""Null models: what a day would look like if there were no structure finer than J, no preferred phase, or no link.

Each redraws times (or marks) so that everything slower is kept exactly. They are what p-values are computed from; a
Poisson process is none of them, for in a bursty market it is rejected always.

- `jitter`: every event uniformly anew in its own cell of a fixed grid (interval jitter; Amarasingham, Harrison,
  Hatsopoulos & Geman 2012). Event-centred jitter would create structure and is not offered.
- `blockshift`: every block of one period shifted circularly by an offset of its own. E4 shifts groups of neighbouring
  blocks as wholes instead (`shifts`).
- `seriesshift`: one series shifted circularly as a whole, within a segment.
- `markperm`: marks permuted among the events of one cell.
- `signflip`: signs multiplied by a random sign per block.

Times are sorted int64 ns; `words` are uniform uint32, one per event or block (`streams.Streams.words`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from spymaster.jit import hot_kernel, kernel

Times = NDArray[np.int64]
Words = NDArray[np.uint32]


@hot_kernel()
def below(word, width):
    """A uniform 32-bit word as an integer in [0, width): floor(word * width / 2^32), for widths below 2^48.

    In two parts: the whole product of a word and a minute in ns does not fit into 64 bits.
    """
    w, wide, half = np.uint64(word), np.uint64(width), np.uint64(16)
    return np.int64((w * (wide >> half) + ((w * (wide & np.uint64(0xFFFF))) >> half)) >> half)


FEW = 16
"""Events of a cell up to which each is put in its place among those before; of more every event has a slot first."""


@kernel()
def jitter(times, words, origin, width, out):
    """Redraw each event in its cell `[origin + k * width, origin + (k + 1) * width)`; `out` is sorted again."""
    n = times.shape[0]
    slots = np.empty(0, np.int64)
    first = 0
    while first < n:
        begin = origin + (times[first] - origin) // width * width
        stop = first + 1
        while stop < n and times[stop] < begin + width:
            stop += 1
        held = stop - first
        if held <= FEW:
            for i in range(first, stop):
                out[i] = begin + below(words[i], width)
        else:
            # as many slots as events: words tell the order, so what is left to sort are those that share a slot
            if slots.shape[0] < held + 1:
                slots = np.empty(2 * held + 1, np.int64)
            slots[: held + 1] = 0
            for i in range(first, stop):
                slots[below(words[i], held) + 1] += 1
            for slot in range(held):
                slots[slot + 1] += slots[slot]
            for i in range(first, stop):
                slot = below(words[i], held)
                out[first + slots[slot]] = begin + below(words[i], width)
                slots[slot] += 1
        for i in range(first + 1, stop):
            drawn, place = out[i], i
            while place > first and out[place - 1] > drawn:
                out[place] = out[place - 1]
                place -= 1
            out[place] = drawn
        first = stop


@kernel()
def jitter_marked(times, words, origin, width, out, source):
    """`jitter`, and in `source` (int32) which event lies at each place of `out`: marks travel with their event."""
    last_cell = np.int64(-(2**62))
    first = 0
    for i in range(times.shape[0]):
        cell = (times[i] - origin) // width
        drawn = origin + cell * width + below(words[i], width)
        if cell != last_cell:
            last_cell = cell
            first = i
        place = i
        while place > first and out[place - 1] > drawn:
            out[place] = out[place - 1]
            source[place] = source[place - 1]
            place -= 1
        out[place] = drawn
        source[place] = i


@kernel()
def blockshift(times, words, period, out):
    """Shift the events of each block `[k * period, (k + 1) * period)` circularly by one offset; `out` is sorted.

    Returns the number of blocks, each of which used one word.
    """
    n = times.shape[0]
    blocks = 0
    start = 0
    while start < n:
        block = times[start] // period
        end = start
        while end < n and times[end] // period == block:
            end += 1
        offset = below(words[blocks], period)
        blocks += 1
        base = block * period
        wrapped = start  # the first event that the shift carries over the end of the block
        while wrapped < end and times[wrapped] - base + offset < period:
            wrapped += 1
        place = start
        for i in range(wrapped, end):
            out[place] = times[i] + offset - period
            place += 1
        for i in range(start, wrapped):
            out[place] = times[i] + offset
            place += 1
        start = end
    return blocks


@kernel()
def decluster(times, dead, out):
    """Keep the first event of a burst: none within `dead` ns of the one kept before. Returns how many are kept."""
    kept = 0
    last = np.int64(-(2**62))
    for i in range(times.shape[0]):
        if times[i] - last >= dead:
            last = times[i]
            out[kept] = last
            kept += 1
    return kept


def seriesshift(times: Times, start: int, end: int, shift: int) -> tuple[Times, NDArray[np.int64]]:
    """Events of `[start, end)` shifted circularly by `shift` ns; also which event lies at each place.

    Raises ValueError if an event lies outside.
    """
    if len(times) and (times[0] < start or times[-1] >= end):
        raise ValueError(f"times {times[0]} to {times[-1]} are not all in [{start}, {end})")
    moved = start + (times - start + shift) % (end - start)
    # what is carried over the end comes before all else, and each part stays in order
    over = int(np.searchsorted(times, end - shift % (end - start)))
    order = np.concatenate([np.arange(over, len(times)), np.arange(over)])
    return moved[order], order


def draw_shift(generator: np.random.Generator, least: int, most: int) -> int:
    """A shift of either sign, between `least` and `most` ns."""
    return int(generator.integers(least, most)) * (1 if generator.integers(0, 2) else -1)


@kernel()
def markperm(cells, words, order):
    """Permute events among those of one cell (Fisher & Yates). `cells` is sorted; `order` takes the permutation."""
    n = cells.shape[0]
    start = 0
    for i in range(n):
        order[i] = i
    while start < n:
        end = start
        while end < n and cells[end] == cells[start]:
            end += 1
        for i in range(end - 1, start, -1):
            other = start + below(words[i], i - start + 1)
            order[i], order[other] = order[other], order[i]
        start = end


@kernel()
def permute_groups(begins, ends, words, order):
    """`markperm` of some cells, from `begins` to `ends`; elsewhere `order` stays as it is."""
    for group in range(begins.shape[0]):
        start, end = begins[group], ends[group]
        for i in range(start, end):
            order[i] = i
        for i in range(end - 1, start, -1):
            other = start + below(words[i], i - start + 1)
            order[i], order[other] = order[other], order[i]


def signflip(times: Times, words: Words, block: int, origin: int = 0) -> NDArray[np.int8]:
    """+1 or -1 per event, one draw per block of `block` ns; `words` holds one per block that has events."""
    return next(signflips(times, [words], block, origin))


def signflips(times: Times, words: Iterable[Words], block: int, origin: int = 0) -> Iterator[NDArray[np.int8]]:
    """`signflip` with one set of words after another."""
    _, number = np.unique((times - origin) // block, return_inverse=True)
    for drawn in words:
        yield np.where(drawn[number] & 1, 1, -1).astype(np.int8)


@kernel()
def first_of_bursts(times, dead, kept):
    """Mark the first event of each burst: none within `dead` ns of the one marked before."""
    last = np.int64(-(2**62))
    for i in range(times.shape[0]):
        kept[i] = times[i] - last >= dead
        if kept[i]:
            last = times[i]
