"""Numba kernels of the pressure surface: flows by bucket of absolute prices, their score, and what is usual.

The arrays, in words. A session has `B` buckets of `bucket_ticks` ticks each, from bucket `origin` upwards (bucket k
holds the ticks k bucket_ticks .. k bucket_ticks + bucket_ticks - 1; tick = price_int // tick_size_int). Seven kinds of
quantity are never mixed up because each has its row:

    flow   float64[6, B]  decayed flow: book long, book short, trade long, trade short, option long, option short
    fresh  float64[6, B]  flow of the window that is being read; all 0 between windows
    rest   int64[2, B]    quantity that rests, bids (0) and asks (1)
    cells  int32[2, B bucket_ticks]  the same by tick: the last depth_qty_rest that the wall told

A block is `m` windows and the wall's rows of them (`blocks.WallBlock`), with `k` option flows in time order:

    win_t  int64[m]     window_end, ns          spot_tick   int64[m]  tick of spot, NO_SPOT where there is none
    valid  bool[m]      window_valid            spot_bucket int64[m]  bucket of spot
    has_options bool[m] options are part of the window's pressure

Rows come out for the `p` windows with a spot, `width` = 2 reach + 1 buckets each, in the order of the table's
`COMPONENTS`: float32[8, p, width]; option rows are NaN where a window has no options.

All sums within a window are of integers (or of few products of float32 and integers) and each window follows from the
one before, so no result depends on how rows are cut into blocks.
"""

from __future__ import annotations

import math

import numpy as np

from spymaster.jit import kernel
from spymaster.surfaces.zones import ADD, FILL, PULL, REST

NO_SPOT = -(1 << 62)
NO_TIME = -(1 << 62)
FORGOTTEN = 1e-9
"""Flow below this many lots is over: decaying on it would end in numbers that processors are slow with."""


