"""The FIFO ladder: orders in queues of (instrument, tick, side), best prices, and a checksum kept up to date.

A queue is a doubly linked list of `market.orders` slots whose ends are in its row of `market.cells` (head, tail,
quantity, count). `inst.bid` and `inst.ask` follow every change. The checksum is the sum (modulo 2^64) over all orders
of a hash of (order id, price, side, quantity, id of the order ahead in the queue): it changes with every order,
quantity and place, and one change costs two hashes, whatever the size of the book.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.market.dbn import ACTION_ADD
from spymaster.simulator.emit import letter, price_of, record
from spymaster.simulator.layout import (
    ASK,
    BID,
    COUNT,
    HEAD,
    INNER,
    LADDER_END,
    MAX_ORDERS,
    NO_ASK,
    NO_BID,
    ORDERS_FULL,
    QTY,
    R_FLOW,
    TAIL,
    TICKS,
)
from spymaster.simulator.rng import below

_ID = np.uint64(0x9E3779B97F4A7C15)
_PRICE = np.uint64(0xC2B2AE3D27D4EB4F)
_QTY = np.uint64(0x165667B19E3779F9)
_AHEAD = np.uint64(0x27D4EB2F165667C5)
_LAST = np.uint64(0x94D049BB133111EB)
_SHIFT = np.uint64(29)


@kernel(**INNER)
def order_hash(order_id, price, side, qty, ahead):
    """Hash of one order's id, price (1e-9), side (0, 1), quantity and the id ahead of it (0 at the front); uint64."""
    word = np.uint64(order_id) * _ID
    word ^= (np.uint64(price) * np.uint64(2) + np.uint64(side)) * _PRICE
    word = (word ^ (word >> _SHIFT)) * _LAST
    word ^= np.uint64(qty) * _QTY
    word ^= np.uint64(ahead) * _AHEAD
    word = (word ^ (word >> _SHIFT)) * _LAST
    return word ^ (word >> _SHIFT)


@kernel()
def book_checksum(order_id, price, side, qty):
    """Checksum of a whole book from arrays in priority order: queue after queue, each from its front."""
    total = np.uint64(0)
    for k in range(len(order_id)):
        ahead = np.int64(0)
        if k > 0 and price[k - 1] == price[k] and side[k - 1] == side[k]:
            ahead = order_id[k - 1]
        total += order_hash(order_id[k], price[k], side[k], qty[k], ahead)
    return total


@hot_kernel(**INNER)
def cell_of(inst, tick, side):
    """Row of the ladder."""
    return (inst * TICKS + tick) * 2 + side


@hot_kernel(**INNER)
def inst_of(cell):
    """Instrument of a row of the ladder."""
    return np.int64(cell) // (2 * TICKS)


@hot_kernel(**INNER)
def tick_of(cell):
    """Tick of a row of the ladder."""
    return (np.int64(cell) >> 1) % TICKS


@hot_kernel(**INNER)
def best(market, inst, side):
    """Best tick of a side; `NO_BID` or `NO_ASK` when it is empty."""
    return market.inst[inst].bid if side == BID else market.inst[inst].ask


@kernel(**INNER)
def _rehash(market, slot):
    """Bring the order's hash, and with it the checksum of the book, up to date."""
    order = market.orders[slot]
    cell = np.int64(order.cell)
    inst = inst_of(cell)
    ahead = market.orders[order.prev].id if order.prev >= 0 else np.int64(0)
    word = order_hash(order.id, price_of(market, inst, tick_of(cell)), cell & 1, order.qty, ahead)
    market.inst[inst].checksum += word - order.hash
    order.hash = word


@kernel(**INNER)
def enqueue(market, slot, cell):
    """Put an order at the back of a queue, at the time of the clock."""
    order = market.orders[slot]
    inst, tick, side = inst_of(cell), tick_of(cell), np.int64(cell) & 1
    if tick < 8 or tick >= TICKS - 8:
        market.code = LADDER_END
    last = market.cells[cell, TAIL]
    order.cell = cell
    order.prev = last
    order.next = -1
    order.ts = market.clock
    order.seq = market.sequence
    order.hash = 0
    if last >= 0:
        market.orders[last].next = slot
    else:
        market.cells[cell, HEAD] = slot
    market.cells[cell, TAIL] = slot
    market.cells[cell, QTY] += order.qty
    market.cells[cell, COUNT] += 1
    market.inst[inst].n_orders += 1
    if side == BID:
        market.inst[inst].bid = max(market.inst[inst].bid, tick)
    else:
        market.inst[inst].ask = min(market.inst[inst].ask, tick)
    _rehash(market, slot)


