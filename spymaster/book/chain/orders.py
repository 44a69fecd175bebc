"""Kernels over the orders and levels of a chain: finding orders by id, and changing what rests at a price."""

from __future__ import annotations

import numpy as np

from spymaster.book.chain import layout as la
from spymaster.book.views import view_of
from spymaster.jit import hot_kernel, kernel

_MIX = np.uint64(0x9E3779B97F4A7C15)
_MASK = np.int64(la.FILL_MASK)


@hot_kernel()
def order_home(st, order_id, number):
    """Preferred place of an order in the index; ids are unique within an instrument."""
    mixed = (np.uint64(order_id) + (np.uint64(number) << np.uint64(40))) * _MIX
    return np.int64(mixed >> np.uint64(st[la.S_INDEX_SHIFT]))


@hot_kernel()
def locate(st, orders, index, order_id, number):
    """Place of an order in the index and its slot; of an unknown one the free place where it belongs, and -1."""
    mask = st[la.S_INDEX_MASK]
    place = order_home(st, order_id, number)
    found = np.int64(index[place])
    while found != 0:
        if orders[found - 1, la.O_ID] == order_id and orders[found - 1, la.O_OWNER] >> 1 == number:
            break
        place = (place + 1) & mask
        found = np.int64(index[place])
    return place, found - 1


@hot_kernel()
def index_delete(st, orders, index, place):
    """Free a place of the index, shifting later entries back so that probes stay unbroken."""
    mask = st[la.S_INDEX_MASK]
    scan = (place + 1) & mask
    found = np.int64(index[scan])
    while found != 0:
        home = order_home(st, orders[found - 1, la.O_ID], orders[found - 1, la.O_OWNER] >> 1)
        if ((scan - home) & mask) >= ((scan - place) & mask):
            index[place] = found
            place = scan
        scan = (scan + 1) & mask
        found = np.int64(index[scan])
    index[place] = 0


@hot_kernel()
def number_of(st, lookup, instrument_id):
    """Number of an instrument, -1 for one that is not of the chain."""
    place = np.int64((np.uint64(instrument_id) * _MIX) >> np.uint64(st[la.S_LOOKUP_SHIFT]))
    while lookup[place, 1] != 0:
        if lookup[place, 0] == instrument_id:
            return lookup[place, 1] - 1
        place = (place + 1) & st[la.S_LOOKUP_MASK]
    return np.int64(-1)


@hot_kernel()
def has_room(st, books, number):
    """Whether one more level fits on either side of a book, moving the side to a longer stretch where it has to."""
    for side in range(2):
        room = books[number, la.B_ROOM + side]
        if books[number, la.B_LEVELS + side] == room and st[la.S_LEVELS_USED] + 2 * room > st[la.S_LEVELS_CAPACITY]:
            return False
    return True


@hot_kernel()
def level_add(st, books, levels, number, side, key, size):
    """Quantity comes to a price."""
    count = books[number, la.B_LEVELS + side]
    first = books[number, la.B_FIRST + side]
    place = first + count - 1
    while place >= first and levels[place, la.L_KEY] < key:
        place -= 1
    if place >= first and levels[place, la.L_KEY] == key:
        levels[place, la.L_QTY] += size
        return
    room = books[number, la.B_ROOM + side]
    if count == room:
        moved = st[la.S_LEVELS_USED]
        st[la.S_LEVELS_USED] = moved + 2 * room
        for k in range(count):
            levels[moved + k, la.L_KEY] = levels[first + k, la.L_KEY]
            levels[moved + k, la.L_QTY] = levels[first + k, la.L_QTY]
        books[number, la.B_FIRST + side] = moved
        books[number, la.B_ROOM + side] = 2 * room
        place += moved - first
        first = moved
    scan = first + count - 1
    while scan > place:
        levels[scan + 1, la.L_KEY] = levels[scan, la.L_KEY]
        levels[scan + 1, la.L_QTY] = levels[scan, la.L_QTY]
        scan -= 1
    levels[place + 1, la.L_KEY] = key
    levels[place + 1, la.L_QTY] = size
    books[number, la.B_LEVELS + side] = count + 1


@hot_kernel()
def level_take(books, levels, number, side, key, size):
    """Quantity leaves a price at which it rests."""
    first = books[number, la.B_FIRST + side]
    last = first + books[number, la.B_LEVELS + side] - 1
    place = last
    while levels[place, la.L_KEY] != key:
        place -= 1
    left = levels[place, la.L_QTY] - size
    levels[place, la.L_QTY] = left
    if left == 0:
        while place < last:
            levels[place, la.L_KEY] = levels[place + 1, la.L_KEY]
            levels[place, la.L_QTY] = levels[place + 1, la.L_QTY]
            place += 1
        books[number, la.B_LEVELS + side] = last - first


