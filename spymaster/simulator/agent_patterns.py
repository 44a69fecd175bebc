"""Planted participants whose orders belong together: large orders in slices, layers, pairs, bursts, signatures."""

from __future__ import annotations

from spymaster.jit import kernel
from spymaster.simulator.agent_hands import (
    DUE,
    FREE,
    GAP_NS,
    RESTING,
    TIMER,
    UNDO,
    WAITING,
    all_free,
    answer_later,
    free_row,
    next_arrival,
    note_response,
    owns,
    place,
    place_at,
    take_back,
    tick_near,
    withdraw,
)
from spymaster.simulator.background import held_back
from spymaster.simulator.layout import ASK, BID, INNER, MAX_HELD
from spymaster.simulator.rng import about, below
from spymaster.simulator.wake import AGENT, wake_at

PAIR_GAP_NS = 400
"""Between the two orders of a pair: the same microsecond."""


@kernel(**INNER)
def native_iceberg(market, k, data):
    """At Poisson times an order at the best price that shows its peak only; what is left after its life goes."""
    agent = market.agents[k]
    if data >= 0:
        withdraw(market, k, data)
        agent.held[data].state = FREE
        return
    h = free_row(market, k)
    if h >= 0:
        place(market, k, h, below(market, agent.stream, 2), 0, agent.size, agent.total - agent.size)
        wake_at(market, market.clock + agent.life, AGENT, k, h)
    next_arrival(market, k)


@kernel(**INNER)
def synthetic_iceberg(market, k, data):
    """At Poisson times a large order in slices: a lag after one is filled, the next comes at the same price.

    `held.n` is what is left to place. The rest goes after the life of the whole.
    """
    agent = market.agents[k]
    if data == TIMER:
        h = free_row(market, k)
        if h >= 0:
            one = agent.held[h]
            one.n = agent.total
            side = below(market, agent.stream, 2)
            _slice(market, k, h, side, tick_near(market, k, side, 0))
            wake_at(market, market.clock + agent.life, AGENT, k, UNDO + h)
        next_arrival(market, k)
    elif data >= UNDO:
        withdraw(market, k, data - UNDO)
        agent.held[data - UNDO].state = FREE
    elif agent.held[data].state == WAITING:
        one = agent.held[data]
        _slice(market, k, data, one.side, held_back(market, agent.inst, one.side, one.tick))
        note_response(market, k, data)


@kernel(**INNER)
def _slice(market, k, h, side, tick):
    agent = market.agents[k]
    one = agent.held[h]
    qty = agent.size + below(market, agent.stream, 2 * agent.vary + 1) - agent.vary
    qty = min(qty, one.n)
    place_at(market, k, h, side, tick, qty, 0)
    one.n -= qty


@kernel(**INNER)
def refill_later(market, k):
    """After a trade: each slice that it filled will be followed by the next."""
    for h in range(MAX_HELD):
        one = market.agents[k].held[h]
        if one.state == RESTING and one.n > 0 and not owns(market, k, h):
            answer_later(market, k, h, WAITING)


@kernel(**INNER)
def layerer(market, k, data):
    """A small order on one side and large ones on the other, which go together a lag after the small one is hit."""
    agent = market.agents[k]
    if data == TIMER:
        if all_free(market, k, agent.orders + 1):
            agent.episode += 1
            side = below(market, agent.stream, 2)
            for h in range(agent.orders + 1):
                one = agent.held[h]
                one.state, one.side, one.event = WAITING, 1 - side if h == 0 else side, 0
                # the large orders first
                after = agent.orders + 1 if h == 0 else h
                wake_at(market, market.clock + after * GAP_NS, AGENT, k, h)
            wake_at(market, market.clock + agent.life, AGENT, k, UNDO + agent.episode)
        next_arrival(market, k)
    elif data >= UNDO:
        if data == UNDO + agent.episode and agent.held[0].state == RESTING:
            withdraw(market, k, 0)
            _undo(market, k)
    elif agent.held[data].state == WAITING:
        if data == 0:
            place(market, k, 0, agent.held[0].side, 0, agent.size, 0)
        else:
            place(market, k, data, agent.held[data].side, agent.distance + data - 1, agent.total, 0)
    elif data == 0:
        small = agent.held[0]
        for h in range(1, agent.orders + 1):
            agent.held[h].event, agent.held[h].ts = small.event, small.ts
        _undo(market, k)
    else:
        take_back(market, k, data)


