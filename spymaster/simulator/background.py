"""Background flow: limit adds, cancels, modifies and market orders of people and machines that plan nothing together.

Each function makes one event at the clock of the market. Rates follow the queue-reactive idea (Huang, Lehalle &
Rosenbaum 2015, JASA): what happens depends on the queues at that moment. Laws and shares come from the profile; a draw
that the state forbids is drawn again rather than dropped, so that shares stay what the profile says.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.market.dbn import ACTION_CANCEL, ACTION_MODIFY
from spymaster.simulator.activity import cancel_intensity
from spymaster.simulator.emit import begin, close, letter, price_of, record
from spymaster.simulator.implied import implied_trade
from spymaster.simulator.ladder import (
    add,
    best,
    cell_of,
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
    CLASSES,
    COUNT,
    FRONT,
    HEAD,
    INNER,
    INSTRUMENTS,
    LOGIT_STEPS,
    MAX_DISTANCE,
    MAX_SIZE,
    MIDDLE,
    NEXT,
    NO_ASK,
    PRE_OPEN,
    PROFILE_TICKS,
    QTY,
    R_FLOW,
    R_META,
    SPREAD,
    TICKS,
    WALK,
)
from spymaster.simulator.matching import add_stop, aggress, displayed
from spymaster.simulator.rng import below, chance, pick
from spymaster.simulator.script_zone import diverted

_TRIES = 3
_SMALLER_TRIES = 32
"""Nine in ten of the orders that modifies choose are of one contract and cannot shrink."""
_FLOW_WEIGHT = 1.0 / 100.0
"""The sign of the flow is remembered over a hundred aggressors."""
_PRE_OPEN_REACH = 5
"""Ticks by which an order before the open may cross the last price."""


@kernel(**INNER)
def bucket_of(distance):
    """Distance bucket of the patience law."""
    if distance <= 2:
        return distance
    if distance <= 5:
        return np.int64(3)
    return np.int64(4) if distance <= 20 else np.int64(5)


@kernel(**INNER)
def touch_of(market, inst, side):
    """Best tick of a side, or where it would be if the side is empty."""
    tick = best(market, inst, side)
    if 0 <= tick < TICKS:
        return tick
    other = best(market, inst, 1 - side)
    if 0 <= other < TICKS:
        return other - 1 if side == BID else other + 1
    return np.int64(MIDDLE - 1) if side == BID else np.int64(MIDDLE)


@kernel(**INNER)
def held_back(market, inst, side, tick):
    """The tick nearest to `tick` at which an order of this side crosses nothing (before the open, any tick)."""
    tick = min(max(tick, 16), TICKS - 17)
    if market.phase == PRE_OPEN and inst == FRONT:
        return tick
    if side == BID:
        tick = min(tick, market.inst[inst].ask - 1)
        if inst == NEXT and market.inst[FRONT].bid >= 0:
            tick = min(tick, market.inst[FRONT].bid + market.carry)
        return tick
    tick = max(tick, market.inst[inst].bid + 1)
    if inst == NEXT and market.inst[FRONT].ask < TICKS:
        tick = max(tick, market.inst[FRONT].ask + market.carry)
    return tick


@kernel(**INNER)
def queue_ratio(market, inst, tick, side, distance):
    """Queue at a tick over the mean queue at that distance, in steps of the power table, at most its end."""
    mean = market.mean_queue[min(distance, PROFILE_TICKS - 1)]
    return min(np.int64(50.0 * displayed(market, inst, tick, side) / max(mean, 0.5)), LOGIT_STEPS)


@kernel(**INNER)
def near_tick(market, inst, side):
    """Tick for an order that wants to be near: inside a wide spread, at the best, or up to five ticks behind."""
    distance = pick(market, R_FLOW, market.distance_law, MAX_DISTANCE + 1)
    while distance > 5:
        distance = pick(market, R_FLOW, market.distance_law, MAX_DISTANCE + 1)
    return held_back(market, inst, side, _at_distance(market, inst, side, distance))


@kernel(**INNER)
def _at_distance(market, inst, side, distance):
    touch = touch_of(market, inst, side)
    other = best(market, inst, 1 - side)
    step = 1 if side == BID else -1
    if distance == 0 and 0 <= other < TICKS and abs(other - touch) > 1:
        return touch + step
    tick = touch - step * distance
    if distance > 20 and chance(market, R_FLOW, market.p_round):
        tick -= (tick + market.inst[inst].origin // market.inst[inst].tick_size) % market.round_ticks
    return tick


@kernel(**INNER)
def add_limit(market):
    """A new limit order; likelier where the queue is shorter than usual. A few are icebergs, a few become stops."""
    inst = pick(market, R_FLOW, market.inst_law, INSTRUMENTS)
    side, tick, distance = np.int64(0), np.int64(0), np.int64(0)
    for _ in range(_TRIES):
        side = below(market, R_FLOW, 2)
        distance = pick(market, R_FLOW, market.distance_law, MAX_DISTANCE + 1)
        wanted = _at_distance(market, inst, side, distance)
        if market.phase == PRE_OPEN and inst == FRONT and distance < 6:
            reach = below(market, R_FLOW, _PRE_OPEN_REACH)
            wanted += reach if side == BID else -reach
        tick = held_back(market, inst, side, wanted)
        ratio = queue_ratio(market, inst, tick, side, distance)
        # relative rate 1 + 0.5 * max(0, 1 - q / mean), as a share of its largest value 1.5
        if below(market, R_FLOW, 150) < 100 + max(0, 50 - ratio):
            break
    qty = pick(market, R_FLOW, market.size_law, MAX_SIZE + 1)
    cls = pick(market, R_FLOW, market.class_law[bucket_of(distance)], CLASSES)
    tick = diverted(market, inst, side, tick)
    begin(market, market.clock)
    if inst == FRONT and market.inst[FRONT].last >= 0 and chance(market, R_FLOW, market.p_stop):
        _place_stop(market, side, new_id(market), qty)
    hidden = np.int64(0)
    if chance(market, R_FLOW, market.p_iceberg):
        qty = max(qty, 2 + below(market, R_FLOW, 9))
        hidden = qty * (3 + below(market, R_FLOW, 18))
        cls = max(cls, 4)
    add(market, inst, side, tick, qty, cls, hidden, 0, new_id(market))
    close(market)


@kernel(**INNER)
def _place_stop(market, side, order_id, qty):
    """A stop beyond the recent extremes, at a round price; the feed never shows it."""
    front = market.inst[FRONT]
    if side == BID:
        tick = front.high + 1 + below(market, R_FLOW, 8)
        tick += market.round_ticks - 1 - tick % market.round_ticks
    else:
        tick = front.low - 1 - below(market, R_FLOW, 8)
        tick -= tick % market.round_ticks
    add_stop(market, side, tick, min(qty, 20), order_id)


@kernel(**INNER)
def vacates(market, slot):
    """Whether the order is the last one of its side's best price."""
    order = market.orders[slot]
    cell = np.int64(order.cell)
    return market.cells[cell, COUNT] == 1 and tick_of(cell) == best(market, inst_of(cell), cell & 1)


