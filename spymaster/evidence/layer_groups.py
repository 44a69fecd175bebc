"""Groups of layers, and the trades before they went: what E7 counts.

A group is large orders of one side that entered within a while of each other and were withdrawn within a shorter one,
at several prices. Orders that stay are in no group and hide none: what belongs together is told by its going.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.nulls import below
from spymaster.evidence.streams import Streams
from spymaster.jit import hot_kernel, kernel

Ints = NDArray[np.int64]


@kernel()
def find_windows(add, gone, price, size, together, gone_together, least, firsts, starts, totals):
    """Windows of orders entered in `[add[start], add[start] + together)` and gone within `gone_together` of the first.

    `gone` rises. A window holds its first order to go and its first to enter, and has `least` prices or more; these
    two and its lots go to `firsts`, `starts`, `totals`, as many as fit. Returns how many there are.
    """
    n = gone.shape[0]
    known = np.empty(least, np.int64)
    found, stop = 0, 0
    for i in range(n):
        while stop < n and gone[stop] - gone[i] <= gone_together:
            stop += 1
        if stop - i < least:
            continue
        for j in range(i, stop):
            if add[j] > add[i] or add[i] - add[j] >= together:
                continue
            total, prices = np.int64(0), 0
            for k in range(i, stop):
                if add[j] <= add[k] < add[j] + together:
                    total += size[k]
                    prices = add_price(known, prices, price[k])
            if prices == least:
                if found < firsts.shape[0]:
                    firsts[found], starts[found], totals[found] = i, j, total
                found += 1
    return found


@hot_kernel()
def add_price(known, count, price):
    """Note a price that is not known yet, as long as there is room. Returns how many are known."""
    for place in range(count):
        if known[place] == price:
            return count
    if count < known.shape[0]:
        known[count] = price
        return count + 1
    return count


@kernel()
def take_windows(order, firsts, starts, add, gone, together, gone_together, group):
    """Of windows in `order` those that share no order with one taken before; `group` takes their number, or -1."""
    n = gone.shape[0]
    group[:] = -1
    taken = 0
    for place in range(order.shape[0]):
        i, j = firsts[order[place]], starts[order[place]]
        stop, is_free = i, True
        while stop < n and gone[stop] - gone[i] <= gone_together:
            if add[j] <= add[stop] < add[j] + together and group[stop] >= 0:
                is_free = False
            stop += 1
        if is_free:
            for k in range(i, stop):
                if add[j] <= add[k] < add[j] + together:
                    group[k] = taken
            taken += 1
    return taken


def groups_of(
    add: Ints, gone: Ints, price: Ints, size: Ints, *, together: int, gone_together: int, least: int
) -> tuple[Ints, Ints]:
    """Groups of orders of one side that do not overlap: of windows that share orders that with most lots stands.

    `gone` rises. Returns places of the orders, by group and by when they went, and where each group begins there
    [groups + 1]; groups are in the order in which they began to go.
    """
    room, found = 0, 1024
    firsts = starts = totals = np.zeros(0, np.int64)
    while found > room:
        room = found
        firsts, starts, totals = (np.empty(room, np.int64) for _ in range(3))
        found = find_windows(add, gone, price, size, together, gone_together, least, firsts, starts, totals)
    order = np.argsort(-totals[:found], kind="stable")
    group = np.empty(len(gone), np.int64)
    taken = take_windows(order, firsts, starts, add, gone, together, gone_together, group)
    places = np.flatnonzero(group >= 0)
    began = np.full(taken, len(gone), np.int64)
    np.minimum.at(began, group[places], places)
    rank = np.empty(taken, np.int64)
    rank[np.argsort(began)] = np.arange(taken)
    places = places[np.argsort(rank[group[places]], kind="stable")]
    sizes = np.bincount(rank[group[places]], minlength=taken)
    return places, np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


@hot_kernel()
def first_from(times, begin, end, moment):
    """Place of the first of `times[begin:end]`, which rise, that is `moment` or later."""
    while begin < end:
        middle = (begin + end) // 2
        if times[middle] < moment:
            begin = middle + 1
        else:
            end = middle
    return begin


@kernel()
def count_lags(gone, side, trade, bounds, span, shifts, edges, width, sets):
    """Groups with a trade at a lag before they began to go, by shift and bin of lag; a group counts once a bin.

    Times are from the start of the day, `span` long, in which trades are shifted circularly. trade: those that groups
    of side 0 look at, then those of side 1, from `bounds`. All bins but the first, which may be cut, are `width` wide.
    """
    least, most = edges[0], edges[edges.shape[0] - 1]
    first_bin = edges[1] // width - 1
    for one in range(shifts.shape[0]):
        shift = shifts[one] % span
        for g in range(gone.shape[0]):
            begin, end = bounds[side[g]], bounds[side[g] + 1]
            early, late = max(gone[g] - most + 1, 0), gone[g] - least
            k = first_from(trade, begin, end, (early - shift) % span)
            last_bin = np.int64(-1)
            for _ in range(end - begin):  # round the day at most once
                if k == end:
                    k = begin
                at = (trade[k] + shift) % span
                if at < early or at > late:
                    break
                bin_ = (gone[g] - at) // width - first_bin
                if bin_ != last_bin:
                    sets[one, bin_] += 1
                    last_bin = bin_
                k += 1


@kernel()
def lags_within(gone, side, trade, bounds, span, shift, low, high, lags):
    """The longest lag in `[low, high)` of each group, -1 without one; the other arguments are those of `count_lags`."""
    shift = shift % span
    for g in range(gone.shape[0]):
        lags[g] = -1
        begin, end = bounds[side[g]], bounds[side[g] + 1]
        early, late = max(gone[g] - high + 1, 0), gone[g] - low
        k = first_from(trade, begin, end, (early - shift) % span)
        if begin == end:
            continue
        at = (trade[begin if k == end else k] + shift) % span
        if early <= at <= late:
            lags[g] = gone[g] - at


@kernel()
def draw_in_cells(start, words, width, out):
    """A time in each cell `[start, start + width)`."""
    for i in range(start.shape[0]):
        out[i] = start[i] + below(words[i], width)


@dataclass(frozen=True)
class Groups:
    """Groups of one side or both, with the trades of the other side of each.

    rows: lives, by group and by when they went; first: where each group begins there [groups + 1]; gone, side: when
    each began to go, from the start of the day, and its side. trade, bounds, span: as in `count_lags`.
    """

    rows: Ints
    first: Ints
    gone: Ints
    side: Ints
    trade: Ints
    bounds: Ints
    span: int

    def sets(self, shifts: Ints, edges: Ints, width: int) -> Ints:
        """Counts by shift of the trades and bin of lag [shifts, bins]."""
        made = np.zeros((len(shifts), len(edges) - 1), np.int64)
        count_lags(self.gone, self.side, self.trade, self.bounds, self.span, shifts, edges, width, made)
        return made

    def redrawn(self, streams: Streams, cell: int, first: int, count: int, edges: Ints, width: int) -> Ints:
        """Counts of surrogates `first` on [count, bins]: each group goes anew within its own cell of `cell` ns."""
        made = np.zeros((count, len(edges) - 1), np.int64)
        origin = streams.offset(cell)
        start = origin + (self.gone - origin) // cell * cell
        drawn, unmoved = np.empty_like(start), np.zeros(1, np.int64)
        for one in range(count):
            draw_in_cells(start, streams.words(first + one, len(start)), cell, drawn)
            count_lags(drawn, self.side, self.trade, self.bounds, self.span, unmoved, edges, width, made[one : one + 1])
        return made

    def lags(self, shift: int, low: int, high: int) -> Ints:
        """By group the longest lag in `[low, high)`, -1 without one."""
        found = np.empty(len(self.gone), np.int64)
        lags_within(self.gone, self.side, self.trade, self.bounds, self.span, shift, low, high, found)
        return found
