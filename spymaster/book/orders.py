"""Kernels over single orders: finding them by id, queueing them in their level, changing their quantity.

Every change of a level's depth goes through `put` and `take`, so the identity
`depth_end = depth_start + add - pull - fill` cannot be broken by a caller.
"""

from __future__ import annotations

import numpy as np

from spymaster.book.arrays import book_of
from spymaster.book.layout import (
    ASK,
    AT_FILLS,
    C_ADD,
    C_AWAY,
    C_COUNT,
    C_DEPTH,
    C_FILL,
    C_HEAD,
    C_PULL,
    C_PULL_REST,
    C_REFILL,
    C_TAIL,
    C_TOWARD,
    C_YOUNG,
    EMIT_BBO,
    FILLS,
    K_FRONT_FILLS,
    K_KNOWN_FILLS,
    O_CELL,
    O_ID,
    O_NEXT,
    O_PREV,
    O_SIZE,
    O_TS,
    PENDING_MASK,
    S_BEST_BID,
    S_COUNT_YOUNG,
    S_EMIT,
    S_FILL_BATCH,
    S_FILLS_N,
    S_FREE,
    S_INDEX_MASK,
    S_INDEX_SHIFT,
    S_LIVE_ORDERS,
    S_PENDING_N,
    S_REST_NS,
    S_TOP_CHANGED,
    S_WINDOW_END,
    S_YOUNG_FROM,
)
from spymaster.book.levels import level_closed, level_opened, side_of, tick_of, touch
from spymaster.book.views import store_in_either
from spymaster.jit import hot_kernel, kernel

_MIX = np.uint64(0x9E3779B97F4A7C15)


@hot_kernel()
def home(book, order_id):
    """Preferred place of an id in the index (Fibonacci hashing)."""
    return np.int64((np.uint64(order_id) * _MIX) >> np.uint64(book.state[S_INDEX_SHIFT]))


@hot_kernel()
def locate(book, order_id):
    """Place of an id in the index and slot of the order; of an unknown id the free place where it belongs, and -1."""
    mask = book.state[S_INDEX_MASK]
    place = home(book, order_id)
    found = np.int64(book.index[place])
    while found != 0 and book.orders[found - 1, O_ID] != order_id:
        place = (place + 1) & mask
        found = np.int64(book.index[place])
    return place, found - 1


@hot_kernel()
def index_delete(book, place):
    """Free a place of the index, shifting later entries back so that probes stay unbroken."""
    mask = book.state[S_INDEX_MASK]
    scan = (place + 1) & mask
    found = np.int64(book.index[scan])
    while found != 0:
        wanted = home(book, book.orders[found - 1, O_ID])
        if ((scan - wanted) & mask) >= ((scan - place) & mask):
            book.index[place] = found
            place = scan
        scan = (scan + 1) & mask
        found = np.int64(book.index[scan])
    book.index[place] = 0


@hot_kernel()
def queue_append(book, slot, cell):
    """Put an order at the back of its level's queue."""
    tail = np.int64(book.cells[cell, C_TAIL])
    book.links[slot, O_PREV] = tail
    book.links[slot, O_NEXT] = -1
    store_in_either(tail >= 0, book.links, (tail, O_NEXT), book.cells, (cell, C_HEAD), slot)
    book.cells[cell, C_TAIL] = slot


@hot_kernel()
def queue_remove(book, slot, cell):
    """Take an order out of its level's queue."""
    before = np.int64(book.links[slot, O_PREV])
    after = np.int64(book.links[slot, O_NEXT])
    store_in_either(before >= 0, book.links, (before, O_NEXT), book.cells, (cell, C_HEAD), after)
    store_in_either(after >= 0, book.links, (after, O_PREV), book.cells, (cell, C_TAIL), before)


@hot_kernel()
def stamp_entry(book, slot, cell, size, ts):
    """Start an order's resting clock. Its quantity is young if it cannot be resting by the end of this window."""
    book.orders[slot, O_TS] = ts
    if ts > book.state[S_YOUNG_FROM]:
        book.cells[cell, C_YOUNG] += size
        if ts >= book.state[S_WINDOW_END]:
            book.state[S_COUNT_YOUNG] = 1  # of a later window: the next one has to count anew


