"""Events of an option's book as MBO records: adds, cancels, modifies, and matches against the orders in its slots."""

from __future__ import annotations

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_NONE,
    ACTION_TRADE,
    F_LAST,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
    SIM_PUBLISHER,
    UNDEF_PRICE,
)
from spymaster.simulator.layout import INNER, LATENCY_STEPS
from spymaster.simulator.options.arrays import BUY, MAKERS, R_FEED, SLOTS
from spymaster.simulator.options.chain import TICK_INT
from spymaster.simulator.rng import below, draw

CHANNEL = 1


@kernel(**INNER)
def begin(b, ts):
    """Open an event at `ts`."""
    bits = draw(b, R_FEED)
    b.clock = ts
    b.event_from = b.n
    b.sequence += 1 + np.int64(bits & np.uint64(1))
    lag = b.latency[np.int64((bits >> np.uint64(8)) % np.uint64(LATENCY_STEPS))]
    b.recv = max(b.last_recv, ts + lag)


@kernel(**INNER)
def record(b, i, action, side, order_id, px, size):
    """Append a record of series `i`; `side` is a DBN letter."""
    row = b.out[b.n]
    row.publisher_id = SIM_PUBLISHER
    row.instrument_id = b.series[i].id
    row.ts_event = b.clock
    row.order_id = order_id
    row.price = np.int64(px) * TICK_INT
    row.size = size
    row.flags = 0
    row.channel_id = CHANNEL
    row.action = action
    row.side = side
    row.ts_recv = b.recv
    row.ts_in_delta = 15_000 + below(b, R_FEED, 4_000) - 2_000
    row.sequence = b.sequence
    b.n += 1


@kernel(**INNER)
def close(b):
    """End the event: F_LAST on its last record, or on a closing record of its own."""
    b.messages += b.n - b.event_from
    b.last_recv = b.recv
    if b.clock < b.closing_from:
        b.out[b.n - 1].flags = b.last_flag
        return
    source, row = b.out[b.n - 1], b.out[b.n]
    row.publisher_id = SIM_PUBLISHER
    row.instrument_id = source.instrument_id
    row.ts_event = source.ts_event
    row.order_id = 0
    row.price = UNDEF_PRICE
    row.size = 0
    row.flags = F_LAST
    row.channel_id = CHANNEL
    row.action = ACTION_NONE
    row.side = SIDE_NONE
    row.ts_recv = b.recv
    row.ts_in_delta = source.ts_in_delta
    row.sequence = source.sequence
    b.n += 1


@hot_kernel(**INNER)
def letter(side):
    """DBN letter of a side."""
    return SIDE_BID if side == BUY else SIDE_ASK


@kernel(**INNER)
def new_id(b):
    """The exchange's next order id."""
    gap = 1
    while below(b, R_FEED, 2) == 1:
        gap += 1
    b.next_id += gap
    return b.next_id


@kernel(**INNER)
def add(b, ts, i, side, j, px, qty):
    """A new order in an empty slot."""
    slot = b.slots[i, side, j]
    begin(b, ts)
    slot.id = new_id(b)
    slot.priority = b.sequence
    slot.px = px
    slot.qty = qty
    record(b, i, ACTION_ADD, letter(side), slot.id, px, qty)
    close(b)


@kernel(**INNER)
def cancel(b, ts, i, side, j):
    """The order of a slot goes."""
    slot = b.slots[i, side, j]
    begin(b, ts)
    record(b, i, ACTION_CANCEL, letter(side), slot.id, slot.px, slot.qty)
    slot.qty = 0
    close(b)


@kernel(**INNER)
def modify(b, ts, i, side, j, px, qty):
    """The order of a slot changes price or size; only a smaller size keeps its place."""
    slot = b.slots[i, side, j]
    begin(b, ts)
    if px != slot.px or qty > slot.qty:
        slot.priority = b.sequence
    slot.px = px
    slot.qty = qty
    record(b, i, ACTION_MODIFY, letter(side), slot.id, px, qty)
    close(b)


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
    """An aggressor takes up to `size` down to `limit`: T and its fills for each price, then the changes of the book."""
    passive = 1 - aggressor
    j = _reachable(b, i, aggressor, limit)
    if j < 0:
        return
    begin(b, ts)
    own_id, n_fills, left = new_id(b), 0, size
    one = b.series[i]
    sign = 1 if aggressor == BUY else -1
    while left > 0 and j >= 0:
        px = b.slots[i, passive, j].px
        trade, total = b.n, 0
        record(b, i, ACTION_TRADE, letter(aggressor), own_id, px, 0)
        while left > 0 and j >= 0 and b.slots[i, passive, j].px == px:
            slot = b.slots[i, passive, j]
            quantity = min(left, np.int64(slot.qty))
            record(b, i, ACTION_FILL, letter(passive), slot.id, px, quantity)
            b.fills[n_fills].slot = j
            b.fills[n_fills].shown = slot.qty
            n_fills += 1
            slot.qty -= quantity
            left -= quantity
            total += quantity
            if by_customer and j < MAKERS:
                one.inventory -= sign * quantity
            elif not by_customer and j >= MAKERS:
                one.inventory += sign * quantity
            j = _reachable(b, i, aggressor, limit)
        b.out[trade].size = total
        if one.first < 0:
            one.first = px
            one.high = px
            one.low = px
        one.high = max(one.high, px)
        one.low = min(one.low, px)
        one.last = px
        one.volume += total
    b.sequence += below(b, R_FEED, 2)
    b.recv += 300 + below(b, R_FEED, 1_700)
    for k in range(n_fills):
        slot = b.slots[i, passive, b.fills[k].slot]
        if slot.qty == 0:
            record(b, i, ACTION_CANCEL, letter(passive), slot.id, slot.px, b.fills[k].shown)
        else:
            record(b, i, ACTION_MODIFY, letter(passive), slot.id, slot.px, slot.qty)
    b.trades += 1
    close(b)
