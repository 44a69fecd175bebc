"""Plain Python order books on dictionaries: the slowest peers, and the check that a generated stream is consistent.

`DictBook` keeps orders and depth and nothing else. `QueueBook` keeps what makes a book of level 3: the queue of every
price, and the best prices after every event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_FILL,
    ACTION_MODIFY,
    F_LAST,
    SIDE_ASK,
    SIDE_BID,
)


@dataclass
class DictBook:
    """Orders by id and quantity by (side, price); counts what does not fit."""

    orders: dict[int, list[int]] = field(default_factory=dict)
    levels: dict[int, dict[int, int]] = field(default_factory=lambda: {SIDE_BID: {}, SIDE_ASK: {}})
    unknown_cancels: int = 0
    unknown_modifies: int = 0
    unknown_fills: int = 0
    duplicate_adds: int = 0
    oversized: int = 0
    crossed: int = 0

    def _move(self, side: int, price: int, quantity: int) -> None:
        level = self.levels[side]
        left = level.get(price, 0) + quantity
        if left:
            level[price] = left
        else:
            del level[price]

    def apply(self, records: np.ndarray) -> None:
        """Apply MBO records in order."""
        orders, move = self.orders, self._move
        columns = (records[name].tolist() for name in ("action", "side", "order_id", "price", "size"))
        for action, side, order_id, price, size in zip(*columns, strict=True):
            if action == ACTION_ADD:
                old = orders.get(order_id)
                if old is not None:
                    self.duplicate_adds += 1
                    move(old[0], old[1], -old[2])
                orders[order_id] = [side, price, size]
                move(side, price, size)
            elif action == ACTION_CANCEL:
                order = orders.get(order_id)
                if order is None:
                    self.unknown_cancels += 1
                    continue
                if size > order[2]:
                    self.oversized += 1
                taken = min(size, order[2])
                move(order[0], order[1], -taken)
                order[2] -= taken
                if order[2] == 0:
                    del orders[order_id]
            elif action == ACTION_MODIFY:
                order = orders.get(order_id)
                if order is None:
                    self.unknown_modifies += 1
                else:
                    move(order[0], order[1], -order[2])
                orders[order_id] = [side, price, size]
                move(side, price, size)
            elif action == ACTION_FILL:
                order = orders.get(order_id)
                if order is None:
                    self.unknown_fills += 1
                elif size > order[2]:
                    self.oversized += 1
            elif action == ACTION_CLEAR:
                orders.clear()
                self.levels[SIDE_BID].clear()
                self.levels[SIDE_ASK].clear()

    def best(self) -> tuple[int, int]:
        """Best bid and best ask price (1e-9)."""
        return max(self.levels[SIDE_BID]), min(self.levels[SIDE_ASK])


@dataclass
class QueueBook:
    """Orders by id and a queue (a dictionary in order of arrival) by price; `changes` counts those of the top."""

    orders: dict[int, list[int]] = field(default_factory=dict)
    bids: dict[int, dict[int, int]] = field(default_factory=dict)
    asks: dict[int, dict[int, int]] = field(default_factory=dict)
    bid_heap: list[int] = field(default_factory=list)
    ask_heap: list[int] = field(default_factory=list)
    top: tuple[int, int] | None = None
    changes: int = 0

    def _put(self, order_id: int, side: int, price: int, size: int) -> None:
        levels, heap, key = (
            (self.bids, self.bid_heap, -price) if side == SIDE_BID else (self.asks, self.ask_heap, price)
        )
        queue = levels.get(price)
        if queue is None:
            queue = levels[price] = {}
            heappush(heap, key)
        queue[order_id] = size
        self.orders[order_id] = [side, price, size]

    def _drop(self, order_id: int, order: list[int]) -> None:
        levels = self.bids if order[0] == SIDE_BID else self.asks
        queue = levels[order[1]]
        del queue[order_id]
        if not queue:
            del levels[order[1]]
        del self.orders[order_id]

    def best(self) -> tuple[int, int]:
        """Best bid and best ask price (1e-9); prices that are gone leave the heaps when they come to the top."""
        bid_heap, ask_heap = self.bid_heap, self.ask_heap
        while bid_heap and -bid_heap[0] not in self.bids:
            heappop(bid_heap)
        while ask_heap and ask_heap[0] not in self.asks:
            heappop(ask_heap)
        return -bid_heap[0] if bid_heap else 0, ask_heap[0] if ask_heap else 0

    def apply(self, records: np.ndarray) -> None:
        """Apply MBO records in order."""
        orders = self.orders
        columns = (records[name].tolist() for name in ("action", "side", "order_id", "price", "size", "flags"))
        for action, side, order_id, price, size, flags in zip(*columns, strict=True):
            if action == ACTION_ADD:
                self._put(order_id, side, price, size)
            elif action == ACTION_CANCEL:
                order = orders.get(order_id)
                if order is not None:
                    if size >= order[2]:
                        self._drop(order_id, order)
                    else:
                        order[2] -= size
                        (self.bids if order[0] == SIDE_BID else self.asks)[order[1]][order_id] = order[2]
            elif action == ACTION_MODIFY:
                order = orders.get(order_id)
                if order is not None and price == order[1] and size <= order[2]:
                    order[2] = size
                    (self.bids if order[0] == SIDE_BID else self.asks)[price][order_id] = size
                else:
                    if order is not None:
                        self._drop(order_id, order)
                    self._put(order_id, side, price, size)
            elif action == ACTION_CLEAR:
                orders.clear()
                self.bids.clear()
                self.asks.clear()
            if flags & F_LAST:
                top = self.best()
                if top != self.top:
                    self.top = top
                    self.changes += 1
