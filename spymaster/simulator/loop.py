"""The market's clock: background events, wake-ups and whole seconds, in order of time."""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.activity import BACKGROUND, NOTHING, begin_second, excite, next_time
from spymaster.simulator.agents import notify, step
from spymaster.simulator.background import add_limit, cancel_any, modify_any, trade_at_market
from spymaster.simulator.emit import full
from spymaster.simulator.ladder import cell_of
from spymaster.simulator.layout import (
    ASK,
    BID,
    COUNT,
    DONE,
    DRAIN,
    FRONT,
    INNER,
    INSTRUMENTS,
    LEVELS,
    PRE_OPEN,
    PROFILE_TICKS,
    QTY,
    R_FLOW,
    R_PRICE,
    TICKS,
)
from spymaster.simulator.quotes import follow, jump, news, observe, quote, repair, retreat
from spymaster.simulator.rng import below, pick
from spymaster.simulator.script_orders import script_act
from spymaster.simulator.scripts import script_notify, script_step
from spymaster.simulator.usual_rest import note_rested
from spymaster.simulator.wake import AGENT, FOLLOW, JUMP, NEWS, QUOTE_INSIDE, REPAIR, RETREAT, SCRIPT, pop_wake

ADD, MODIFY, MATCH = 0, 1, 2
_NS = 1_000_000_000
_MEAN_QUEUE_WEIGHT = 1.0 / 600.0
"""Usual queues are remembered over ten minutes."""


@kernel()
def run(market):
    """Let the market live until `market.until` (ns); returns `DONE`, `DRAIN` (empty the buffers, call again) or what
    overflowed."""
    market.code = DONE
    while market.clock < market.until:
        if full(market):
            return DRAIN
        bound = min(market.next_second, market.until)
        if market.n_wake > 0:
            bound = min(bound, market.heap[0].ts)
        what = next_time(market, bound) if bound > market.clock else NOTHING
        if what == NOTHING:
            if market.clock >= market.next_second:
                _end_second(market)
            elif market.n_wake > 0 and market.heap[0].ts <= market.clock:
                _wake(market)
                observe(market)
                _tell(market)
        else:
            if what == BACKGROUND:
                excite(market)
                kind = pick(market, R_FLOW, market.kind_law, 4)
                if kind == MODIFY:
                    modify_any(market)
                elif kind == MATCH and market.phase != PRE_OPEN:
                    trade_at_market(market)
                else:
                    add_limit(market)
            else:
                cancel_any(market)
            observe(market)
            _tell(market)
        if market.code != DONE:
            return market.code
    return DONE


@kernel(**INNER)
def _tell(market):
    """Agents and scripts learn of the event that has just ended."""
    notify(market)
    if market.n_directives > 0:
        script_notify(market)


@kernel(**INNER)
def _wake(market):
    what, whom, data = pop_wake(market)
    if what == REPAIR:
        repair(market, whom, data)
    elif what == QUOTE_INSIDE:
        quote(market, whom, data)
    elif what == RETREAT:
        retreat(market, whom, data)
    elif what == NEWS:
        news(market)
    elif what == FOLLOW:
        follow(market)
    elif what == JUMP:
        jump(market)
    elif what == AGENT:
        step(market, whom, data)
    elif what == SCRIPT:
        script_step(market, whom, data)
        script_act(market)


@kernel(**INNER)
def _end_second(market):
    """Note the truth at the end of a second and take over the plan of the next one."""
    end = market.next_second
    for inst in range(INSTRUMENTS):
        one = market.inst[inst]
        row = market.seconds[market.n_seconds]
        row.end, row.inst, row.n_orders, row.checksum = end, inst, one.n_orders, one.checksum
        row.origin, row.tick_size = one.origin, one.tick_size
        _best_levels(market, inst, market.n_seconds)
        market.n_seconds += 1
    latent = market.latent[market.n_latent]
    latent.end = end
    latent.rate = market.rate / market.events_per_message
    latent.shape = market.shape[market.second]
    latent.excitement = market.excitement
    latent.walk = market.walk
    net, left = np.int64(0), np.int64(0)
    for k in range(market.n_meta):
        sign = 1 if market.meta[k].side == BID else -1
        net += sign
        left += sign * market.meta[k].left
    latent.meta_net, latent.meta_left = net, left
    latent.messages = market.messages
    market.n_latent += 1
    _remember_queues(market)
    if market.n_path > 0:
        note_rested(market)
    if below(market, R_PRICE, 300) == 0:
        market.carry = below(market, R_PRICE, 3) - 1
    market.next_second = end + _NS
    begin_second(market, min((end - market.day) // _NS, np.int64(86_399)))


@kernel(**INNER)
def _best_levels(market, inst, at):
    for side in range(2):
        tick = market.inst[inst].bid if side == BID else market.inst[inst].ask
        step = -1 if side == BID else 1
        found = 0
        while found < LEVELS and 0 <= tick < TICKS:
            cell = cell_of(inst, tick, side)
            if market.cells[cell, COUNT] > 0:
                market.levels[at, side, 0, found] = tick
                market.levels[at, side, 1, found] = market.cells[cell, QTY]
                market.levels[at, side, 2, found] = market.cells[cell, COUNT]
                found += 1
            tick += step
        for k in range(found, LEVELS):
            market.levels[at, side, 2, k] = 0


@kernel(**INNER)
def _remember_queues(market):
    front = market.inst[FRONT]
    if front.bid < PROFILE_TICKS or front.ask >= TICKS - PROFILE_TICKS:
        return
    for k in range(PROFILE_TICKS):
        bids = market.cells[cell_of(FRONT, front.bid - k, BID), QTY]
        asks = market.cells[cell_of(FRONT, front.ask + k, ASK), QTY]
        market.mean_queue[k] += _MEAN_QUEUE_WEIGHT * (0.5 * (bids + asks) - market.mean_queue[k])
