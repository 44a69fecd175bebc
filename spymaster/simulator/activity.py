"""When things happen: one point process for the whole market, excited by its own events.

The intensity of background events is

    base(t) * (1 - n) + sum of phi_j        base(t) = control * events_per_message * plan(t) * U(t) * e^X(t)

where U is the shape of the day, X the sum of a slow and a fast Ornstein-Uhlenbeck process (e^X has mean 1), and
each event raises `phi_j` by its weight times its decay rate: a Hawkes process of exponential kernels with total weight
n (slowly varying kernels as in Hardiman, Bercot & Bouchaud 2013, Eur. Phys. J. B). Cancels add their own intensity, the
sum over patience classes of `theta * n_class`.
`next_time` simulates by thinning: all intensities only fall until the next event or second.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.layout import CLASSES, FAR, INNER, KERNELS, R_CLOCK
from spymaster.simulator.rng import about, exponential, halved, unit

NOTHING, BACKGROUND, CANCEL = 0, 1, 2
_NS = 1_000_000_000
_FIRST_PACED = 3
"""Classes from this one on live longer in a slower market; the shorter ones are machines, with their own clock."""
_LEAST_PACE = 0.02
_CATCH_UP_SECONDS = 180.0
_LEAST_CONTROL, _MOST_CONTROL = 0.6, 1.6
_MOST_PLANTED = 0.5


@kernel()
def begin_second(market, second):
    """Take over the plan of a second of the day and correct what the messages so far are behind or ahead of it."""
    market.second = second
    # what is planted is part of the plan, and nothing that follows the background's rate can make up for it
    planted = (market.planted + market.scripted) / max(market.messages, 1)
    wanted = market.base[second] * (1.0 - min(planted, _MOST_PLANTED))
    behind = market.plan[second] - market.messages
    correction = 1.0 + behind / max(wanted * _CATCH_UP_SECONDS, 100.0)
    market.control = min(max(correction, _LEAST_CONTROL), _MOST_CONTROL)
    market.rate = wanted * market.control * market.events_per_message
    market.pace = max(wanted / market.reference_rate, _LEAST_PACE)
    orders = 0
    for cls in range(CLASSES):
        orders += market.n_class[cls]
    # a book above its usual size sheds old orders faster, one below keeps them
    market.crowding = (orders / market.target_orders) ** 2


@kernel(**INNER)
def cancel_intensity(market, cls):
    """Cancels per second of one patience class."""
    intensity = market.theta[cls] * market.n_class[cls]
    if cls >= _FIRST_PACED:
        intensity *= market.pace
    if cls >= FAR - 2:
        intensity *= market.crowding
    return intensity


@kernel(**INNER)
def _decay(market, span):
    total = 0.0
    for j in range(KERNELS):
        market.phi[j] *= halved(market, span * market.per_half_life[j])
        total += market.phi[j]
    return total


@kernel(**INNER)
def excite(market):
    """A background event happened: it makes others likelier."""
    for j in range(KERNELS):
        market.phi[j] += market.jump[j]


@kernel(**INNER)
def next_time(market, bound):
    """Advance the clock to the next candidate before `bound` (ns) and say what happens there.

    Returns `BACKGROUND` or `CANCEL`, or `NOTHING` with the clock at `bound`. The time of an event is at least one
    nanosecond after the one before.
    """
    while True:
        cancels = 0.0
        for cls in range(CLASSES):
            cancels += cancel_intensity(market, cls)
        market.cancel_rate = cancels
        own = market.rate * (1.0 - market.branching)
        excited = 0.0
        for j in range(KERNELS):
            excited += market.phi[j]
        ceiling = own + cancels + excited
        if ceiling <= 0.0:
            market.clock = bound
            return NOTHING
        wait = exponential(market, R_CLOCK) * _NS / ceiling
        left = bound - market.clock
        if wait >= left - 1:
            _decay(market, np.float64(left))
            market.clock = bound
            return NOTHING
        gap = max(np.int64(wait), 1)
        market.clock += gap
        excited = _decay(market, np.float64(gap))
        choice = unit(market, R_CLOCK) * ceiling
        if choice < cancels:
            return CANCEL
        if choice < cancels + own + excited:
            market.excitement = (own + excited) / max(own, 1e-9)
            return BACKGROUND


@kernel()
def random_path(market, path, rate):
    """Ornstein-Uhlenbeck process of unit variance on whole seconds, from its stationary law."""
    scale = 1_000_000
    x = (about(market, R_CLOCK, 10 * scale, scale) - 10 * scale) / scale
    step = (2.0 * rate) ** 0.5
    for second in range(len(path)):
        path[second] = x
        shock = (about(market, R_CLOCK, 10 * scale, scale) - 10 * scale) / scale
        x += -rate * x + step * shock
