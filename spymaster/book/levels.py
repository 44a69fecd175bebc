"""Kernels over price levels: where a level's cell is, which levels rest, and what the best prices are."""

from __future__ import annotations

import numpy as np

from spymaster.book.arrays import book_of
from spymaster.book.layout import (
    ASK,
    AT_SUMMARY,
    BID,
    BIT_REST,
    BIT_TOUCH,
    C_COUNT,
    C_LAST,
    K_SPILLED,
    NO_ASK,
    NO_ROOM,
    NO_TICK,
    S_BEST_ASK,
    S_BEST_BID,
    S_ORIGIN,
    S_SPILL_BEST_ASK,
    S_SPILL_BEST_BID,
    S_SPILL_CAPACITY,
    S_SPILL_MASK,
    S_SPILL_N,
    S_SPILL_RECENT_N,
    S_WIDTH,
    S_WINDOW_NUMBER,
)
from spymaster.book.views import highest_bit, lowest_bit
from spymaster.jit import hot_kernel, kernel

_ONE = np.uint64(1)
_MIX = np.uint64(0x9E3779B97F4A7C15)


@kernel()
def spill_slot(st, key):
    """Position in `spill` of the index entry of a key, or of the free place where it belongs."""
    book = book_of(st)
    mask = st[S_SPILL_MASK]
    index = 2 * st[S_SPILL_CAPACITY]
    place = np.int64((np.uint64(key) * _MIX) >> np.uint64(40)) & mask
    while True:
        found = book.spill[index + place]
        if found == 0 or book.spill[found - 1] == key:
            return index + place
        place = (place + 1) & mask


@hot_kernel()
def find_cell(book, tick, side):
    """Cell of a price and side, or `NO_ROOM` where a far price would need one more spill cell than there are."""
    offset = tick - book.state[S_ORIGIN]
    if 0 <= offset < book.state[S_WIDTH]:
        return 2 * offset + side
    key = 2 * tick + side
    place = spill_slot(book.state, key)
    found = book.spill[place]
    if found == 0:
        number = book.state[S_SPILL_N]
        if number == book.state[S_SPILL_CAPACITY]:
            return np.int64(NO_ROOM)
        book.state[S_SPILL_N] = number + 1
        book.spill[number] = key
        book.spill[place] = number + 1
        book.state[K_SPILLED] += 1
        return 2 * book.state[S_WIDTH] + number
    return 2 * book.state[S_WIDTH] + found - 1


@hot_kernel()
def cell_if_any(book, tick, side):
    """Cell of a price and side, or -1 where a far price has none yet."""
    offset = tick - book.state[S_ORIGIN]
    if 0 <= offset < book.state[S_WIDTH]:
        return 2 * offset + side
    found = book.spill[spill_slot(book.state, 2 * tick + side)]
    return np.int64(-1) if found == 0 else 2 * book.state[S_WIDTH] + found - 1


@hot_kernel()
def tick_of(book, cell):
    """Absolute tick of a cell."""
    width2 = 2 * book.state[S_WIDTH]
    if cell < width2:
        return book.state[S_ORIGIN] + (cell >> 1)
    return book.spill[cell - width2] >> 1


@kernel()
def note_far_flow(st, cell, before):
    """Enter a spill cell among those with recent flow, unless its flow `before` has left it there."""
    book = book_of(st)
    if st[S_WINDOW_NUMBER] - before >= 4:
        number = st[S_SPILL_RECENT_N]
        book.spill[st[S_SPILL_CAPACITY] + number] = cell
        st[S_SPILL_RECENT_N] = number + 1


@hot_kernel()
def touch(book, cell):
    """Note that a cell has flow in this window, so that the window's end looks at it."""
    window = book.state[S_WINDOW_NUMBER]
    before = np.int64(book.cells[cell, C_LAST])
    if before != window:
        book.cells[cell, C_LAST] = window
        if cell < 2 * book.state[S_WIDTH]:
            offset = cell >> 1
            word = offset >> 6
            book.bits[word, BIT_TOUCH + (cell & 1)] |= _ONE << np.uint64(offset & 63)
            book.state[AT_SUMMARY + (word >> 6)] |= np.int64(1) << (word & 63)
        else:
            note_far_flow(book.state, cell, before)


