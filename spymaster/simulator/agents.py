"""Planted participants: each acts on its own wake-ups and on what it sees, and the truth tables name its orders.

An agent is a row of `market.agents` with orders that it holds; the step of its kind is called when one of its wake-ups
is due. `data` of a wake-up says whose turn it is: `TIMER` for the agent itself, `UNDO` and above for the end of an
episode, else the row of `held`. Agents act on the book as it is when they act, their orders queue and trade like
anyone's, and all their draws come from their own stream.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.background import cancel_order, held_back, move_order, must_stay, touch_of
from spymaster.simulator.emit import begin, close
from spymaster.simulator.ladder import add, next_id, tick_of
from spymaster.simulator.layout import AGENT_CLASS, BID, FRONT, INNER, MAX_HELD
from spymaster.simulator.rng import about, below, chance, exponential
from spymaster.simulator.wake import AGENT, wake_at

NATIVE_ICEBERG, PERIODIC_BOT, FLEETING_QUOTER, REACTION_BOT, PEG, LAYERER = 0, 1, 2, 3, 4, 5
ON_TRADE, ON_QUOTE = 0, 1
"""What a reaction bot answers to."""
ADDS, CANCELS, REPRICES = 0, 1, 2
"""How it answers."""

TIMER, UNDO = -1, 1 << 20
FREE, WAITING, RESTING, DUE = 0, 1, 2, 3
"""A row of `held`: unused; an order will be placed; an order rests (or has been filled); it rests and an action is
due."""
_GAP_NS = 2_000
"""Between two messages of an agent."""
_AGAIN_NS = 1_000_000


@kernel()
def start_agents(market):
    """At the start of trading: no agent holds an order, and each has its first wake-up."""
    market.told_bid, market.told_ask = market.inst[FRONT].bid, market.inst[FRONT].ask
    market.told_volume = market.inst[FRONT].volume
    for k in range(market.n_agents):
        agent = market.agents[k]
        for h in range(MAX_HELD):
            agent.held[h].state = FREE
        agent.start = market.clock
        agent.due = market.clock + _AGAIN_NS
        if agent.kind == PERIODIC_BOT:
            # clocks strike at whole periods of the day
            agent.due += agent.period - (agent.due - market.day) % agent.period
        wake_at(market, agent.due, AGENT, k, TIMER)


@kernel(**INNER)
def step(market, k, data):
    """One turn of an agent."""
    kind = market.agents[k].kind
    if kind == NATIVE_ICEBERG:
        _native_iceberg(market, k, data)
    elif kind == PERIODIC_BOT:
        _periodic_bot(market, k, data)
    elif kind == FLEETING_QUOTER:
        _fleeting_quoter(market, k, data)
    elif kind == REACTION_BOT:
        _reaction_bot(market, k, data)
    elif kind == PEG:
        _peg(market, k, data)
    else:
        _layerer(market, k, data)


@kernel()
def notify(market):
    """After an event: tell the agents that watch for trades or for changed best prices of the front outright."""
    if market.n_agents == 0:
        return
    front = market.inst[FRONT]
    bid, ask = front.bid != market.told_bid, front.ask != market.told_ask
    trade = front.volume != market.told_volume
    if not (bid or ask or trade):
        return
    market.told_bid, market.told_ask, market.told_volume = front.bid, front.ask, front.volume
    for k in range(market.n_agents):
        agent = market.agents[k]
        if agent.kind == REACTION_BOT:
            if trade if agent.trigger == ON_TRADE else (bid or ask):
                _react_later(market, k)
        elif agent.kind == PEG:
            for h in range(agent.orders):
                one = agent.held[h]
                if one.state == RESTING and (bid if one.side == BID else ask):
                    _answer_later(market, k, h, DUE)
        elif agent.kind == LAYERER and trade:
            one = agent.held[0]
            if one.state == RESTING and (not _owns(market, k, 0) or market.orders[one.slot].qty < agent.size):
                # the small order has been hit: the large ones have done their work
                _answer_later(market, k, 0, DUE)


@kernel(**INNER)
def _owns(market, k, h):
    """Whether the order of a row of `held` still rests."""
    one = market.agents[k].held[h]
    return one.state >= RESTING and market.orders[one.slot].live == 1 and market.orders[one.slot].id == one.id


@kernel(**INNER)
def _free_row(market, k):
    """An unused row of `held`, -1 if there is none."""
    for h in range(MAX_HELD):
        if market.agents[k].held[h].state == FREE:
            return h
    return -1


@kernel(**INNER)
def _place(market, k, h, side, distance, qty, hidden):
    """Add an order at a distance from the best price of its side, and hold it."""
    agent = market.agents[k]
    away = -distance if side == BID else distance
    tick = held_back(market, agent.inst, side, touch_of(market, agent.inst, side) + away)
    begin(market, market.clock)
    order_id = next_id(market, agent.stream)
    slot = add(market, agent.inst, side, tick, qty, AGENT_CLASS, hidden, agent.id, order_id)
    close(market)
    one = agent.held[h]
    one.state, one.slot, one.id, one.side = RESTING, slot, order_id, side


@kernel(**INNER)
def _withdraw(market, k, h):
    """Cancel a held order if it still rests and may go; returns whether it did."""
    if not _owns(market, k, h) or must_stay(market, market.agents[k].held[h].slot):
        return False
    cancel_order(market, market.agents[k].held[h].slot)
    return True


@kernel(**INNER)
def _answer_later(market, k, h, state):
    """The event that has just ended will be answered after the agent's lag."""
    agent = market.agents[k]
    one = agent.held[h]
    one.state, one.event, one.ts = state, market.event_id, market.clock
    wake_at(market, market.clock + about(market, agent.stream, agent.lag, agent.lag_sd), AGENT, k, h)


