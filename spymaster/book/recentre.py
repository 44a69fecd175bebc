"""Moving the array grid: rare, so plain NumPy. No value that is ever emitted depends on where the grid lies."""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.arrays import Book, empty_cells, note_addresses
from spymaster.book.kernel import reindex_spill


def recentred(book: Book, origin: int, *, grow_spill: bool = False) -> Book:
    """The same book with its grid starting at tick `origin`.

    Cells that leave the grid move to the spill and the other way round; spill cells with nothing in them and nothing
    left to say are dropped. The spill grows as needed, to at least twice what is used when `grow_spill`.
    """
    width = int(book.state[la.S_WIDTH])
    used = 2 * width + int(book.state[la.S_SPILL_N])
    numbers = np.arange(used)
    keys = np.where(
        numbers < 2 * width,
        2 * int(book.state[la.S_ORIGIN]) + numbers,
        np.concatenate([np.zeros(2 * width, np.int64), book.spill])[:used],
    )
    capacity = int(book.state[la.S_SPILL_CAPACITY])
    revisit = _plane(book.bits, la.BIT_REVISIT, used)
    cells = book.cells[:used]
    age = int(book.state[la.S_WINDOW_NUMBER]) - cells[:, la.C_LAST].astype(np.int64)
    keep = (
        (cells[:, la.C_COUNT] > 0)
        | (age < 4)
        | revisit
        | (cells[:, [la.C_OUT_DEPTH, la.C_OUT_REST, la.C_OUT_COUNT]] != 0).any(axis=1)
    )
    old = np.flatnonzero(keep)
    offsets = keys[old] - 2 * origin
    inside = (offsets >= 0) & (offsets < 2 * width)
    far = int((~inside).sum())
    while capacity < (2 if grow_spill else 1) * (far + 64):
        capacity *= 2

    new = np.where(inside, offsets, 0)
    new[~inside] = 2 * width + np.arange(far)
    moved_cells = empty_cells(2 * width + capacity)
    moved_cells[new] = cells[old]
    ends = np.zeros((la.END_ROWS, 2 * width + capacity), np.int32)
    ends[:, new] = book.ends[:, old]

    moved = np.zeros(used, np.int64)
    moved[old] = new
    live = book.links[:, la.O_SIZE] > 0
    book.links[live, la.O_CELL] = moved[book.links[live, la.O_CELL]]

    bits = np.zeros_like(book.bits)
    sides = keys[old] & 1
    resting = cells[old, la.C_COUNT] > 0
    for side in (la.BID, la.ASK):
        mine = inside & (sides == side)
        _set(bits[:, la.BIT_REST + side], new[mine & resting] >> 1)
        _set(bits[:, la.BIT_REVISIT + side], new[mine & revisit[old]] >> 1)
        for windows, plane in enumerate(la.BIT_TOUCH_AGES):
            _set(bits[:, plane + side], new[mine & (age[old] == windows)] >> 1)

    summary = np.zeros(la.SUMMARY * 64, np.uint8)
    planes = [plane + side for plane in la.BIT_TOUCH_AGES for side in (la.BID, la.ASK)]
    summary[np.flatnonzero(bits[:, planes].any(axis=1))] = 1
    words = np.packbits(summary, bitorder="little").view(np.int64)
    book.state[la.AT_SUMMARY : la.AT_SUMMARY + la.SUMMARY] = words

    spill = np.zeros(6 * capacity, np.int64)
    spill[:far] = keys[old][~inside]
    far_recent = new[~inside & (age[old] < 4)]
    spill[capacity : capacity + len(far_recent)] = far_recent

    st = book.state
    st[la.S_ORIGIN] = origin
    st[la.S_SPILL_N] = far
    st[la.S_SPILL_CAPACITY] = capacity
    st[la.S_SPILL_MASK] = 4 * capacity - 1
    st[la.S_SPILL_RECENT_N] = len(far_recent)
    book.state[la.K_RECENTRED] += 1
    moved_book = book._replace(cells=moved_cells, ends=ends, bits=bits, spill=spill)
    note_addresses(st, moved_book)
    reindex_spill(st)
    return moved_book


def _plane(words: np.ndarray, plane: int, used: int) -> np.ndarray:
    """Per cell whether its bit in a plane is set; False for the spill."""
    flags = np.zeros(used, bool)
    for side in (la.BID, la.ASK):
        bits = np.unpackbits(np.ascontiguousarray(words[:, plane + side]).view(np.uint8), bitorder="little").astype(
            bool
        )
        flags[side : 2 * len(bits) : 2] = bits
    return flags


def _set(words: np.ndarray, offsets: np.ndarray) -> None:
    np.bitwise_or.at(words, offsets >> 6, np.uint64(1) << (offsets & 63).astype(np.uint64))
