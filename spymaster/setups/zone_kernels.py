"""Compiled sums over the zone around spot, of windows of any length and any second.

The book is held in arrays by *cell*: side (0 bid, 1 ask) and absolute tick modulo `CELLS`; `tag` says whose tick a cell
holds.

    tag    int64[2, CELLS]       tick in the cell
    held   int64[2, CELLS, 2]    quantity and rested quantity after its last row
    total  int64[2, CELLS, 6]    added, pulled, pulled rested, filled, moved away, moved towards since the first row

A window from second a to second b needs the totals of its zone at both ends, and only the spot of its end says which
zone that is. So the totals of a window are put down when it begins, in a *slot* that is free again when it ends:

    base   int64[slots, 2, 21, 6]
    free   int64[slots]          slots that are free, the first `cursor[2]` of them
    cursor int64[3]              windows begun, windows ended, slots free

The quantity at the start is that at the end without the flows in between, which is the identity of the wall.
"""

from __future__ import annotations

from typing import Final

from spymaster.jit import kernel

CELLS: Final = 4096
ZONE: Final = 20


@kernel()
def window_sums(
    second, first_row, tick, side, values, begin, finish, spot, by_begin, by_end, band, slot, free, cursor, base,
    tag, held, total, sums, geometry,
):  # fmt: skip
    """Fill `sums` and `geometry` of the windows that end before the last second of a block.

    second: int64[m], rising. first_row: int64[m + 1], where the rows of each second begin. tick, side: int64[n].
    values: int64[8, n], end, rest, then what `total` adds up. begin, finish, spot: int64[k], last second before the
    window, its last second, tick of spot there. by_begin, by_end: int64[k], windows in those orders. band: int64[21] of
    each distance. slot: int64[k]. sums: int64[k, 2, 4, 7] and geometry: int64[k, 2, 5], as `surfaces.kernels` has them.
    """
    mask = CELLS - 1
    for i in range(second.shape[0]):
        now = second[i]
        while True:
            first = begin[by_begin[cursor[0]]] if cursor[0] < by_begin.shape[0] else now
            last = finish[by_end[cursor[1]]] if cursor[1] < by_end.shape[0] else now
            if min(first, last) >= now:
                break
            if last <= first:
                k = by_end[cursor[1]]
                cursor[1] += 1
                _close(k, spot[k], base[slot[k]], band, tag, held, total, sums, geometry)
                free[cursor[2]] = slot[k]
                cursor[2] += 1
            else:
                k = by_begin[cursor[0]]
                cursor[0] += 1
                cursor[2] -= 1
                slot[k] = free[cursor[2]]
                _open(spot[k], base[slot[k]], total)
        for r in range(first_row[i], first_row[i + 1]):
            s, cell = side[r], tick[r] & mask
            tag[s, cell] = tick[r]
            held[s, cell, 0] = values[0, r]
            held[s, cell, 1] = values[1, r]
            for v in range(6):
                total[s, cell, v] += values[2 + v, r]


@kernel()
def _open(spot, base, total):
    """Put down what the totals of a zone are."""
    for s in range(2):
        sign = 1 if s == 1 else -1
        for away in range(ZONE + 1):
            cell = (spot + sign * away) & (CELLS - 1)
            for v in range(6):
                base[s, away, v] = total[s, cell, v]


@kernel()
def _close(k, spot, base, band, tag, held, total, sums, geometry):
    """One window at its end."""
    mask = CELLS - 1
    for s in range(2):
        sign = 1 if s == 1 else -1
        for v in range(4):
            for b in range(7):
                sums[k, s, v, b] = 0
            geometry[k, s, v] = 0
        geometry[k, s, 4] = ZONE
        for away in range(ZONE + 1):
            price = spot + sign * away
            cell = price & mask
            add = total[s, cell, 0] - base[s, away, 0]
            pull = total[s, cell, 1] - base[s, away, 1]
            fill = total[s, cell, 3] - base[s, away, 3]
            known = tag[s, cell] == price
            end = held[s, cell, 0] if known else 0
            start = end - add + pull + fill
            b = band[away]
            sums[k, s, b, 0] += start
            sums[k, s, b, 1] += end
            sums[k, s, b, 2] += held[s, cell, 1] if known else 0
            sums[k, s, b, 3] += add
            sums[k, s, b, 4] += pull
            sums[k, s, b, 5] += total[s, cell, 2] - base[s, away, 2]
            sums[k, s, b, 6] += fill
            geometry[k, s, 0] += away * start
            geometry[k, s, 1] += away * end
            geometry[k, s, 2] += total[s, cell, 4] - base[s, away, 4]
            geometry[k, s, 3] += total[s, cell, 5] - base[s, away, 5]
            if end > 0 and geometry[k, s, 4] == ZONE:
                geometry[k, s, 4] = away
