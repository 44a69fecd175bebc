"""Numba kernels over wall rows.

The arrays, in words. A block is `n` wall rows of whole windows, sorted by window, price, side (`blocks.WallBlock`):

    t      int64[n]     window_end, ns since the epoch
    price  int64[n]     price_int
    side   uint8[n]     0 bid, 1 ask
    rel    int32[n]     ticks from the window-end spot
    q      k x int32[n] quantities in lots, one array per name of `zones.ZONE_QUANTITIES` (then `MOVE_QUANTITIES`)

and `m` windows the block is laid out on (one-second steps, some of them without a row):

    win_t  int64[m]
    sums   int64[m, 2, 4, 7]  quantity summed over window, side, band
    median int64[m, 2]        median of depth_qty_rest over the side's 21 ticks 0..20, an empty tick as 0

Kernels allocate nothing. All sums are integers and every logarithm is that of one quotient, so no result depends on
how rows are cut into blocks. The columns of a block are read-only views, everything else is writable; all are
C-contiguous and of exactly these types: another layout would compile again. `logs[b, a] = ln((a + E) / (b + E))` of
small quantities spares most logarithms without changing one.
"""

from __future__ import annotations

import math

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.surfaces.zones import (
    ADD,
    AWAY,
    BAND_LAST_TICK,
    END,
    FILL,
    PULL,
    PULL_REST,
    REST,
    START,
    TOWARD,
    ZONE_TICKS,
)


@kernel(inline="always")
def _log_ratio(above, below, eps):
    """ln((above + eps) / (below + eps)) of two quantities: exactly 0 where they are equal, without a logarithm."""
    return math.log((above + eps) / (below + eps)) if above != below else 0.0


@kernel()
def fill_logs(eps, logs):
    """`logs[b, a] = ln((a + eps) / (b + eps))` into float64[c, c]."""
    for below in range(logs.shape[0]):
        for above in range(logs.shape[1]):
            logs[below, above] = _log_ratio(above, below, eps)
    return 0


@hot_kernel()
def _known_log_ratio(above, below, eps, logs):
    """`_log_ratio`, looked up where both quantities are in the table."""
    if above == below:
        return 0.0
    a, b, known = np.uint64(above), np.uint64(below), np.uint64(logs.shape[0])
    return logs[b, a] if a < known and b < known else _log_ratio(above, below, eps)


