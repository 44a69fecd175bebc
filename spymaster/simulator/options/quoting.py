"""Makers: where the surface says a market should be, and the orders that follow it.

A sweep goes over the chain after each change of the future's mid, and after each mark of the surface. The first maker
of a side keeps within three quarters of a tick of its target; the ones behind follow lazily, and more lazily while the
date has used up its messages.
"""

from __future__ import annotations

import math

from spymaster.jit import hot_kernel, kernel
from spymaster.simulator.layout import INNER
from spymaster.simulator.options.arrays import BUY, MAKERS, R_MAKER, SELL, SLOTS
from spymaster.simulator.options.chain import WIDE_ABOVE, WIDE_TICK
from spymaster.simulator.options.events import add, best, cancel, match, modify
from spymaster.simulator.options.surface import black, total_variance
from spymaster.simulator.rng import below, chance
from spymaster.simulator.schedule import SECOND_NS

_UNITS = 20.0
"""Least ticks in a point."""
_P_MODIFY = 3_006_477_107
"""70 % of reprices are modifies (assumption); the others cancel and add."""
_REACTION_NS = 200_000
_HALF_SPREAD = 0.15
_WING = 0.03
_INTEREST = 0.01
_DEEP = 0.01
_LEAST_VARIANCE = 60.0 / (365.0 * 86_400.0)
_TOLERANCE = 0.75
_FORWARD_STEPS = 1e-7


@hot_kernel(**INNER)
def tick_at(px):
    """Price step at a price, in least ticks."""
    return WIDE_TICK if px > WIDE_ABOVE else 1


@kernel(**INNER)
def mark(b, second):
    """Price every series by the surface at a second of the date."""
    now, level = b.variance[second], b.atm[second]
    for i in range(b.n_series):
        one = b.series[i]
        expiry = b.expiries[one.expiry]
        forward = b.forward + expiry.carry
        # the volatility rises a little with expiry, so that total variance does too
        variance = max(expiry.variance - now, _LEAST_VARIANCE)
        theta = level * level * variance * (1.0 + 0.05 * min(math.sqrt(variance * 12.0), 1.0))
        k = math.log(one.strike / forward)
        w = total_variance(k, theta)
        price, delta, gamma, slope = black(forward, one.strike, w, one.call == 1)
        one.mark = forward
        one.theo = round(price * expiry.discount / _FORWARD_STEPS) * _FORWARD_STEPS
        one.delta = delta * expiry.discount
        one.gamma = gamma * expiry.discount
        one.root_w = math.sqrt(w)
        # slope is per unit of sqrt(w); one volatility point is 0.01 sqrt(variance)
        point = slope * expiry.discount * 0.01 * math.sqrt(variance)
        wide = 1.0 + 2.0 * min(abs(k) / _WING, 1.0)
        tick = tick_at(math.floor(one.theo * _UNITS))
        # deep in the money markets are wider, in ticks, and follow later
        depth = min(max(-k if one.call == 1 else k, 0.0) / _DEEP, 1.0)
        one.half = max(tick * (1.0 + 2.0 * depth), _HALF_SPREAD * point * wide * _UNITS)
        one.tolerance = _TOLERANCE * (1.0 + 0.1 * b.strain + b.strain * max(abs(k) / _DEEP - 0.25, 0.0))
        one.interest = round(math.exp(-abs(k) / _INTEREST) * 4_294_967_296.0)


@hot_kernel(**INNER)
def value(b, i):
    """Price of a series at the present forward, in least ticks."""
    one = b.series[i]
    move = b.forward + b.expiries[one.expiry].carry - one.mark
    return max(one.theo + move * (one.delta + 0.5 * one.gamma * move), 0.0) * _UNITS


@hot_kernel(**INNER)
def rounded(px):
    """The nearest price that may be quoted."""
    nearest = math.floor(px + 0.5)
    if nearest > WIDE_ABOVE:
        return max(math.floor(px / WIDE_TICK + 0.5) * WIDE_TICK, WIDE_ABOVE)
    return nearest


