"""The date of a chain: customers, quiet changes of resting orders, and the loop over them and the makers."""

from __future__ import annotations

import math

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.simulator.layout import CHUNK, INNER
from spymaster.simulator.options.arrays import (
    BUY,
    CLOSE,
    DONE,
    DRAIN,
    FIRMS,
    FIRST_TURN,
    MINUTE,
    NEVER,
    OPEN,
    R_CUSTOMER,
    R_FILL,
    R_MAKER,
    R_PLANTED,
    SELL,
    SLOTS,
    WHEEL,
    WHEEL_SHIFT,
)
from spymaster.simulator.options.events import add, best, cancel, match, modify
from spymaster.simulator.options.quoting import (
    LEAST_REACTION_NS,
    act,
    heed,
    mark,
    see,
    tick_at,
    turn_wheel,
    withdraw,
)
from spymaster.simulator.options.waiting import wait_until
from spymaster.simulator.rng import below, exponential, pick
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS

_CARE = 1 << 20
_INTEREST = 0.01
_LEAST_VARIANCE = 60.0 / (365.0 * 86_400.0)
_OLD_SURFACE, _WRONG_SURFACE = 30, 0.005
"""Makers move a surface after so many seconds, or when its variance at the money is off by this share."""
_MOST_STRAIN = 80.0
_FAR_OFF = 30
"""Seconds of its plan by which a date may be off before the makers hurry to change their ways."""
_LEEWAY = 0.01
"""Share of its messages by which a date may be ahead before quotes at the money suffer; at twice that, fully."""
_SOON_NS = 200


@kernel(**INNER)
def _interesting(b, stream):
    """A series that customers care for: those near the money are likelier. -1 if all have expired."""
    n = b.n_series
    total = b.interest[n - 1]
    if total == 0:
        return -1
    drawn, low, high = below(b, stream, total), 0, n - 1
    while low < high:
        middle = (low + high) // 2
        if b.interest[middle] > drawn:
            high = middle
        else:
            low = middle + 1
    return low


@kernel(**INNER)
def _customer(b, now):
    """A customer's order at the market."""
    i = _interesting(b, R_CUSTOMER)
    size = pick(b, R_CUSTOMER, b.size_law, len(b.size_law))
    bits = below(b, R_CUSTOMER, 1 << 32)
    if i < 0 or size < 1:
        return
    call = b.series[i].call == 1
    sells = bits < b.sell_call if call else bits >= b.buy_put
    side = SELL if sells else BUY
    if match(b, now, i, side, size, 1 << 30 if side == BUY else 0, True):
        # makers that were hit quote again
        wait_until(b, i, now + LEAST_REACTION_NS)


@kernel(**INNER)
def _planted(b, now):
    """The next trade of a scene's customers."""
    row = b.planted[b.next_planted]
    b.next_planted += 1
    one = b.series[row.series]
    size = pick(b, R_PLANTED, b.size_law, len(b.size_law))
    first, before = b.n, one.volume
    if size >= 1 and match(b, now, row.series, row.side, size, 1 << 30 if row.side == BUY else 0, True):
        row.id = np.int64(b.out[first].order_id)
        row.qty = one.volume - before
        wait_until(b, row.series, now + LEAST_REACTION_NS)


@kernel(**INNER)
def _fill(b, now):
    """Something that moves no price: a maker changes its size, or a customer's resting order comes, changes or goes."""
    i = _interesting(b, R_FILL)
    if i < 0:
        return
    side = below(b, R_FILL, 2)
    j = below(b, R_FILL, SLOTS)
    slot = b.slots[i, side, j]
    if j < FIRMS:
        if slot.qty > 0:
            modify(b, now, i, side, j, slot.px, 5 + below(b, R_FILL, 26))
        return
    if slot.qty > 0:
        if below(b, R_FILL, 4) == 0:
            modify(b, now, i, side, j, slot.px, 1 + below(b, R_FILL, 10))
        else:
            cancel(b, now, i, side, j)
        return
    front = best(b, i, side)
    if front < 0:
        return
    px = b.slots[i, side, front].px
    away = (1 + below(b, R_FILL, 8)) * tick_at(px)
    px = px - away if side == BUY else px + away
    px -= px % tick_at(px) if side == BUY else -(-px % tick_at(px))
    if px >= 1:
        add(b, now, i, side, j, px, 1 + below(b, R_FILL, 10))
        heed(b, i, side, px)


