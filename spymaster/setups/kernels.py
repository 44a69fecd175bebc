"""Compiled loops over wall rows and over seconds.

The book near spot is held in arrays by *cell*: side (0 bid, 1 ask) and absolute tick modulo `CELLS`; `tag` says whose
tick a cell holds, so one that another price has taken over counts as empty.

    tag, depth      int64[2, CELLS]           tick in the cell, quantity after its last row
    stamp           int64[SLOTS, 2, CELLS]    second of the row in the slot; slots are seconds modulo SLOTS
    rows            int64[SLOTS, 2, CELLS, 6] start, add, pull, fill, away, toward of that row

A price without a row in a second has had no flow and keeps its quantity, as the wall has it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spymaster.jit import kernel

CELLS: Final = 4096
SLOTS: Final = 16
ZONE: Final = 20
LOOKS: Final = (1, 5, 15)
LEVELS: Final = 10
REACH: Final = 200
"""Ticks from the best price in which the ten best prices are looked for."""
NO_TICK: Final = -(1 << 40)


def new_state() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """tag, depth, stamp, rows, and the best prices of the second before (int64[2, LEVELS, 2]: tick, quantity)."""
    return (
        np.full((2, CELLS), NO_TICK, dtype=np.int64),
        np.zeros((2, CELLS), dtype=np.int64),
        np.full((SLOTS, 2, CELLS), -1, dtype=np.int64),
        np.zeros((SLOTS, 2, CELLS, 6), dtype=np.int64),
        np.zeros((2, LEVELS, 2), dtype=np.int64),
    )


@kernel()
def measure(second, first_row, tick, side, values, end, spot, best, tag, depth, stamp, rows, before, sums, ofi):
    """Sums over the zone of each second, and its order-flow imbalance.

    second: int64[m], rising. first_row: int64[m + 1], where the rows of each second begin. tick, side, end: int64[n].
    values: int64[6, n], in the order of `rows`. spot: int64[m], NO_TICK for none. best: int64[m, 2], ticks of the best
    prices, NO_TICK for none. sums: int64[m, 2, 3, 9]: q0, q1, both times distance (w0, w1), add, pull, fill, away,
    toward, by side and look-back. ofi: int64[m, LEVELS].
    """
    mask = CELLS - 1
    for i in range(second.shape[0]):
        now = second[i]
        slot = now % SLOTS
        for r in range(first_row[i], first_row[i + 1]):
            s, cell = side[r], tick[r] & mask
            if tag[s, cell] != tick[r]:
                tag[s, cell] = tick[r]
                for k in range(SLOTS):
                    stamp[k, s, cell] = -1
            stamp[slot, s, cell] = now
            for v in range(6):
                rows[slot, s, cell, v] = values[v, r]
            depth[s, cell] = end[r]
        for s in range(2):
            sign = 1 if s == 1 else -1
            for w in range(3):
                for v in range(9):
                    sums[i, s, w, v] = 0
            if spot[i] == NO_TICK:
                continue
            for away in range(ZONE + 1):
                price = spot[i] + sign * away
                cell = price & mask
                if tag[s, cell] != price:
                    continue
                start = depth[s, cell]
                add, pull, fill, left, came = 0, 0, 0, 0, 0
                look = 0
                for k in range(LOOKS[2]):
                    old = (now - k) % SLOTS
                    if stamp[old, s, cell] == now - k:
                        start = rows[old, s, cell, 0]
                        add += rows[old, s, cell, 1]
                        pull += rows[old, s, cell, 2]
                        fill += rows[old, s, cell, 3]
                        left += rows[old, s, cell, 4]
                        came += rows[old, s, cell, 5]
                    if k + 1 == LOOKS[look]:
                        sums[i, s, look, 0] += start
                        sums[i, s, look, 1] += depth[s, cell]
                        sums[i, s, look, 2] += start * away
                        sums[i, s, look, 3] += depth[s, cell] * away
                        sums[i, s, look, 4] += add
                        sums[i, s, look, 5] += pull
                        sums[i, s, look, 6] += fill
                        sums[i, s, look, 7] += left
                        sums[i, s, look, 8] += came
                        look += 1
        _imbalance(i, best, tag, depth, before, ofi)


@kernel()
def _imbalance(i, best, tag, depth, before, ofi):
    """Imbalance of the k-th best prices against those of the second before (Cont, Kukanov & Stoikov 2014)."""
    mask = CELLS - 1
    for level in range(LEVELS):
        ofi[i, level] = 0
    for s in range(2):
        sign = 1 if s == 1 else -1
        level = 0
        if best[i, s] != NO_TICK:
            for step in range(REACH):
                price = best[i, s] + sign * step
                cell = price & mask
                if tag[s, cell] == price and depth[s, cell] > 0:
                    _one_level(i, s, level, price, depth[s, cell], sign, before, ofi)
                    level += 1
                    if level == LEVELS:
                        break
        while level < LEVELS:  # nothing rests there: as far away as can be
            _one_level(i, s, level, sign * (1 << 40), 0, sign, before, ofi)
            level += 1


@kernel()
def _one_level(i, s, level, price, qty, sign, before, ofi):
    """Add one side's part for one level, and remember the level."""
    was, had = before[s, level, 0], before[s, level, 1]
    nearer = (was - price) * sign
    change = qty if nearer > 0 else (qty - had if nearer == 0 else -had)
    ofi[i, level] += -sign * change
    before[s, level, 0] = price
    before[s, level, 1] = qty


@kernel()
def smoothed_slopes(follows, x, alpha, out):
    """First to third exponentially smoothed differences of a series.

    follows: bool[m], the row before is one second earlier. x: float64[m], NaN for none. alpha: float64[3]. out:
    float64[m, 3]; NaN until a difference exists, and after every gap.
    """
    held = np.full(4, np.nan)
    for i in range(x.shape[0]):
        if not follows[i] or np.isnan(x[i]):
            held[:] = np.nan
        level = x[i]
        for k in range(3):
            last = held[k]
            held[k] = level
            if np.isnan(last) or np.isnan(level):
                level = np.nan
                out[i, k] = np.nan
                continue
            change = level - last
            so_far = held[k + 1]
            level = change if np.isnan(so_far) else alpha[k] * change + (1.0 - alpha[k]) * so_far
            out[i, k] = level
            if k == 2:
                held[3] = level