@kernel()
def scan_best_bid(st, below):
    """Highest resting bid tick of grid or spill that is lower than tick `below`."""
    book = book_of(st)
    origin = st[S_ORIGIN]
    width = st[S_WIDTH]
    best = NO_TICK
    offset = min(below - origin, width) - 1
    if offset >= 0:
        word = offset >> 6
        bits = book.bits[word, BIT_REST + BID] & (~np.uint64(0) >> np.uint64(63 - (offset & 63)))
        while bits == 0 and word > 0:
            word -= 1
            bits = book.bits[word, BIT_REST + BID]
        if bits != 0:
            best = origin + 64 * word + highest_bit(bits)
    spill = st[S_SPILL_BEST_BID]
    return max(best, spill)


@kernel()
def scan_best_ask(st, above):
    """Lowest resting ask tick of grid or spill that is higher than tick `above`."""
    book = book_of(st)
    origin = st[S_ORIGIN]
    width = st[S_WIDTH]
    best = NO_ASK
    offset = max(above - origin + 1, 0)
    if offset < width:
        word = offset >> 6
        last = (width >> 6) - 1
        bits = book.bits[word, BIT_REST + ASK] & (~np.uint64(0) << np.uint64(offset & 63))
        while bits == 0 and word < last:
            word += 1
            bits = book.bits[word, BIT_REST + ASK]
        if bits != 0:
            best = origin + 64 * word + lowest_bit(bits)
    spill = st[S_SPILL_BEST_ASK]
    return min(best, spill)


@kernel()
def refresh_spill_best(st):
    """Best prices among the spill cells: a plain scan, needed only when the best of them goes."""
    book = book_of(st)
    bid, ask = NO_TICK, NO_ASK
    first = 2 * st[S_WIDTH]
    for number in range(st[S_SPILL_N]):
        if book.cells[first + number, C_COUNT] > 0:
            key = book.spill[number]
            if key & 1 == BID:
                bid = max(bid, key >> 1)
            else:
                ask = min(ask, key >> 1)
    st[S_SPILL_BEST_BID] = bid
    st[S_SPILL_BEST_ASK] = ask


@hot_kernel()
def side_of(book, cell):
    """Side of a cell: parity in the grid, part of the key in the spill."""
    width2 = 2 * book.state[S_WIDTH]
    return cell & 1 if cell < width2 else book.spill[cell - width2] & 1


@kernel()
def far_level_changed(st, cell, opened):
    """A spill level got its first order or lost its last one: keep the best prices of the spill."""
    book = book_of(st)
    tick = tick_of(book, cell)
    side = side_of(book, cell)
    if opened:
        if side == BID:
            st[S_SPILL_BEST_BID] = max(st[S_SPILL_BEST_BID], tick)
        else:
            st[S_SPILL_BEST_ASK] = min(st[S_SPILL_BEST_ASK], tick)
    elif tick == st[S_SPILL_BEST_BID + side]:
        refresh_spill_best(st)


@hot_kernel()
def level_opened(book, cell, tick, side):
    """A level got its first order: set its bit and improve the best price if it is better."""
    st = book.state
    if cell < 2 * st[S_WIDTH]:
        offset = cell >> 1
        book.bits[offset >> 6, BIT_REST + side] |= _ONE << np.uint64(offset & 63)
    else:
        far_level_changed(book.state, cell, True)
    if side == BID:
        st[S_BEST_BID] = max(st[S_BEST_BID], tick)
    else:
        st[S_BEST_ASK] = min(st[S_BEST_ASK], tick)


@hot_kernel()
def level_closed(book, cell, tick, side):
    """A level lost its last order: clear its bit and, if it was the best, find the next one."""
    st = book.state
    if cell < 2 * st[S_WIDTH]:
        offset = cell >> 1
        book.bits[offset >> 6, BIT_REST + side] &= ~(_ONE << np.uint64(offset & 63))
    else:
        far_level_changed(book.state, cell, False)
    if tick == st[S_BEST_BID + side]:
        if side == BID:
            st[S_BEST_BID] = scan_best_bid(st, tick)
        else:
            st[S_BEST_ASK] = scan_best_ask(st, tick)
