"""Kernels: a smile per expiry from the last quotes of its options, and gamma at every strike from it.

A strike's quote is that of its option out of the money at the present forward; where the strike lists one right only,
that one's. It leaves the smile when it is rejected, and when it is stale: older than `STALE_NS` while the forward has
moved so far since that the option's price must have changed by more than its width. A point weighs one over the
variance of its volatility, half the width over vega being the deviation.

Between its outermost points a smile is the smoothing spline of `spymaster.options.smile` over standardised
log-moneyness, volatility in units of that at the money; beyond them it goes straight on for one deviation and is level
from there: strikes that far out trade at the least price or not at all, and a line would make them ever dearer.
"""

from __future__ import annotations

import math

from spymaster.jit import hot_kernel, kernel
from spymaster.options.smile import smooth, value_at

BEND = 1.0
"""How dear curvature is, with volatility relative and moneyness in deviations. On quotes rounded to ticks, half an hour
to a week from expiry, gamma is nearest to the truth with about 0.1 to 10."""
STALE_NS = 5_000_000_000
REACH = 1.0
"""Deviations for which a smile goes straight on beyond its points."""
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


@hot_kernel()
def gamma_at(forward, log_forward, log_strike, total, discount):
    """Gamma of Black-76 from logarithms and the total volatility s sqrt(T)."""
    d1 = (log_forward - log_strike) / total + 0.5 * total
    return discount * _INV_SQRT_2PI * math.exp(-0.5 * d1 * d1) / (forward * total)


@hot_kernel()
def is_stale(delta, width, quoted_at, forward, age_ns):
    """Whether the price of a quote of that age must have changed by more than its width, for all the forward moved."""
    return age_ns > STALE_NS and delta * abs(forward - quoted_at) > width


@kernel()
def draw_smile(state, e, forward, years, now):
    """Draw the smile of an expiry again if its quotes, or which of them count, have changed."""
    # a state passed on, or read in a loop, counts references to all of its arrays each time
    price, listed, quote, quote_ns, taken = state.price, state.listed, state.quote, state.quote_ns, state.taken
    log_price, volatility = state.log_price, state.volatility
    changed = state.dirty[e]
    low, high = state.first_slot[e], state.first_slot[e + 1]
    stale = 0
    for s in range(low, high):
        right = 0 if price[s] >= forward else 1
        if listed[s, right] == 0:
            right = 1 - right
        chosen = 1 + right if quote[s, right, 1] > 0.0 else 0
        if chosen > 0 and is_stale(
            quote[s, right, 3], quote[s, right, 2], quote[s, right, 4], forward, now - quote_ns[s, right]
        ):
            stale += 1
            chosen = 0
        if chosen != taken[s]:
            taken[s] = chosen
            changed = True
    state.counters[2] += stale
    if not changed:
        return
    state.dirty[e] = False
    state.counters[1] += 1
    x, y, w = state.work[0], state.work[1], state.work[2]
    n = 0
    log_forward = math.log(forward)
    nearest, level = math.inf, math.nan
    for s in range(low, high):
        if taken[s] == 0:
            continue
        right = taken[s] - 1
        x[n] = log_price[s] - log_forward
        y[n] = quote[s, right, 0]
        w[n] = quote[s, right, 1]
        if abs(x[n]) < nearest:
            nearest, level = abs(x[n]), y[n]
        n += 1
    if n == 0:
        for s in range(low, high):
            volatility[s] = math.nan
        return
    deviation = level * math.sqrt(years)
    for i in range(n):
        x[i] /= deviation
        y[i] /= level
        w[i] *= level * level
    value, second = state.work[3], state.work[4]
    smooth(x, y, w, BEND, n, value, second, state.work[5:])
    k = 0
    for s in range(low, high):
        at = (log_price[s] - log_forward) / deviation
        at = min(max(at, x[0] - REACH), x[n - 1] + REACH)
        while k < n - 2 and at > x[k + 1]:
            k += 1
        points = min(n, 2)
        found = level * value_at(x[k : k + 2], value[k : k + 2], second[k : k + 2], points, at)
        volatility[s] = found if found > 0.0 else math.nan


@kernel()
def take_gammas(state, e, forward, years, discount):
    """Gamma of every slot of an expiry at the present forward; NaN without a smile or an option."""
    log_forward, root = math.log(forward), math.sqrt(years)
    gamma, volatility, listed, log_price = state.gamma, state.volatility, state.listed, state.log_price
    for s in range(state.first_slot[e], state.first_slot[e + 1]):
        total = volatility[s] * root
        if total > 0.0 and listed[s, 0] + listed[s, 1] > 0:
            gamma[s] = gamma_at(forward, log_forward, log_price[s], total, discount)
        else:
            gamma[s] = math.nan