@kernel()
def advance(
    win_t, spot_tick, spot_bucket, valid, has_options, t, side, rel, q, option_t, option_bucket, option_flow,
    origin, bucket_of, grid_buckets, tau_ns, last_t, flow, fresh, rest, cells, out,
):  # fmt: skip
    """Take in a block and write the components of its windows into `out` float32[8, p, width].

    `bucket_of` int32[B bucket_ticks] is the bucket of a tick, both counted from the origin; `option_flow` float64[2, k]
    long and short; `last_t` int64[1] the window before the block. Returns -1, or the first wall row whose window is not
    among `win_t`.
    """
    n = t.shape[0]
    width = out.shape[2]
    reach = width // 2
    first_tick = origin * (bucket_of.shape[0] // flow.shape[1])
    i = 0
    o = 0
    p = 0
    for w in range(win_t.shape[0]):
        now = win_t[w]
        if i < n and t[i] < now:
            return i
        counted = valid[w]
        base = spot_tick[w] - first_tick
        while i < n and t[i] == now:
            s = np.int64(side[i])
            cell = base + rel[i]
            b = bucket_of[cell]
            resting = q[REST][i]
            rest[s, b] += resting - cells[s, cell]
            cells[s, cell] = resting
            add, pull, fill = q[ADD][i], q[PULL][i], q[FILL][i]
            if counted and (add | pull | fill) != 0:
                fresh[s, b] += add
                fresh[1 - s, b] += pull
                fresh[3 - s, b] += fill
            i += 1
        while o < option_t.shape[0] and option_t[o] <= now:
            near = abs(option_bucket[o] - spot_bucket[w]) <= grid_buckets
            if counted and near and spot_tick[w] != NO_SPOT and option_t[o] == now:
                fresh[4, option_bucket[o] - origin] += option_flow[0, o]
                fresh[5, option_bucket[o] - origin] += option_flow[1, o]
            o += 1
        kept = math.exp(-(now - last_t[0]) / tau_ns) if last_t[0] != NO_TIME else 0.0
        last_t[0] = now
        for k in range(6):
            for b in range(flow.shape[1]):
                x = flow[k, b] * kept + fresh[k, b]
                flow[k, b] = x if x > FORGOTTEN else 0.0
                fresh[k, b] = 0.0
        if spot_tick[w] != NO_SPOT:
            lowest = spot_bucket[w] - reach - origin
            for r in range(width):
                for k in range(4):
                    out[k, p, r] = flow[k, lowest + r]
                for k in range(4, 6):
                    out[k, p, r] = flow[k, lowest + r] if has_options[w] else math.nan
                out[6, p, r] = rest[0, lowest + r]
                out[7, p, r] = rest[1, lowest + r]
            p += 1
    return i if i < n else -1


@kernel()
def score(win_t, center, valid, has_options, components, usual, weights, step, past_t, past_center, past_net, out):
    """Pressures of `p` windows into float32[7, p, width], in the order of the table's `SCORES`; NaN where not valid.

    Where a side is not expected to rest (bids above spot's bucket, asks below), its rest counts as usual, 1, plus what
    rests there all the same.

    center int64[p] the bucket of spot; usual float64[8, reach + 1] what each component is divided by at each distance;
    weights float64[4] of book, trade, option, rest. `past_t` int64[2], `past_center` int64[2] and the first two rows of
    `past_net` float64[3, width] hold the two windows before, oldest first, and are left at the block's last two.
    """
    width = components.shape[2]
    reach = width // 2
    for p in range(win_t.shape[0]):
        total = weights[0] + weights[1] + weights[3] + (weights[2] if has_options[p] else 0.0)
        near = past_t[1] == win_t[p] - step
        far = near and past_t[0] == win_t[p] - 2 * step
        shift1, shift2 = center[p] - past_center[1], center[p] - past_center[0]
        for r in range(width):
            for k in range(7):
                out[k, p, r] = math.nan
            past_net[2, r] = math.nan
            if not valid[p]:
                continue
            d = abs(r - reach)
            long = weights[0] * (components[0, p, r] / usual[0, d]) + weights[1] * (components[2, p, r] / usual[2, d])
            short = weights[0] * (components[1, p, r] / usual[1, d]) + weights[1] * (components[3, p, r] / usual[3, d])
            if has_options[p]:
                long += weights[2] * (components[4, p, r] / usual[4, d])
                short += weights[2] * (components[5, p, r] / usual[5, d])
            bids, asks = components[6, p, r] / usual[6, d], components[7, p, r] / usual[7, d]
            long = (long + weights[3] * (bids + 1.0 if r > reach else bids)) / total
            short = (short + weights[3] * (asks + 1.0 if r < reach else asks)) / total
            net = (long - short) / (long + short) if long + short > 0.0 else 0.0
            out[0, p, r], out[1, p, r], out[2, p, r], out[3, p, r], out[4, p, r] = asks, bids, long, short, net
            past_net[2, r] = net
            r1, r2 = r + shift1, r + shift2
            if near and 0 <= r1 < width:
                before = past_net[1, r1]
                out[5, p, r] = net - before
                if far and 0 <= r2 < width:
                    out[6, p, r] = (net - before) - (before - past_net[0, r2])
        past_t[0], past_center[0] = past_t[1], past_center[1]
        past_t[1], past_center[1] = win_t[p], center[p]
        for r in range(width):
            past_net[0, r] = past_net[1, r]
            past_net[1, r] = past_net[2, r]
    return 0


@kernel()
def count(components, valid, band_of, spare_bits, lowest_bits, seen, total, counts):
    """Count the components of valid windows by distance band; rests on their own side of spot only.

    components float32[8, p, width]; band_of int64[reach + 1]; seen int64[8, 7]; total float64[8, 7] sums of the values;
    counts int32[8, 7, c] how often each rounded value occurs. A value is rounded by dropping `spare_bits[k]` bits of
    its float32 form (to the nearest); number 0 counts what is below the value whose bits are `lowest_bits`, and the
    last number what is beyond the array. NaN is not counted.
    """
    width = components.shape[2]
    reach = width // 2
    for k in range(8):
        spare = np.uint32(spare_bits[k])
        half = np.uint32(1) << (spare - np.uint32(1))
        first = np.int64(np.uint32(lowest_bits) >> spare)
        bits = components[k].view(np.uint32)
        for p in range(components.shape[1]):
            if not valid[p]:
                continue
            low = reach if k == 7 else 0
            high = reach + 1 if k == 6 else width
            for r in range(low, high):
                x = components[k, p, r]
                if math.isnan(x):
                    continue
                band = band_of[abs(r - reach)]
                number = max(np.int64((bits[p, r] + half) >> spare) - first + 1, 0)
                counts[k, band, min(number, counts.shape[2] - 1)] += 1
                seen[k, band] += 1
                total[k, band] += x
    return 0
