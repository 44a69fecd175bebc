"""Which messages belong to a pattern, told from what came before them: kernels and pairs for `attribution`.

The tests of a day look at patterns as wholes; here every function decides as a second would have to when it ends.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.evidence import coplacement, icebergs
from spymaster.evidence.arrays import DISTANCES, DayArrays, kind
from spymaster.evidence.strata import POOLED, Stratum
from spymaster.jit import kernel
from spymaster.tables.types import LIFE_ENDS, SIDES

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
def withdrawn_layers(add, left, gone, size, trade, together, within, least_count, least_total, share, second, out):
    """Mark orders withdrawn after a trade of the other side, from the second on in which most of them had gone.

    add is sorted; left (the end, or the first reprice if that is earlier) and gone (-1: not cancelled unfilled at the
    price of entry) are of the same orders. Before each trade the orders entered within `together` and still there are
    a group if they are many enough; whatever becomes of one of them later, it counts in that group.
    """
    n = add.shape[0]
    start = 0
    for k in range(trade.shape[0]):
        t = trade[k]
        while start < n and add[start] < t - together:
            start += 1
        stop = start
        total = np.int64(0)
        count = 0
        while stop < n and add[stop] <= t:
            if left[stop] > t:
                total += size[stop]
                count += 1
            stop += 1
        if count < least_count or total < least_total:
            continue
        pulled = np.int64(0)
        for i in range(start, stop):
            if left[i] > t and t < gone[i] <= t + within:
                pulled += size[i]
        if pulled < share * total:
            continue
        done = np.int64(2**62)  # when the share was reached: the earliest time by which enough had gone
        for i in range(start, stop):
            if left[i] > t and t < gone[i] <= t + within:
                before = np.int64(0)
                for j in range(start, stop):
                    if left[j] > t and t < gone[j] <= gone[i]:
                        before += size[j]
                if before >= share * total:
                    done = min(done, gone[i])
        for i in range(start, stop):
            if left[i] > t and t < gone[i] <= t + within and gone[i] // second >= done // second:
                out[i] = True


def first_reprices(day: DayArrays, rows: Rows) -> Rows:
    """Time of the first reprice of each of these lives after its entry, one beyond all times where there is none.

    An id that is used again may give a reprice of a later life: it is not before the end of this one.
    """
    messages, lives = day.messages, day.lives
    moved = np.flatnonzero(messages.kind == kind("reprice"))
    at = pl.DataFrame({"order": messages.order[moved], "ts": messages.ts[moved], "first": messages.ts[moved]})
    own = pl.DataFrame({"order": lives.order[rows], "ts": lives.ts_add[rows]}).with_row_index("place").sort("ts")
    joined = own.join_asof(at, on="ts", by="order", strategy="forward", check_sortedness=False).sort("place")
    return joined["first"].fill_null(np.iinfo(np.int64).max).to_numpy()


def returning_entries(day: DayArrays, stratum: Stratum) -> tuple[Rows, NDArray[np.int64]]:
    """Entries of like size at the price of a large order that was filled completely just before (E6), and the delays.

    Rows of the messages; each is the first such entry after the fill.
    """
    lives, messages = day.lives, day.messages
    entered = messages.usable & (messages.kind == kind("add"))
    filled = lives.usable & (lives.reason == LIFE_ENDS.index("fill")) & (lives.reprices == 0)
    filled &= lives.size >= icebergs.LEAST_SIZE
    if stratum.side != POOLED:
        entered &= messages.side == SIDES.index(stratum.side)
        filled &= lives.side == SIDES.index(stratum.side)
    fills, adds = np.flatnonzero(filled), np.flatnonzero(entered)
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