@hot_kernel()
def no_longer_young(book, slot, cell, quantity):
    """Quantity of an order leaves its cell, or its clock starts again: without a branch, for this is hard to guess."""
    young = np.int64(book.orders[slot, O_TS] > book.state[S_YOUNG_FROM])
    book.cells[cell, C_YOUNG] -= quantity & -young


@hot_kernel()
def put(book, place, order_id, cell, size, ts):
    """A new order, whose id belongs at `place` of the index, rests at the back of a cell's queue. Counts as add."""
    slot = book.state[S_FREE]
    book.state[S_FREE] = np.int64(book.links[slot, O_NEXT])
    book.state[S_LIVE_ORDERS] += 1
    book.index[place] = slot + 1
    book.orders[slot, O_ID] = order_id
    book.links[slot, O_CELL] = cell
    book.links[slot, O_SIZE] = size
    stamp_entry(book, slot, cell, size, ts)
    queue_append(book, slot, cell)
    enter_level(book, cell, size)


@hot_kernel()
def note_top(book, tick, side):
    """Remember, for those who ask, that the best bid or offer may have changed: a price at or beyond it has."""
    if book.state[S_EMIT] & EMIT_BBO:
        beyond = tick - book.state[S_BEST_BID + side]
        book.state[S_TOP_CHANGED] |= np.int64((beyond ^ -side) + side >= 0)  # no branch: it would be a coin


@hot_kernel()
def enter_level(book, cell, size):
    """Level side of an order's arrival: depth, count, add flow."""
    tick, side = tick_of(book, cell), side_of(book, cell)
    touch(book, cell)
    note_top(book, tick, side)
    book.cells[cell, C_DEPTH] += size
    book.cells[cell, C_ADD] += size
    count = book.cells[cell, C_COUNT] + 1
    book.cells[cell, C_COUNT] = count
    if count == 1:
        level_opened(book, cell, tick, side)


@hot_kernel()
def pending_fill(book, slot):
    """Quantity of an order that fills have reported since the book last changed it."""
    if book.state[S_PENDING_N] == 0:
        return np.int64(0)
    return book.pending[slot] & PENDING_MASK


@hot_kernel()
def forget_fill(book, slot):
    """The book has changed the order: what was reported before is accounted for."""
    if book.pending[slot] & PENDING_MASK:
        book.state[S_PENDING_N] -= 1
        book.pending[slot] = 0


@hot_kernel()
def take(book, slot, cell, tick, side, fill, pull, ts):
    """Quantity leaves a resting order: `fill` lots were executed, `pull` lots withdrawn. Does not drop the order."""
    touch(book, cell)
    note_top(book, tick, side)
    book.cells[cell, C_DEPTH] -= fill + pull
    book.cells[cell, C_PULL] += pull
    rested = np.int64(ts - book.orders[slot, O_TS] >= book.state[S_REST_NS])
    book.cells[cell, C_PULL_REST] += pull & -rested
    no_longer_young(book, slot, cell, fill + pull)
    if book.state[S_PENDING_N] > 0:
        book.cells[cell, C_FILL] += fill
        forget_fill(book, slot)


@hot_kernel()
def leave_level(book, slot, cell, tick, side):
    """Level side of an order's departure, once its quantity has been taken."""
    queue_remove(book, slot, cell)
    count = book.cells[cell, C_COUNT] - 1
    book.cells[cell, C_COUNT] = count
    if count == 0:
        level_closed(book, cell, tick, side)


@hot_kernel()
def drop(book, place, slot):
    """Forget an order, found at `place` of the index, whose quantity has been taken and which has left its level."""
    index_delete(book, place)
    book.links[slot, O_SIZE] = 0
    book.links[slot, O_NEXT] = book.state[S_FREE]
    book.state[S_FREE] = slot
    book.state[S_LIVE_ORDERS] -= 1