@kernel(**INNER)
def dequeue(market, slot):
    """Take an order out of its queue; an emptied best price gives way to the next one."""
    order = market.orders[slot]
    cell = np.int64(order.cell)
    inst, tick, side = inst_of(cell), tick_of(cell), cell & 1
    if order.prev >= 0:
        market.orders[order.prev].next = order.next
    else:
        market.cells[cell, HEAD] = order.next
    market.cells[cell, QTY] -= order.qty
    market.cells[cell, COUNT] -= 1
    market.inst[inst].n_orders -= 1
    market.inst[inst].checksum -= order.hash
    if order.next >= 0:
        market.orders[order.next].prev = order.prev
        _rehash(market, order.next)
    else:
        market.cells[cell, TAIL] = order.prev
    if market.cells[cell, COUNT] == 0:
        if side == BID and tick == market.inst[inst].bid:
            while tick > NO_BID and market.cells[cell_of(inst, tick, BID), COUNT] == 0:
                tick -= 1
            market.inst[inst].bid = tick
        elif side == ASK and tick == market.inst[inst].ask:
            while tick < NO_ASK and market.cells[cell_of(inst, tick, ASK), COUNT] == 0:
                tick += 1
            market.inst[inst].ask = tick


@kernel(**INNER)
def resize(market, slot, qty):
    """Change what an order shows without moving it."""
    order = market.orders[slot]
    market.cells[order.cell, QTY] += qty - order.qty
    order.qty = qty
    _rehash(market, slot)


@kernel(**INNER)
def new_id(market):
    """The next order id of the exchange; ids increase with gaps."""
    return next_id(market, R_FLOW)


@kernel(**INNER)
def next_id(market, stream):
    """The next order id, its gap drawn from a stream."""
    market.next_id += 1
    while below(market, stream, 2) > 0:
        market.next_id += 1
    return market.next_id


@kernel(**INNER)
def create(market, cell, qty, cls, hidden, agent, order_id):
    """A new resting order at the back of its queue; returns its slot (nothing is told to the feed)."""
    if market.n_free > 0:
        market.n_free -= 1
        slot = np.int64(market.free[market.n_free])
    elif market.high_slot < MAX_ORDERS:
        slot = market.high_slot
        market.high_slot += 1
    else:
        market.code = ORDERS_FULL
        slot = np.int64(0)
    order = market.orders[slot]
    order.id = order_id
    order.qty = qty
    order.hidden = hidden
    order.peak = qty
    order.agent = agent
    order.cls = cls
    order.live = 1
    order.touch = -1
    order.where = market.n_class[cls]
    market.lists[cls, market.n_class[cls]] = slot
    market.n_class[cls] += 1
    enqueue(market, slot, cell)
    return slot


@kernel(**INNER)
def destroy(market, slot):
    """Remove an order for good."""
    dequeue(market, slot)
    order = market.orders[slot]
    order.live = 0
    cls = order.cls
    market.n_class[cls] -= 1
    moved = market.lists[cls, market.n_class[cls]]
    market.lists[cls, order.where] = moved
    market.orders[moved].where = order.where
    market.free[market.n_free] = slot
    market.n_free += 1


@kernel(**INNER)
def add(market, inst, side, tick, qty, cls, hidden, agent, order_id):
    """Create an order and tell the feed; returns its slot."""
    slot = create(market, cell_of(inst, tick, side), qty, cls, hidden, agent, order_id)
    record(market, inst, ACTION_ADD, letter(side), order_id, price_of(market, inst, tick), qty)
    if hidden > 0 or agent > 0:
        tag(market, order_id, cls, hidden, 0, agent, 0)
    return slot


@kernel(**INNER)
def tag(market, order_id, cls, hidden, meta, agent, stop):
    """Note for the truth tables what an order is."""
    row = market.tags[market.n_tags]
    row.id = order_id
    row.hidden = hidden
    row.meta = meta
    row.agent = agent
    row.cls = cls
    row.stop = stop
    market.n_tags += 1
