"""The book at the edges of a session: the first one of all, the list of resting orders, the end of day orders."""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.background import cancel_order
from spymaster.simulator.ladder import cell_of, create, new_id
from spymaster.simulator.layout import (
    AGENT_CLASS,
    BID,
    FAR,
    FIRST_DAYS_LONG,
    HEAD,
    MAX_SIZE,
    MIDDLE,
    R_BOOK,
    TICKS,
)
from spymaster.simulator.rng import below, pick

_OLD_SECONDS = 60
_NEAR_TICKS = 30


@kernel()
def seed_book(market, inst, bids, asks, reach, age_ns):
    """Fill an empty book with orders up to `age_ns` old, oldest first; `reach` bounds distances, 0 takes the law.

    Most orders are recent: the age of the k-th of n is `age_ns` times the sixth power of what is left of k.
    """
    now = market.clock
    n = bids + asks
    for k in range(n):
        left = (n - k) / n
        share = left * left * left
        market.clock = now - _OLD_SECONDS * 1_000_000_000 - np.int64(age_ns * share * share)
        market.sequence = 1_000 + below(market, R_BOOK, 2_000_000)
        side = np.int64(0) if below(market, R_BOOK, n) < bids else np.int64(1)
        distance = pick(market, R_BOOK, market.far_law[side], TICKS // 2)
        if reach > 0:
            distance = below(market, R_BOOK, reach)
        tick = MIDDLE - 1 - distance if side == BID else MIDDLE + distance
        cls = np.int64(FAR)
        if distance < _NEAR_TICKS:
            cls = np.int64(5) if below(market, R_BOOK, 10) < 3 else np.int64(6)
        qty = pick(market, R_BOOK, market.size_law, MAX_SIZE + 1)
        create(market, cell_of(inst, tick, side), qty, cls, 0, 0, new_id(market))
    market.clock = now


@kernel()
def resting(market, inst, slots):
    """Slots of all orders of an instrument into `slots`: bids from the best price down, asks up, each queue in order.

    Returns how many.
    """
    n = 0
    for side in range(2):
        for k in range(TICKS):
            tick = TICKS - 1 - k if side == BID else k
            slot = market.cells[cell_of(inst, tick, side), HEAD]
            while slot >= 0:
                slots[n] = slot
                n += 1
                slot = market.orders[slot].next
    return n


@kernel()
def expire_some(market, step_ns, limit):
    """Cancel up to `limit` orders that end with the session, one event each, `step_ns` apart; returns how many."""
    done = 0
    for k in range(FIRST_DAYS_LONG + 1):
        cls = k if k < FIRST_DAYS_LONG else AGENT_CLASS
        while market.n_class[cls] > 0 and done < limit:
            market.clock += step_ns
            cancel_order(market, np.int64(market.lists[cls, market.n_class[cls] - 1]))
            done += 1
    return done


@kernel()
def restore(market, inst, ids, ticks, sides, sizes, hidden, peaks, classes, times, sequences):
    """Rebuild a book from orders in queue order (see `resting`)."""
    now, sequence = market.clock, market.sequence
    for k in range(len(ids)):
        market.clock = times[k]
        market.sequence = sequences[k]
        slot = create(market, cell_of(inst, ticks[k], sides[k]), sizes[k], classes[k], hidden[k], 0, ids[k])
        market.orders[slot].peak = peaks[k]
    market.clock, market.sequence = now, sequence
