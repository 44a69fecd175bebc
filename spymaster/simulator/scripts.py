"""Scripts: planted scenes, by ordinary orders that a controller sends while it watches the book.

A script is two arrays. `market.path` is a band for the mid price, as (time, low, high) with twice the tick as the unit,
straight lines between its rows: whenever the mid is outside, the controller takes from the queue in the way or
pulls an order from it, one event at a time and the faster the further outside. `market.directives` are tasks with a
start and an end:

- `DEPTH` holds the quantity of a side between two ticks at a multiple of what usually rests on as many ticks, changing
  evenly from `first` to `last`: it adds orders of its own, or pulls others, as `flags` allow;
- `GUARD` keeps an order at one tick that shows `size` and hides the rest, so that no trade goes beyond;
- `PRINT` sees to it that the last trade before each whole second is at one tick, if that is a best price;
- `FLOW` adds, takes, pulls or moves orders between two ticks, at Poisson times, or a lag after trades;
- `ZONE` diverts background orders (see `script_zone`).

Everything obeys the matching and is an event like any other. Orders placed are tagged in the truth with the number of
the directive's kind from `FIRST_SCRIPT` on. Draws come from the script's own stream. What usually rests: see
`usual_rest`.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.background import held_back, must_stay
from spymaster.simulator.ladder import best, cell_of, tick_of
from spymaster.simulator.layout import (
    ASK,
    BID,
    COUNT,
    FIRST_SCRIPT,
    FRONT,
    INNER,
    MAX_PENDING,
    MAX_SIZE,
    QTY,
    R_SCRIPT,
    TAIL,
    TICKS,
)
from spymaster.simulator.rng import below, exponential, pick
from spymaster.simulator.script_orders import ADD, CANCEL, MOVE, NOTHING, PLACE, TAKE
from spymaster.simulator.usual_rest import POINT_TICKS, usual_depth
from spymaster.simulator.wake import SCRIPT, wake_at

STEER, DEPTH, GUARD, PRINT, FLOW, ZONE = 0, 1, 2, 3, 4, 5
MAY_ADD, MAY_PULL = 1, 2
"""What `DEPTH` may do."""
ADDS, TAKES, PULLS, MOVES = 0, 1, 2, 3
"""What `FLOW` does: new orders at the best price, aggressors, cancels, reprices away from the market."""
AT_RANDOM, AFTER_TRADES, LONG_AFTER_TRADES = 0, 1, 2
"""When `FLOW` acts: at Poisson times of mean `period`; `lag` after a trade; after that and up to `spread` more."""

_NS_MS = 1_000_000
_LOOK_NS = 60 * _NS_MS
_PUSH_NS = 60 * _NS_MS
_LEAST_PUSH_NS = 2 * _NS_MS
_MOST_TAKEN = 25
_DEPTH_NS = 100 * _NS_MS
_LEAST_DEPTH_NS = 3 * _NS_MS
_AHEAD_NS = 550 * _NS_MS
"""An order counts as resting half a second later, so depth is built for then."""
_PRINT_NS = 25 * _NS_MS
_PRINT_STEP_NS = 200_000
_BURST_NS = 15_000
_SECOND = 1_000_000_000
_TRIES = 12
_BACK_TICKS = 8
"""What is moved away from the market goes up to so far."""
_NEARER = 3
"""What is pulled or moved is the nearest of one more than so many draws: half of it lies in a sixth of the stretch."""


@kernel()
def start_script(market):
    """At the start of trading: schedule the path and every directive that is still to come."""
    if market.n_path > 1:
        wake_at(market, max(market.clock + _NS_MS, market.path[0].ts), SCRIPT, -1, -1)
    for k in range(market.n_directives):
        task = market.directives[k]
        if task.end > market.clock:
            wake_at(market, max(market.clock + _NS_MS, task.start), SCRIPT, k, -1)
    market.scripted_volume = market.inst[FRONT].volume
    market.bridge.state = 0
    market.bridge.again = market.clock + market.bridge.pause
    market.bridge.last = market.until


@kernel(**INNER)
def script_step(market, k, data):
    """One turn of the path (`k` -1) or of a directive: decides on at most one order, see `script_orders`."""
    front = market.inst[FRONT]
    market.ticket.what = NOTHING
    market.ticket.task, market.ticket.data = k, -1
    if k < 0:
        _steer(market)
        return
    task = market.directives[k]
    if task.kind == ZONE:
        zone = market.zones[task.side]
        zone.low, zone.high, zone.keep, zone.shift, zone.until = task.low, task.high, task.p, task.size, task.end
    elif front.bid < 0 or front.ask >= TICKS:
        wake_at(market, market.clock + _DEPTH_NS, SCRIPT, k, data)
    elif task.kind == DEPTH:
        _depth(market, k)
    elif task.kind == GUARD:
        _guard(market, k)
    elif task.kind == PRINT:
        _print(market, k)
    else:
        _flow(market, k, data)


@kernel(**INNER)
def script_notify(market):
    """After an event: flows that answer to trades learn of it."""
    volume = market.inst[FRONT].volume
    if volume == market.scripted_volume:
        return
    market.scripted_volume = volume
    for k in range(market.n_directives):
        task = market.directives[k]
        if task.kind == FLOW and task.timing != AT_RANDOM and task.start <= market.clock < task.end:
            at = market.pending_at
            market.pending_at = (at + 1) % MAX_PENDING
            row = market.pending[at]
            row.event, row.ts, row.left = market.event_id, market.clock, task.size
            lag = task.lag
            if task.timing == LONG_AFTER_TRADES:
                lag += below(market, R_SCRIPT, task.spread)
            wake_at(market, market.clock + lag, SCRIPT, k, at)


@kernel(**INNER)
def _last_of(market, cell, own):
    """The last order of a queue that is the background's or the agent `own`'s; -1 if there is none."""
    slot = np.int64(market.cells[cell, TAIL])
    while slot >= 0:
        agent = market.orders[slot].agent
        if (agent == 0 or agent == own) and not must_stay(market, slot):
            return slot
        slot = np.int64(market.orders[slot].prev)
    return np.int64(-1)


@kernel(**INNER)
def _push(market, side):
    """One step of the price to a side (BID is up): the queue in the way loses an order, or some of it is taken."""
    passive = 1 - side
    tick = best(market, FRONT, passive)
    if below(market, R_SCRIPT, 2) == 0:
        slot = _last_of(market, cell_of(FRONT, tick, passive), 0)
        if slot >= 0:
            _cancel(market, slot)
            return
    _take(market, side, tick)


@kernel(**INNER)
def _cancel(market, slot):
    market.ticket.what, market.ticket.slot = CANCEL, slot


@kernel(**INNER)
def _take(market, side, tick):
    """An aggressor of ordinary size; side BID buys."""
    ticket = market.ticket
    ticket.what, ticket.side, ticket.tick = TAKE, side, tick
    ticket.qty = min(pick(market, R_SCRIPT, market.market_law, MAX_SIZE + 1), _MOST_TAKEN)


@kernel(**INNER)
def _place(market, side, tick, qty, hidden):
    """A script's own order, which nobody else cancels."""
    ticket = market.ticket
    ticket.what, ticket.side, ticket.tick, ticket.qty, ticket.hidden = PLACE, side, tick, qty, hidden


