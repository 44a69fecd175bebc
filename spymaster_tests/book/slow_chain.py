"""The books of a chain written from the meaning of the feed alone: dictionaries, one record at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from spymaster.book.chain import layout as la
from spymaster.market.dbn import (
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_TRADE,
    F_LAST,
    F_MAYBE_BAD_BOOK,
    F_SNAPSHOT,
    MBO_DTYPE,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
)

SECOND = 1_000_000_000


class SlowChain:
    """Books of the instruments `ids`; `rows` are those of the engine, as tuples."""

    def __init__(self, ids: Iterable[int]) -> None:
        ids = list(ids)
        self.orders: dict[int, dict[int, list[int]]] = {one: {} for one in ids}
        self.reported: dict[tuple[int, int], int] = defaultdict(int)
        self.flow = {one: [0, 0, 0, 0] for one in ids}  # buy, sell, add, pull
        self.shown: dict[int, tuple[int, int, int, int, bool]] = dict.fromkeys(
            ids, (la.NO_PRICE, 0, la.NO_PRICE, 0, False)
        )
        self.phase = dict.fromkeys(ids, "empty")
        self.basis = dict.fromkeys(ids, False)
        self.doubt = dict.fromkeys(ids, False)
        self.bad_event = dict.fromkeys(ids, False)
        self.named: set[int] = set()
        self.rows: list[tuple[int, ...]] = []

    def quote(self, one: int) -> tuple[int, int, int, int, bool]:
        best = []
        for side, better in ((SIDE_BID, max), (SIDE_ASK, min)):
            prices = [price for price, _, where in self.orders[one].values() if where == side]
            if prices:
                top = better(prices)
                best += [top, sum(n for price, n, where in self.orders[one].values() if (price, where) == (top, side))]
            else:
                best += [la.NO_PRICE, 0]
        bid, bid_qty, ask, ask_qty = best
        known = self.phase[one] == "live" and self.basis[one]
        return bid, bid_qty, ask, ask_qty, known and not self.doubt[one]

    def close(self, end: int) -> None:
        for one in sorted(self.named):
            quote, flow = self.quote(one), self.flow[one]
            if quote != self.shown[one] or flow[0] or flow[1]:
                self.rows.append((end, one, *quote[:4], *flow, quote[4]))
                self.shown[one], self.flow[one] = quote, [0, 0, 0, 0]
        self.named.clear()

    def take(self, one: int, order: int, quantity: int) -> None:
        held = self.orders[one][order]
        quantity = min(quantity, held[1])
        filled = min(self.reported.pop((one, order), 0), quantity)
        self.flow[one][3] += quantity - filled
        held[1] -= quantity
        if held[1] == 0:
            del self.orders[one][order]

    def clear(self, one: int) -> None:
        for order, held in list(self.orders[one].items()):
            self.flow[one][3] += held[1]
            self.reported.pop((one, order), None)
        self.orders[one].clear()

    def feed(self, records: np.ndarray) -> None:
        end = None
        for record in records.tolist():
            row: dict[str, int] = dict(zip(MBO_DTYPE.names or (), record, strict=True))
            one, order, size, action = row["instrument_id"], row["order_id"], row["size"], row["action"]
            if one not in self.orders:
                continue
            ts, snapshot = row["ts_event"], bool(row["flags"] & F_SNAPSHOT)
            if end is not None and ts >= end:
                self.close(end)
            if end is not None or not snapshot:
                end = max(end or 0, (ts // SECOND + 1) * SECOND)
            self.named.add(one)
            before = self.flow[one].copy()
            if snapshot:
                if self.phase[one] != "snapshot" or action == ACTION_CLEAR:
                    self.clear(one)
                    self.phase[one], self.basis[one], self.doubt[one] = "snapshot", False, False
            elif self.phase[one] != "live":
                self.basis[one] = self.phase[one] == "snapshot"
                self.phase[one] = "live"
            if row["flags"] & F_MAYBE_BAD_BOOK:
                self.doubt[one] = self.bad_event[one] = True
            held = self.orders[one].get(order)
            if action == ACTION_TRADE:
                if row["side"] != SIDE_NONE:
                    self.flow[one][0 if row["side"] == SIDE_BID else 1] += size
            elif action == ACTION_FILL:
                if held:
                    self.reported[one, order] = min(self.reported[one, order] + size, held[1])
            elif action == ACTION_CLEAR:
                if not snapshot:
                    self.clear(one)
                    self.basis[one], self.doubt[one] = True, False
            elif action == ACTION_CANCEL:
                if held:
                    self.take(one, order, size)
            elif action == ACTION_MODIFY and held:
                self.modify(one, order, row["price"], size, row["side"])
            else:
                if held:
                    self.take(one, order, held[1])
                if size:
                    self.orders[one][order] = [row["price"], size, row["side"]]
                    self.flow[one][2] += size
            if snapshot:
                self.flow[one][2:] = before[2:]
            if row["flags"] & F_LAST:
                self.doubt[one] &= self.bad_event[one]
                self.bad_event[one] = False
                if snapshot:
                    self.phase[one], self.basis[one] = "live", True
        self.close(end or 0)

    def modify(self, one: int, order: int, price: int, size: int, side: int) -> None:
        if size == 0:
            self.take(one, order, self.orders[one][order][1])
            return
        held = self.orders[one][order]
        left = held[1] - self.reported.pop((one, order), 0)
        if (price, side) != (held[0], held[2]):
            self.flow[one][3] += left
            self.flow[one][2] += size
        elif size < left:
            self.flow[one][3] += left - size
        else:
            self.flow[one][2] += size - left
        self.orders[one][order] = [price, size, side]
