"""Kernels over single orders: finding them, what rests at a price, and the rows that their changes write."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spymaster.book.lives import layout as la
from spymaster.book.lives.layout import ORDER_FIELDS
from spymaster.book.views import view_of
from spymaster.jit import hot_kernel, kernel

_MIX = np.uint64(0x9E3779B97F4A7C15)


class Views(NamedTuple):
    """`layout.Arrays` inside the kernels."""

    state: Any
    orders: Any
    free: Any
    index: Any
    levels: Any
    quotes: Any
    events: Any
    lives: Any


@hot_kernel()
def views(a):
    """The arrays as bare pointers: the first thing that a kernel called from Python makes."""
    return Views(
        view_of(a.state, 1, "state"),
        view_of(a.orders, ORDER_FIELDS, "orders"),
        view_of(a.free, 1, "free"),
        view_of(a.index, 1, "index"),
        view_of(a.levels, 2, "levels"),
        view_of(a.quotes, 1, "quotes"),
        view_of(a.events, 1, "events"),
        view_of(a.lives, 1, "lives"),
    )


@hot_kernel()
def place_of(key, shift):
    """Preferred place of a key in an open-addressing table (Fibonacci hashing)."""
    return np.int64((np.uint64(key) * _MIX) >> np.uint64(shift))


@hot_kernel()
def locate(a, order_id):
    """Place of an id in the index and its slot; of an unknown id the free place where it belongs, and -1."""
    mask = a.state[la.S_INDEX_MASK]
    place = place_of(order_id, a.state[la.S_INDEX_SHIFT])
    found = np.int64(a.index[place])
    while found != 0 and a.orders[found - 1, la.O_ID] != order_id:
        place = (place + 1) & mask
        found = np.int64(a.index[place])
    return place, found - 1


@kernel()
def index_delete(a, place):
    """Free a place of the index, shifting later entries back so that probes stay unbroken."""
    mask = a.state[la.S_INDEX_MASK]
    scan = (place + 1) & mask
    found = np.int64(a.index[scan])
    while found != 0:
        wanted = place_of(a.orders[found - 1, la.O_ID], a.state[la.S_INDEX_SHIFT])
        if ((scan - wanted) & mask) >= ((scan - place) & mask):
            a.index[place] = found
            place = scan
        scan = (scan + 1) & mask
        found = np.int64(a.index[scan])
    a.index[place] = 0


@kernel()
def rest(a, price, side, change):
    """Change the quantity at a price by `change` lots. Returns what was there before."""
    key = 2 * price + side
    mask = a.state[la.S_LEVELS_MASK]
    place = place_of(key, a.state[la.S_LEVELS_SHIFT])
    while a.levels[place, 0] != key:
        if a.levels[place, 0] == la.NO_PRICE:
            a.levels[place, 0] = key
            a.levels[place, 1] = 0
            a.state[la.S_LEVELS_N] += 1
            break
        place = (place + 1) & mask
    before = a.levels[place, 1]
    a.levels[place, 1] = before + change
    return before


@hot_kernel()
def distance(a, price, side):
    """Ticks from the best price of the side before the event, negative inside it; `NO_PRICE` without one."""
    if a.state[la.S_BLIND]:
        return np.int64(la.NO_PRICE)
    best = a.state[la.S_BID + side]
    if best == la.NO_PRICE:
        return np.int64(la.NO_PRICE)
    return (best - price if side == 0 else price - best) // a.state[la.S_TICK]


@kernel()
def write_event(a, record, kind, side, order_id, price, previous, qty, before, after):
    """One row of `order_event`; whether the book is valid is known when the event closes."""
    st, out = a.state, a.events
    room = st[la.S_EVENT_ROOM]
    row = st[la.S_EVENT_N]
    st[la.S_EVENT_N] = row + 1
    out[row] = np.int64(record.ts_event)
    out[room + row] = np.int64(record.ts_recv)
    out[2 * room + row] = np.int64(record.sequence)
    out[3 * room + row] = st[la.S_EVENT_ID]
    out[4 * room + row] = kind
    out[5 * room + row] = side
    out[6 * room + row] = order_id
    out[7 * room + row] = price
    out[8 * room + row] = previous
    out[9 * room + row] = qty
    out[10 * room + row] = before
    out[11 * room + row] = after
    out[12 * room + row] = np.int64(la.NO_PRICE) if kind >= la.TRADE else distance(a, price, side)
    spot = st[la.S_SPOT_BEFORE]
    out[13 * room + row] = np.int64(la.NO_PRICE) if spot == la.NO_PRICE else (price - spot) // st[la.S_TICK]


@kernel()
def write_life(a, slot, ts, event_id, reason):
    """One row of `order_life`, for an order that leaves or is lost sight of."""
    st, out, orders = a.state, a.lives, a.orders
    room = st[la.S_LIFE_ROOM]
    row = st[la.S_LIFE_N]
    st[la.S_LIFE_N] = row + 1
    out[row] = orders[slot, la.O_ID]
    out[room + row] = orders[slot, la.O_SIDE]
    out[2 * room + row] = orders[slot, la.O_TS_ADD]
    out[3 * room + row] = ts
    out[4 * room + row] = orders[slot, la.O_TS_REPRICE]
    out[5 * room + row] = orders[slot, la.O_EVENT_ADD]
    out[6 * room + row] = event_id
    out[7 * room + row] = reason
    out[8 * room + row] = orders[slot, la.O_KNOWN]
    out[9 * room + row] = orders[slot, la.O_SIZE_ADD]
    out[10 * room + row] = orders[slot, la.O_PRICE_ADD]
    out[11 * room + row] = orders[slot, la.O_DIST_ADD]
    out[12 * room + row] = orders[slot, la.O_FILLED]
    out[13 * room + row] = orders[slot, la.O_MAX]
    out[14 * room + row] = orders[slot, la.O_REPRICES]
    out[15 * room + row] = orders[slot, la.O_UPS]
    out[16 * room + row] = orders[slot, la.O_DOWNS]
    out[17 * room + row] = orders[slot, la.O_REFILLS]
    out[18 * room + row] = orders[slot, la.O_AHEAD]
    st[la.K_CENSORED] += np.int64(reason == la.END_OPEN)


@kernel()
def put(a, place, order_id, price, side, size, ts, seen):
    """A new order; `seen` says that this is its entry, not a snapshot's or a modify's word that it is there."""
    st = a.state
    st[la.S_FREE_N] -= 1
    slot = np.int64(a.free[st[la.S_FREE_N]])
    st[la.S_LIVE] += 1
    a.index[place] = slot + 1
    ahead = rest(a, price, side, size)
    a.orders[slot, la.O_ID] = order_id
    a.orders[slot, la.O_SIZE] = size
    a.orders[slot, la.O_PENDING] = 0
    a.orders[slot, la.O_PRICE] = price
    a.orders[slot, la.O_SIDE] = side
    a.orders[slot, la.O_FILLED] = 0
    a.orders[slot, la.O_MAX] = size
    a.orders[slot, la.O_REPRICES] = 0
    a.orders[slot, la.O_UPS] = 0
    a.orders[slot, la.O_DOWNS] = 0
    a.orders[slot, la.O_REFILLS] = 0
    a.orders[slot, la.O_TS_ADD] = ts
    a.orders[slot, la.O_TS_REPRICE] = la.NO_PRICE
    a.orders[slot, la.O_EVENT_ADD] = st[la.S_EVENT_ID] if seen else np.int64(la.NO_PRICE)
    a.orders[slot, la.O_SIZE_ADD] = size
    a.orders[slot, la.O_PRICE_ADD] = price
    a.orders[slot, la.O_DIST_ADD] = distance(a, price, side) if seen else np.int64(la.NO_PRICE)
    a.orders[slot, la.O_AHEAD] = ahead if seen else np.int64(la.NO_PRICE)
    a.orders[slot, la.O_KNOWN] = seen


@kernel()
def drop(a, place, slot):
    """Free the slot of an order, whose quantity has left its price already."""
    st = a.state
    index_delete(a, place)
    a.orders[slot, la.O_SIZE] = 0
    a.free[st[la.S_FREE_N]] = slot
    st[la.S_FREE_N] += 1
    st[la.S_LIVE] -= 1


@kernel()
def settle(a, record, slot, filled, after):
    """The reported fills of an order become a row, with `after` lots of it left."""
    kind = la.FILL_FULL if after == 0 else la.FILL_PARTIAL
    size, price, side = a.orders[slot, la.O_SIZE], a.orders[slot, la.O_PRICE], a.orders[slot, la.O_SIDE]
    write_event(a, record, kind, side, a.orders[slot, la.O_ID], price, la.NO_PRICE, filled, size, after)
    a.orders[slot, la.O_FILLED] += filled
    a.orders[slot, la.O_SIZE] = after


@kernel()
def take(a, record, place, slot, size, ts):
    """Feed action C: up to `size` lots leave, the reported fills first; at 0 the order's life ends."""
    order_id, price, side = a.orders[slot, la.O_ID], a.orders[slot, la.O_PRICE], a.orders[slot, la.O_SIDE]
    left = a.orders[slot, la.O_SIZE]
    taken = min(size, left)
    filled = min(a.orders[slot, la.O_PENDING], taken)
    a.orders[slot, la.O_PENDING] = 0
    rest(a, price, side, -taken)
    if filled > 0:
        settle(a, record, slot, filled, left - filled)
    if taken > filled:
        gone = taken == left
        kind = la.CANCEL if gone else la.SIZE_DOWN
        write_event(a, record, kind, side, order_id, price, la.NO_PRICE, taken - filled, left - filled, left - taken)
        a.orders[slot, la.O_SIZE] = left - taken
        a.orders[slot, la.O_DOWNS] += np.int64(not gone)
    if taken == left:
        reason = la.END_CANCEL if taken > filled else la.END_FILL
        write_life(a, slot, ts, a.state[la.S_EVENT_ID], reason)
        drop(a, place, slot)


