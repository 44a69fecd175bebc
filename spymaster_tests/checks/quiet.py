"""A quiet market as MBO records: a snapshot, then adds, cancels, reprices and trades, and a book that never crosses.

For tests that need a session nothing is wrong with. `spymaster_tests.streams` makes the opposite.
"""

from __future__ import annotations

import random

import numpy as np

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_TRADE,
    F_BAD_TS_RECV,
    F_LAST,
    F_SNAPSHOT,
    SIDE_ASK,
    SIDE_BID,
    SIM_PUBLISHER,
    Records,
    mbo_records,
)

_DAY_NS = 86_400 * 1_000_000_000
_DEPTH_TICKS = 25


class QuietMarket:
    """Generates one instrument's records; the same seed gives the same ones."""

    def __init__(self, seed: int, *, start_ns: int, mean_gap_ns: int, tick: int, mid_price: int) -> None:
        self.random = random.Random(seed)
        self.now = start_ns
        self.mean_gap_ns = mean_gap_ns
        self.tick = tick
        self.mid = mid_price // tick
        self.midnight = start_ns - start_ns % _DAY_NS
        self.queues: dict[int, dict[int, list[int]]] = {SIDE_BID: {}, SIDE_ASK: {}}
        self.sizes: dict[int, int] = {}
        self.place: dict[int, tuple[int, int]] = {}
        self.rows: list[tuple[int, ...]] = []
        self.next_id = 1

    def run(self, n: int) -> Records:
        """A snapshot of 60 orders, then at least `n` live records."""
        for i in range(60):
            side = SIDE_BID if i % 2 else SIDE_ASK
            order = self.rest(side, self.mid + (-1 - i // 2 if side == SIDE_BID else 1 + i // 2))
            self.emit(ACTION_ADD, side, order, self.sizes[order], flags=F_SNAPSHOT | F_BAD_TS_RECV)
        self.close()
        while len(self.rows) < n + 60:
            self.now += int(self.random.expovariate(1.0) * self.mean_gap_ns)
            self.random.choices((self.add, self.cancel, self.reprice, self.trade), (45, 30, 12, 13))[0]()
            self.close()
        return self.records()

    def best(self, side: int) -> int | None:
        levels = self.queues[side]
        return None if not levels else max(levels) if side == SIDE_BID else min(levels)

    def passive_tick(self, side: int) -> int:
        """A tick behind the other side's best."""
        sign = -1 if side == SIDE_BID else 1
        other = self.best(SIDE_ASK if side == SIDE_BID else SIDE_BID)
        anchor = self.mid if other is None else other
        self.mid = anchor
        return anchor + sign * (1 + min(int(self.random.expovariate(0.2)), _DEPTH_TICKS))

    def rest(self, side: int, tick: int, order: int | None = None) -> int:
        if order is None:
            order, self.next_id = self.next_id, self.next_id + 1
            self.sizes[order] = self.random.choice((1, 1, 2, 3, 5, 10, 40))
        self.queues[side].setdefault(tick, []).append(order)
        self.place[order] = (side, tick)
        return order

    def leave(self, order: int) -> None:
        side, tick = self.place.pop(order)
        self.queues[side][tick].remove(order)
        if not self.queues[side][tick]:
            del self.queues[side][tick]

    def add(self) -> None:
        side = self.random.choice((SIDE_BID, SIDE_ASK))
        order = self.rest(side, self.passive_tick(side))
        self.emit(ACTION_ADD, side, order, self.sizes[order])

    def cancel(self) -> None:
        if len(self.place) < 20:
            return self.add()
        order = self.random.choice(list(self.place))
        self.emit(ACTION_CANCEL, self.place[order][0], order, self.sizes[order])
        self.leave(order)

    def reprice(self) -> None:
        order = self.random.choice(list(self.place))
        side = self.place[order][0]
        self.leave(order)
        self.rest(side, self.passive_tick(side), order)
        self.emit(ACTION_MODIFY, side, order, self.sizes[order])

    def trade(self) -> None:
        """An aggressor takes the front order of the best level, or half of it."""
        passive = self.random.choice((SIDE_BID, SIDE_ASK))
        tick = self.best(passive)
        if tick is None or len(self.place) < 20:
            return self.add()
        order = self.queues[passive][tick][0]
        taken = self.sizes[order] if self.random.random() < 0.6 else max(1, self.sizes[order] // 2)
        aggressor = SIDE_ASK if passive == SIDE_BID else SIDE_BID
        self.emit(ACTION_TRADE, aggressor, self.next_id, taken, tick=tick)
        self.next_id += 1
        self.emit(ACTION_FILL, passive, order, taken)
        self.emit(ACTION_CANCEL, passive, order, taken)
        self.sizes[order] -= taken
        if self.sizes[order] == 0:
            self.leave(order)

    def emit(self, action: int, side: int, order: int, size: int, *, tick: int | None = None, flags: int = 0) -> None:
        price = (self.place[order][1] if tick is None else tick) * self.tick
        self.rows.append((self.now, order, price, size, flags, action, side))

    def close(self) -> None:
        last = self.rows[-1]
        self.rows[-1] = (*last[:4], last[4] | F_LAST, *last[5:])

    def records(self) -> Records:
        result = mbo_records(len(self.rows))
        names = ("ts_event", "order_id", "price", "size", "flags", "action", "side")
        for name, values in zip(names, zip(*self.rows, strict=True), strict=True):
            result[name] = values
        live = result["flags"] & F_SNAPSHOT == 0
        result["ts_event"][~live] = self.midnight - 3600 * 1_000_000_000
        result["ts_recv"] = np.where(live, result["ts_event"] + np.uint64(100_000), np.uint64(self.midnight))
        result["sequence"] = np.arange(len(result)) + 1
        result["publisher_id"] = SIM_PUBLISHER
        result["instrument_id"] = 17077
        return result


def quiet_session(
    seed: int,
    n: int,
    *,
    start_ns: int,
    mean_gap_ns: int = 300_000_000,
    tick: int = 250_000_000,
    mid_price: int = 4_800_000_000_000,
) -> Records:
    """Records of a quiet session; prices in 1e-9."""
    return QuietMarket(seed, start_ns=start_ns, mean_gap_ns=mean_gap_ns, tick=tick, mid_price=mid_price).run(n)