@kernel(**INNER)
def must_stay(market, slot):
    """In `walk` mode only jumps of the price empty a best queue."""
    return market.mode == WALK and inst_of(market.orders[slot].cell) == FRONT and vacates(market, slot)


@kernel(**INNER)
def cancel_order(market, slot):
    """Cancel one order completely."""
    order = market.orders[slot]
    cell = np.int64(order.cell)
    inst = inst_of(cell)
    begin(market, market.clock)
    record(market, inst, ACTION_CANCEL, letter(cell & 1), order.id, price_of(market, inst, tick_of(cell)), order.qty)
    destroy(market, slot)
    close(market)


@kernel(**INNER)
def cancel_any(market):
    """An order whose patience ends: of a class by its share of the cancel intensity; sooner in long queues."""
    choice = below(market, R_FLOW, 1 << 30) * (1.0 / (1 << 30)) * market.cancel_rate
    cls = np.int64(0)
    while cls < CLASSES - 1:
        choice -= cancel_intensity(market, cls)
        if choice < 0.0 and market.n_class[cls] > 0:
            break
        cls += 1
    if market.n_class[cls] == 0:
        return
    slot = np.int64(0)
    for _ in range(_TRIES):
        slot = np.int64(market.lists[cls, below(market, R_FLOW, market.n_class[cls])])
        cell = np.int64(market.orders[slot].cell)
        inst, tick, side = inst_of(cell), tick_of(cell), cell & 1
        distance = abs(touch_of(market, inst, side) - tick)
        if distance >= PROFILE_TICKS:
            break
        # rate proportional to (q / mean)^0.2, as a share of its value at four times the mean
        ratio = queue_ratio(market, inst, tick, side, distance)
        if below(market, R_FLOW, 1 << 20) < market.power[ratio] * (1 << 20):
            break
    if not must_stay(market, slot) and market.orders[slot].agent == 0:
        cancel_order(market, slot)


