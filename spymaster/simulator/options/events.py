"""Events of an option's book as MBO records: adds, cancels, modifies, and matches against the orders in its slots."""

from __future__ import annotations

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.market.dbn import ACTION_ADD, ACTION_CANCEL, ACTION_FILL, ACTION_MODIFY, ACTION_TRADE
from spymaster.simulator.emit import finish, letter, open_packet, write
from spymaster.simulator.ladder import next_id
from spymaster.simulator.layout import INNER, R_FEED
from spymaster.simulator.options.arrays import BUY, FIRMS, SLOTS
from spymaster.simulator.options.chain import TICK_INT


@kernel(**INNER)
def _record(b, i, action, side, order_id, px, size):
    write(b, b.series[i].id, action, letter(side), order_id, px * TICK_INT, size)


@kernel(**INNER)
def _close(b):
    b.messages += b.n - b.event_from
    finish(b, b.n - 1)
    b.last_recv = b.recv


@kernel(**INNER)
def _single(b, ts, i, side, j, action):
    """An event of one record: the order of a slot as it now is."""
    slot = b.slots[i, side, j]
    open_packet(b, ts)
    if action == ACTION_ADD:
        slot.id = next_id(b, R_FEED)
        slot.priority = 0
    if slot.priority == 0:
        slot.priority = b.sequence
        slot.ts = ts
    _record(b, i, action, side, slot.id, slot.px, slot.qty)
    _close(b)


@kernel(**INNER)
def add(b, ts, i, side, j, px, qty):
    """A new order in an empty slot."""
    slot = b.slots[i, side, j]
    slot.px = px
    slot.qty = qty
    if j >= FIRMS:
        b.series[i].guests += 1
    _single(b, ts, i, side, j, ACTION_ADD)


@kernel(**INNER)
def cancel(b, ts, i, side, j):
    """The order of a slot goes."""
    _single(b, ts, i, side, j, ACTION_CANCEL)
    b.slots[i, side, j].qty = 0
    if j >= FIRMS:
        b.series[i].guests -= 1


@kernel(**INNER)
def modify(b, ts, i, side, j, px, qty):
    """The order of a slot changes price or size; only a smaller size keeps its place."""
    slot = b.slots[i, side, j]
    if px != slot.px or qty > slot.qty:
        slot.priority = 0
    slot.px = px
    slot.qty = qty
    _single(b, ts, i, side, j, ACTION_MODIFY)


@kernel(**INNER)
def best(b, i, side):
    """Slot at the front of a side's queue, -1 if the side is empty."""
    found = -1
    for j in range(SLOTS):
        slot = b.slots[i, side, j]
        if slot.qty == 0:
            continue
        if found < 0:
            found = j
            continue
        leader = b.slots[i, side, found]
        better = slot.px > leader.px if side == BUY else slot.px < leader.px
        if better or (slot.px == leader.px and slot.priority < leader.priority):
            found = j
    return found


@hot_kernel(**INNER)
def _reachable(b, i, aggressor, limit):
    j = best(b, i, 1 - aggressor)
    if j < 0:
        return -1
    px = b.slots[i, 1 - aggressor, j].px
    return j if (px <= limit if aggressor == BUY else px >= limit) else -1


@kernel(**INNER)
def match(b, ts, i, aggressor, size, limit, by_customer):
    """An aggressor takes up to `size` down to `limit`: T and its fills for each price, then the changes of the book.

    Returns whether anything was there to take.
    """
    passive = 1 - aggressor
    j = _reachable(b, i, aggressor, limit)
    if j < 0:
        return False
    open_packet(b, ts)
    own_id, n_fills, left = next_id(b, R_FEED), 0, size
    one = b.series[i]
    sign = 1 if aggressor == BUY else -1
    while left > 0 and j >= 0:
        px = b.slots[i, passive, j].px
        trade, total = b.n, 0
        _record(b, i, ACTION_TRADE, aggressor, own_id, px, 0)
        while left > 0 and j >= 0 and b.slots[i, passive, j].px == px:
            slot = b.slots[i, passive, j]
            quantity = min(left, slot.qty)
            _record(b, i, ACTION_FILL, passive, slot.id, px, quantity)
            b.fills[n_fills].slot = j
            b.fills[n_fills].shown = slot.qty
            n_fills += 1
            slot.qty -= quantity
            left -= quantity
            total += quantity
            if by_customer and j < FIRMS:
                one.inventory -= sign * quantity
            elif not by_customer and j >= FIRMS:
                one.inventory += sign * quantity
                one.lifted += quantity
            j = _reachable(b, i, aggressor, limit)
        b.out[trade].size = np.uint32(total)
        if one.first < 0:
            one.first = px
            one.high = px
            one.low = px
        one.high = max(one.high, px)
        one.low = min(one.low, px)
        one.last = px
        one.volume += total
    for k in range(n_fills):
        j = b.fills[k].slot
        slot = b.slots[i, passive, j]
        if slot.qty == 0:
            _record(b, i, ACTION_CANCEL, passive, slot.id, slot.px, b.fills[k].shown)
            if j >= FIRMS:
                one.guests -= 1
        else:
            _record(b, i, ACTION_MODIFY, passive, slot.id, slot.px, slot.qty)
    b.trades += 1
    _close(b)
    return True