@kernel(inline="always")
def _median(rest, side):
    """Median of the 21 integers rest[side], sorting them in place (insertion sort)."""
    for i in range(1, rest.shape[1]):
        value = rest[side, i]
        j = i - 1
        while j >= 0 and rest[side, j] > value:
            rest[side, j + 1] = rest[side, j]
            j -= 1
        rest[side, j + 1] = value
    return rest[side, rest.shape[1] // 2]


@kernel()
def zone_sums(t, win_t, side, rel, q, rest, sums, median):
    """Fill `sums` and `median` (zeroed by the caller) from the rows of the zone; `rest` int64[2, 21] is scratch.

    Returns -1, or the first row whose window is not among `win_t`.
    """
    n = t.shape[0]
    i = 0
    w = 0
    while i < n:
        now = t[i]
        while w < win_t.shape[0] and win_t[w] < now:
            w += 1
        if w == win_t.shape[0] or win_t[w] != now:
            return i
        for distance in range(ZONE_TICKS + 1):
            rest[0, distance] = rest[1, distance] = 0
        while i < n and t[i] == now:
            s = side[i]
            distance = rel[i] if s == 1 else -rel[i]
            if 0 <= distance <= ZONE_TICKS:
                band = 0
                while distance > BAND_LAST_TICK[band]:
                    band += 1
                for k in range(7):
                    sums[w, s, band, k] += q[k][i]
                rest[s, distance] = q[REST][i]
            i += 1
        median[w, 0] = _median(rest, 0)
        median[w, 1] = _median(rest, 1)
    return -1


@kernel()
def zone_geometry(t, win_t, side, rel, q, geometry):
    """Fill int64[m, 2, 5]: quantity-weighted distance at start and at end, moved away, moved towards, best distance.

    `q` carries the two reprice columns; the best distance is that of the nearest level with depth at the end, 20 if
    none. Every row's window is among `win_t`.
    """
    for w in range(geometry.shape[0]):
        for s in range(2):
            for k in range(4):
                geometry[w, s, k] = 0
            geometry[w, s, 4] = ZONE_TICKS
    w = 0
    for i in range(t.shape[0]):
        s = side[i]
        distance = rel[i] if s == 1 else -rel[i]
        if 0 <= distance <= ZONE_TICKS:
            while win_t[w] < t[i]:
                w += 1
            geometry[w, s, 0] += distance * q[START][i]
            geometry[w, s, 1] += distance * q[END][i]
            geometry[w, s, 2] += q[AWAY][i]
            geometry[w, s, 3] += q[TOWARD][i]
            if q[END][i] > 0 and distance < geometry[w, s, 4]:
                geometry[w, s, 4] = distance
    return 0


@kernel()
def radar_features(sums, geometry, eps, out):
    """The 13 radar features of each window and side into float64[m, 2, 13], in the order of `radar.FEATURES`."""
    for w in range(sums.shape[0]):
        for s in range(2):
            at_s, near_s = sums[w, s, 0, START], sums[w, s, 1, START]
            at_e, near_e, far_e = sums[w, s, 0, END], sums[w, s, 1, END], sums[w, s, 3, END]
            total_s = total_e = add = pull = fill = 0
            for b in range(4):
                total_s += sums[w, s, b, START]
                total_e += sums[w, s, b, END]
                add += sums[w, s, b, ADD]
                pull += sums[w, s, b, PULL_REST]
                fill += sums[w, s, b, FILL]
            mean_s = geometry[w, s, 0] / total_s if total_s > 0 else float(ZONE_TICKS)
            mean_e = geometry[w, s, 1] / total_e if total_e > 0 else float(ZONE_TICKS)
            away, toward = geometry[w, s, 2], geometry[w, s, 3]
            base = total_s + eps
            out[w, s, 0] = math.log((mean_e + 1.0) / (mean_s + 1.0))
            out[w, s, 1] = _log_ratio(far_e, near_e, eps)
            out[w, s, 2] = _log_ratio(near_e, at_e, eps)
            out[w, s, 3] = at_e / (total_e + eps) - at_s / base
            out[w, s, 4] = near_e / (total_e + eps) - near_s / base
            out[w, s, 5] = away / (away + toward) if away + toward > 0 else 0.5
            out[w, s, 6] = _log_ratio(pull, add, eps)
            out[w, s, 7] = math.log(1.0 + pull / base)
            out[w, s, 8] = math.log(1.0 + add / base)
            out[w, s, 9] = sums[w, s, 0, PULL_REST] / (pull + eps)
            out[w, s, 10] = sums[w, s, 1, PULL_REST] / (pull + eps)
            out[w, s, 11] = math.log(1.0 + fill / base)
            out[w, s, 12] = geometry[w, s, 4]
    return 0


@kernel()
def approach_moves(mid, run_start, first, lag, span, least, moves, out):
    """Direction of the mid into int8[m - first]: +1, -1 or 0, for windows `first`..m-1.

    `mid` float64[m] (NaN where a side is empty), `run_start` int64[m] the first window of each unbroken run of seconds.
    A move is mid[i] - mid[i - lag]; it counts where it exceeds half the population standard deviation of the (at least
    `least`) moves known among the last `span`, itself included. `moves` float64[m] is scratch.
    """
    for i in range(mid.shape[0]):
        moves[i] = mid[i] - mid[i - lag] if i - lag >= run_start[i] else math.nan
    for i in range(first, mid.shape[0]):
        out[i - first] = 0
        if math.isnan(moves[i]):
            continue
        known = 0
        total = 0.0
        oldest = max(i - span + 1, run_start[i])
        for j in range(oldest, i + 1):
            if not math.isnan(moves[j]):
                known += 1
                total += moves[j]
        if known < least:
            continue
        mean = total / known
        square = 0.0
        for j in range(oldest, i + 1):
            if not math.isnan(moves[j]):
                square += (moves[j] - mean) ** 2
        if abs(moves[i]) > 0.5 * math.sqrt(square / known):
            out[i - first] = 1 if moves[i] > 0.0 else -1
    return 0


@kernel()
def band_metrics(win_t, step, sums, median, width, eps, lag_t, lag_x, out):
    """Metrics of each band's sums into float64[m, 2, 4, 8], in the order of `vacuum.METRICS`.

    `lag_t` int64[2] and `lag_x` float64[2, 2, 4] hold the two windows before the block (oldest first) and their
    pull_add_log, and are left at the block's last two; a window that is not there had no flow: 0.
    """
    for w in range(win_t.shape[0]):
        for s in range(2):
            for b in range(4):
                start, end = sums[w, s, b, START], sums[w, s, b, END]
                add, pull, pull_rest = sums[w, s, b, ADD], sums[w, s, b, PULL], sums[w, s, b, PULL_REST]
                x = _log_ratio(pull_rest, add, eps)
                x1 = lag_x[1, s, b] if lag_t[1] == win_t[w] - step else 0.0
                x2 = 0.0
                for k in range(2):
                    if lag_t[k] == win_t[w] - 2 * step:
                        x2 = lag_x[k, s, b]
                out[w, s, b, 0] = x
                out[w, s, b, 1] = (pull - add) / (start + eps)
                out[w, s, b, 2] = _log_ratio(start, end, eps)
                out[w, s, b, 3] = (x - x1) - (x1 - x2)
                out[w, s, b, 4] = math.log((sums[w, s, b, REST] / width[b] + eps) / (median[w, s] + eps))
                out[w, s, b, 5] = pull_rest / (start + eps)
                out[w, s, b, 6] = end
                out[w, s, b, 7] = abs(add - pull)
        lag_t[0] = lag_t[1]
        lag_t[1] = win_t[w]
        for s in range(2):
            for b in range(4):
                lag_x[0, s, b] = lag_x[1, s, b]
                lag_x[1, s, b] = out[w, s, b, 0]
    return 0


@kernel()
def row_ratios(q, eps, out):
    """Rows 4, 6, 8 of `vacuum.ROW_COLUMNS` into float32[9, n]: quotients, which vectorise in a loop of their own."""
    start, add, pull, pull_rest, fill = q[START], q[ADD], q[PULL], q[PULL_REST], q[FILL]
    for r in range(start.shape[0]):
        base = start[r] + eps
        out[4, r] = (pull[r] - add[r]) / base
        out[6, r] = pull_rest[r] / base
        out[8, r] = fill[r] / (pull[r] + fill[r] + eps)
    return 0


@kernel()
def row_logs(t, side, rel, q, eps, logs, rest, out):
    """Rows 5 and 7 of `vacuum.ROW_COLUMNS`: wall_erosion and wall_strength_log. `rest` int64[2, 21] is scratch."""
    start, end, resting = q[START], q[END], q[REST]
    erosion, strength = out[5], out[7]
    n = t.shape[0]
    for r in range(n):
        erosion[r] = _known_log_ratio(start[r], end[r], eps, logs)
    i = 0
    while i < n:
        for distance in range(ZONE_TICKS + 1):
            rest[0, distance] = rest[1, distance] = 0
        j = i
        while j < n and t[j] == t[i]:
            s = side[j]
            distance = rel[j] if s == 1 else -rel[j]
            if 0 <= distance <= ZONE_TICKS:
                rest[s, distance] = resting[j]
            j += 1
        median_bid = _median(rest, 0)
        median_ask = _median(rest, 1)
        for r in range(i, j):
            strength[r] = _known_log_ratio(resting[r], median_ask if side[r] == 1 else median_bid, eps, logs)
        i = j
    return 0


@kernel()
def mean_score(rows, which, origin, scale, offset, factor, total, out):
    """Mean score of some rows of float32[9, n] into float32[n]: which, origin, ... hold one entry per metric.

    N(x) = clip(offset + factor (x - origin) / scale, 0, 1), in float64 and in this order of operations. `total`
    float64[c] is scratch: metric by metric over a stretch of rows the loops vectorise.
    """
    for first in range(0, out.shape[0], total.shape[0]):
        count = min(total.shape[0], out.shape[0] - first)
        for r in range(count):
            total[r] = 0.0
        for k in range(which.shape[0]):
            x, x0, width, base, slope = rows[which[k]], origin[k], scale[k], offset[k], factor[k]
            for r in range(count):
                total[r] += min(max(base + slope * ((x[first + r] - x0) / width), 0.0), 1.0)
        for r in range(count):
            out[first + r] = total[r] / which.shape[0]
    return 0


@kernel()
def flow_differences(t, price, side, q, step, eps, logs, past, past_key, past_x, out):
    """pull_add_log of every row and its first three differences into rows 0..3 of float32[9, n].

    A price side has the key 2 * price + side. The past is a list of them in key order with their values in the last
    window and in the two before it, without those that are all 0. A price side that is not in the list, or that has no
    row in a window, had no flow there: 0. Walking rows and list together costs a step per entry. Two lists take turns:
    `past_key` int64[2, c] and `past_x` float64[2, c, 3], c at least the length of the list plus three times the rows of
    any window; `past` int64[3] holds the last window's end, the length of the list, and which of the two it is. Returns
    -1, or the first row out of order.
    """
    add, pull_rest = q[ADD], q[PULL_REST]
    level, first, second, third = out[0], out[1], out[2], out[3]
    n = t.shape[0]
    last, length, old = past[0], past[1], past[2]
    i = 0
    while i < n:
        j = i
        while j < n and t[j] == t[i]:
            if j > i and (price[j] < price[j - 1] or (price[j] == price[j - 1] and side[j] <= side[j - 1])):
                return j
            j += 1
        if t[i] <= last:
            return i
        while last < t[i] - step and length > 0:
            # a window without rows: everything moves one window into the past
            last += step
            m = 0
            for p in range(length):
                if past_x[old, p, 0] != 0.0 or past_x[old, p, 1] != 0.0:
                    past_key[old, m] = past_key[old, p]
                    past_x[old, m, 2] = past_x[old, p, 1]
                    past_x[old, m, 1] = past_x[old, p, 0]
                    past_x[old, m, 0] = 0.0
                    m += 1
            length = m
        new = 1 - old
        m = 0
        p = 0
        for a in range(i, j + 1):
            key = 2 * price[a] + side[a] if a < j else 0
            while p < length and (a == j or past_key[old, p] < key):
                if past_x[old, p, 0] != 0.0 or past_x[old, p, 1] != 0.0:
                    past_key[new, m] = past_key[old, p]
                    past_x[new, m, 0] = 0.0
                    past_x[new, m, 1] = past_x[old, p, 0]
                    past_x[new, m, 2] = past_x[old, p, 1]
                    m += 1
                p += 1
            if a == j:
                break
            now = _known_log_ratio(pull_rest[a], add[a], eps, logs)
            x1 = x2 = x3 = 0.0
            if p < length and past_key[old, p] == key:
                x1, x2, x3 = past_x[old, p, 0], past_x[old, p, 1], past_x[old, p, 2]
                p += 1
            if now != 0.0 or x1 != 0.0 or x2 != 0.0:
                past_key[new, m] = key
                past_x[new, m, 0] = now
                past_x[new, m, 1] = x1
                past_x[new, m, 2] = x2
                m += 1
            d1, before, earlier = now - x1, x1 - x2, x2 - x3
            d2 = d1 - before
            level[a] = now
            first[a] = d1
            second[a] = d2
            third[a] = d2 - (before - earlier)
        last, length, old = t[i], m, new
        i = j
    past[0], past[1], past[2] = last, length, old
    return -1
