"""Reactions of the market to its own best prices: closing a spread, and the second outright following the first.

Prices move for two reasons: flow eats a best queue, and now and then (`news`) those who quote one side leave it, the
more likely the shorter their queue is. After an emptied best queue a wide spread is closed within microseconds to
milliseconds: with probability `theta_ref` by new quotes of the other side (the price has moved, and part of the queue
that it moves towards retreats), with `theta_reinit` by a refill, otherwise by the ordinary flow. Every action is one
event of one order, and schedules the next.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.background import cancel_order, held_back, imbalance_step, move_order, seed_level
from spymaster.simulator.bridge import jump_sign, look_for_level, next_jump
from spymaster.simulator.emit import begin, close
from spymaster.simulator.ladder import add, best, cell_of, inst_of, new_id, tick_of
from spymaster.simulator.layout import (
    ASK,
    BID,
    CLASSES,
    COUNT,
    FRONT,
    HEAD,
    INNER,
    INSTRUMENTS,
    LOGIT_STEPS,
    MAX_SIZE,
    NEXT,
    PRE_OPEN,
    R_BOOK,
    R_PRICE,
    TAIL,
    TICKS,
    WALK,
)
from spymaster.simulator.matching import aggress
from spymaster.simulator.rng import below, chance, exponential, pick
from spymaster.simulator.wake import FOLLOW, JUMP, NEWS, QUOTE_INSIDE, REPAIR, RETREAT, wake_at

_REPAIR_NS = 250_000
_AGAIN_NS = 15_000_000
_QUOTE_NS = 400_000
_RETREAT_NS = 150_000
_FOLLOW_NS = 120_000
_P32 = 1 << 32


@kernel(**INNER)
def soon(market, mean_ns):
    """A moment after the clock, exponential, never the clock itself."""
    return market.clock + 1_000 + np.int64(exponential(market, R_BOOK) * mean_ns)


@kernel()
def observe(market):
    """After an event: note the front's best prices, and wake whoever reacts to changed ones."""
    for inst in range(INSTRUMENTS):
        one = market.inst[inst]
        if one.bid == one.seen_bid and one.ask == one.seen_ask:
            continue
        vacated = ASK if one.ask > one.seen_ask else BID
        one.seen_bid, one.seen_ask = one.bid, one.ask
        if market.phase == PRE_OPEN:
            continue
        if one.ask - one.bid > 1 and one.repair == 0 and not (inst == FRONT and market.mode == WALK):
            one.repair = 1
            wake_at(market, soon(market, _REPAIR_NS), REPAIR, inst, vacated)
        if inst == FRONT:
            row = market.quotes[market.n_quotes]
            row.ts, row.bid, row.ask = market.clock, one.bid, one.ask
            market.n_quotes += 1
            wake_at(market, soon(market, _FOLLOW_NS), FOLLOW, NEXT, 0)


@kernel(**INNER)
def repair(market, inst, vacated):
    """Close a wide spread from one side or the other, or leave it for a while."""
    one = market.inst[inst]
    if one.ask - one.bid <= 1 or one.bid < 0 or one.ask >= TICKS or market.phase == PRE_OPEN:
        one.repair = 0
        return
    choice = below(market, R_BOOK, _P32)
    side = 1 - vacated if choice < market.theta_ref else vacated
    if choice >= market.theta_ref + market.theta_reinit:
        wake_at(market, soon(market, _AGAIN_NS), REPAIR, inst, vacated)
        return
    tick = one.bid + 1 if side == BID else one.ask - 1
    if inst == NEXT and held_back(market, inst, side, tick) != tick:
        one.repair = 0  # where the second outright belongs is for `follow` to say
        return
    orders = 1 + below(market, R_BOOK, 2 * market.repair_orders)
    quote(market, cell_of(inst, tick, side), orders)
    if side != vacated and inst == FRONT:
        # the price has moved: part of the queue that is the best of the other side by now gives way
        behind = cell_of(inst, best(market, inst, vacated), vacated)
        leaving = np.int64(market.cells[behind, COUNT] * market.retreat)
        if leaving > 0:
            wake_at(market, soon(market, _RETREAT_NS), RETREAT, behind, leaving)
    if market.inst[inst].ask - market.inst[inst].bid > 1:
        wake_at(market, soon(market, _REPAIR_NS), REPAIR, inst, vacated)
    else:
        market.inst[inst].repair = 0


@kernel(**INNER)
def quote(market, cell, orders):
    """One new order at a tick near the best, unless it would cross by now; the others follow."""
    inst, tick, side = inst_of(cell), tick_of(cell), cell & 1
    if held_back(market, inst, side, tick) != tick:
        return
    qty = pick(market, R_BOOK, market.size_law, MAX_SIZE + 1)
    cls = max(pick(market, R_BOOK, market.class_law[0], CLASSES), 3)
    begin(market, market.clock)
    add(market, inst, side, tick, qty, cls, 0, 0, new_id(market))
    close(market)
    if orders > 1:
        wake_at(market, soon(market, _QUOTE_NS), QUOTE_INSIDE, cell, orders - 1)


