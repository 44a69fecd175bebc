"""What usually rests near the market, which scripts take as their measure.

As tables measure it: the median, over seconds, of what has rested for half a second on the four ticks of a whole point,
two and three points from the last trade; of earlier dates where there are some, else of the date so far.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.ladder import cell_of
from spymaster.simulator.layout import ASK, FRONT, HEAD, INNER, REST_STEPS, TICKS

POINT_TICKS = 4
"""Ticks of a whole point."""
_REST_NS = 500_000_000
_LEAST_RESTED = 300
"""Seconds of earlier dates below which they do not say what usually rests."""


@kernel(**INNER)
def note_rested(market):
    """At the end of a second: count what has rested on whole points two and three away from the last trade."""
    front = market.inst[FRONT]
    if front.last < 0:
        return
    offset = front.origin // front.tick_size
    point = (front.last + offset) // POINT_TICKS
    for side in range(2):
        for away in (2, 3):
            low = (point + (away if side == ASK else -away)) * POINT_TICKS - offset
            rested = np.int64(0)
            for tick in range(low, low + POINT_TICKS):
                if tick < 0 or tick >= TICKS:
                    continue
                slot = np.int64(market.cells[cell_of(FRONT, tick, side), HEAD])
                while slot >= 0:
                    if market.orders[slot].ts <= market.next_second - _REST_NS:
                        rested += market.orders[slot].qty
                    slot = np.int64(market.orders[slot].next)
            market.rested[side, min(rested, REST_STEPS - 1)] += 1


@kernel()
def usual_depth(market, side):
    """Median of what has rested on the four ticks of a point, lots: of earlier dates, else of the date so far."""
    seconds = np.int64(0)
    for step in range(REST_STEPS):
        seconds += market.rested_before[side, step]
    before = seconds >= _LEAST_RESTED
    if not before:
        seconds = np.int64(0)
        for step in range(REST_STEPS):
            seconds += market.rested[side, step]
    count = np.int64(0)
    for step in range(REST_STEPS):
        count += market.rested_before[side, step] if before else market.rested[side, step]
        if 2 * count >= seconds and count > 0:
            return np.float64(max(step, 1))
    return market.mean_queue[8] * POINT_TICKS
