"""Which messages belong to a pattern, told from what came before them: kernels and pairs for `attribution`.

The tests of a day look at patterns as wholes; here every function decides as a second would have to when it ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence import coplacement, icebergs
from spymaster.evidence.arrays import DISTANCES, DayArrays, kind
from spymaster.evidence.layer_groups import add_price
from spymaster.evidence.strata import POOLED, Stratum
from spymaster.jit import kernel
from spymaster.tables.types import SIDES

Rows = NDArray[np.int64]


@kernel()
def lag_weights(ref, ref_event, target, target_event, low, high, weight, out):
    """For each target the largest weight of a bin `[low, high)` that its lag to any reference lies in."""
    start = 0
    n = ref.shape[0]
    bins = low.shape[0]
    for k in range(target.shape[0]):
        while start < n and target[k] - ref[start] >= high[bins - 1]:
            start += 1
        i = start
        while i < n and target[k] - ref[i] >= low[0]:
            if ref_event[i] != target_event[k]:
                lag = target[k] - ref[i]
                for b in range(bins):
                    if low[b] <= lag < high[b]:
                        out[k] = max(out[k], weight[b])
            i += 1


@kernel()
def withdrawn_layers(add, gone, price, weight, together, gone_together, least, second, out):
    """For each order the largest weight of a group that it went with, from the second on in which the group was seen.

    The groups are all windows of `layer_groups.find_windows`, whichever of them would stand in the end. weight: of a
    group by its first order to go; `gone` rises.
    """
    n = gone.shape[0]
    known = np.empty(least, np.int64)
    for i in range(n):
        if weight[i] <= 0:
            continue
        stop = i
        while stop < n and gone[stop] - gone[i] <= gone_together:
            stop += 1
        for j in range(i, stop):
            if add[j] > add[i] or add[i] - add[j] >= together:
                continue
            prices, seen = 0, -1  # the order with which the group was one
            for k in range(i, stop):
                if seen < 0 and add[j] <= add[k] < add[j] + together:
                    prices = add_price(known, prices, price[k])
                    if prices == least:
                        seen = k
            for k in range(i, stop):
                if seen >= 0 and add[j] <= add[k] < add[j] + together and gone[k] // second >= gone[seen] // second:
                    out[k] = max(out[k], weight[i])


def returning_entries(day: DayArrays, stratum: Stratum) -> tuple[Rows, NDArray[np.int64]]:
    """Entries of like size at the price of a large order that was filled completely just before (E6), and the delays.

    Rows of the messages; each is the first such entry after the fill.
    """
    lives, messages = day.lives, day.messages
    entered = messages.usable & (messages.kind == kind("add"))
    if stratum.side != POOLED:
        entered &= messages.side == SIDES.index(stratum.side)
    fills, adds = np.flatnonzero(icebergs.filled_whole(day, stratum)), np.flatnonzero(entered)
    places = np.unique(lives.price[fills] * 2 + lives.side[fills])
    place = np.searchsorted(places, messages.price[adds] * 2 + messages.side[adds])
    known = place < len(places)
    known[known] = places[place[known]] == (messages.price[adds] * 2 + messages.side[adds])[known]
    adds, place = adds[known], place[known]
    apart = icebergs.PLACES_APART
    fill = np.searchsorted(places, lives.price[fills] * 2 + lives.side[fills]) * apart + lives.ts_end[fills] - day.start
    add = place * apart + messages.ts[adds] - day.start
    order = np.argsort(add, kind="stable")
    adds, add = adds[order], add[order]
    counts = np.zeros(len(icebergs.EDGES) - 1, np.int64)
    which, back = np.empty(len(fill), np.int64), np.empty(len(fill), np.int64)
    size, wanted = messages.qty[adds].astype(np.int64), lives.size[fills].astype(np.int64)
    found = icebergs.find_refills(fill, wanted, add, size, icebergs.EDGES, icebergs.TOLERANCE, counts, which, back)
    return adds[back[:found]], add[back[:found]] - fill[which[:found]]


def twins(day: DayArrays, stratum: Stratum, within: int) -> tuple[Rows, Rows, NDArray[np.int64]]:
    """Pairs of orders entered and cancelled together (E10): two rows of the lives, and the cell of each."""
    rows, lives = coplacement.placed(day, stratum), day.lives
    add, life = lives.ts_add[rows], lives.ts_end[rows] - lives.ts_add[rows]
    columns = (life, lives.event_add[rows], lives.side[rows], lives.size[rows], lives.dist_code[rows])
    same, counts = np.arange(len(rows), dtype=np.int32), np.zeros(coplacement.CELLS, np.int64)
    within_and_cells = (within, coplacement.CANCELS_WITHIN, coplacement.LARGEST_SIZE, len(DISTANCES), counts)
    room = len(rows) + 1
    first, second = np.empty(room, np.int64), np.empty(room, np.int64)
    found = coplacement.find_twins(add, *columns, same, *within_and_cells, first, second)
    if found > room:  # none may be missing for want of room: how much there is depends on the whole day
        first, second = np.empty(found, np.int64), np.empty(found, np.int64)
        coplacement.find_twins(add, *columns, same, *within_and_cells, first, second)
    one, other = (rows[part[:found]] for part in (first, second))
    bid = np.where(lives.side[one] == 0, one, other)
    ask = np.where(lives.side[one] == 0, other, one)
    sizes = np.minimum(lives.size[one], coplacement.LARGEST_SIZE).astype(np.int64)
    cells = (sizes * len(DISTANCES) + lives.dist_code[bid]) * len(DISTANCES) + lives.dist_code[ask]
    return one, other, cells
