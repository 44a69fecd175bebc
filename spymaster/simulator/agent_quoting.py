"""Planted participants that quote: on a clock, for a fixed time, in answer to others, or after the best price."""

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
    answer_later,
    free_row,
    keep_orders,
    move,
    next_arrival,
    note_response,
    owns,
    place,
    take_back,
    withdraw,
)
from spymaster.simulator.layout import INNER
from spymaster.simulator.rng import below, chance
from spymaster.simulator.wake import AGENT, wake_at

ON_TRADE, ON_QUOTE, ON_LARGE_ADD = 0, 1, 2
"""What a reaction bot answers to."""
ADDS, CANCELS, REPRICES = 0, 1, 2
"""How it answers."""


@kernel(**INNER)
def first_tick(market, k):
    """Move a periodic bot's first turn to a whole period of the day, or to a moment of its own."""
    agent = market.agents[k]
    if agent.aligned:
        agent.due += agent.period - (agent.due - market.day) % agent.period
    else:
        agent.due += below(market, agent.stream, agent.period)


@kernel(**INNER)
def periodic_bot(market, k, data):
    """Every period, while busy, the orders of the period before go and new ones come; each with its own jitter."""
    agent = market.agents[k]
    if data >= UNDO:
        withdraw(market, k, data - UNDO)
    elif data >= 0:
        if not owns(market, k, data):
            place(market, k, data, below(market, agent.stream, 2), agent.distance, agent.size, 0)
        elif withdraw(market, k, data):
            wake_at(market, market.clock + GAP_NS, AGENT, k, data)
    else:
        busy = (agent.due - agent.start) % agent.cycle < agent.busy
        for h in range(agent.orders):
            if busy or owns(market, k, h):
                at = agent.due + h * GAP_NS + below(market, agent.stream, agent.jitter + 1)
                wake_at(market, at, AGENT, k, h if busy else UNDO + h)
        agent.due += agent.period
        wake_at(market, agent.due, AGENT, k, TIMER)


@kernel(**INNER)
def fleeting_quoter(market, k, data):
    """At Poisson times an order near the best price, cancelled at an age that hardly varies."""
    agent = market.agents[k]
    if data >= 0:
        take_back(market, k, data)
        return
    h = free_row(market, k)
    if h >= 0:
        side, distance = below(market, agent.stream, 2), below(market, agent.stream, agent.distance + 1)
        place(market, k, h, side, distance, agent.size, 0)
        answer_later(market, k, h, RESTING)
    next_arrival(market, k)


@kernel(**INNER)
def react_later(market, k):
    """Perhaps answer the event that has just ended: with a new order, or with one that rests."""
    agent = market.agents[k]
    if not chance(market, agent.stream, agent.p):
        return
    if agent.action == ADDS:
        h = free_row(market, k)
        if h >= 0:
            answer_later(market, k, h, WAITING)
        return
    h = below(market, agent.stream, agent.orders)
    if agent.held[h].state == RESTING and owns(market, k, h):
        answer_later(market, k, h, DUE)


@kernel(**INNER)
def reaction_bot(market, k, data):
    """A new order, a cancel or a move, a fixed lag after the trigger; orders that it needs are placed every period."""
    agent = market.agents[k]
    if data < 0:
        if agent.action != ADDS:
            keep_orders(market, k)
        return
    one = agent.held[data]
    if agent.action == ADDS:
        if one.state == WAITING:
            place(market, k, data, below(market, agent.stream, 2), agent.distance, agent.size, 0)
            note_response(market, k, data)
            wake_at(market, market.clock + agent.life, AGENT, k, data)
        else:
            withdraw(market, k, data)
            one.state = FREE
    elif one.state == DUE:
        if agent.action == CANCELS:
            if withdraw(market, k, data):
                note_response(market, k, data)
            one.state = RESTING
        else:
            shift = 1 + below(market, agent.stream, 3)
            move(market, k, data, agent.distance + shift)
            one.state = RESTING
    else:
        place(market, k, data, data & 1, agent.distance, agent.size, 0)


@kernel(**INNER)
def peg(market, k, data):
    """Orders that follow the best price of their side under one id, until they have moved often enough."""
    agent = market.agents[k]
    if data < 0:
        keep_orders(market, k)
        return
    one = agent.held[data]
    if one.state == WAITING:
        place(market, k, data, data & 1, agent.distance, agent.size, 0)
        one.n = 0
    elif one.state == DUE:
        one.state = RESTING
        if one.n < agent.chain:
            move(market, k, data, agent.distance)
        else:
            withdraw(market, k, data)