@kernel(**INNER)
def _steer(market):
    """Keep the mid inside the band of the path."""
    now = market.clock
    while market.path_at + 1 < market.n_path and market.path[market.path_at + 1].ts <= now:
        market.path_at += 1
    if market.path_at + 1 >= market.n_path:
        return
    a, b = market.path[market.path_at], market.path[market.path_at + 1]
    share = (now - a.ts) / (b.ts - a.ts)
    low, high = a.low + (b.low - a.low) * share, a.high + (b.high - a.high) * share
    front = market.inst[FRONT]
    outside = 0.0
    if front.bid >= 0 and front.ask < TICKS:
        middle = front.bid + front.ask
        if middle < low:
            outside = low - middle
            _push(market, BID)
        elif middle > high:
            outside = middle - high
            _push(market, ASK)
    wait = _LOOK_NS + below(market, R_SCRIPT, _LOOK_NS)
    if outside > 0.0:
        wait = min(wait, max(np.int64(_PUSH_NS / outside), _LEAST_PUSH_NS) + below(market, R_SCRIPT, _NS_MS))
    wake_at(market, now + wait, SCRIPT, -1, -1)


@kernel(**INNER)
def _depth(market, k):
    """Bring the quantity on a stretch of ticks a little nearer to what it should be in half a second."""
    task = market.directives[k]
    now = market.clock
    if now >= task.end:
        return
    if task.base <= 0.0:
        task.base = usual_depth(market, task.side)
    share = min((now + _AHEAD_NS - task.start) / (task.end - task.start), 1.0)
    inside, free = 0, 0
    for tick in range(task.low, task.high + 1):
        if held_back(market, FRONT, task.side, tick) == tick:
            inside += np.int64(market.cells[cell_of(FRONT, tick, task.side), QTY])
            free += 1
    wanted = (task.first + (task.last - task.first) * share) * task.base * free / POINT_TICKS
    lacking = wanted - inside
    acted = False
    if lacking > 1.0 and task.flags & MAY_ADD:
        tick = task.low + below(market, R_SCRIPT, task.high - task.low + 1)
        if held_back(market, FRONT, task.side, tick) == tick:
            qty = task.size + below(market, R_SCRIPT, max(task.most - task.size + 1, 1))
            _place(market, task.side, tick, min(qty, max(np.int64(lacking), 1)), 0)
        acted = True
    elif lacking < -task.size and task.flags & MAY_PULL:
        slot = _any_in(market, task.side, task.low, task.high, FIRST_SCRIPT + DEPTH)
        if slot >= 0:
            _cancel(market, slot)
        acted = True
    wait = _DEPTH_NS
    if acted:
        wait = max(np.int64(_DEPTH_NS * 8 / (1.0 + abs(lacking))), _LEAST_DEPTH_NS)
        wait = min(wait, _DEPTH_NS)
    wake_at(market, now + wait // 2 + below(market, R_SCRIPT, wait), SCRIPT, k, -1)


@kernel(**INNER)
def _guard(market, k):
    """An order that shows little and hides much rests at one tick for as long as the directive lasts."""
    task = market.directives[k]
    rests = task.slot >= 0 and market.orders[task.slot].live == 1 and market.orders[task.slot].id == task.order_id
    if market.clock >= task.end:
        if rests:
            _cancel(market, task.slot)
        return
    if not rests and held_back(market, FRONT, task.side, task.low) == task.low:
        _place(market, task.side, task.low, task.size, task.most)
    wake_at(market, min(market.clock + task.period, task.end), SCRIPT, k, -1)


@kernel(**INNER)
def _print(market, k):
    """Shortly before whole seconds, a trade of one at a tick unless the last one was there."""
    task = market.directives[k]
    now = market.clock
    if now >= task.end:
        return
    front = market.inst[FRONT]
    if front.last != task.low:
        side = ASK if front.bid == task.low else BID if front.ask == task.low else -1
        if side >= 0:
            market.ticket.what, market.ticket.side, market.ticket.tick, market.ticket.qty = TAKE, side, task.low, 1
    left = _SECOND - now % _SECOND
    wait = left - _PRINT_NS if left > _PRINT_NS + _PRINT_STEP_NS else _PRINT_STEP_NS
    wake_at(market, now + wait, SCRIPT, k, -1)


@kernel(**INNER)
def _flow(market, k, data):
    """One order of a flow; `data` is the trade that it answers to, or -1."""
    task = market.directives[k]
    now = market.clock
    if task.timing == AT_RANDOM:
        if now < task.end:
            _choose(market, task)
            wake_at(market, now + 1_000 + np.int64(exponential(market, R_SCRIPT) * task.period), SCRIPT, k, -1)
    elif data >= 0:
        _choose(market, task)
        market.ticket.data = data
        market.pending[data].left -= 1
        if market.pending[data].left > 0:
            wake_at(market, now + _BURST_NS, SCRIPT, k, data)


@kernel(**INNER)
def _choose(market, task):
    """What a flow does now, if there is anything to do it to."""
    side = task.side
    if task.action == TAKES:
        tick = best(market, FRONT, 1 - side)
        if task.low <= tick <= task.high:
            _take(market, side, tick)
        return
    if task.action == ADDS:
        tick = min(max(best(market, FRONT, side), task.low), task.high)
        if held_back(market, FRONT, side, tick) == tick:
            _place(market, side, tick, pick(market, R_SCRIPT, market.size_law, MAX_SIZE + 1), 0)
            # of an ordinary class: the background treats it, and takes it away, as one of its own
            market.ticket.what = ADD
        return
    slot = _near_first(market, side, task.low, task.high)
    if slot < 0:
        return
    _cancel(market, slot)
    if task.action == MOVES:
        tick = tick_of(market.orders[slot].cell)
        back = 1 + below(market, R_SCRIPT, _BACK_TICKS)
        market.ticket.what = MOVE
        market.ticket.tick = held_back(market, FRONT, side, tick - back if side == BID else tick + back)


@kernel(**INNER)
def _any_in(market, side, low, high, own):
    """Some order of the background, or of the agent `own`, on a stretch of ticks; -1 if a dozen tries find none."""
    for _ in range(_TRIES):
        tick = low + below(market, R_SCRIPT, high - low + 1)
        cell = cell_of(FRONT, tick, side)
        if market.cells[cell, COUNT] > 0:
            slot = _last_of(market, cell, own)
            if slot >= 0:
                return slot
    return np.int64(-1)


@kernel(**INNER)
def _near_first(market, side, low, high):
    """Some order of the background on a stretch of ticks, likely one near the market; -1 if a dozen tries find none.

    Who leaves before a turn leaves from where the market is about to be: what is left rests further away on average.
    """
    touch = best(market, FRONT, side)
    first = min(high, touch) if side == BID else max(low, touch)
    reach = first - low + 1 if side == BID else high - first + 1
    if reach < 1:
        return np.int64(-1)
    for _ in range(_TRIES):
        away = below(market, R_SCRIPT, reach)
        for _ in range(_NEARER):
            away = min(away, below(market, R_SCRIPT, reach))
        cell = cell_of(FRONT, first - away if side == BID else first + away, side)
        if market.cells[cell, COUNT] > 0:
            slot = _last_of(market, cell, 0)
            if slot >= 0:
                return slot
    return np.int64(-1)
