"""What a script has decided, done to the book: one event of one order, by the same kernels as everyone's.

`scripts` fills in `market.ticket`, `script_act` carries it out. That the two are apart keeps compilation short:
matching is linked into one kernel here instead of into every controller.
"""

from __future__ import annotations

from spymaster.jit import kernel
from spymaster.simulator.background import cancel_order, move_order, seed_level
from spymaster.simulator.emit import begin, close
from spymaster.simulator.ladder import add, cell_of, next_id, tag
from spymaster.simulator.layout import AGENT_CLASS, COUNT, FIRST_SCRIPT, FRONT, INNER, R_SCRIPT, WALK
from spymaster.simulator.matching import aggress

NOTHING, PLACE, ADD, TAKE, CANCEL, MOVE = 0, 1, 2, 3, 4, 5
"""What a ticket says: nothing, an order that only its script cancels, an ordinary order, an aggressor, a cancel, a
reprice."""
_ORDINARY_CLASS = 4


@kernel(**INNER)
def script_act(market):
    """Carry out the ticket, if it says anything."""
    ticket = market.ticket
    if ticket.what == NOTHING:
        return
    market.scripted += 1
    k = ticket.task
    agent = FIRST_SCRIPT + (market.directives[k].kind if k >= 0 else 0)
    if ticket.what == CANCEL or ticket.what == MOVE:
        order_id = market.orders[ticket.slot].id
        if ticket.what == CANCEL:
            cancel_order(market, ticket.slot)
        else:
            move_order(market, ticket.slot, ticket.tick)
    else:
        begin(market, market.clock)
        order_id = next_id(market, R_SCRIPT)
        if ticket.what == TAKE:
            tag(market, order_id, AGENT_CLASS, 0, 0, agent, 0)
            aggress(market, FRONT, ticket.side, ticket.qty, ticket.tick, False, AGENT_CLASS, order_id, agent)
            passive = 1 - ticket.side
            if market.mode == WALK and market.cells[cell_of(FRONT, ticket.tick, passive), COUNT] == 0:
                # only jumps of the price empty a best queue
                seed_level(market, FRONT, passive, ticket.tick)
        else:
            own = ticket.what == PLACE
            cls = AGENT_CLASS if own else _ORDINARY_CLASS
            slot = add(
                market, FRONT, ticket.side, ticket.tick, ticket.qty, cls, ticket.hidden, agent if own else 0, order_id
            )
            if own:
                if k >= 0:
                    market.directives[k].slot, market.directives[k].order_id = slot, order_id
            else:
                tag(market, order_id, cls, 0, 0, agent, 0)
        close(market)
    if ticket.data >= 0:
        row = market.responses[market.n_responses]
        row.agent, row.event, row.id = agent, market.pending[ticket.data].event, order_id
        row.ts_trigger, row.ts = market.pending[ticket.data].ts, market.clock
        market.n_responses += 1
