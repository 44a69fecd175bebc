"""Compiled loop of the touches: the states of every level over a date.

D is the mid minus the level. A level is far, approached, or cools down after a touch:

    FAR -> APPROACH       |D| <= D_in, and the mid came half a sigma_15 nearer in 15 s
    APPROACH -> FAR       |D| >= D_out, or 600 s are over, or the level itself moved past the mid by more than a tick
    APPROACH -> touch     |D| <= 1 tick, or one event went past the level by more; then COOLDOWN
    COOLDOWN -> FAR       |D| > D_out for 60 s without a break

with D_in = max(8 ticks, sigma_60) and D_out = 2 D_in. A level that begins to hold, or whose book becomes usable again,
while |D| < 1 tick cools down, else it is far.

Rows are joined to *runs*, in which mid, validity, limits and direction of the move stay the same: within a run only the
600 s of an approach can end. Runs lie in blocks; a block whose mids are further than D_out from a level is passed over.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spymaster.jit import kernel

BLOCK: Final = 64
FAR, APPROACH, COOLDOWN = 0, 1, 2


@kernel()
def touches(
    price2, first_row, end_row, anew,
    ts, run_of, run_start, mid2, usable, fresh, up, down, near, out, block_low, block_high, block_fresh,
    tick2, expiry_ns, rearm_ns, found,
):  # fmt: skip
    """Find touches. Returns how many there are; those beyond the length of `found` are not stored.

    Stretches of levels, those of one level together and in order: price2 int64[s] twice the price, first_row and
    end_row int64[s] the rows in which it holds, anew bool[s] where it does not go on from the stretch before. Rows: ts
    int64[n], run_of int64[n]. Runs: run_start int64[q + 1], mid2 int64[q], flags bool[q], near and out float64[q] twice
    D_in and D_out in 1e-9. Blocks: float64[b] what mids of a block are near to, bool[b] whether a segment begins or
    breaks in it. found int64[m, 5]: stretch, row, row of the approach, direction, went past by more than a tick.
    """
    count = 0
    blocks = block_low.shape[0]
    state, since, approached, way = FAR, np.int64(-1), np.int64(0), np.int64(0)
    for s in range(price2.shape[0]):
        r, stop, level = first_row[s], end_row[s], price2[s]
        if anew[s]:
            state, since = FAR, np.int64(-1)
            if r > 0 and usable[run_of[r - 1]] and abs(mid2[run_of[r - 1]] - level) < tick2:
                state = COOLDOWN
        elif r < stop and state == APPROACH and way * (mid2[run_of[r - 1]] - level) > tick2:
            state = FAR
        while r < stop:
            q = run_of[r]
            if r == run_start[q]:
                b = q // BLOCK
                passes = state == FAR or (state == COOLDOWN and since >= 0) or block_fresh[b]
                if q % BLOCK == 0 and state != APPROACH and passes and (level < block_low[b] or level > block_high[b]):
                    if block_fresh[b]:
                        state, since = FAR, np.int64(-1)
                    r = run_start[(b + 1) * BLOCK] if b + 1 < blocks else stop
                    continue
            if not usable[q]:
                state, since = FAR, np.int64(-1)
                r = run_start[q + 1]
                continue
            d = mid2[q] - level
            a = abs(d)
            if fresh[q] and r == run_start[q]:
                state, since = (COOLDOWN if a < tick2 else FAR), np.int64(-1)
            if state == COOLDOWN:
                if since >= 0 and ts[r] - since >= rearm_ns:
                    state = FAR
                elif a > out[q]:
                    if since < 0:
                        since = ts[r]
                else:
                    since = np.int64(-1)
            if state == APPROACH and ts[r] - ts[approached] >= expiry_ns:
                state = FAR
            if state == FAR and a <= near[q]:
                if up[q] and d <= 0:
                    state, approached, way = APPROACH, r, np.int64(1)
                elif down[q] and d >= 0:
                    state, approached, way = APPROACH, r, np.int64(-1)
            after = run_start[q + 1]
            if state == APPROACH:
                if a <= tick2 or way * d > tick2:
                    if count < found.shape[0]:
                        found[count, 0] = s
                        found[count, 1] = r
                        found[count, 2] = approached
                        found[count, 3] = way
                        found[count, 4] = 1 if a > tick2 else 0
                    count += 1
                    state, since = COOLDOWN, (ts[r] if a > out[q] else np.int64(-1))
                elif a >= out[q]:
                    state = FAR
                elif ts[after - 1] - ts[approached] >= expiry_ns:
                    low, high = r + 1, after
                    while low < high:
                        middle = (low + high) // 2
                        if ts[middle] - ts[approached] >= expiry_ns:
                            high = middle
                        else:
                            low = middle + 1
                    after = low
            r = after
    return count
