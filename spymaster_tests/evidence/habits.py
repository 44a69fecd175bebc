"""A market with every habit that is attributed, the list that names them, and what becomes of it after a moment."""

from __future__ import annotations

import copy

import numpy as np

from spymaster.evidence.arrays import DISTANCES, SECOND_NS
from spymaster.evidence.frozen import FrozenList, Listed
from spymaster.evidence.law import Law
from spymaster.evidence.strata import Stratum
from spymaster_tests.evidence.markets import MS, Market

PAIR_SIZE, LAYER_SIZE = 7, 60
_ONE_TICK = DISTANCES.index("1")
_PAIR = float((PAIR_SIZE * len(DISTANCES) + _ONE_TICK) * len(DISTANCES) + _ONE_TICK)
"""Cell of a bid and an offer of seven lots, each a tick behind its best price."""

ROWS = {
    "fleeting": Listed("E1", "ms", Stratum(kind="cancel"), "ns", ((20.0 * MS, 21.0 * MS, 0.8),), 0.05),
    "reaction": Listed(
        "E3",
        "ms",
        Stratum(kind="cancel", reference="trade_buy", relation="same"),
        "ns",
        ((30.0 * MS, 31.0 * MS, 0.6),),
        0.1,
    ),
    "phase": Listed("E4", "1s", Stratum(kind="add"), "ns", ((0.0, 20.0 * MS, 0.5),), 0.02),
    "line": Listed("E5", "slow", Stratum(kind="cancel", size="11-50"), "Hz", ((9.99, 10.01, 0.5),), 0.5),
    "synthetic": Listed("E6", "synthetic", Stratum(side="A"), "ns", ((0.1 * MS, 300.0 * MS, 0.4),), 0.1),
    "coplace": Listed("E10", "50us", Stratum(), "cell", ((_PAIR, _PAIR, 0.9),), 0.1),
    "layering": Listed("E7", "episodes", Stratum(), "ns", ((690.0 * MS, 700.0 * MS, 0.7),), 3.0),
}
LAW = Law(LAYER_SIZE, LAYER_SIZE - 5, 3 * LAYER_SIZE - 20, ())
EVERY = FrozenList(tuple(ROWS.values()), LAW)


def habits(seconds: int) -> Market:
    """Every habit, all the time: what begins before any moment ends after it.

    Among them groups of layers beside one of which another order stays for 20 s, which changes nothing.
    """
    market = Market(seconds, 3)
    for start in range(0, seconds - 5, 3):  # orders that are moved every 0.4 s and live for 6 s
        market.place(np.array([start * SECOND_NS]), np.array([(start + 6) * SECOND_NS]))
        market.reprice((start * SECOND_NS + np.arange(1, 14) * 400 * MS), market.last)
    for start in range(0, seconds - 5, 10):  # orders that are shown again every 2 s
        market.place(np.array([start * SECOND_NS]), np.array([(start + 30) * SECOND_NS]), size=3, refills=9)
        market.refill((start * SECOND_NS + np.arange(1, 10) * 2 * SECOND_NS), market.last)
    whole = np.arange(1, seconds - 1) * SECOND_NS
    for entry, exit_ in ((300 * MS, 400 * MS), (900 * MS, 1000 * MS - 5000)):  # the second pair ends across a second
        market.place(whole + entry, whole + exit_, size=PAIR_SIZE, side=0)
        market.place(whole + entry + 10_000, whole + exit_ + 10_000, size=PAIR_SIZE, side=1)
    market.place(whole - 200 * MS, whole + 600 * MS, size=25, side=1, filled=25)
    market.place(whole + 602 * MS, whole + 1700 * MS, size=25, side=1)
    ticks = np.arange(SECOND_NS, seconds * SECOND_NS, 100 * MS)
    market.place(ticks - SECOND_NS, ticks, size=30, side=0)
    market.background(orders=60)
    for group in range(seconds // 4):
        at = group * 4 * SECOND_NS
        for distance, end in ((1, 2991), (2, 2996), (3, 3000), (3, 3001)):  # seen as a group in the next second
            market.place(
                np.array([at + SECOND_NS]), np.array([at + end * MS]), size=LAYER_SIZE, side=0, distance=distance
            )
        if group % 2:
            market.place(np.array([at + SECOND_NS]), np.array([at + 20 * SECOND_NS]), size=4 * LAYER_SIZE, side=0)
        market.trade(np.array([at + 2300 * MS]), aggressor=0)
    fleeting = market.times(10)
    market.place(fleeting, fleeting + 20 * MS + MS // 2)
    answer = market.trade_times(0) + 30 * MS + MS // 2
    answer = answer[answer >= 700 * MS]
    market.place(answer - 700 * MS, answer, side=0)
    return market


def with_another_future(market: Market, cut: int) -> Market:
    """The same market up to `cut` (ns) and another one after it.

    Orders that are there at the cut are moved, end at another time, are executed or stay; what enters later does so
    at other times with other sizes; three in ten of the later trades, reprices and refills are left, at other times.
    """
    other = copy.deepcopy(market)
    rng = np.random.default_rng(cut)
    horizon = market.seconds * SECOND_NS

    def later(n: int) -> np.ndarray:
        return np.sort(rng.integers(cut, horizon, n))

    for part in (*other.trades, *other.reprices, *other.refilled):
        after = part[0] >= cut
        part[0, after] = later(int(after.sum()))
        part[0, after & (rng.random(part.shape[1]) < 0.7)] = horizon  # beyond the end: most of it never happens
    first = 1
    for part in other.orders:
        number = np.arange(first, first + part.shape[1])
        first += part.shape[1]
        there = (part[0] < cut) & ((part[1] >= cut) | (part[1] < 0))
        new = part[0] >= cut
        part[0, new] = later(int(new.sum()))
        part[3, new] = rng.integers(1, 80, int(new.sum()))
        part[4, new] = rng.integers(0, 7, int(new.sum()))
        ending = there | new
        ends = np.maximum(part[0], cut) + rng.integers(1, 5 * SECOND_NS, part.shape[1])
        part[1, ending] = np.where(rng.random(part.shape[1]) < 0.3, -1, ends)[ending]
        part[5, ending] = np.where(rng.random(part.shape[1]) < 0.3, part[3], 0)[ending]
        moved = number[there]
        other.reprice(cut + rng.integers(1, SECOND_NS, len(moved)), moved)
        other.refill(cut + rng.integers(1, SECOND_NS, len(moved)), moved)
    return other