@hot_kernel()
def cancel(book, place, slot, size, ts):
    """Feed action C: take up to `size` lots, the reported fills first; drop the order at 0."""
    left = np.int64(book.links[slot, O_SIZE])
    cell = np.int64(book.links[slot, O_CELL])
    tick, side = tick_of(book, cell), side_of(book, cell)
    taken = min(size, left)
    fill = min(pending_fill(book, slot), taken)
    take(book, slot, cell, tick, side, fill, taken - fill, ts)
    if taken == left:
        leave_level(book, slot, cell, tick, side)
        drop(book, place, slot)
    else:
        book.links[slot, O_SIZE] = left - taken


@kernel()
def withdraw(st, place, slot, ts):
    """Remove a whole order: what the feed has reported as filled is fill, the rest is pull."""
    book = book_of(st)
    cancel(book, place, slot, np.int64(book.links[slot, O_SIZE]), ts)


@hot_kernel()
def modify(book, place, slot, cell, size, ts):
    """Feed action M of a known order to `size` lots at `cell`.

    What is left after the reported fills is compared with the new size: less is a pull that keeps priority, more is
    an add (a refill if fills were reported) that goes to the back, another price is a pull there and an add here.
    """
    old_cell = np.int64(book.links[slot, O_CELL])
    old_tick, old_side = tick_of(book, old_cell), side_of(book, old_cell)
    fill = pending_fill(book, slot)
    left = np.int64(book.links[slot, O_SIZE]) - fill
    if size == 0:
        withdraw(book.state, place, slot, ts)
    elif cell != old_cell:
        if ts - book.orders[slot, O_TS] >= book.state[S_REST_NS]:
            moved = tick_of(book, cell) - old_tick
            outwards = moved if old_side == ASK else -moved
            book.cells[old_cell, C_AWAY] += left if outwards > 0 else 0
            book.cells[old_cell, C_TOWARD] += left if outwards < 0 else 0
        take(book, slot, old_cell, old_tick, old_side, fill, left, ts)
        leave_level(book, slot, old_cell, old_tick, old_side)
        book.links[slot, O_CELL] = cell
        book.links[slot, O_SIZE] = size
        stamp_entry(book, slot, cell, size, ts)
        queue_append(book, slot, cell)
        enter_level(book, cell, size)
    elif size > left:
        refilled = size - left
        take(book, slot, cell, old_tick, old_side, fill, 0, ts)
        book.links[slot, O_SIZE] = size
        book.cells[cell, C_DEPTH] += refilled
        book.cells[cell, C_ADD] += refilled
        if fill > 0:
            book.cells[cell, C_REFILL] += refilled
        queue_remove(book, slot, cell)
        queue_append(book, slot, cell)
        no_longer_young(book, slot, cell, left)
        stamp_entry(book, slot, cell, size, ts)
    elif fill > 0 or size < left:
        take(book, slot, cell, old_tick, old_side, fill, left - size, ts)
        book.links[slot, O_SIZE] = size


@hot_kernel()
def report_fill(book, slot, size):
    """Feed action F: remember it for the C or M that follows. Returns whether it is above the resting size."""
    number = book.state[S_FILLS_N]
    if number == FILLS:
        judge_fills(book.state)
        number = 0
    book.state[AT_FILLS + number] = slot
    book.state[S_FILLS_N] = number + 1
    rest = np.int64(book.links[slot, O_SIZE])
    before = book.pending[slot] & PENDING_MASK
    now = min(before + size, rest)
    if before == 0 and now > 0:
        book.state[S_PENDING_N] += 1
    book.pending[slot] = book.state[S_FILL_BATCH] << 32 | now
    return size > rest


@kernel()
def judge_fills(st):
    """FIFO consistency of the fills reported since the book last changed.

    A fill is consistent if every order ahead of it in the queue is named by a fill of the same event as well, earlier
    or later: the venue lists what it matched, not always in queue order.
    """
    book = book_of(st)
    batch = st[S_FILL_BATCH]
    for number in range(st[S_FILLS_N]):
        ahead = book.links[st[AT_FILLS + number], O_PREV]
        while ahead >= 0 and book.pending[ahead] >> 32 == batch:
            ahead = book.links[ahead, O_PREV]
        st[K_KNOWN_FILLS] += 1
        if ahead < 0:
            st[K_FRONT_FILLS] += 1
    st[S_FILLS_N] = 0
    st[S_FILL_BATCH] = batch + 1