@kernel(**INNER)
def _note_response(market, k, h):
    """Note for the truth tables that the event just made answers another one."""
    one = market.agents[k].held[h]
    row = market.responses[market.n_responses]
    row.agent, row.event, row.id = market.agents[k].id, one.event, one.id
    row.ts_trigger, row.ts = one.ts, market.clock
    market.n_responses += 1


@kernel(**INNER)
def _next_arrival(market, k):
    """The next timer of an agent that comes at Poisson times."""
    agent = market.agents[k]
    wait = 1 + np.int64(exponential(market, agent.stream) * agent.period)
    wake_at(market, market.clock + wait, AGENT, k, TIMER)


@kernel(**INNER)
def _native_iceberg(market, k, data):
    """At Poisson times an order at the best price that shows its peak only; what is left after its life goes."""
    agent = market.agents[k]
    if data >= 0:
        _withdraw(market, k, data)
        agent.held[data].state = FREE
        return
    h = _free_row(market, k)
    if h >= 0:
        _place(market, k, h, below(market, agent.stream, 2), 0, agent.size, agent.total - agent.size)
        wake_at(market, market.clock + agent.life, AGENT, k, h)
    _next_arrival(market, k)


@kernel(**INNER)
def _periodic_bot(market, k, data):
    """Every period, while busy, the order of the period before goes and a new one comes."""
    agent = market.agents[k]
    if data >= 0:
        _place(market, k, 0, below(market, agent.stream, 2), agent.distance, agent.size, 0)
        return
    _withdraw(market, k, 0)
    if (agent.due - agent.start) % agent.cycle < agent.busy:
        wake_at(market, market.clock + _GAP_NS, AGENT, k, 0)
    agent.due += agent.period
    wake_at(market, agent.due + below(market, agent.stream, agent.jitter + 1), AGENT, k, TIMER)


@kernel(**INNER)
def _fleeting_quoter(market, k, data):
    """At Poisson times an order near the best price, cancelled at an age that hardly varies."""
    agent = market.agents[k]
    if data >= 0:
        if _withdraw(market, k, data):
            _note_response(market, k, data)
        elif _owns(market, k, data):
            wake_at(market, market.clock + _AGAIN_NS, AGENT, k, data)
            return
        agent.held[data].state = FREE
        return
    h = _free_row(market, k)
    if h >= 0:
        side, distance = below(market, agent.stream, 2), below(market, agent.stream, agent.distance + 1)
        _place(market, k, h, side, distance, agent.size, 0)
        _answer_later(market, k, h, RESTING)
    _next_arrival(market, k)


@kernel(**INNER)
def _react_later(market, k):
    """Perhaps answer the event that has just ended: with a new order, or with one that rests."""
    agent = market.agents[k]
    if not chance(market, agent.stream, agent.p):
        return
    if agent.action == ADDS:
        h = _free_row(market, k)
        if h >= 0:
            _answer_later(market, k, h, WAITING)
        return
    h = below(market, agent.stream, agent.orders)
    if agent.held[h].state == RESTING and _owns(market, k, h):
        _answer_later(market, k, h, DUE)