@kernel()
def modify(a, record, place, slot, price, size, ts):
    """Feed action M of a known order on its own side."""
    order_id = a.orders[slot, la.O_ID]
    old_price, side, old_size = a.orders[slot, la.O_PRICE], a.orders[slot, la.O_SIDE], a.orders[slot, la.O_SIZE]
    if size == 0:
        take(a, record, place, slot, old_size, ts)
        return
    filled = a.orders[slot, la.O_PENDING]
    left = old_size - filled
    a.orders[slot, la.O_PENDING] = 0
    if price != old_price:
        if filled > 0:
            settle(a, record, slot, filled, left)
        rest(a, old_price, side, -old_size)
        rest(a, price, side, size)
        a.orders[slot, la.O_PRICE] = price
        a.orders[slot, la.O_REPRICES] += 1
        a.orders[slot, la.O_TS_REPRICE] = ts
        write_event(a, record, la.REPRICE, side, order_id, price, old_price, size, left, size)
    else:
        rest(a, price, side, size - old_size)
        if size > left and filled > 0:
            write_event(a, record, la.REFILL, side, order_id, price, la.NO_PRICE, filled, old_size, size)
            a.orders[slot, la.O_FILLED] += filled
            a.orders[slot, la.O_REFILLS] += 1
        elif size > left:
            write_event(a, record, la.SIZE_UP, side, order_id, price, la.NO_PRICE, size - left, left, size)
            a.orders[slot, la.O_UPS] += 1
        else:
            if filled > 0:
                settle(a, record, slot, filled, left)
            if size < left:
                write_event(a, record, la.SIZE_DOWN, side, order_id, price, la.NO_PRICE, left - size, left, size)
                a.orders[slot, la.O_DOWNS] += 1
            elif filled == 0:
                a.state[la.K_UNCHANGED] += 1
    a.orders[slot, la.O_SIZE] = size
    a.orders[slot, la.O_MAX] = max(a.orders[slot, la.O_MAX], size)


