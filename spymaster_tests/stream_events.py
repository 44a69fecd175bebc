"""Events of a random stream (`spymaster_tests.streams`), one method each: the records of it, and the book after it.

The book is a plain dictionary, so that most events are consistent with what rests.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_NONE,
    ACTION_TRADE,
    F_BAD_TS_RECV,
    F_LAST,
    F_MAYBE_BAD_BOOK,
    F_PUBLISHER,
    F_SNAPSHOT,
    F_TOB,
    MBO_DTYPE,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
    UNDEF_PRICE,
    Records,
    mbo_records,
)

SnapshotForm: TypeAlias = Literal["clear_terminated", "plain_terminated", "plain_unterminated"]
SNAPSHOT_FORMS: tuple[SnapshotForm, ...] = ("clear_terminated", "plain_terminated", "plain_unterminated")
SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
SNAPSHOT_FLAGS = F_SNAPSHOT | F_BAD_TS_RECV


class Order:
    """One resting order of the generator's own book."""

    __slots__ = ("order_id", "price", "side", "size", "ts_event")

    def __init__(self, order_id: int, side: int, price: int, size: int, ts_event: int) -> None:
        self.order_id = order_id
        self.side = side
        self.price = price
        self.size = size
        self.ts_event = ts_event


class Stream:
    """The generator's state. Every method named in `streams.WEIGHTS` emits the records of one event."""

    def __init__(
        self,
        seed: int,
        tick: int,
        instrument_id: int,
        publisher_id: int,
        mid: int,
        start_ns: int,
        mean_gap_ns: int,
        publisher_bit: bool,
    ) -> None:
        self.random = random.Random(seed)
        self.tick = tick
        self.instrument_id = instrument_id
        self.publisher_id = publisher_id
        self.mid = mid - mid % tick
        self.now = start_ns
        self.mean_gap_ns = mean_gap_ns
        self.last_flag = F_LAST | (F_PUBLISHER if publisher_bit else 0)
        self.rows: list[tuple[int, ...]] = []
        self.book: dict[int, Order] = {}  # insertion order is time priority within a price
        self.event_start = 0
        self.next_id = 6_412_777_000_000 + self.random.randrange(1000)
        self.sequence = 1000
        self.recv = start_ns

    # -- clock and emission ------------------------------------------------------------------------------------------

    def advance(self, end_ns: int) -> bool:
        """Move to the next event's time; False when that is past the end."""
        choice = self.random.random()
        if choice < 0.05:
            gap = 0
        elif choice < 0.07:
            gap = -self.now % SECOND_NS  # exactly on a window boundary
        elif choice < 0.074:
            gap = self.random.randrange(2, 20) * SECOND_NS + self.random.randrange(SECOND_NS)
        else:
            gap = int(self.random.expovariate(1.0) * self.mean_gap_ns)
        self.now += gap
        self.recv = max(self.recv, self.now + self.random.randrange(85_000, 400_000))
        self.sequence += self.random.randrange(1, 5)
        self.event_start = len(self.rows)
        return self.recv < end_ns

    def emit(self, action: int, side: int, order_id: int, price: int, size: int, *, flags: int = 0) -> None:
        self.rows.append((self.now, order_id, price, size, flags, action, side, self.recv, self.sequence))

    def close_event(self) -> None:
        """Put F_LAST on the last record of the event, unless the event is a snapshot."""
        if len(self.rows) == self.event_start:
            self.sentinel_only()
        last = self.rows[-1]
        if not last[4] & F_SNAPSHOT:
            self.rows[-1] = (*last[:4], last[4] | self.last_flag, *last[5:])

    def records(self) -> Records:
        result = mbo_records(len(self.rows))
        names = ("ts_event", "order_id", "price", "size", "flags", "action", "side", "ts_recv", "sequence")
        for name, values in zip(names, zip(*self.rows, strict=True), strict=False):
            result[name] = np.array(values, MBO_DTYPE[name])
        result["publisher_id"] = self.publisher_id
        result["instrument_id"] = self.instrument_id
        live = result["flags"] & F_SNAPSHOT == 0
        result["ts_in_delta"][live] = 13_000 + np.arange(live.sum()) % 4_000
        return result

    # -- pieces ------------------------------------------------------------------------------------------------------

    def new_id(self) -> int:
        self.next_id += self.random.choice((1, 1, 1, 2, 3, 7))
        return self.next_id

    def size(self) -> int:
        return self.random.choice((1, 1, 1, 2, 2, 3, 5, 8, 10, 25, 100))

    def side(self) -> int:
        return self.random.choice((SIDE_BID, SIDE_ASK))

    def passive_price(self, side: int) -> int:
        ticks = min(int(self.random.expovariate(0.2)), 25) + (0 if side == SIDE_BID else 1)
        return self.mid + (-ticks if side == SIDE_BID else ticks) * self.tick

    def any_order(self) -> Order | None:
        return self.book[self.random.choice(list(self.book))] if self.book else None

    def best(self, side: int) -> list[Order]:
        """Resting orders of a side, best price first, time priority within a price."""
        sign = -1 if side == SIDE_BID else 1
        return sorted((order for order in self.book.values() if order.side == side), key=lambda o: sign * o.price)

    def rest(self, order_id: int, side: int, price: int, size: int, *, flags: int = 0) -> None:
        self.book.pop(order_id, None)
        self.book[order_id] = Order(order_id, side, price, size, self.now)
        self.emit(ACTION_ADD, side, order_id, price, size, flags=flags)

    def modify_order(self, order: Order, *, price: int | None = None, size: int | None = None) -> None:
        """Emit M and apply it: priority is lost by a price change or a size increase."""
        price = order.price if price is None else price
        size = order.size if size is None else size
        if price != order.price or size > order.size:
            self.book[order.order_id] = self.book.pop(order.order_id)
        order.price, order.size = price, size
        self.emit(ACTION_MODIFY, order.side, order.order_id, price, size)
        if size == 0:
            self.book.pop(order.order_id)

    def cancel_order(self, order: Order, size: int | None = None) -> None:
        taken = order.size if size is None else size
        self.emit(ACTION_CANCEL, order.side, order.order_id, order.price, taken)
        order.size -= min(taken, order.size)
        if order.size == 0:
            self.book.pop(order.order_id)

    # -- ordinary events ---------------------------------------------------------------------------------------------

    def add(self) -> None:
        side = self.side()
        self.rest(self.new_id(), side, self.passive_price(side), self.size())

    def several_adds(self) -> None:
        for _ in range(self.random.randrange(2, 5)):
            self.add()

    def cancel(self) -> None:
        if order := self.any_order():
            self.cancel_order(order)

    def reprice(self) -> None:
        if order := self.any_order():
            size = order.size if self.random.random() < 0.7 else self.size()
            self.modify_order(order, price=self.passive_price(order.side), size=size)

    def size_up(self) -> None:
        if order := self.any_order():
            self.modify_order(order, size=order.size + self.size())

    def size_down(self) -> None:
        if (order := self.any_order()) and order.size > 1:
            self.modify_order(order, size=self.random.randrange(1, order.size))

    def modify_nothing(self) -> None:
        if order := self.any_order():
            self.modify_order(order)

    def trade(self, *, aggressors: int = 1, refill: bool = False, order_id: int | None = None) -> None:
        """Sweep the other side: one T per aggressor and price, its F records, then the C or M of each resting order."""
        side = self.side() if order_id is None else SIDE_NONE
        passive = {SIDE_BID: SIDE_ASK, SIDE_ASK: SIDE_BID}.get(side, SIDE_ASK)
        queue = self.best(passive)[:40]
        if self.random.random() < 0.05 and len(queue) > 1:
            queue.pop(0)  # a queue jump: the front order is skipped
        filled: dict[int, int] = {}
        for _ in range(aggressors):
            wanted = self.size() * self.random.choice((1, 1, 1, 4))
            fills: dict[int, list[tuple[Order, int]]] = {}
            for order in queue:
                take = min(wanted, order.size - filled.get(order.order_id, 0))
                if take > 0:
                    fills.setdefault(order.price, []).append((order, take))
                    filled[order.order_id] = filled.get(order.order_id, 0) + take
                    wanted -= take
            aggressor = self.new_id() if order_id is None else order_id
            for price, parts in fills.items():
                self.emit(ACTION_TRADE, side, aggressor, price, sum(take for _, take in parts))
                for order, take in parts:
                    self.emit(ACTION_FILL, order.side, order.order_id, price, take)
                self.mid = price if self.random.random() < 0.3 else self.mid
            if wanted > 0 and fills and side != SIDE_NONE and self.random.random() < 0.3:
                self.rest(aggressor, side, next(reversed(fills)), wanted)  # what is left of the aggressor rests
        for number, taken in filled.items():
            self.settle(self.book[number], taken, refill=refill)
        if filled and self.random.random() < 0.05:
            self.cancel()  # self-match prevention: a cancel without a fill inside the match event

    def settle(self, order: Order, taken: int, *, refill: bool) -> None:
        """The book change after an order's fills: M or a partial C when some is left, C (or a refill) when not."""
        left = order.size - taken
        if refill and left == 0:
            order.size = 0
            self.modify_order(order, size=self.size())
        elif refill:
            self.modify_order(order, size=left + self.size())
        elif left == 0:
            self.cancel_order(order)
        elif self.random.random() < 0.2:
            self.cancel_order(order, taken)
        else:
            order.size = left
            self.emit(ACTION_MODIFY, order.side, order.order_id, order.price, left)

    # -- odd events --------------------------------------------------------------------------------------------------

    def partial_cancel(self) -> None:
        if (order := self.any_order()) and order.size > 1:
            self.cancel_order(order, self.random.randrange(1, order.size))

    def oversize_cancel(self) -> None:
        if order := self.any_order():
            self.cancel_order(order, order.size + self.size())

    def unknown_cancel(self) -> None:
        side = self.side()
        self.emit(ACTION_CANCEL, side, self.new_id(), self.passive_price(side), self.size())

    def unknown_modify(self) -> None:
        side, order_id, size = self.side(), self.new_id(), self.size()
        price = self.passive_price(side)
        self.book[order_id] = Order(order_id, side, price, size, self.now)
        self.emit(ACTION_MODIFY, side, order_id, price, size)

    def modify_side(self) -> None:
        if order := self.any_order():
            order.side = SIDE_ASK if order.side == SIDE_BID else SIDE_BID
            self.book[order.order_id] = self.book.pop(order.order_id)
            self.modify_order(order, price=self.passive_price(order.side))

    def modify_to_zero(self) -> None:
        if order := self.any_order():
            self.modify_order(order, size=0)

    def duplicate_add(self) -> None:
        if order := self.any_order():
            side = order.side if self.random.random() < 0.8 else self.side()
            self.rest(order.order_id, side, self.passive_price(side), self.size())

    def crossing_add(self) -> None:
        side = self.side()
        other = SIDE_ASK if side == SIDE_BID else SIDE_BID
        self.rest(self.new_id(), side, self.passive_price(other), self.size())

    def far_add(self) -> None:
        side = self.side()
        ticks = self.random.choice((599, 600, 601, 2_000, 18_000)) + self.random.randrange(3)
        self.rest(self.new_id(), side, self.mid + self.random.choice((-1, 1)) * ticks * self.tick, self.size())

    def iceberg(self) -> None:
        self.trade(refill=True)

    def print_without_order(self) -> None:
        """An auction or implied print: T with order id 0 and side N; with fills of one side, or alone."""
        if self.random.random() < 0.5:
            self.trade(order_id=0)
        else:
            self.emit(ACTION_TRADE, SIDE_NONE, 0, self.mid, self.size())

    def fill_unknown(self) -> None:
        side = self.side()
        passive = SIDE_ASK if side == SIDE_BID else SIDE_BID
        self.emit(ACTION_TRADE, side, self.new_id(), self.mid, 2)
        self.emit(ACTION_FILL, passive, self.new_id(), self.mid, 2)

    def fill_over_size(self) -> None:
        if order := self.any_order():
            side = SIDE_ASK if order.side == SIDE_BID else SIDE_BID
            size = order.size + self.size()
            self.emit(ACTION_TRADE, side, self.new_id(), order.price, size)
            self.emit(ACTION_FILL, order.side, order.order_id, order.price, size)
            self.cancel_order(order)

    def stop_cascade(self) -> None:
        self.trade(aggressors=self.random.randrange(2, 4))

    def sentinel_only(self) -> None:
        self.emit(ACTION_NONE, SIDE_NONE, 0, UNDEF_PRICE, 0)

    def bad_book(self) -> None:
        side = self.side()
        self.rest(self.new_id(), side, self.passive_price(side), self.size(), flags=F_MAYBE_BAD_BOOK)

    def top_of_book_add(self) -> None:
        """F_TOB: the Add replaces the whole side; with no price it only empties it."""
        side = self.side()
        self.book = {number: order for number, order in self.book.items() if order.side != side}
        if self.random.random() < 0.3:
            self.emit(ACTION_ADD, side, 0, UNDEF_PRICE, 0, flags=F_TOB)
        else:
            self.rest(self.new_id(), side, self.passive_price(side), self.size(), flags=F_TOB)

    def clear(self) -> None:
        self.book.clear()
        self.emit(ACTION_CLEAR, SIDE_NONE, 0, UNDEF_PRICE, 0)

    def snapshot(self) -> None:
        """A recovery snapshot in the middle of the day, of the book as it is, sometimes with orders gone."""
        for number in [number for number in self.book if self.random.random() < 0.1]:
            self.book.pop(number)
        self.write_snapshot(self.random.choice(SNAPSHOT_FORMS), list(self.book.values()), self.recv)

    def sequence_reset(self) -> None:
        self.sequence = self.random.randrange(1, 50)
        self.add()

    # -- snapshots ---------------------------------------------------------------------------------------------------

    def head_snapshot(self, form: SnapshotForm, n: int) -> None:
        """The book the day starts with, entered hours to weeks before; captured at midnight UTC."""
        midnight = self.now - self.now % DAY_NS
        for _ in range(n):
            side, order_id = self.side(), self.new_id()
            price = self.passive_price(side)
            if self.random.random() < 0.03:
                price += self.random.choice((-1, 1)) * 15_000 * self.tick
            age = self.random.randrange(3600, 20 * 86_400) * SECOND_NS
            self.book[order_id] = Order(order_id, side, price, self.size(), midnight - age)
        self.write_snapshot(form, list(self.book.values()), midnight)

    def write_snapshot(self, form: SnapshotForm, orders: Sequence[Order], ts_recv: int) -> None:
        self.event_start = len(self.rows)
        if form == "clear_terminated":
            head = (ts_recv, 0, UNDEF_PRICE, 0, SNAPSHOT_FLAGS, ACTION_CLEAR, SIDE_NONE, ts_recv, 0)
            self.rows.append(head)
        else:  # bids, then asks; the stable sort keeps time priority within a price
            orders = sorted(orders, key=lambda o: (o.side != SIDE_BID, -o.price if o.side == SIDE_BID else o.price))
        for order in orders:
            resting = (order.ts_event, order.order_id, order.price, order.size, SNAPSHOT_FLAGS)
            self.rows.append((*resting, ACTION_ADD, order.side, ts_recv, self.random.randrange(1, 1000)))
        if form != "plain_unterminated" and len(self.rows) > self.event_start:
            last = self.rows[-1]
            self.rows[-1] = (*last[:4], last[4] | F_LAST, *last[5:])
