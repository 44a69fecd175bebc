"""Dealers who hedge the gamma of their options with the future: what makes a market calmer, or feeds its moves.

Who is long gamma G gains G contracts of delta for every tick that the future rises, and sells them; who is short gamma
buys what has risen. The sign and the size are planted, in contracts per tick, and no option is needed for it.
"""

from __future__ import annotations

from spymaster.jit import kernel
from spymaster.simulator.agent_hands import DUE, FREE, TIMER, answer_later, note_response
from spymaster.simulator.emit import begin, close
from spymaster.simulator.ladder import next_id, tag
from spymaster.simulator.layout import AGENT_CLASS, ASK, BID, FRONT, INNER
from spymaster.simulator.matching import aggress

PER_CONTRACT = 1_000_000
"""Units of `agent.gamma` in a contract per tick."""
_WORST = 8
"""Ticks beyond the best price that a hedge pays at most."""


@kernel(**INNER)
def _to_hedge(market, k):
    """Delta gained since the start and not sold yet, in halves of a `PER_CONTRACT`."""
    agent, front = market.agents[k], market.inst[FRONT]
    return agent.gamma * (front.bid + front.ask - agent.anchor) - 2 * PER_CONTRACT * agent.total


@kernel(**INNER)
def hedge_later(market, k):
    """After a change of the best prices: a hedge is due once what is to be hedged comes to a move by the band."""
    agent = market.agents[k]
    if agent.held[0].state != FREE or agent.anchor == 0:
        return
    if abs(_to_hedge(market, k)) >= 2 * max(abs(agent.gamma) * agent.distance, PER_CONTRACT):
        answer_later(market, k, 0, DUE)


@kernel(**INNER)
def dealer_hedger(market, k, data):
    """Hedge whole contracts; what is less than one waits for more. `agent.total` is what has been sold so far."""
    agent, front = market.agents[k], market.inst[FRONT]
    if data == TIMER:
        agent.anchor, agent.total = front.bid + front.ask, 0
        return
    one = agent.held[0]
    one.state = FREE
    off = _to_hedge(market, k)
    qty = abs(off) // (2 * PER_CONTRACT)
    if qty == 0:
        return
    side = ASK if off > 0 else BID
    market.planted += 1
    begin(market, market.clock)
    one.id = next_id(market, agent.stream)
    tag(market, one.id, AGENT_CLASS, 0, 0, agent.id, 0)
    limit = front.ask + _WORST if side == BID else front.bid - _WORST
    filled = aggress(market, FRONT, side, qty, limit, False, AGENT_CLASS, one.id, agent.id)
    close(market)
    agent.total += filled if side == ASK else -filled
    note_response(market, k, 0)