@kernel(**INNER)
def _reaction_bot(market, k, data):
    """A new order, a cancel or a move, a fixed lag after the trigger; orders that it needs are placed every period."""
    agent = market.agents[k]
    if data < 0:
        if agent.action != ADDS:
            _keep_orders(market, k)
        return
    one = agent.held[data]
    if agent.action == ADDS:
        if one.state == WAITING:
            _place(market, k, data, below(market, agent.stream, 2), agent.distance, agent.size, 0)
            _note_response(market, k, data)
            wake_at(market, market.clock + agent.life, AGENT, k, data)
        else:
            _withdraw(market, k, data)
            one.state = FREE
    elif one.state == DUE:
        if agent.action == CANCELS:
            if _withdraw(market, k, data):
                _note_response(market, k, data)
            one.state = RESTING
        else:
            shift = 1 + below(market, agent.stream, 3)
            _move(market, k, data, agent.distance + shift)
            one.state = RESTING
    else:
        _place(market, k, data, data & 1, agent.distance, agent.size, 0)


@kernel(**INNER)
def _move(market, k, h, distance):
    """Reprice a held order to a distance from the best price, unless it is there; a response."""
    agent = market.agents[k]
    one = agent.held[h]
    if not _owns(market, k, h) or must_stay(market, one.slot):
        return
    away = -distance if one.side == BID else distance
    target = held_back(market, agent.inst, one.side, touch_of(market, agent.inst, one.side) + away)
    if target != tick_of(market.orders[one.slot].cell):
        move_order(market, one.slot, target)
        one.n += 1
        _note_response(market, k, h)


@kernel(**INNER)
def _keep_orders(market, k):
    """Replace the orders that are gone, one after the other, and look again after a period."""
    agent = market.agents[k]
    n = 0
    for h in range(agent.orders):
        state = agent.held[h].state
        if state == FREE or (state == RESTING and not _owns(market, k, h)):
            n += 1
            agent.held[h].state = WAITING
            wake_at(market, market.clock + n * _GAP_NS, AGENT, k, h)
    wake_at(market, market.clock + agent.period, AGENT, k, TIMER)


@kernel(**INNER)
def _peg(market, k, data):
    """Orders that follow the best price of their side under one id, until they have moved often enough."""
    agent = market.agents[k]
    if data < 0:
        _keep_orders(market, k)
        return
    one = agent.held[data]
    if one.state == WAITING:
        _place(market, k, data, data & 1, agent.distance, agent.size, 0)
        one.n = 0
    elif one.state == DUE:
        one.state = RESTING
        if one.n < agent.chain:
            _move(market, k, data, agent.distance)
        else:
            _withdraw(market, k, data)


@kernel(**INNER)
def _layerer(market, k, data):
    """A small order on one side and large ones on the other, which go together a lag after the small one is hit."""
    agent = market.agents[k]
    if data == TIMER:
        if agent.held[0].state == FREE:
            agent.episode += 1
            side = below(market, agent.stream, 2)
            for h in range(agent.orders + 1):
                one = agent.held[h]
                one.state, one.side, one.event = WAITING, 1 - side if h == 0 else side, 0
                # the large orders first
                after = agent.orders + 1 if h == 0 else h
                wake_at(market, market.clock + after * _GAP_NS, AGENT, k, h)
            wake_at(market, market.clock + agent.life, AGENT, k, UNDO + agent.episode)
        _next_arrival(market, k)
    elif data >= UNDO:
        if data == UNDO + agent.episode and agent.held[0].state == RESTING:
            _withdraw(market, k, 0)
            _undo(market, k)
    elif agent.held[data].state == WAITING:
        if data == 0:
            _place(market, k, 0, agent.held[0].side, 0, agent.size, 0)
        else:
            _place(market, k, data, agent.held[data].side, agent.distance + data - 1, agent.total, 0)
    elif data == 0:
        small = agent.held[0]
        for h in range(1, agent.orders + 1):
            agent.held[h].event, agent.held[h].ts = small.event, small.ts
        _undo(market, k)
    else:
        if _withdraw(market, k, data) and agent.held[data].event > 0:
            _note_response(market, k, data)
        agent.held[data].state = FREE


@kernel(**INNER)
def _undo(market, k):
    """All large orders go, one after the other; the episode is over."""
    agent = market.agents[k]
    agent.held[0].state = FREE
    for h in range(1, agent.orders + 1):
        agent.held[h].state = DUE
        wake_at(market, market.clock + h * _GAP_NS, AGENT, k, h)
