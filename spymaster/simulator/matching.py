"""Price-time matching of one aggressor, and the records that it makes: T and its F per price, then C or M per order.

`market.touched` collects, in the order in which they must be told, the resting orders that an event changed: what the
feed showed before (`shown`) and what it shows after (`left`, 0 when the order is gone; a refilled order is at the back
of its queue). An order that is filled twice in an event (a stop cascade) has one row; a refill moves its row to the
end, because M records of refilled orders must come in the order of their new places.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.market.dbn import ACTION_ADD, ACTION_CANCEL, ACTION_FILL, ACTION_MODIFY, ACTION_TRADE
from spymaster.simulator.emit import letter, price_of, record
from spymaster.simulator.ladder import (
    best,
    cell_of,
    create,
    dequeue,
    destroy,
    enqueue,
    inst_of,
    new_id,
    resize,
    tag,
    tick_of,
)
from spymaster.simulator.layout import (
    ASK,
    BID,
    COUNT,
    EVENT_FULL,
    FRONT,
    HEAD,
    INNER,
    K_FULL,
    K_OVERSIZE,
    K_PARTIAL,
    K_REFILL,
    K_REST,
    K_SLIP,
    K_SMP,
    K_STOP,
    K_UNKNOWN,
    MAX_TOUCHED,
    NO_ASK,
    QTY,
    R_FEED,
    TICKS,
)
from spymaster.simulator.rng import below, chance

_STOPS_PER_EVENT = 12


@kernel(**INNER)
def _touch(market, slot, again):
    """Row of an order in `touched`; `again` moves it to the end."""
    order = market.orders[slot]
    at = np.int64(order.touch)
    if at >= 0 and not again:
        return at
    shown = order.qty
    if at >= 0:
        shown = market.touched[at].shown
        market.touched[at].slot = -1
    if market.n_touched == MAX_TOUCHED:
        market.code = EVENT_FULL
        market.n_touched -= 1
    at = market.n_touched
    market.n_touched += 1
    row = market.touched[at]
    row.id = order.id
    row.slot = slot
    row.cell = order.cell
    row.shown = shown
    order.touch = at
    return at


@kernel(**INNER)
def execute(market, slot, fill, side_letter):
    """Fill part or all of a resting order: its F record, and what becomes of it."""
    order = market.orders[slot]
    inst, tick = inst_of(order.cell), tick_of(order.cell)
    shown = np.int64(order.qty)
    told = fill
    at = _touch(market, slot, False)
    if fill == shown and chance(market, R_FEED, market.p_oversize):
        told = fill + 1 + below(market, R_FEED, 3)
        market.event_kind |= K_OVERSIZE
    record(market, inst, ACTION_FILL, side_letter, order.id, price_of(market, inst, tick), told)
    if fill < shown:
        resize(market, slot, shown - fill)
        market.touched[at].left = shown - fill
        market.event_kind |= K_PARTIAL
    elif order.hidden > 0:
        at = _touch(market, slot, True)
        cell = np.int64(order.cell)
        dequeue(market, slot)
        order.qty = min(order.peak, order.hidden)
        order.hidden -= order.qty
        enqueue(market, slot, cell)
        market.touched[at].left = order.qty
        market.event_kind |= K_REFILL
    else:
        market.touched[at].left = 0
        order.touch = -1
        destroy(market, slot)
        market.event_kind |= K_FULL


@kernel(**INNER)
def take(market, inst, passive, qty, limit, aggressor):
    """Match an aggressor against the `passive` side down to `limit` (a tick); returns the quantity left over."""
    code, opposite = letter(1 - passive), letter(passive)
    while qty > 0:
        tick = best(market, inst, passive)
        if tick < 0 or tick >= TICKS or (tick > limit if passive == ASK else tick < limit):
            break
        print_at = market.n
        record(market, inst, ACTION_TRADE, code, aggressor, price_of(market, inst, tick), 0)
        cell = cell_of(inst, tick, passive)
        total = np.int64(0)
        while qty > 0 and market.cells[cell, COUNT] > 0:
            slot = np.int64(market.cells[cell, HEAD])
            if market.orders[slot].next >= 0 and chance(market, R_FEED, market.p_slip):
                slot = np.int64(market.orders[slot].next)
                market.event_kind |= K_SLIP
            fill = min(qty, np.int64(market.orders[slot].qty))
            execute(market, slot, fill, opposite)
            total += fill
            qty -= fill
        if chance(market, R_FEED, market.p_unknown):
            # an order that the feed never showed
            record(market, inst, ACTION_FILL, opposite, new_id(market), price_of(market, inst, tick), 1)
            market.event_kind |= K_UNKNOWN
        market.out[print_at].size = total
        traded(market, inst, tick, total)
    return qty


@hot_kernel(**INNER)
def traded(market, inst, tick, qty):
    """Note a trade in the session's statistics."""
    one = market.inst[inst]
    one.last = tick
    one.volume += qty
    if one.first < 0:
        one.first = one.high = one.low = tick
    one.high = max(one.high, tick)
    one.low = min(one.low, tick)


