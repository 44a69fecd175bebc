"""Planted participants: each acts on its own wake-ups and on what it sees, and the truth tables name its orders.

An agent is a row of `market.agents`; the step of its kind is called when one of its wake-ups is due. Agents act on the
book as it is when they act, and their orders queue and trade like anyone's. What they have in common is in
`agent_hands`, what each kind does in `agent_quoting`, `agent_patterns` and `agent_hedging`.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.market.dbn import ACTION_ADD
from spymaster.simulator.agent_hands import AGAIN_NS, DUE, FREE, RESTING, TIMER, answer_later
from spymaster.simulator.agent_hedging import dealer_hedger, hedge_later
from spymaster.simulator.agent_patterns import (
    co_placer,
    fingerprint,
    hit_later,
    layerer,
    native_iceberg,
    refill_later,
    stuffer,
    synthetic_iceberg,
)
from spymaster.simulator.agent_quoting import (
    ON_LARGE_ADD,
    ON_TRADE,
    first_tick,
    fleeting_quoter,
    peg,
    periodic_bot,
    react_later,
    reaction_bot,
)
from spymaster.simulator.layout import BID, FRONT, INNER, MAX_HELD
from spymaster.simulator.wake import AGENT, wake_at

NATIVE_ICEBERG, PERIODIC_BOT, FLEETING_QUOTER, REACTION_BOT, PEG, LAYERER = 0, 1, 2, 3, 4, 5
SYNTHETIC_ICEBERG, CO_PLACER, STUFFER, FINGERPRINT, DEALER_HEDGER = 6, 7, 8, 9, 10


@kernel()
def start_agents(market):
    """At the start of trading: no agent holds an order, and each has its first wake-up."""
    market.told_bid, market.told_ask = market.inst[FRONT].bid, market.inst[FRONT].ask
    market.told_volume = market.inst[FRONT].volume
    market.watch_adds = 0
    for k in range(market.n_agents):
        agent = market.agents[k]
        if agent.kind == REACTION_BOT and agent.trigger == ON_LARGE_ADD:
            market.watch_adds = 1
        for h in range(MAX_HELD):
            agent.held[h].state = FREE
        agent.start = market.clock
        agent.due = market.clock + AGAIN_NS
        if agent.kind == PERIODIC_BOT:
            first_tick(market, k)
        wake_at(market, agent.due, AGENT, k, TIMER)


@kernel(**INNER)
def step(market, k, data):
    """One turn of an agent."""
    kind = market.agents[k].kind
    if kind == NATIVE_ICEBERG:
        native_iceberg(market, k, data)
    elif kind == PERIODIC_BOT:
        periodic_bot(market, k, data)
    elif kind == FLEETING_QUOTER:
        fleeting_quoter(market, k, data)
    elif kind == REACTION_BOT:
        reaction_bot(market, k, data)
    elif kind == PEG:
        peg(market, k, data)
    elif kind == LAYERER:
        layerer(market, k, data)
    elif kind == SYNTHETIC_ICEBERG:
        synthetic_iceberg(market, k, data)
    elif kind == CO_PLACER:
        co_placer(market, k, data)
    elif kind == STUFFER:
        stuffer(market, k, data)
    elif kind == FINGERPRINT:
        fingerprint(market, k, data)
    else:
        dealer_hedger(market, k, data)


@kernel(**INNER)
def _largest_add(market):
    """Contracts of the largest order of the front outright that an event not told yet has added; 0 without one."""
    largest = 0
    if market.told_event == market.event_id:
        return largest
    market.told_event = market.event_id
    for k in range(market.event_from, market.n):
        row = market.out[k]
        if row.action == ACTION_ADD and row.instrument_id == market.inst[FRONT].id:
            largest = max(largest, np.int64(row.size))
    return largest


@kernel()
def notify(market):
    """After an event of the front outright: tell the agents that watch for what it was."""
    if market.n_agents == 0:
        return
    front = market.inst[FRONT]
    bid, ask = front.bid != market.told_bid, front.ask != market.told_ask
    trade = front.volume != market.told_volume
    added = _largest_add(market) if market.watch_adds else 0
    if not (bid or ask or trade or added > 0):
        return
    market.told_bid, market.told_ask, market.told_volume = front.bid, front.ask, front.volume
    for k in range(market.n_agents):
        agent = market.agents[k]
        if agent.kind == REACTION_BOT:
            if agent.trigger == ON_LARGE_ADD:
                seen = added >= agent.least
            elif agent.trigger == ON_TRADE:
                seen = trade
            else:
                seen = bid or ask
            if seen:
                react_later(market, k)
        elif agent.kind == PEG:
            for h in range(agent.orders):
                one = agent.held[h]
                if one.state == RESTING and (bid if one.side == BID else ask):
                    answer_later(market, k, h, DUE)
        elif agent.kind == LAYERER and trade:
            hit_later(market, k)
        elif agent.kind == DEALER_HEDGER and (bid or ask):
            hedge_later(market, k)
        elif agent.kind == SYNTHETIC_ICEBERG and trade:
            refill_later(market, k)
