"""Makers: where the surface says a market should be, and the orders that follow it.

A firm quotes every series of its reach. A quote is the price of the surface, less or more half the width of the market,
rounded to a price that may be quoted; it stays while it is within a band around that. From the band follows at which
level of the future the quote is out of place, and there it waits (`waiting`). At the money the first firm of a side
keeps within `_TOLERANCE`; away from it, and behind the first, firms follow lazily, and more lazily while the date has
used up its messages.

Makers do not go after customers' orders: whose order a quote comes to withdraws it in time, nearly always, so in nearly
all that is traded the customer is the aggressor.
"""

from __future__ import annotations

import math

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.simulator.layout import INNER
from spymaster.simulator.options.arrays import (
    BUY,
    DOWN,
    FIRMS,
    FIRST_TURN,
    GTC,
    NEVER,
    QUOTE_NODES,
    R_FILL,
    R_MAKER,
    SELL,
    SLOTS,
    UP,
    WHEEL,
    WHEEL_SHIFT,
)
from spymaster.simulator.options.chain import WIDE_ABOVE, WIDE_TICK
from spymaster.simulator.options.events import add, best, cancel, match, modify
from spymaster.simulator.options.surface import black, total_variance
from spymaster.simulator.options.waiting import (
    forget,
    level_bucket,
    put,
    wait_for_levels,
    wait_no_longer,
    wait_until,
)
from spymaster.simulator.rng import below, chance

UNITS = 20.0
"""Least ticks in a point."""
LEAST_REACTION_NS, MOST_REACTION_NS = 200_000, 2_000_000
"""How long a firm takes to act on a change of the future."""
FIRST_FIRM = 101
"""Agent number of the first firm in the truth tables; agents of the future have small ones."""
_P_MODIFY = 3_006_477_107
"""70 % of reprices are modifies (assumption); the others cancel and add."""
_P_ASLEEP = 42_949_673
"""One customer in a hundred does not see the market come to the order (assumption)."""
_HALF_SPREAD = 0.15
_WING = 0.03
_DEEP = 0.01
_TOLERANCE = 0.6
"""How far from its target, in ticks, a quote may stay; half a tick would follow every change of the rounded price."""
_GIVES_WAY = 20.0
_PRICE_STEP, _DELTA_STEP = 1e-7, 1e-9
_FOREVER = 1e9


@hot_kernel(**INNER)
def tick_at(px):
    """Price step at a price, in least ticks."""
    return WIDE_TICK if px > WIDE_ABOVE else 1


@hot_kernel(**INNER)
def _on(grid, x):
    # what the math library rounds differently elsewhere must not decide a price
    return math.floor(x / grid + 0.5) * grid


@kernel(**INNER)
def mark(b, i):
    """Price a series by the present surface at the present level of the future."""
    one = b.series[i]
    expiry = b.expiries[one.expiry]
    if one.level == b.level and one.second == expiry.second:
        return
    forward = b.forward + expiry.carry
    k = one.log_strike - expiry.log_forward
    w = total_variance(k, expiry.theta)
    price, delta, gamma, slope = black(forward, one.strike, w, one.call)
    one.level = b.level
    one.second = expiry.second
    one.mark = forward
    one.theo = _on(_PRICE_STEP, price * expiry.discount)
    one.delta = _on(_DELTA_STEP, delta * expiry.discount)
    one.gamma = _on(_DELTA_STEP, gamma * expiry.discount)
    one.root_w = math.sqrt(w)
    slope = _on(_PRICE_STEP, slope * expiry.discount * UNITS)
    tick = tick_at(math.floor(one.theo * UNITS))
    # deep in the money markets are wider, in ticks, and follow later
    depth = min(max(-k if one.call == 1 else k, 0.0) / _DEEP, 1.0)
    wide = 1.0 + 2.0 * min(abs(k) / _WING, 1.0)
    one.half = max(tick * (1.0 + 2.0 * depth), _HALF_SPREAD * slope * expiry.point * wide)
    one.lazy = max(abs(k) / _DEEP - 0.25, 0.0)


@hot_kernel(**INNER)
def rounded(px):
    """The nearest price that may be quoted."""
    nearest = math.floor(px + 0.5)
    if nearest > WIDE_ABOVE:
        return np.int64(max(math.floor(px / WIDE_TICK + 0.5) * WIDE_TICK, WIDE_ABOVE))
    return np.int64(nearest)


@hot_kernel(**INNER)
def _soon(b, ts):
    """When an order can be sent: a moment after the one before."""
    return max(ts, b.clock + 200 + below(b, R_MAKER, 400))


