"""Zones in which a script diverts background flow: what would have come to rest there comes to rest further away.

One zone per side of the front outright. A background order whose tick lies in its side's zone keeps it with probability
`keep`, else it is placed `shift` ticks further from the market. Whether it is diverted is drawn from the script's own
stream after the background has drawn everything, so the background draws what it would have drawn.
"""

from __future__ import annotations

from spymaster.jit import kernel
from spymaster.simulator.layout import BID, FRONT, INNER, R_SCRIPT, TICKS
from spymaster.simulator.rng import chance


@kernel(**INNER)
def diverted(market, inst, side, tick):
    """Where an order that was meant for `tick` comes to rest."""
    if market.n_directives == 0 or inst != FRONT:
        return tick
    zone = market.zones[side]
    if market.clock >= zone.until or tick < zone.low or tick > zone.high or chance(market, R_SCRIPT, zone.keep):
        return tick
    away = -zone.shift if side == BID else zone.shift
    return min(max(tick + away, 16), TICKS - 17)