@kernel(**INNER)
def move_order(market, slot, tick):
    """Reprice an order: same id, new price, last in its new queue."""
    order = market.orders[slot]
    cell = np.int64(order.cell)
    inst, side = inst_of(cell), cell & 1
    begin(market, market.clock)
    dequeue(market, slot)
    enqueue(market, slot, cell_of(inst, tick, side))
    record(market, inst, ACTION_MODIFY, letter(side), order.id, price_of(market, inst, tick), order.qty)
    close(market)


@kernel(**INNER)
def _modify_qty(market, slot, qty):
    """Change the size: a smaller or unchanged order keeps its place, a larger one goes to the back."""
    order = market.orders[slot]
    cell = np.int64(order.cell)
    inst = inst_of(cell)
    begin(market, market.clock)
    if qty > order.qty:
        dequeue(market, slot)
        order.qty = qty
        enqueue(market, slot, cell)
    else:
        resize(market, slot, qty)
    record(market, inst, ACTION_MODIFY, letter(cell & 1), order.id, price_of(market, inst, tick_of(cell)), qty)
    close(market)


@kernel(**INNER)
def modify_any(market):
    """A modify of a resting order: repriced (mostly after the best price), smaller, larger, or unchanged."""
    total = 0.0
    for cls in range(CLASSES):
        total += market.modify_weight[cls] * market.n_class[cls]
    if total <= 0.0:
        return
    choice = below(market, R_FLOW, 1 << 30) * (1.0 / (1 << 30)) * total
    cls = np.int64(0)
    while cls < CLASSES - 1:
        choice -= market.modify_weight[cls] * market.n_class[cls]
        if choice < 0.0:
            break
        cls += 1
    if market.n_class[cls] == 0:
        return
    slot = np.int64(market.lists[cls, below(market, R_FLOW, market.n_class[cls])])
    order = market.orders[slot]
    if order.agent != 0:
        return
    kind = pick(market, R_FLOW, market.modify_law, 4)
    if kind == 1:
        for _ in range(_SMALLER_TRIES):
            if order.qty > 1 and order.agent == 0:
                break
            slot = np.int64(market.lists[cls, below(market, R_FLOW, market.n_class[cls])])
            order = market.orders[slot]
    if kind == 1 and order.qty > 1 and order.agent == 0:
        _modify_qty(market, slot, 1 + below(market, R_FLOW, order.qty - 1))
    elif kind == 2:
        _modify_qty(market, slot, order.qty + pick(market, R_FLOW, market.size_law, MAX_SIZE + 1))
    elif kind == 3:
        _modify_qty(market, slot, np.int64(order.qty))
    elif order.agent == 0 and not must_stay(market, slot):
        _reprice(market, slot)


@kernel(**INNER)
def _reprice(market, slot):
    cell = np.int64(market.orders[slot].cell)
    inst, tick, side = inst_of(cell), tick_of(cell), cell & 1
    away = -1 if side == BID else 1
    if chance(market, R_FLOW, market.p_follow) and tick != touch_of(market, inst, side):
        target = near_tick(market, inst, side)
    else:
        step = 1 + below(market, R_FLOW, 3)
        target = held_back(market, inst, side, tick + (step if below(market, R_FLOW, 2) == 0 else -step))
    if target == tick:
        target = tick + away * (1 + below(market, R_FLOW, 3))
    move_order(market, slot, diverted(market, inst, side, target))