@kernel(**INNER)
def sweep(b, start):
    """Look at every series from `start` ns on; each order sent takes a moment."""
    n = b.n_series
    now = max(start, b.clock + 200)
    gap = max(1_000_000 // n, 600)
    i = below(b, R_MAKER, n)
    for _ in range(n):
        i = i + 1 if i + 1 < n else 0
        if b.expiries[b.series[i].expiry].open == 0:
            continue
        fair = value(b, i)
        # the side that the price moves towards leaves first, so that makers never meet
        rising = fair > b.series[i].theo * _UNITS
        for turn in range(2):
            side = SELL if (turn == 0) == rising else BUY
            now = _take_gifts(b, now, i, side, fair)
            for j in range(b.series[i].makers):
                sent = _follow(b, now, i, side, j, fair)
                if sent > 0:
                    now = b.clock + gap // 2 + below(b, R_MAKER, gap)
        while b.bbo + 1 < b.n_bbo and b.bbo_ts[b.bbo + 1] + _REACTION_NS <= now:
            b.bbo += 1
            b.forward = b.bbo_mid[b.bbo]


@kernel(**INNER)
def _take_gifts(b, now, i, side, fair):
    """Customers' orders on the other side that the price has passed are taken; returns the time after it."""
    sign = 1.0 if side == BUY else -1.0
    for j in range(MAKERS, SLOTS):
        slot = b.slots[i, 1 - side, j]
        if slot.qty > 0 and sign * (fair - slot.px) > 0.0:
            match(b, now, i, side, slot.qty, slot.px, False)
            now = b.clock + 500
    return now


@kernel(**INNER)
def _follow(b, now, i, side, j, fair):
    slot = b.slots[i, side, j]
    half, sign = b.series[i].half, 1.0 if side == BUY else -1.0
    tick = tick_at(math.floor(fair))
    behind = j * (2.0 + b.strain) * tick
    target = fair - sign * (half + behind)
    if slot.qty > 0:
        better = sign * (slot.px - target)
        slack = b.series[i].tolerance * tick
        if better <= min(slack, 0.9 * half) + behind and better >= -slack - behind:
            return 0
    px = rounded(target)
    least = 1
    if side == SELL:
        px = max(px, least)
    before = b.n
    if px < least:
        if slot.qty > 0:
            cancel(b, now, i, side, j)
        return b.n - before
    j_other = best(b, i, 1 - side)
    while j_other >= MAKERS and sign * (px - b.slots[i, 1 - side, j_other].px) >= 0.0:
        # a customer's order is worth taking
        match(b, now, i, side, b.slots[i, 1 - side, j_other].qty, px, False)
        now = b.clock + 500
        j_other = best(b, i, 1 - side)
    if j_other >= 0 and sign * (px - b.slots[i, 1 - side, j_other].px) >= 0.0:
        other = b.slots[i, 1 - side, j_other].px
        px = other - 1 if side == BUY else other + 1
        px = px - px % tick_at(px) if side == BUY else px + -px % tick_at(px)
        if px < least:
            return b.n - before
    if slot.qty == 0:
        add(b, now, i, side, j, px, 5 + below(b, R_MAKER, 26))
    elif px != slot.px:
        if chance(b, R_MAKER, _P_MODIFY):
            modify(b, now, i, side, j, px, slot.qty)
        else:
            cancel(b, now, i, side, j)
            add(b, b.clock + 300, i, side, j, px, 5 + below(b, R_MAKER, 26))
    return b.n - before


@kernel(**INNER)
def withdraw(b, now, expiry, gap):
    """Cancel every order of an expiry (all expiries below 0)."""
    for i in range(b.n_series):
        if expiry >= 0 and b.series[i].expiry != expiry:
            continue
        for side in range(2):
            for j in range(SLOTS):
                if b.slots[i, side, j].qty > 0:
                    cancel(b, now, i, side, j)
                    now = b.clock + gap


@hot_kernel(**INNER)
def second_of(b, ns):
    """Second of the date."""
    return (ns - b.day) // SECOND_NS
