"""What every planted participant can do: hold orders, place, move and withdraw them, and note what it answers to.

An agent is a row of `market.agents`; `held[h]` is an order that it holds or is about to place. `data` of a wake-up says
whose turn it is: `TIMER` for the agent itself, `UNDO` and above for the end of an episode, else the row of `held`.
All draws come from the agent's own stream.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.background import cancel_order, held_back, move_order, must_stay, touch_of
from spymaster.simulator.emit import begin, close
from spymaster.simulator.ladder import add, next_id, tick_of
from spymaster.simulator.layout import AGENT_CLASS, BID, INNER, MAX_HELD
from spymaster.simulator.rng import about, exponential
from spymaster.simulator.wake import AGENT, wake_at

TIMER, UNDO = -1, 1 << 20
FREE, WAITING, RESTING, DUE = 0, 1, 2, 3
"""A row of `held`: unused; an order will be placed; an order rests (or has been filled); it rests and an action is
due."""
GAP_NS = 2_000
"""Between two messages of an agent."""
AGAIN_NS = 1_000_000


@kernel(**INNER)
def owns(market, k, h):
    """Whether the order of a row of `held` still rests."""
    one = market.agents[k].held[h]
    return one.state >= RESTING and market.orders[one.slot].live == 1 and market.orders[one.slot].id == one.id


@kernel(**INNER)
def free_row(market, k):
    """An unused row of `held`, -1 if there is none."""
    for h in range(MAX_HELD):
        if market.agents[k].held[h].state == FREE:
            return h
    return -1


@kernel(**INNER)
def all_free(market, k, n):
    """Whether the first `n` rows of `held` are unused."""
    taken = 0
    for h in range(n):
        taken += market.agents[k].held[h].state != FREE
    return taken == 0


@kernel(**INNER)
def tick_near(market, k, side, distance):
    """The tick at a distance behind the best price of a side, or the nearest one where an order crosses nothing."""
    inst = market.agents[k].inst
    away = -distance if side == BID else distance
    return held_back(market, inst, side, touch_of(market, inst, side) + away)


@kernel(**INNER)
def place(market, k, h, side, distance, qty, hidden):
    """Add an order at a distance from the best price of its side, and hold it."""
    place_at(market, k, h, side, tick_near(market, k, side, distance), qty, hidden)


@kernel(**INNER)
def place_at(market, k, h, side, tick, qty, hidden):
    """Add an order at a tick, and hold it."""
    agent = market.agents[k]
    market.planted += 1
    begin(market, market.clock)
    order_id = next_id(market, agent.stream)
    slot = add(market, agent.inst, side, tick, qty, AGENT_CLASS, hidden, agent.id, order_id)
    close(market)
    one = agent.held[h]
    one.state, one.slot, one.id, one.side, one.tick = RESTING, slot, order_id, side, tick


@kernel(**INNER)
def withdraw(market, k, h):
    """Cancel a held order if it still rests and may go; returns whether it did."""
    if not owns(market, k, h) or must_stay(market, market.agents[k].held[h].slot):
        return False
    market.planted += 1
    cancel_order(market, market.agents[k].held[h].slot)
    return True


@kernel(**INNER)
def take_back(market, k, h):
    """Withdraw a held order, an answer to the event noted with it, and free its row.

    An order that may not go yet is asked for again a moment later.
    """
    if withdraw(market, k, h):
        if market.agents[k].held[h].event > 0:
            note_response(market, k, h)
    elif owns(market, k, h):
        wake_at(market, market.clock + AGAIN_NS, AGENT, k, h)
        return
    market.agents[k].held[h].state = FREE


@kernel(**INNER)
def move(market, k, h, distance):
    """Reprice a held order to a distance from the best price, unless it is there; a response."""
    one = market.agents[k].held[h]
    if not owns(market, k, h) or must_stay(market, one.slot):
        return
    target = tick_near(market, k, one.side, distance)
    if target != tick_of(market.orders[one.slot].cell):
        market.planted += 1
        move_order(market, one.slot, target)
        one.n += 1
        note_response(market, k, h)


@kernel(**INNER)
def answer_later(market, k, h, state):
    """The event that has just ended will be answered after the agent's lag."""
    agent = market.agents[k]
    one = agent.held[h]
    one.state, one.event, one.ts = state, market.event_id, market.clock
    wake_at(market, market.clock + about(market, agent.stream, agent.lag, agent.lag_sd), AGENT, k, h)


@kernel(**INNER)
def note_response(market, k, h):
    """Note for the truth tables that the event just made answers another one."""
    one = market.agents[k].held[h]
    row = market.responses[market.n_responses]
    row.agent, row.event, row.id = market.agents[k].id, one.event, one.id
    row.ts_trigger, row.ts = one.ts, market.clock
    market.n_responses += 1


@kernel(**INNER)
def next_arrival(market, k):
    """The next timer of an agent that comes at Poisson times."""
    agent = market.agents[k]
    wait = 1 + np.int64(exponential(market, agent.stream) * agent.period)
    wake_at(market, market.clock + wait, AGENT, k, TIMER)


@kernel(**INNER)
def keep_orders(market, k):
    """Replace the orders that are gone, one after the other, and look again after a period."""
    agent = market.agents[k]
    n = 0
    for h in range(agent.orders):
        state = agent.held[h].state
        if state == FREE or (state == RESTING and not owns(market, k, h)):
            n += 1
            agent.held[h].state = WAITING
            wake_at(market, market.clock + n * GAP_NS, AGENT, k, h)
    wake_at(market, market.clock + agent.period, AGENT, k, TIMER)