@kernel(**INNER)
def _each_second(b):
    """Move the surface on, close expiries that end, and plan how many quiet changes the next second takes."""
    second, start = b.second, b.day + b.second * SECOND_NS
    for e in range(b.n_expiries):
        expiry = b.expiries[e]
        if expiry.open == 1 and start + SECOND_NS >= expiry.end:
            withdraw(b, max(b.clock, start), e, 2_000)
            expiry.open = 0
            _count_interest(b)
        _move_surface(b, e, start)
    if b.late_from < b.n_series and b.late_at <= start:
        _list_late(b, start)
    made = b.messages - b.at_second - b.filled
    b.demand += 0.1 * (made - b.demand)
    b.at_second = b.messages
    b.filled = 0
    wanted = b.plan[second + 1] - b.messages
    planned = b.plan[second + 1] - b.plan[second]
    step = 0.02 if abs(wanted) < _FAR_OFF * planned else 0.1
    b.strain = min(max(b.strain + (step if wanted < 0 else -step), 0.0), _MOST_STRAIN)
    ahead = -wanted / max(b.plan[DAY_SECONDS + 1], 1.0)
    b.ahead = min(max(ahead / _LEEWAY - 1.0, 0.0), 1.0)
    extra = wanted - b.demand
    b.fill_gap = SECOND_NS / extra if extra > 0.02 else 0.0
    b.next_fill = start + np.int64(exponential(b, R_FILL) * b.fill_gap) if extra > 0.02 else NEVER
    b.customer_rate = planned * 0.01
    if b.next_customer >= NEVER or b.next_customer < start:
        b.next_customer = start
        _schedule_customer(b)


@kernel(**INNER)
def _list_late(b, start):
    """The makers begin to quote what is listed during the date."""
    for i in range(b.late_from, b.n_series):
        b.series[i].makers = -b.series[i].makers
        wait_until(b, i, start + below(b, R_MAKER, SECOND_NS))
    b.late_from = b.n_series
    _count_interest(b)


@kernel(**INNER)
def _move_surface(b, e, start):
    """Makers move the surface of an expiry when it has become wrong, or old; never around whole minutes."""
    expiry, second = b.expiries[e], b.second
    variance = max(expiry.variance - b.variance[second], _LEAST_VARIANCE)
    # the volatility rises a little with expiry, so that total variance does too
    theta = b.atm[second] ** 2 * variance * (1.0 + 0.05 * min(math.sqrt(variance * 12.0), 1.0))
    age = second - expiry.second
    if expiry.theta > 0.0 and age < _OLD_SURFACE and abs(theta / expiry.theta - 1.0) < _WRONG_SURFACE:
        return
    if expiry.theta > 0.0 and (second + 2) % 60 < 3:
        return
    expiry.second = second
    expiry.theta = theta
    expiry.point = 0.01 * math.sqrt(variance)
    if expiry.open == 1:
        for i in range(b.n_series):
            if b.series[i].expiry == e and b.series[i].makers > 0:
                wait_until(b, i, start + below(b, R_MAKER, SECOND_NS))


@kernel(**INNER)
def _count_interest(b):
    total = 0
    for i in range(b.n_series):
        one = b.series[i]
        expiry = b.expiries[one.expiry]
        if expiry.open == 1 and one.makers > 0:
            total += np.int64(math.floor(math.exp(-abs(one.log_strike - expiry.log_forward) / _INTEREST) * _CARE))
        b.interest[i] = total


@kernel(**INNER)
def _schedule_customer(b):
    if b.customer_rate <= 0.0:
        b.next_customer = NEVER
        return
    wait = exponential(b, R_CUSTOMER) / b.customer_rate
    b.next_customer += np.int64(min(wait, 3_600.0) * SECOND_NS)