@hot_kernel()
def key_of(price, side):
    """Smaller is better on both sides."""
    return price if side == la.ASK else -price


@hot_kernel()
def put(st, books, levels, orders, index, place, order_id, number, side, price, size):
    """A new order rests."""
    slot = st[la.S_FREE]
    st[la.S_FREE] = orders[slot, la.O_ID]
    st[la.S_ORDERS] += 1
    index[place] = slot + 1
    orders[slot, la.O_ID] = order_id
    orders[slot, la.O_PRICE] = price
    orders[slot, la.O_SIZE] = size << 32
    orders[slot, la.O_OWNER] = number << 1 | side
    level_add(st, books, levels, number, side, key_of(price, side), size)
    books[number, la.B_ADD] += size


@hot_kernel()
def drop(st, orders, index, place, slot):
    """Forget an order whose quantity has left its level."""
    index_delete(st, orders, index, place)
    orders[slot, la.O_ID] = st[la.S_FREE]
    st[la.S_FREE] = slot
    st[la.S_ORDERS] -= 1


@hot_kernel()
def cancel(st, books, levels, orders, index, place, slot, number, size):
    """Action C: up to `size` lots leave, what fills have reported first; the rest of them is a pull."""
    left = orders[slot, la.O_SIZE] >> 32
    reported = orders[slot, la.O_SIZE] & _MASK
    side = orders[slot, la.O_OWNER] & 1
    taken = min(size, left)
    level_take(books, levels, number, side, key_of(orders[slot, la.O_PRICE], side), taken)
    books[number, la.B_PULL] += taken - min(reported, taken)
    if taken == left:
        drop(st, orders, index, place, slot)
    else:
        orders[slot, la.O_SIZE] = (left - taken) << 32


@hot_kernel()
def modify(st, books, levels, orders, index, place, slot, number, side, price, size):
    """Action M: less than what the reported fills leave is a pull, more an add, another price both."""
    before = orders[slot, la.O_SIZE] >> 32
    left = before - (orders[slot, la.O_SIZE] & _MASK)
    old_side = orders[slot, la.O_OWNER] & 1
    old_price = orders[slot, la.O_PRICE]
    if size == 0:
        cancel(st, books, levels, orders, index, place, slot, number, before)
        return
    level_take(books, levels, number, old_side, key_of(old_price, old_side), before)
    level_add(st, books, levels, number, side, key_of(price, side), size)
    if price != old_price or side != old_side:
        books[number, la.B_PULL] += left
        books[number, la.B_ADD] += size
    elif size < left:
        books[number, la.B_PULL] += left - size
    else:
        books[number, la.B_ADD] += size - left
    orders[slot, la.O_PRICE] = price
    orders[slot, la.O_SIZE] = size << 32
    orders[slot, la.O_OWNER] = number << 1 | side


@kernel()
def clear(state, books, levels, orders, index, number):
    """Everything of one instrument leaves as pull."""
    st, books, levels = view_of(state, 1, "state"), view_of(books, 32, "books"), view_of(levels, 2, "levels")
    orders, index = view_of(orders, 4, "orders"), view_of(index, 1, "index")
    if books[number, la.B_LEVELS] == 0 and books[number, la.B_LEVELS + 1] == 0:
        return
    for side in range(2):
        first = books[number, la.B_FIRST + side]
        for k in range(books[number, la.B_LEVELS + side]):
            books[number, la.B_PULL] += levels[first + k, la.L_QTY]
        books[number, la.B_LEVELS + side] = 0
    place = np.int64(0)
    while place <= st[la.S_INDEX_MASK]:
        slot = np.int64(index[place]) - 1
        if slot >= 0 and orders[slot, la.O_OWNER] >> 1 == number:
            drop(st, orders, index, place, slot)  # may move a later entry here, so look again
        else:
            place += 1


@kernel()
def reindex(state, orders, index, slots):
    """Enter the first `slots` orders, all taken, into an empty index."""
    st, orders, index = view_of(state, 1, "state"), view_of(orders, 4, "orders"), view_of(index, 1, "index")
    for slot in range(slots):
        place, _ = locate(st, orders, index, orders[slot, la.O_ID], orders[slot, la.O_OWNER] >> 1)
        index[place] = slot + 1
