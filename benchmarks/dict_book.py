"""A plain Python order book on dictionaries: the slowest peer, and the check that a generated stream is consistent."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_FILL,
    ACTION_MODIFY,
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