@kernel(**INNER)
def imbalance_step(market):
    """Imbalance of the best queues of the front outright as a row of the logistic table."""
    front = market.inst[FRONT]
    if front.bid < 0 or front.ask >= TICKS:
        return np.int64(LOGIT_STEPS // 2)
    bids = np.int64(market.cells[cell_of(FRONT, front.bid, BID), QTY])
    asks = np.int64(market.cells[cell_of(FRONT, front.ask, ASK), QTY])
    return LOGIT_STEPS * bids // max(bids + asks, 1)


@kernel(**INNER)
def start_metaorder(market, k):
    """A new large order behind child `k` of the book of metaorders: its side and size."""
    row = market.meta[k]
    market.meta_id += 1
    row.id = market.meta_id
    row.side = below(market, R_META, 2)
    row.left = pick(market, R_META, market.meta_law, market.meta_law.shape[0])


@kernel(**INNER)
def trade_at_market(market):
    """An aggressor: a child of a metaorder, or one whose side follows the imbalance of the best queues."""
    inst = pick(market, R_FLOW, market.inst_law, INSTRUMENTS)
    qty = pick(market, R_FLOW, market.market_law, MAX_SIZE + 1)
    side, meta = np.int64(0), np.int64(0)
    if inst != FRONT:
        side = below(market, R_FLOW, 2)
    elif market.n_meta > 0 and chance(market, R_META, market.p_meta):
        k = below(market, R_META, market.n_meta)
        row = market.meta[k]
        side, meta = row.side, row.id
        qty = min(qty, row.left)
        row.left -= qty
        if row.left <= 0:
            start_metaorder(market, k)
    else:
        # side BID buys; buyers are likelier the longer the bid queue is against the ask queue
        side = BID if chance(market, R_FLOW, market.logit[imbalance_step(market)]) else ASK
    if inst == FRONT:
        market.flow_sign += _FLOW_WEIGHT * ((1.0 if side == BID else -1.0) - market.flow_sign)
    if inst == SPREAD and chance(market, R_FLOW, market.p_implied):
        implied_trade(market, side, qty)
        return
    passive = 1 - side
    tick = best(market, inst, passive)
    if tick < 0 or tick >= TICKS:
        return
    before = tick
    limit, rests = tick, False
    if chance(market, R_FLOW, market.p_exact):
        qty = np.int64(market.orders[market.cells[cell_of(inst, tick, passive), HEAD]].qty)
    if inst == FRONT and market.mode != WALK:
        rests = chance(market, R_FLOW, market.p_limit)
        if not rests:
            reach = market.max_levels
            limit = min(tick + reach, NO_ASK - 20) if passive == ASK else max(tick - reach, 20)
    begin(market, market.clock)
    order_id = new_id(market)
    if meta > 0:
        tag(market, order_id, 0, 0, meta, 0, 0)
    cls = 3 + below(market, R_FLOW, 2)
    aggress(market, inst, side, qty, limit, rests, cls, order_id, 0)
    if market.mode == WALK and inst == FRONT and best(market, FRONT, passive) != before:
        seed_level(market, FRONT, passive, before)
    close(market)


@kernel(**INNER)
def seed_level(market, inst, side, tick):
    """Within the running event, bring a level to a queue drawn around the usual best queue."""
    wanted = np.int64(market.mean_queue[0] * (0.5 + below(market, R_FLOW, 1_000) * 0.001)) + 1
    while displayed(market, inst, tick, side) < wanted:
        qty = min(pick(market, R_FLOW, market.size_law, MAX_SIZE + 1), wanted)
        cls = pick(market, R_FLOW, market.class_law[0], CLASSES)
        add(market, inst, side, tick, qty, max(cls, 3), 0, 0, new_id(market))


@kernel()
def start_metaorders(market):
    """Schedule the first child of every large order of the date."""
    for k in range(market.n_meta):
        start_metaorder(market, k)