@kernel(**INNER)
def _start_trading(b):
    """Open a stretch of trading: within its first second all makers look at their quotes."""
    b.second = (b.clock - b.day) // SECOND_NS
    while b.bbo + 1 < b.n_bbo and b.bbo_ts[b.bbo + 1] + LEAST_REACTION_NS <= b.clock:
        b.bbo += 1
    b.bbo = max(b.bbo, 0)
    for f in range(FIRMS):
        b.firms[f].low = b.bbo_level[b.bbo]
        b.firms[f].high = b.bbo_level[b.bbo]
    see(b, b.clock, np.int64(b.bbo_level[b.bbo]))
    b.next_customer = NEVER
    b.wheel = b.clock >> WHEEL_SHIFT
    _each_second(b)
    _count_interest(b)
    b.second += 1
    for i in range(b.n_series):
        if b.expiries[b.series[i].expiry].open == 1 and b.series[i].makers > 0:
            wait_until(b, i, b.clock + below(b, R_MAKER, SECOND_NS))


@kernel(**INNER)
def _each_minute(b, bid, ask):
    """Price everything, take down the best prices (0 where a side is empty), and count what customers care for."""
    for i in range(b.n_series):
        mark(b, i)
        front, behind = best(b, i, BUY), best(b, i, SELL)
        bid[i] = b.slots[i, BUY, front].px if front >= 0 else 0
        ask[i] = b.slots[i, SELL, behind].px if behind >= 0 else 0
    _count_interest(b)


@hot_kernel(**INNER)
def _next_firm(b):
    found = 0
    for f in range(1, FIRMS):
        if b.firms[f].wake < b.firms[found].wake:
            found = f
    return found


@kernel()
def run(b, step, bid, ask):
    """Go on to the next whole minute (MINUTE), until an output is nearly full (DRAIN), or to `until` (DONE).

    Step OPEN starts a stretch of trading first; step CLOSE only ends the session, every order `close_gap` ns after the
    one before. `bid` and `ask` (one per series) receive the best prices of a minute.
    """
    if step == CLOSE:
        withdraw(b, b.clock, -1, b.close_gap)
        return DONE
    if step == OPEN:
        _start_trading(b)
    while b.n < CHUNK and b.n_responses < CHUNK and b.code == 0:
        f = _next_firm(b)
        at_bbo = b.bbo_ts[b.bbo + 1] + LEAST_REACTION_NS if b.bbo + 1 < b.n_bbo else NEVER
        at_second = b.day + b.second * SECOND_NS
        at_firm = b.firms[f].wake
        at_planted = b.planted[b.next_planted].ts if b.next_planted < b.n_planted else NEVER
        ts = min(min(min(at_bbo, at_second), min(b.next_customer, b.next_fill)), min(at_firm, at_planted))
        while b.wheel << WHEEL_SHIFT < ts and b.heads[FIRST_TURN + (b.wheel & (WHEEL - 1))] < 0:
            b.wheel += 1
        at_wheel = b.wheel << WHEEL_SHIFT
        if min(ts, at_wheel) >= b.until:
            return DONE
        now = max(ts, b.clock + _SOON_NS)
        if at_wheel < ts:
            turn_wheel(b)
        elif ts == at_second:
            _each_second(b)
            b.second += 1
            if (b.second - 1) % 60 == 0:
                _each_minute(b, bid, ask)
                return MINUTE
        elif ts == at_bbo:
            b.bbo += 1
            see(b, ts, np.int64(b.bbo_level[b.bbo]))
        elif ts == at_firm:
            act(b, f)
        elif ts == b.next_customer:
            _customer(b, now)
            _schedule_customer(b)
        elif ts == at_planted:
            _planted(b, now)
        else:
            before = b.messages
            _fill(b, now)
            b.filled += b.messages - before
            b.next_fill = ts + 1 + np.int64(exponential(b, R_FILL) * b.fill_gap)
    return DRAIN
