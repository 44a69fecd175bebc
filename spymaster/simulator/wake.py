"""Wake-ups: a binary heap of (time, what, whom, data) for everything that reacts or is scheduled.

`market.heap[:n_wake]` has the earliest on top; the order of equal times depends on nothing but the run itself.
"""

from __future__ import annotations

from spymaster.jit import kernel
from spymaster.simulator.layout import INNER, MAX_WAKE, WAKE_FULL

REPAIR, QUOTE_INSIDE, FOLLOW, JUMP, RETREAT, NEWS, AGENT, SCRIPT = 0, 1, 2, 3, 4, 5, 6, 7
"""What a wake-up is for: closing a spread, one more quote at a new best, the second outright following the first, a
jump of the price, one order less in front of a moving price, quotes leaving a side, an agent's turn, a script's."""


@kernel(**INNER)
def wake_at(market, ts, what, whom, data):
    """Schedule a wake-up."""
    if market.n_wake >= MAX_WAKE:
        market.code = WAKE_FULL
        return
    k = market.n_wake
    market.n_wake += 1
    while k > 0:
        parent = (k - 1) >> 1
        if market.heap[parent].ts <= ts:
            break
        _copy(market, parent, k)
        k = parent
    row = market.heap[k]
    row.ts, row.what, row.whom, row.data = ts, what, whom, data


@kernel(**INNER)
def _copy(market, source, target):
    a, b = market.heap[source], market.heap[target]
    b.ts, b.what, b.whom, b.data = a.ts, a.what, a.whom, a.data


@kernel(**INNER)
def pop_wake(market):
    """Take the earliest wake-up off the heap: (what, whom, data)."""
    top = market.heap[0]
    what, whom, data = top.what, top.whom, top.data
    market.n_wake -= 1
    n = market.n_wake
    ts = market.heap[n].ts
    k = 0
    while True:
        child = 2 * k + 1
        if child >= n:
            break
        if child + 1 < n and market.heap[child + 1].ts < market.heap[child].ts:
            child += 1
        if market.heap[child].ts >= ts:
            break
        _copy(market, child, k)
        k = child
    if n > 0 and k != n:
        _copy(market, n, k)
    return what, whom, data
