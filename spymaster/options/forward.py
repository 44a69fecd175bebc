"""The forward of an expiry as its own options price it: put-call parity at the strikes around the money.

A call and a put of one strike differ by e^-rT (F - K), whatever the volatility. So each strike that quotes both names a
forward, and bounds it: nobody can buy below what the ask of the call and the bid of the put say, nor sell above the
other two. The forward is the median of what the nearest strikes name, each weighing as much as it is precise; a strike
with one stale quote is outvoted.
"""

from __future__ import annotations

import math

from spymaster.jit import hot_kernel, kernel

STRIKES = 8
"""Strikes that have a say: the nearest to the money, where both options trade."""


@hot_kernel()
def nearer(off, strike, other_off, other_strike):
    """Whether a strike is nearer the money than another; the lower one of two as near."""
    return off < other_off or (off == other_off and strike < other_strike)


@kernel()
def parity(strike, call_bid, call_ask, put_bid, put_ask, n, discount, work):
    """Forward, half the width of the tightest strike, and how many had a say, of the first `n` strikes.

    NaN, NaN and 0 where no strike has all four quotes uncrossed. Strikes may come in any order; those nearest the money
    first are fastest. `work` is float64 [5, strikes that may have a say].
    """
    most = work.shape[1]
    away, at, named, width, weight = work[0], work[1], work[2], work[3], work[4]
    count = 0
    for i in range(n):
        if not (call_bid[i] <= call_ask[i] and put_bid[i] <= put_ask[i]):
            continue  # a missing quote is NaN, which is never in order
        k = strike[i]
        low, high = k + (call_bid[i] - put_ask[i]) / discount, k + (call_ask[i] - put_bid[i]) / discount
        one = (low + high) / 2
        off = abs(one - k)
        if not math.isfinite(off) or (count == most and not nearer(off, k, away[most - 1], at[most - 1])):
            continue
        place = min(count, most - 1)
        while place > 0 and nearer(off, k, away[place - 1], at[place - 1]):
            away[place], at[place] = away[place - 1], at[place - 1]
            named[place], width[place] = named[place - 1], width[place - 1]
            place -= 1
        away[place], at[place], named[place], width[place] = off, k, one, (high - low) / 2
        count = min(count + 1, most)
    if count == 0:
        return math.nan, math.nan, 0
    tightest, floor = math.inf, math.inf
    for i in range(count):
        tightest = min(tightest, width[i])
        if width[i] > 0.0:
            floor = min(floor, width[i])
    if floor == math.inf:
        floor = 1.0  # a width of nothing is a locked market, no perfect one: the narrowest other says what it may weigh
    total = 0.0
    for i in range(count):
        one, each = named[i], 1.0 / max(width[i], floor) ** 2
        total += each
        place = i
        while place > 0 and named[place - 1] > one:
            named[place], weight[place] = named[place - 1], weight[place - 1]
            place -= 1
        named[place], weight[place] = one, each
    upto, first = weight[0], 0
    while upto < total / 2 and first + 1 < count:
        first += 1
        upto += weight[first]
    middle = named[first]
    if upto == total / 2 and first + 1 < count:
        middle = (middle + named[first + 1]) / 2
    return middle, tightest, count