@hot_kernel(**INNER)
def _move(delta, gamma, change):
    """How far the future has to move, in points with its sign, for an option to change by `change` points."""
    inside = delta * delta + 2.0 * gamma * change
    if inside <= 0.0:
        return -delta / gamma if gamma > 0.0 else -math.copysign(_FOREVER, delta)
    root = math.sqrt(inside)
    by = delta + root if delta >= 0.0 else delta - root
    return 2.0 * change / by if by != 0.0 else math.copysign(_FOREVER, delta * change)


@kernel(**INNER)
def _wait(b, i, side, firm, px, out, lower, upper):
    """Let a quote at `px`, `out` from the price of the surface, wait while its target is `lower` to `upper` from it."""
    one = b.series[i]
    value = one.theo * UNITS
    if side == BUY:
        # the target may rise as far as the quote may be behind it
        low = px + out - upper if px > 0 else -_FOREVER
        high = px + out + lower if px > 0 else out + _TOLERANCE
    else:
        low = px - out - lower if px > 1 else -_FOREVER
        high = px - out + upper
    rise = _move(one.delta, one.gamma, (high - value) / UNITS)
    fall = _move(one.delta, one.gamma, (low - value) / UNITS) if low > 0.0 else -math.copysign(_FOREVER, one.delta)
    if one.call == 1:
        wait_for_levels(b, i, side, firm, -fall, rise)
    else:
        wait_for_levels(b, i, side, firm, -rise, fall)
    if firm == 0 and one.guests > 0:
        for j in range(FIRMS, SLOTS):
            slot = b.slots[i, 1 - side, j]
            if slot.qty > 0:
                heed(b, i, 1 - side, slot.px)


@kernel(**INNER)
def heed(b, i, side, px):
    """Let the first firm look up when the price of the surface passes a customer's order, not later."""
    mark(b, i)
    one = b.series[i]
    move = _move(one.delta, one.gamma, (px - one.theo * UNITS) / UNITS)
    wait_no_longer(b, i, 1 - side, 0, move)


@kernel(**INNER)
def follow(b, ts, i, side, firm):
    """A firm looks at its quote and moves it if it is out of place. Returns whether another order was in the way."""
    mark(b, i)
    one, slot = b.series[i], b.slots[i, side, firm]
    fair, sign = one.theo * UNITS, 1.0 if side == BUY else -1.0
    if firm == 0 and one.guests > 0:
        _clear_gifts(b, ts, i, side, fair)
    tick = tick_at(math.floor(fair))
    behind = firm * (2.0 + b.strain) * tick
    out = one.half + behind
    target = fair - sign * out
    # where laziness elsewhere is not enough to end near the plan of messages, the first firm gives way too; a burst of
    # the market that the plan does not foresee is no reason
    common = 0.1 * (b.strain if firm > 0 else b.ahead * max(b.strain - _GIVES_WAY, 0.0))
    slack = _TOLERANCE * (1.0 + common + b.strain * one.lazy) * tick
    upper, lower = min(slack, 0.9 * one.half) + behind, slack + behind
    blocked = False
    better = sign * (slot.px - target)
    if slot.qty == 0 or better > upper or better < -lower:
        blocked = _send(b, ts, i, side, firm, target)
    _wait(b, i, side, firm, slot.px if slot.qty > 0 else 0, out, lower, upper)
    return blocked


@kernel(**INNER)
def _send(b, ts, i, side, firm, target):
    """Bring a quote to its target. Returns whether another maker's order was in the way."""
    slot = b.slots[i, side, firm]
    sign = 1 if side == BUY else -1
    px = rounded(target)
    if side == SELL:
        px = max(px, 1)
    blocked = False
    if px >= 1:
        front = best(b, i, 1 - side)
        while front >= FIRMS and sign * (px - b.slots[i, 1 - side, front].px) >= 0:
            _meet(b, ts, i, side, front)
            front = best(b, i, 1 - side)
        if front >= 0 and sign * (px - b.slots[i, 1 - side, front].px) >= 0:
            blocked = True
            px = b.slots[i, 1 - side, front].px - sign
            step = tick_at(px)
            px = px - px % step if side == BUY else px + -px % step
    if firm == 0 and b.series[i].guests > 0:
        _leave_with(b, ts, i, side, px)
    sent = b.n
    if px < 1:
        if slot.qty > 0:
            cancel(b, _soon(b, ts), i, side, firm)
    elif slot.qty == 0:
        add(b, _soon(b, ts), i, side, firm, px, 5 + below(b, R_MAKER, 26))
    elif px != slot.px:
        if chance(b, R_MAKER, _P_MODIFY):
            modify(b, _soon(b, ts), i, side, firm, px, slot.qty)
        else:
            cancel(b, _soon(b, ts), i, side, firm)
            add(b, _soon(b, ts), i, side, firm, px, 5 + below(b, R_MAKER, 26))
    if b.n > sent and b.firms[firm].answer < 0:
        b.firms[firm].answer = sent
    return blocked


