"""The forward of an expiry as its own options price it: put-call parity at the strikes around the money.

A call and a put of one strike differ by e^-rT (F - K), whatever the volatility. So each strike that quotes both names a
forward, and bounds it: nobody can buy below what the ask of the call and the bid of the put say, nor sell above the
other two. The forward is the median of what the nearest strikes name, each weighing as much as it is precise; a strike
with one stale quote is outvoted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

STRIKES = 8
"""Strikes that have a say: the nearest to the money, where both options trade."""


class ParityForward(NamedTuple):
    """A forward, half the width of what its strikes leave open (both in points), and how many strikes had a say."""

    forward: float
    uncertainty: float
    strikes: int


def parity_forward(
    strike: ArrayLike,
    call_bid: ArrayLike,
    call_ask: ArrayLike,
    put_bid: ArrayLike,
    put_ask: ArrayLike,
    *,
    discount: float = 1.0,
    strikes: int = STRIKES,
) -> ParityForward | None:
    """The forward of one expiry from the quotes of its strikes (prices in points, NaN where there is none).

    None where no strike has all four quotes uncrossed: nothing is guessed from one right alone.
    """
    k, cb, ca, pb, pa = (np.asarray(one, float) for one in (strike, call_bid, call_ask, put_bid, put_ask))
    low, high = k + (cb - pa) / discount, k + (ca - pb) / discount
    with np.errstate(invalid="ignore"):
        usable = np.flatnonzero((cb <= ca) & (pb <= pa) & np.isfinite(low) & np.isfinite(high))
    if not len(usable):
        return None
    named = (low[usable] + high[usable]) / 2
    nearest = np.argsort(np.abs(named - k[usable]), kind="stable")[:strikes]
    named, width = named[nearest], (high[usable] - low[usable])[nearest] / 2
    # a width of nothing is a locked market, no perfect one: the narrowest that is not says how much it may weigh
    floor = width[width > 0].min(initial=np.inf)
    weight = 1 / np.maximum(width, floor if np.isfinite(floor) else 1.0) ** 2
    order = np.argsort(named, kind="stable")
    upto = np.cumsum(weight[order])
    half = upto[-1] / 2
    first = int(np.searchsorted(upto, half, side="left"))
    middle = named[order][first]
    if upto[first] == half and first + 1 < len(order):
        middle = (middle + named[order][first + 1]) / 2
    return ParityForward(float(middle), float(width.min()), len(named))