@kernel(**INNER)
def _undo(market, k):
    """All large orders go, one after the other; the episode is over."""
    agent = market.agents[k]
    agent.held[0].state = FREE
    for h in range(1, agent.orders + 1):
        agent.held[h].state = DUE
        wake_at(market, market.clock + h * GAP_NS, AGENT, k, h)


@kernel(**INNER)
def hit_later(market, k):
    """After a trade: if it hit the small order of a layerer, the large ones have done their work."""
    agent = market.agents[k]
    one = agent.held[0]
    if one.state == RESTING and (not owns(market, k, 0) or market.orders[one.slot].qty < agent.size):
        answer_later(market, k, 0, DUE)


@kernel(**INNER)
def co_placer(market, k, data):
    """At Poisson times a bid and an ask of one size in one microsecond, `total` ticks apart where the market is one
    tick wide, and cancelled in one microsecond.

    The pair has rows `h` (even, bid) and `h + 1`; both cancels answer the pair's first add.
    """
    agent = market.agents[k]
    if data == TIMER:
        h = _free_pair(market, k)
        if h >= 0:
            place(market, k, h, BID, (agent.total - 1) // 2, agent.size, 0)
            bid, ask = agent.held[h], agent.held[h + 1]
            bid.event, bid.ts = market.event_id, market.clock
            ask.event, ask.ts = market.event_id, market.clock
            ask.state = WAITING
            life = about(market, agent.stream, agent.life, agent.lag_sd)
            wake_at(market, market.clock + PAIR_GAP_NS, AGENT, k, h + 1)
            wake_at(market, market.clock + life, AGENT, k, h)
            wake_at(market, market.clock + life + PAIR_GAP_NS, AGENT, k, h + 1)
        next_arrival(market, k)
    elif agent.held[data].state == WAITING:
        place(market, k, data, ASK, agent.total // 2, agent.size, 0)
    else:
        take_back(market, k, data)


@kernel(**INNER)
def _free_pair(market, k):
    for h in range(0, MAX_HELD - 1, 2):
        if market.agents[k].held[h].state == FREE and market.agents[k].held[h + 1].state == FREE:
            return h
    return -1


@kernel(**INNER)
def stuffer(market, k, data):
    """At Poisson times a burst: one order after the other is added behind the best price and cancelled at once."""
    agent = market.agents[k]
    one = agent.held[0]
    if data == TIMER:
        if one.state == FREE:
            one.state = WAITING
            one.side = below(market, agent.stream, 2)
            agent.due = market.clock + agent.life
            wake_at(market, market.clock + GAP_NS, AGENT, k, 0)
        next_arrival(market, k)
        return
    if one.state == WAITING:
        place(market, k, 0, one.side, agent.distance, agent.size, 0)
    elif withdraw(market, k, 0) or not owns(market, k, 0):
        one.state = WAITING if market.clock < agent.due else FREE
    if one.state != FREE:
        wake_at(market, market.clock + about(market, agent.stream, agent.lag, agent.lag_sd), AGENT, k, 0)


@kernel(**INNER)
def fingerprint(market, k, data):
    """At Poisson times a few orders of the same rare sizes in the same order, cancelled together after their life."""
    agent = market.agents[k]
    if data == TIMER:
        if all_free(market, k, agent.orders):
            side = below(market, agent.stream, 2)
            for h in range(agent.orders):
                agent.held[h].state, agent.held[h].side, agent.held[h].event = WAITING, side, 0
                wake_at(market, market.clock + GAP_NS + h * agent.lag, AGENT, k, h)
                wake_at(market, market.clock + agent.life + h * GAP_NS, AGENT, k, h)
        next_arrival(market, k)
    elif agent.held[data].state == WAITING:
        place(market, k, data, agent.held[data].side, agent.distance, agent.sizes[data], 0)
    else:
        take_back(market, k, data)