@kernel(**INNER)
def _leave_with(b, ts, i, side, px):
    """Customers whose orders a maker that goes to `px` would leave more than a tick ahead of it withdraw them."""
    sign = 1 if side == BUY else -1
    for j in range(FIRMS, SLOTS):
        slot = b.slots[i, side, j]
        if slot.qty > 0 and sign * (slot.px - px) > tick_at(slot.px):
            cancel(b, _soon(b, ts), i, side, j)


@kernel(**INNER)
def _clear_gifts(b, ts, i, side, fair):
    """Customers' orders on the other side that the price has passed do not stay."""
    sign = 1.0 if side == BUY else -1.0
    for j in range(FIRMS, SLOTS):
        slot = b.slots[i, 1 - side, j]
        if slot.qty > 0 and sign * (fair - slot.px) > 0.0:
            _meet(b, ts, i, side, j)


@kernel(**INNER)
def _meet(b, ts, i, side, j):
    """A maker's quote reaches a customer's order: the customer withdraws it in time, or has not looked and is taken."""
    slot = b.slots[i, 1 - side, j]
    if chance(b, R_FILL, _P_ASLEEP):
        match(b, _soon(b, ts), i, side, slot.qty, slot.px, False)
    else:
        cancel(b, _soon(b, ts), i, 1 - side, j)


@kernel(**INNER)
def look_after(b, ts, i):
    """All firms of a series look at their quotes."""
    one = b.series[i]
    before = one.theo
    mark(b, i)
    # the side that the price moves towards leaves first, so that makers never meet
    first = SELL if one.theo > before else BUY
    for turn in range(2):
        for firm in range(one.makers):
            follow(b, ts, i, first if turn == 0 else 1 - first, firm)


@kernel(**INNER)
def turn_wheel(b):
    """All series that wait for this turn of the wheel are looked after."""
    ts = b.wheel << WHEEL_SHIFT
    bucket = FIRST_TURN + (b.wheel & (WHEEL - 1))
    while b.heads[bucket] >= 0:
        node = np.int64(b.heads[bucket])
        put(b, node, -1)
        look_after(b, ts, node - QUOTE_NODES)
    b.wheel += 1


@kernel(**INNER)
def see(b, ts, level):
    """The future has moved to a level: the firms know, and those that do not act already will act soon."""
    b.level = level
    b.forward = b.base + level * b.step
    for e in range(b.n_expiries):
        b.expiries[e].log_forward = math.log(b.forward + b.expiries[e].carry)
    for f in range(FIRMS):
        firm = b.firms[f]
        firm.low = min(firm.low, level)
        firm.high = max(firm.high, level)
        if firm.wake == NEVER:
            firm.wake = ts + below(b, R_MAKER, MOST_REACTION_NS - LEAST_REACTION_NS)
            firm.trigger = ts - LEAST_REACTION_NS


@kernel(**INNER)
def act(b, f):
    """A firm moves its quotes that the future has left behind: first those whose price moves away from the others."""
    firm = b.firms[f]
    ts = firm.wake
    firm.answer = -1
    for way in range(2):
        past = b.level - firm.low if way == UP else firm.high - b.level
        step = 1 if way == UP else -1
        for turn in range(2):
            group = 1 - turn if way == UP else turn
            for k in range(past):
                bucket = level_bucket(f, group, way, b.level - step * (past - 1 - k))
                while b.heads[bucket] >= 0:
                    node = np.int64(b.heads[bucket])
                    put(b, node, -1)
                    i, side = node // (4 * FIRMS), node // (2 * FIRMS) % 2
                    if follow(b, ts, i, side, f):
                        wait_until(b, i, b.clock)
    firm.wake = NEVER
    firm.low = b.level
    firm.high = b.level
    if firm.answer >= 0:
        first = b.out[firm.answer]
        row = b.responses[b.n_responses]
        row.agent = FIRST_FIRM + f
        row.event = -1
        row.id = first.order_id
        row.ts_trigger = firm.trigger
        row.ts = np.int64(first.ts_event)
        b.n_responses += 1


@kernel(**INNER)
def withdraw(b, ts, expiry, gap):
    """Cancel every order of an expiry; below 0 those of all expiries but what is good till cancelled."""
    for i in range(b.n_series):
        if expiry >= 0 and b.series[i].expiry != expiry:
            continue
        forget(b, i)
        for side in range(2):
            for j in range(SLOTS):
                if b.slots[i, side, j].qty > 0 and (expiry >= 0 or j != GTC):
                    cancel(b, max(ts, b.clock + gap), i, side, j)


assert DOWN == 1 - UP
