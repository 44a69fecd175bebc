"""The date of a chain: customers, quiet changes of resting orders, and the loop over them and the makers."""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.layout import INNER
from spymaster.simulator.options.arrays import (
    BUY,
    CHUNK,
    DONE,
    DRAIN,
    MAKERS,
    MINUTE,
    R_CUSTOMER,
    R_FILL,
    SELL,
    SLOTS,
)
from spymaster.simulator.options.events import add, best, cancel, match, modify
from spymaster.simulator.options.quoting import mark, second_of, sweep, tick_at, withdraw
from spymaster.simulator.options.random import exponential, pick
from spymaster.simulator.rng import below, chance
from spymaster.simulator.schedule import SECOND_NS

_REACTION_NS = 200_000
_NEVER = 1 << 62
_TRIES = 64


@kernel(**INNER)
def _interesting(b, stream):
    """A series that customers care for, -1 if none was found: those near the money are likelier."""
    for _ in range(_TRIES):
        i = below(b, stream, b.n_series)
        if b.expiries[b.series[i].expiry].open == 1 and chance(b, stream, b.series[i].interest):
            return i
    return -1


@kernel(**INNER)
def _customer(b, now):
    """A customer's order at the market."""
    i = _interesting(b, R_CUSTOMER)
    size = pick(b, R_CUSTOMER, b.size_law)
    bits = below(b, R_CUSTOMER, 1 << 32)
    if i < 0 or size < 1:
        return
    call = b.series[i].call == 1
    sells = bits < b.sell_call if call else bits >= b.buy_put
    side = SELL if sells else BUY
    limit = 1 << 30 if side == BUY else 0
    match(b, now, i, side, size, limit, True)


@kernel(**INNER)
def _fill(b, now):
    """Something that moves no price: a maker changes its size, or a customer's resting order comes, changes or goes."""
    i = _interesting(b, R_FILL)
    if i < 0:
        return
    side = below(b, R_FILL, 2)
    j = below(b, R_FILL, SLOTS)
    slot = b.slots[i, side, j]
    if j < MAKERS:
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


@kernel(**INNER)
def _each_second(b):
    """Mark the surface, close expiries that end, and plan how many quiet changes the next second takes."""
    second = b.second
    for e in range(b.n_expiries):
        if b.expiries[e].open == 1 and b.day + (second + 1) * SECOND_NS >= b.expiries[e].end:
            withdraw(b, max(b.clock, b.day + second * SECOND_NS), e, 2_000)
            b.expiries[e].open = 0
    mark(b, second)
    made = b.messages - b.at_second - b.filled
    b.demand += 0.1 * (made - b.demand)
    b.at_second = b.messages
    b.filled = 0
    wanted = b.plan[second + 1] - b.messages
    planned = b.plan[second + 1] - b.plan[second]
    b.strain = min(max(b.strain + (0.02 if wanted < 0 else -0.02), 0.0), 4.0)
    extra = wanted - b.demand
    b.fill_gap = SECOND_NS / extra if extra > 0.02 else 0.0
    start = b.day + second * SECOND_NS
    b.next_fill = start + np.int64(exponential(b, R_FILL, b.exp_table) * b.fill_gap) if extra > 0.02 else _NEVER
    b.customer_rate = planned * 0.01
    if b.next_customer >= _NEVER or b.next_customer < start:
        b.next_customer = start
        _schedule_customer(b)


@kernel(**INNER)
def _schedule_customer(b):
    if b.customer_rate <= 0.0:
        b.next_customer = _NEVER
        return
    wait = exponential(b, R_CUSTOMER, b.exp_table) / b.customer_rate
    b.next_customer += np.int64(min(wait, 3_600.0) * SECOND_NS)


@kernel()
def best_quotes(b, bid, ask):
    """Best prices of every series, 0 where a side is empty."""
    for i in range(b.n_series):
        front, behind = best(b, i, BUY), best(b, i, SELL)
        bid[i] = b.slots[i, BUY, front].px if front >= 0 else 0
        ask[i] = b.slots[i, SELL, behind].px if behind >= 0 else 0


@kernel()
def start_trading(b):
    """Open a stretch of trading: the surface is marked and all makers send their first quotes."""
    b.second = second_of(b, b.clock)
    while b.bbo + 1 < b.n_bbo and b.bbo_ts[b.bbo + 1] <= b.clock:
        b.bbo += 1
    b.bbo = max(b.bbo, 0)
    b.forward = b.bbo_mid[b.bbo]
    b.next_customer = _NEVER
    _each_second(b)
    b.second += 1
    sweep(b, b.clock)


@kernel()
def stop_trading(b, gap):
    """The session ends: every order goes."""
    withdraw(b, b.clock + gap, -1, gap)


@kernel()
def run(b):
    """Go on to the next whole minute (MINUTE), until the output is nearly full (DRAIN), or to `until` (DONE)."""
    while b.n < CHUNK:
        at_bbo = b.bbo_ts[b.bbo + 1] + _REACTION_NS if b.bbo + 1 < b.n_bbo else _NEVER
        at_second = b.day + b.second * SECOND_NS
        ts = min(min(at_bbo, at_second), min(b.next_customer, b.next_fill))
        if ts >= b.until:
            return DONE
        now = max(ts, b.clock + 200)
        if ts == at_second:
            _each_second(b)
            b.second += 1
            sweep(b, at_second + _REACTION_NS // 4)
            if (b.second - 1) % 60 == 0:
                return MINUTE
        elif ts == at_bbo:
            b.bbo += 1
            moved = b.bbo_mid[b.bbo] != b.forward
            b.forward = b.bbo_mid[b.bbo]
            if moved:
                sweep(b, now)
        elif ts == b.next_customer:
            _customer(b, now)
            _schedule_customer(b)
        else:
            before = b.messages
            _fill(b, now)
            b.filled += b.messages - before
            b.next_fill = ts + 1 + np.int64(exponential(b, R_FILL, b.exp_table) * b.fill_gap)
    return DRAIN