@kernel(**INNER)
def retreat(market, cell, orders):
    """The last order of a queue that faces a moving price goes back a few ticks, or goes; the others follow."""
    inst, side = inst_of(cell), cell & 1
    if market.cells[cell, COUNT] == 0 or tick_of(cell) != best(market, inst, side) or inst != FRONT:
        return
    slot = np.int64(market.cells[cell, TAIL])
    while slot >= 0 and market.orders[slot].agent != 0:
        slot = np.int64(market.orders[slot].prev)
    if slot >= 0:
        back = 1 + below(market, R_BOOK, 4)
        if below(market, R_BOOK, 2) == 0:
            cancel_order(market, slot)
        else:
            move_order(market, slot, held_back(market, inst, side, tick_of(cell) + (back if side == ASK else -back)))
    if orders > 1:
        wake_at(market, soon(market, _RETREAT_NS), RETREAT, cell, orders - 1)


@kernel()
def schedule_news(market):
    """The next time that quotes leave one side; more often when the market is busy."""
    wait = exponential(market, R_BOOK) / (market.news_rate * market.pace)
    wake_at(market, market.clock + 1 + np.int64(wait * 1e9), NEWS, FRONT, 0)


@kernel(**INNER)
def news(market):
    """Quotes leave a side of the front outright: the ask when buyers press, the bid when sellers do."""
    schedule_news(market)
    front = market.inst[FRONT]
    if market.phase == PRE_OPEN or front.bid < 0 or front.ask >= TICKS:
        return
    # those who quote have learnt which way the flow leans, and do not give way to it twice (Lillo & Farmer 2004)
    expected = np.int64(market.flow_sign * market.foresight * LOGIT_STEPS)
    step = min(max(imbalance_step(market) - expected, 0), LOGIT_STEPS)
    side = ASK if chance(market, R_BOOK, market.logit[step]) else BID
    cell = cell_of(FRONT, best(market, FRONT, side), side)
    retreat(market, cell, np.int64(market.cells[cell, COUNT]))


@kernel(**INNER)
def follow(market):
    """One step of the second outright towards the first one's prices plus the carry; the next step is scheduled."""
    near, far = market.inst[FRONT], market.inst[NEXT]
    if near.bid < 0 or near.ask >= TICKS or market.phase == PRE_OPEN:
        return
    bid, ask = near.bid + market.carry, near.ask + market.carry
    if far.ask < ask:
        _leave(market, cell_of(NEXT, far.ask, ASK), ask)
    elif far.bid > bid:
        _leave(market, cell_of(NEXT, far.bid, BID), bid)
    elif far.ask > ask:
        quote(market, cell_of(NEXT, ask, ASK), 1)
    elif far.bid < bid:
        quote(market, cell_of(NEXT, bid, BID), 1)
    else:
        return
    wake_at(market, soon(market, _FOLLOW_NS), FOLLOW, NEXT, 0)


@kernel(**INNER)
def _leave(market, cell, tick):
    """The first order of a queue that the other contract has left behind moves, or goes."""
    slot = np.int64(market.cells[cell, HEAD])
    if below(market, R_BOOK, 4) == 0 and market.cells[cell, COUNT] > 1:
        cancel_order(market, slot)
    else:
        move_order(market, slot, tick)


@kernel()
def schedule_jump(market):
    """The next jump of the efficient price of `walk` mode, at Poisson times that nothing else knows."""
    if market.bridge.on == 1:
        ts = next_jump(market)
    else:
        ts = market.clock + 1 + np.int64(exponential(market, R_PRICE) / market.walk_rate * 1e9)
    wake_at(market, ts, JUMP, FRONT, 0)


@kernel(**INNER)
def jump(market):
    """The efficient price moves one tick: one event eats the best queue and seeds both sides anew."""
    front = market.inst[FRONT]
    bridged = market.bridge.on == 1
    if not bridged:
        schedule_jump(market)
    if market.phase == PRE_OPEN or front.bid < 0 or front.ask >= TICKS:
        if bridged:
            schedule_jump(market)
        return
    up = jump_sign(market) > 0 if bridged else below(market, R_PRICE, 2) == 0
    passive = ASK if up else BID
    tick = best(market, FRONT, passive)
    market.walk += 1 if up else -1
    begin(market, market.clock)
    qty = np.int64(0)
    slot = np.int64(market.cells[cell_of(FRONT, tick, passive), HEAD])
    while slot >= 0:
        qty += market.orders[slot].qty + market.orders[slot].hidden
        slot = np.int64(market.orders[slot].next)
    aggress(market, FRONT, 1 - passive, qty, tick, False, 3, new_id(market), 0)
    seed_level(market, FRONT, passive, tick + 1 if up else tick - 1)
    seed_level(market, FRONT, 1 - passive, tick)
    close(market)
    if bridged:
        look_for_level(market)
        schedule_jump(market)
