"""What orders did, slowly: `order_event` and `order_life` rows by dictionaries, from the rules alone.

Unlike the pass it has no quotes from elsewhere: the best prices before an event are looked for among all orders.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from spymaster_tests.oracle.records import F_MAYBE_BAD_BOOK, F_TOB, Event, Record, Snapshot, group

Row = dict[str, Any]


@dataclass
class Order:
    """An order that rests, with its life so far."""

    id: int
    side: str
    price: int
    size: int
    life: Row
    pending: int = 0


@dataclass
class Lives:
    """One pass; `events` and `lives` hold the rows."""

    tick: int
    orders: dict[int, Order] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    lives: list[Row] = field(default_factory=list)
    event_id: int = 0
    last_price: int | None = None
    last_ts: int = 0
    complete: bool = False
    seen_anything: bool = False
    blind: bool = False
    best: dict[str, int | None] = field(default_factory=dict)
    spot: int | None = None

    def run(self, records: Iterable[Record]) -> Lives:
        for item in group(records):
            if isinstance(item, Snapshot):
                self._snapshot(item)
            else:
                self._event(item)
        self._forget(self.last_ts)
        return self

    def _snapshot(self, snapshot: Snapshot) -> None:
        self._forget(snapshot.records[0].ts_recv)
        self.blind = self.complete = self.seen_anything = True
        for record in snapshot.records:
            self.last_ts = record.ts_recv
            if record.action == "R":
                self._forget(record.ts_recv)
            elif record.size:
                assert record.action == "A"
                self._enter(record, record.ts_event, seen=False)

    def _event(self, event: Event) -> None:
        self.best = {side: None if self.blind else self._best(side) for side in "BA"}
        self.spot, first = self.last_price, len(self.events)
        for record in event.records:
            self.last_ts = record.ts_event
            self._apply(record)
        doubted = any(record.flags & F_MAYBE_BAD_BOOK for record in event.records)
        for row in self.events[first:]:
            row["book_valid"] = self.complete and not doubted
        self.event_id += 1
        self.blind = False

    def _best(self, side: str) -> int | None:
        prices = [order.price for order in self.orders.values() if order.side == side]
        return (max(prices) if side == "B" else min(prices)) if prices else None

    def _apply(self, record: Record) -> None:
        action, order = record.action, self.orders.get(record.order_id)
        if action == "T" and record.price is not None:
            kind = "trade" if record.order_id else "trade_implied"
            self._row(record, kind, record.side, record.order_id, record.price, record.size, None, None)
            self.last_price = record.price
        elif action == "F" and order:
            order.pending = min(order.pending + record.size, order.size)
        elif action == "C" and order:
            self._take(record, order, min(record.size, order.size))
        elif action == "R":
            self._forget(record.ts_event)
            self.complete = True
        elif action in "AM":
            self._add_or_modify(record, order)

    def _add_or_modify(self, record: Record, order: Order | None) -> None:
        if record.action == "A" and record.flags & F_TOB:
            for other in [o for o in self.orders.values() if o.side == record.side]:
                other.pending = 0
                self._take(record, other, other.size)
            if record.price is None:
                return
            order = self.orders.get(record.order_id)
        assert record.price is not None
        seen = record.action == "A" or order is not None
        if order and (record.action == "A" or (record.side != order.side and record.size)):
            self._take(record, order, order.size)
            order = None
        if order is None:
            if record.size:
                self._enter(record, record.ts_event, seen=seen)
                self._row(record, "add", record.side, record.order_id, record.price, record.size, 0, record.size)
        elif record.size == 0:
            self._take(record, order, order.size)
        else:
            self._modify(record, order)

    def _modify(self, record: Record, order: Order) -> None:
        assert record.price is not None
        filled, left = order.pending, order.size - order.pending
        moved = record.price != order.price
        refilled = filled > 0 and record.size > left and not moved
        if filled and not refilled:
            self._settle(record, order, filled)
        if moved:
            old, order.price = order.price, record.price
            order.life["n_reprice"] += 1
            order.life["ts_last_reprice"] = record.ts_event
            self._row(record, "reprice", order.side, order.id, order.price, record.size, left, record.size, old)
        elif refilled:
            order.life["n_refill"] += 1
            order.life["filled_qty"] += filled
            self._row(record, "refill", order.side, order.id, order.price, filled, order.size, record.size)
        elif record.size != left:
            kind = "size_up" if record.size > left else "size_down"
            order.life[f"n_{kind}"] += 1
            change = abs(record.size - left)
            self._row(record, kind, order.side, order.id, order.price, change, left, record.size)
        order.size, order.pending = record.size, 0
        order.life["max_displayed"] = max(order.life["max_displayed"], order.size)

    def _settle(self, record: Record, order: Order, filled: int) -> None:
        left = order.size - filled
        kind = "fill_partial" if left else "fill_full"
        self._row(record, kind, order.side, order.id, order.price, filled, order.size, left)
        order.life["filled_qty"] += filled
        order.size, order.pending = left, 0

    def _take(self, record: Record, order: Order, taken: int) -> None:
        filled = min(order.pending, taken)
        order.pending = 0
        if filled:
            self._settle(record, order, filled)
        pulled = taken - filled
        if pulled:
            before, order.size = order.size, order.size - pulled
            kind = "size_down" if order.size else "cancel"
            self._row(record, kind, order.side, order.id, order.price, pulled, before, order.size)
            if order.size:
                order.life["n_size_down"] += 1
        if not order.size:
            self._end(order, record.ts_event, "cancel" if pulled else "fill", self.event_id)

    def _enter(self, record: Record, ts: int, *, seen: bool) -> None:
        assert record.price is not None
        here = [o.size for o in self.orders.values() if (o.side, o.price) == (record.side, record.price)]
        life = {
            "order_id": record.order_id,
            "ts_add": ts,
            "ts_last_reprice": None,
            "event_id_add": self.event_id if seen else None,
            "known_add": seen,
            "size0": record.size,
            "price_int_add": record.price,
            "dist_add": self._distance(record.side, record.price) if seen else None,
            "filled_qty": 0,
            "max_displayed": record.size,
            **dict.fromkeys(("n_reprice", "n_size_up", "n_size_down", "n_refill"), 0),
            "queue_ahead_add": sum(here) if seen else None,
        }
        self.orders[record.order_id] = Order(record.order_id, record.side, record.price, record.size, life)

    def _end(self, order: Order, ts: int, reason: str, event_id: int | None) -> None:
        end = {"side": order.side, "ts_end": ts, "event_id_end": event_id, "end_reason": reason}
        self.lives.append(order.life | end)
        del self.orders[order.id]

    def _forget(self, ts: int) -> None:
        for order in list(self.orders.values()):
            self._end(order, ts, "open", None)

    def _distance(self, side: str, price: int) -> int | None:
        best = self.best[side]
        if best is None:
            return None
        return (best - price if side == "B" else price - best) // self.tick

    def _row(
        self,
        record: Record,
        kind: str,
        side: str,
        order_id: int,
        price: int,
        qty: int,
        before: int | None,
        after: int | None,
        previous: int | None = None,
    ) -> None:
        self.events.append(
            {
                "ts_event": record.ts_event,
                "ts_recv": record.ts_recv,
                "sequence": record.sequence,
                "event_id": self.event_id,
                "kind": kind,
                "side": side,
                "order_id": order_id,
                "price_int": price,
                "prev_price_int": previous,
                "qty": qty,
                "size_before": before,
                "size_after": after,
                "dist_ticks": None if kind.startswith("trade") else self._distance(side, price),
                "rel_ticks": None if self.spot is None else (price - self.spot) // self.tick,
            }
        )
