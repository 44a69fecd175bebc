"""The ledger of the wall: depth of every price and side as last reported, followed from window to window.

The arrays, in words. `n` price levels that ever have a row, `m` windows of the session, `r` rows of whole windows:

    ticks       int64[n]     prices, rising
    last        int64[2, n]  depth at the end of the last row of [side (0 bid, 1 ask), level]
    ends, spots int64[m]     end of the window (ns) and spot price, meaningless where not has_spot
    has_spot, stores_all  bool[m]  whether the window has a spot; whether it stores every row that rests
    row_end, price  int64[r]; side uint8[r]; start, end, add, pull, fill  int32[r]   the rows, in order
    level       int32[r]     scratch: where `price` lies in `ticks`
    carry       int64[3]     the next window; first and past-the-last level inside the grid of the window before it
    counts      int64[4]     violations by kind (`KINDS`), then how many are quoted
    quoted      int64[q, 6]  the first of them: kind, window end, side, price, depth found, depth expected

Rows of a window that `ends` does not have are passed over.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel

IDENTITY = 0
CARRY = 1
VANISHED = 2
KINDS = 3


@kernel()
def _quote(counts, quoted, kind, end_ns, side, price, found, expected):
    counts[kind] += 1
    position = counts[KINDS]
    if position < len(quoted):
        quoted[position, 0] = kind
        quoted[position, 1] = end_ns
        quoted[position, 2] = side
        quoted[position, 3] = price
        quoted[position, 4] = found
        quoted[position, 5] = expected
        counts[KINDS] += 1


@kernel()
def follow(
    ticks,
    last,
    ends,
    spots,
    has_spot,
    stores_all,
    reach,
    row_end,
    price,
    side,
    start,
    end,
    add,
    pull,
    fill,
    level,
    stop,
    carry,
    counts,
    quoted,
):
    """Take the rows of the windows from `carry[0]` up to `stop` (exclusive), windows without a row included."""
    rows = len(row_end)
    for i in range(rows):
        expected = np.int64(start[i]) + add[i] - pull[i] - fill[i]
        if end[i] != expected:
            _quote(counts, quoted, IDENTITY, row_end[i], side[i], price[i], end[i], expected)
    row = 0
    near, far = carry[1], carry[2]
    for window in range(carry[0], stop):
        while row < rows and row_end[row] < ends[window]:
            row += 1
        first = row
        while row < rows and row_end[row] == ends[window]:
            row += 1
        if not has_spot[window]:
            near, far = 0, 0
            continue
        low = np.searchsorted(ticks, spots[window] - reach)
        high = np.searchsorted(ticks, spots[window] + reach + 1)
        at = low
        for i in range(first, row):
            if at >= len(ticks) or ticks[at] > price[i]:
                at = np.searchsorted(ticks, price[i])
            while ticks[at] < price[i]:
                at += 1
            level[i] = at
            expected = last[side[i], at]
            if near <= at < far and start[i] != expected:
                _quote(counts, quoted, CARRY, ends[window], side[i], price[i], start[i], expected)
        if stores_all[window]:
            for i in range(first, row):
                last[side[i], level[i]] = 0
            for one in range(2):
                for cell in range(low, high):
                    if last[one, cell] != 0:
                        if near <= cell < far:
                            _quote(counts, quoted, VANISHED, ends[window], one, ticks[cell], 0, last[one, cell])
                        last[one, cell] = 0
        for i in range(first, row):
            last[side[i], level[i]] = end[i]
        near, far = low, high
    carry[0], carry[1], carry[2] = max(carry[0], stop), near, far