@kernel()
def forget_all(a, ts):
    """The book is taken away (clear, snapshot, end of file): lives are cut off where they stand."""
    st = a.state
    for slot in range(a.state[la.S_CAPACITY]):
        if a.orders[slot, la.O_SIZE] > 0:
            write_life(a, slot, ts, la.NO_PRICE, la.END_OPEN)
            a.orders[slot, la.O_SIZE] = 0
            a.free[st[la.S_FREE_N]] = slot
            st[la.S_FREE_N] += 1
    st[la.S_LIVE] = 0
    st[la.S_LEVELS_N] = 0
    for place in range(st[la.S_INDEX_MASK] + 1):
        a.index[place] = 0
    for place in range(st[la.S_LEVELS_MASK] + 1):
        a.levels[place, 0] = la.NO_PRICE


@kernel()
def cancel_side(a, record, side, ts):
    """A top-of-book add replaces its whole side: what rested there is cancelled."""
    for slot in range(a.state[la.S_CAPACITY]):
        if a.orders[slot, la.O_SIZE] > 0 and a.orders[slot, la.O_SIDE] == side:
            a.orders[slot, la.O_PENDING] = 0
            place, _ = locate(a, a.orders[slot, la.O_ID])
            take(a, record, place, slot, a.orders[slot, la.O_SIZE], ts)
