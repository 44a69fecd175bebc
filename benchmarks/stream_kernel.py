"""The order-flow machine behind `benchmarks.stream`, as Numba kernels over plain arrays.

One slot per order (`SLOTS`) and one cell per tick and side (`TICKS`):

- ``ids, tick, side, size`` and the links ``prv, nxt`` of the level's queue; ``live``/``where`` list the slots in use,
- ``head, tail`` of every level's queue, indexed ``[side, tick]`` with bid 0 and ask 1,
- ``ring`` holds the latest adds: most cancels hit young orders,
- ``scalars`` (int64) and ``rng`` (uint64) carry on from one chunk to the next.
"""

from __future__ import annotations

import numba
import numpy as np

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_TRADE,
    F_LAST,
    SIDE_ASK,
    SIDE_BID,
    SIM_PUBLISHER,
)

SLOTS = 1 << 16
TICKS = 1 << 16
RING = 4096
NS = 1_000_000_000
MAX_EVENT = 64
TARGET_ORDERS = 11_000

# Indices into the scalar state.
(LIVE, BEST_BID, BEST_ASK, NEXT_ID, CLOCK, SECOND, SEQUENCE, TOTAL, DIRECTION, RING_AT, ANCHOR, FREE) = range(12)


@numba.njit(cache=True, inline="always")
def _uniform(rng):
    """xorshift64*: the next double in [0, 1)."""
    x = rng[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    rng[0] = x
    return np.float64((x * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.njit(cache=True, inline="always")
def _exponential(rng, mean):
    return -np.log(1.0 - _uniform(rng)) * mean


@numba.njit(cache=True)
def _order_size(rng):
    u = _uniform(rng)
    if u < 0.55:
        return 1
    if u < 0.97:
        return 2 + int(_exponential(rng, 3.0))
    return 20 + int(_exponential(rng, 40.0))


@numba.njit(cache=True)
def _link(slot, tick, ticks_of, side_of, prv, nxt, head, tail, scalars):
    """Put `slot` at the back of its side's queue at `tick` and move the best price."""
    side = side_of[slot]
    ticks_of[slot] = tick
    last = tail[side, tick]
    prv[slot] = last
    nxt[slot] = -1
    if last >= 0:
        nxt[last] = slot
    else:
        head[side, tick] = slot
    tail[side, tick] = slot
    if side == 0:
        scalars[BEST_BID] = max(scalars[BEST_BID], tick)
    else:
        scalars[BEST_ASK] = min(scalars[BEST_ASK], tick)


@numba.njit(cache=True)
def _unlink(slot, ticks_of, side_of, prv, nxt, head, tail, scalars):
    """Take `slot` out of its queue; if the level is empty and was the best, walk to the next one."""
    side = side_of[slot]
    tick = ticks_of[slot]
    before, after = prv[slot], nxt[slot]
    if before >= 0:
        nxt[before] = after
    else:
        head[side, tick] = after
    if after >= 0:
        prv[after] = before
    else:
        tail[side, tick] = before
    if head[side, tick] < 0:
        if side == 0 and tick == scalars[BEST_BID]:
            while head[0, tick] < 0:
                tick -= 1
            scalars[BEST_BID] = tick
        elif side == 1 and tick == scalars[BEST_ASK]:
            while head[1, tick] < 0:
                tick += 1
            scalars[BEST_ASK] = tick


@numba.njit(cache=True)
def birth(tick, side, size, ids, ticks_of, side_of, size_of, prv, nxt, where, live, free, head, tail, ring, scalars):
    """Create an order and return its slot."""
    scalars[FREE] -= 1
    slot = free[scalars[FREE]]
    ids[slot] = scalars[NEXT_ID]
    scalars[NEXT_ID] += 1
    side_of[slot] = side
    size_of[slot] = size
    where[slot] = scalars[LIVE]
    live[scalars[LIVE]] = slot
    scalars[LIVE] += 1
    ring[scalars[RING_AT]] = slot
    scalars[RING_AT] = (scalars[RING_AT] + 1) % RING
    _link(slot, tick, ticks_of, side_of, prv, nxt, head, tail, scalars)
    return slot


@numba.njit(cache=True)
def _death(slot, ticks_of, side_of, prv, nxt, where, live, free, head, tail, scalars):
    """Remove an order for good."""
    _unlink(slot, ticks_of, side_of, prv, nxt, head, tail, scalars)
    scalars[LIVE] -= 1
    moved = live[scalars[LIVE]]
    live[where[slot]] = moved
    where[moved] = where[slot]
    where[slot] = -1
    free[scalars[FREE]] = slot
    scalars[FREE] += 1


@numba.njit(cache=True)
def _distance(rng):
    """Distance from the best price at which a new order is put, in ticks."""
    u = _uniform(rng)
    if u < 0.55:
        return int(_exponential(rng, 3.2))
    if u < 0.93:
        return int(_exponential(rng, 10.0))
    if u < 0.993:
        return int(_exponential(rng, 35.0))
    if u < 0.9996:
        return int(_exponential(rng, 220.0))
    return int(600 + _uniform(rng) * 8_000)


@numba.njit(cache=True)
def _pick(rng, ticks_of, side_of, where, live, ring, scalars):
    """A resting order: young and near the touch more often than old and far."""
    slot = live[0]
    for _ in range(12):
        if _uniform(rng) < 0.8:
            slot = ring[int(_uniform(rng) * RING)]
            if slot < 0 or where[slot] < 0:
                slot = live[int(_uniform(rng) * scalars[LIVE])]
        else:
            slot = live[int(_uniform(rng) * scalars[LIVE])]
        best = scalars[BEST_BID] if side_of[slot] == 0 else scalars[BEST_ASK]
        d = abs(best - ticks_of[slot])
        if _uniform(rng) * (1.0 + 0.15 * d) < 1.0:
            return slot
    return slot


@numba.njit(cache=True, inline="always")
def _emit(out, n, action, side, order_id, tick, size, flags, scalars, tick_size, instrument_id, latency):
    r = out[n]
    r.instrument_id = instrument_id
    r.publisher_id = SIM_PUBLISHER
    r.ts_event = scalars[CLOCK]
    r.ts_recv = scalars[CLOCK] + latency
    r.ts_in_delta = 13_000 + latency // 64
    r.order_id = order_id
    r.price = tick * tick_size
    r.size = size
    r.flags = flags
    r.channel_id = 0
    r.action = action
    r.side = side
    r.sequence = scalars[SEQUENCE]
    return n + 1


@numba.njit(cache=True)
def fill_chunk(
    out, limit, goal, quota, day_ns, tick_size, instrument_id, rng,
    ids, ticks_of, side_of, size_of, prv, nxt, where, live, free, head, tail, ring, scalars,
):  # fmt: skip
    """Write events into `out` until `limit` records or the stream's `goal`; returns the number of records."""
    n = 0
    take = np.empty(MAX_EVENT, np.int64)
    taken = np.empty(MAX_EVENT, np.int64)
    while n < limit and scalars[TOTAL] < goal:
        second = scalars[SECOND]
        while quota[second] <= scalars[TOTAL]:
            second += 1
        floor = day_ns + second * NS
        if second != scalars[SECOND] or scalars[CLOCK] < floor:
            scalars[SECOND] = second
            scalars[CLOCK] = max(scalars[CLOCK], floor)
        left = floor + NS - 1 - scalars[CLOCK]
        # Messages come in bursts: half of the gaps are microseconds, the others spread over what is left of the second
        # (each is the distance to the first of k uniform moments).
        if scalars[CLOCK] > floor and _uniform(rng) < 0.5:
            gap = _exponential(rng, 4_000.0)
        else:
            moments = max(1.0, 0.5 * (quota[second] - scalars[TOTAL]))
            gap = left * (1.0 - (1.0 - _uniform(rng)) ** (1.0 / moments))
        scalars[CLOCK] += min(int(gap), left)
        scalars[SEQUENCE] += 1 + int(_uniform(rng) * 3.0)
        latency = 90_000 + int(_exponential(rng, 40_000.0))
        first = n
        bid, ask = scalars[BEST_BID], scalars[BEST_ASK]
        u = _uniform(rng)
        crowd = (scalars[LIVE] - TARGET_ORDERS) / TARGET_ORDERS
        add_share = min(0.9, max(0.1, 0.472 - crowd))
        if u < 0.035:
            # A market order: the touch is eaten from the front of its queue, never quite the last order of a side.
            pull = 0.02 * (scalars[ANCHOR] - (bid + ask) // 2) / 100.0
            if _uniform(rng) < 0.05:
                scalars[DIRECTION] = 1 if _uniform(rng) < 0.5 + pull else 0
            passive = scalars[DIRECTION]
            best = ask if passive == 1 else bid
            total, orders = 0, 0
            slot = head[passive, best]
            while slot >= 0 and orders < 24:
                take[orders] = slot
                taken[orders] = size_of[slot]
                total += size_of[slot]
                orders += 1
                if _uniform(rng) > 0.62:
                    break
                slot = nxt[slot]
            slot = take[orders - 1]
            if size_of[slot] > 1 and _uniform(rng) < 0.6:
                part = 1 + int(_uniform(rng) * (size_of[slot] - 1))
                total -= taken[orders - 1] - part
                taken[orders - 1] = part
            n = _emit(out, n, ACTION_TRADE, SIDE_BID if passive == 1 else SIDE_ASK, 0, best, total, 0,
                      scalars, tick_size, instrument_id, latency)  # fmt: skip
            code = SIDE_ASK if passive == 1 else SIDE_BID
            for k in range(orders):
                n = _emit(out, n, ACTION_FILL, code, ids[take[k]], best, taken[k], 0,
                          scalars, tick_size, instrument_id, latency)  # fmt: skip
            for k in range(orders):
                slot = take[k]
                if taken[k] < size_of[slot]:
                    size_of[slot] -= taken[k]
                    n = _emit(out, n, ACTION_MODIFY, code, ids[slot], best, size_of[slot], 0,
                              scalars, tick_size, instrument_id, latency)  # fmt: skip
                elif _uniform(rng) < 0.04:
                    # An iceberg shows its next tranche under the same id, at the back of the queue.
                    _unlink(slot, ticks_of, side_of, prv, nxt, head, tail, scalars)
                    _link(slot, best, ticks_of, side_of, prv, nxt, head, tail, scalars)
                    n = _emit(out, n, ACTION_MODIFY, code, ids[slot], best, size_of[slot], 0,
                              scalars, tick_size, instrument_id, latency)  # fmt: skip
                else:
                    n = _emit(out, n, ACTION_CANCEL, code, ids[slot], best, taken[k], 0,
                              scalars, tick_size, instrument_id, latency)  # fmt: skip
                    _death(slot, ticks_of, side_of, prv, nxt, where, live, free, head, tail, scalars)
        elif u < 0.035 + 0.09:
            slot = _pick(rng, ticks_of, side_of, where, live, ring, scalars)
            side, tick = side_of[slot], ticks_of[slot]
            code = SIDE_BID if side == 0 else SIDE_ASK
            v = _uniform(rng)
            if v < 0.6:
                step = 1 + int(_exponential(rng, 1.5))
                to = tick + step if _uniform(rng) < 0.5 else tick - step
                to = min(max(to, 1), ask - 1) if side == 0 else max(min(to, TICKS - 2), bid + 1)
                if (
                    to == tick
                ):  # held back by the other side: away from it instead, for a modify of nothing keeps its place
                    to = max(tick - step, 1) if side == 0 else min(tick + step, TICKS - 2)
                _unlink(slot, ticks_of, side_of, prv, nxt, head, tail, scalars)
                _link(slot, to, ticks_of, side_of, prv, nxt, head, tail, scalars)
                tick = to
            elif v < 0.8 and size_of[slot] > 1:
                size_of[slot] -= 1 + int(_uniform(rng) * (size_of[slot] - 1))
            else:
                size_of[slot] += _order_size(rng)
                _unlink(slot, ticks_of, side_of, prv, nxt, head, tail, scalars)
                _link(slot, tick, ticks_of, side_of, prv, nxt, head, tail, scalars)
            n = _emit(out, n, ACTION_MODIFY, code, ids[slot], tick, size_of[slot], 0,
                      scalars, tick_size, instrument_id, latency)  # fmt: skip
        elif u < 0.125 + add_share:
            side = 0 if _uniform(rng) < 0.44 + 0.12 * scalars[DIRECTION] else 1
            d = _distance(rng)
            if ask - bid > 1 and _uniform(rng) < 0.6:
                d = -1
            tick = bid - d if side == 0 else ask + d
            # Far from the touch people choose round prices: whole points, then every fifth one.
            if d > 250:
                tick -= tick % 20
            elif d > 40 and _uniform(rng) < 0.85:
                tick -= tick % 4
            tick = min(max(tick, 1), ask - 1) if side == 0 else max(min(tick, TICKS - 2), bid + 1)
            slot = birth(tick, side, _order_size(rng), ids, ticks_of, side_of, size_of, prv, nxt, where, live, free,
                          head, tail, ring, scalars)  # fmt: skip
            n = _emit(out, n, ACTION_ADD, SIDE_BID if side == 0 else SIDE_ASK, ids[slot], tick, size_of[slot], 0,
                      scalars, tick_size, instrument_id, latency)  # fmt: skip
        else:
            slot = _pick(rng, ticks_of, side_of, where, live, ring, scalars)
            n = _emit(out, n, ACTION_CANCEL, SIDE_BID if side_of[slot] == 0 else SIDE_ASK, ids[slot], ticks_of[slot],
                      size_of[slot], 0, scalars, tick_size, instrument_id, latency)  # fmt: skip
            _death(slot, ticks_of, side_of, prv, nxt, where, live, free, head, tail, scalars)
        out[n - 1].flags = F_LAST
        scalars[TOTAL] += n - first
    return n