@kernel(**INNER)
def tell_changes(market):
    """The C and M records of an event's touched orders; the list is empty afterwards."""
    for k in range(market.n_touched):
        row = market.touched[k]
        if row.slot < 0:
            continue
        inst, side, tick = inst_of(row.cell), np.int64(row.cell) & 1, tick_of(row.cell)
        if row.left == 0:
            record(market, inst, ACTION_CANCEL, letter(side), row.id, price_of(market, inst, tick), row.shown)
        else:
            record(market, inst, ACTION_MODIFY, letter(side), row.id, price_of(market, inst, tick), row.left)
            market.orders[row.slot].touch = -1


@kernel(**INNER)
def self_match_cancel(market, inst, passive):
    """Sometimes the exchange cancels the next order of the queue instead of matching it with its own owner."""
    if not chance(market, R_FEED, market.p_smp):
        return
    tick = best(market, inst, passive)
    if tick < 0 or tick >= TICKS:
        return
    cell = cell_of(inst, tick, passive)
    slot = np.int64(market.cells[cell, HEAD])
    order = market.orders[slot]
    if market.cells[cell, COUNT] < 2 or order.touch >= 0 or order.agent != 0:
        return
    record(market, inst, ACTION_CANCEL, letter(passive), order.id, price_of(market, inst, tick), order.qty)
    destroy(market, slot)
    market.event_kind |= K_SMP


@kernel(**INNER)
def add_stop(market, side, tick, qty, order_id):
    """Hold a stop order of the front outright: side BID buys at or above `tick`, ASK sells at or below it."""
    n = market.n_stops[side]
    if n >= market.stops.shape[1]:
        return
    row = market.stops[side, n]
    row.id = order_id
    row.tick = tick
    row.qty = qty
    market.n_stops[side] = n + 1
    if side == BID:
        market.stop_edge[BID] = min(market.stop_edge[BID], tick)
    else:
        market.stop_edge[ASK] = max(market.stop_edge[ASK], tick)


@kernel(**INNER)
def trigger_stops(market):
    """Stops that the last price reaches enter as further aggressors of the same event."""
    for _ in range(_STOPS_PER_EVENT):
        last = market.inst[FRONT].last
        side = -1
        if last >= market.stop_edge[BID]:
            side = BID
        elif last >= 0 and last <= market.stop_edge[ASK]:
            side = ASK
        if side < 0:
            return
        found, edge = -1, market.stop_edge[side]
        for k in range(market.n_stops[side]):
            if market.stops[side, k].tick == edge:
                found = k
                break
        row = market.stops[side, found]
        order_id, qty = row.id, row.qty
        market.n_stops[side] -= 1
        last_row = market.stops[side, market.n_stops[side]]
        row.id, row.tick, row.qty = last_row.id, last_row.tick, last_row.qty
        edge = np.int64(1) << 40 if side == BID else -(np.int64(1) << 40)
        for k in range(market.n_stops[side]):
            tick = market.stops[side, k].tick
            edge = min(edge, tick) if side == BID else max(edge, tick)
        market.stop_edge[side] = edge
        tag(market, order_id, 0, 0, 0, 0, 1)
        take(market, FRONT, 1 - side, qty, NO_ASK if side == BID else 0, order_id)
        market.event_kind |= K_STOP


@kernel(**INNER)
def aggress(market, inst, side, qty, limit, rests, cls, order_id, agent):
    """One aggressor from its first trade to the last book change; returns the quantity that was filled.

    What a limit order (`rests`) has left over rests at `limit`, told after the book changes or, sometimes, before them.
    """
    left = take(market, inst, 1 - side, qty, limit, order_id)
    filled = qty - left
    if inst == FRONT:
        trigger_stops(market)
    rests = rests and left > 0 and not _crosses(market, inst, side, limit)
    if not rests:
        self_match_cancel(market, inst, 1 - side)
    early = rests and chance(market, R_FEED, market.p_early_add)
    if early:
        record(market, inst, ACTION_ADD, letter(side), order_id, price_of(market, inst, limit), left)
    tell_changes(market)
    if rests:
        create(market, cell_of(inst, limit, side), left, cls, 0, agent, order_id)
        if not early:
            record(market, inst, ACTION_ADD, letter(side), order_id, price_of(market, inst, limit), left)
        market.event_kind |= K_REST
    return filled


@kernel(**INNER)
def _crosses(market, inst, side, limit):
    """Whether a remainder would cross the other side, as it can after stop orders."""
    other = best(market, inst, 1 - side)
    return other <= limit if side == BID else other >= limit


@kernel(**INNER)
def displayed(market, inst, tick, side):
    """Quantity shown at a tick."""
    return np.int64(market.cells[cell_of(inst, tick, side), QTY])
