"""The book as dictionaries of lists, and what each record adds to and takes from every (side, price).

Belongs here: the effect of one record on resting orders, told apart into add, pull, fill, refill and reprice
(10-market-data §1; 20-book-and-surfaces §2). No windows, no validity: `book.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spymaster_tests.oracle.records import F_SNAPSHOT, F_TOB, Record

Cell = tuple[str, int]
"""(side, absolute price): side "B" or "A"."""


@dataclass(eq=False)
class Order:
    """A resting order. `fill_pending` is what F reported since its last book change."""

    key: object
    side: str
    price: int
    size: int
    ts_enter: int
    fill_pending: int = 0

    @property
    def cell(self) -> Cell:
        return (self.side, self.price)

    @property
    def left(self) -> int:
        """Size without the part already reported as filled."""
        return self.size - self.fill_pending


@dataclass
class Flow:
    """What happened at one (side, price) in one window, in lots."""

    add: int = 0
    pull: int = 0
    pull_rest: int = 0
    fill: int = 0
    refill: int = 0
    away: int = 0
    toward: int = 0


@dataclass
class Ledger:
    """Orders by id, queues by (side, price) in priority order, and the flows since `start_window`."""

    rest_ns: int
    orders: dict[object, Order] = field(default_factory=dict)
    queues: dict[str, dict[int, list[Order]]] = field(default_factory=lambda: {"B": {}, "A": {}})
    flows: dict[Cell, Flow] = field(default_factory=dict)
    counters: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (
                "unknown_cancel",
                "modify_as_add",
                "duplicate_add",
                "fill_unknown",
                "fill_over_size",
                "fifo_known_fills",
                "fifo_front_fills",
            ),
            0,
        )
    )

    # -- reading ---------------------------------------------------------------------------------

    def quantity(self, cell: Cell) -> int:
        return sum(order.size for order in self.queues[cell[0]].get(cell[1], ()))

    def count(self, cell: Cell) -> int:
        return len(self.queues[cell[0]].get(cell[1], ()))

    def resting(self, cell: Cell, now: int) -> int:
        """Quantity of the orders that have been here, with this priority, for at least `rest_ns`."""
        return sum(o.size for o in self.queues[cell[0]].get(cell[1], ()) if now - o.ts_enter >= self.rest_ns)

    def best(self, side: str) -> tuple[int, int, int] | None:
        """(price, quantity, orders) at the best price of a side; None where the side is empty."""
        prices = self.queues[side]
        if not prices:
            return None
        price = max(prices) if side == "B" else min(prices)
        return price, self.quantity((side, price)), self.count((side, price))

    def levels(self, side: str) -> list[tuple[int, int, int]]:
        """(price, quantity, orders) of a whole side, best first."""
        prices = sorted(self.queues[side], reverse=side == "B")
        return [(price, self.quantity((side, price)), self.count((side, price))) for price in prices]

    # -- records ---------------------------------------------------------------------------------

    def apply(self, record: Record, now: int) -> None:
        """Apply one record; `now` is its time for ages. T and N change nothing, F only marks the order it names."""
        if record.action == "A":
            self._add(record, now)
        elif record.action == "C":
            self._cancel(record, now)
        elif record.action == "M":
            self._modify(record, now)
        elif record.action == "R":
            self.clear(now)
        elif record.action == "F":
            self._report_fill(record)

    def clear(self, now: int, side: str | None = None) -> None:
        """Every order (of a side) leaves, whole, as a pull."""
        for order in list(self.orders.values()):
            if side is None or order.side == side:
                order.fill_pending = 0
                self._remove(order, now)

    def judge_fifo(self, fills: list[tuple[Order, list[Order]]]) -> None:
        """Count an event's fills of known orders, and those at the front of their queue.

        A fill is at the front when every order ahead of it in the queue of its own level is itself named by an F of
        the same event, before or after it. `fills` holds (order, orders ahead of it when its F came).
        """
        named = {order.key for order, _ in fills}
        for _, ahead in fills:
            self.counters["fifo_known_fills"] += 1
            self.counters["fifo_front_fills"] += all(other.key in named for other in ahead)

    def ahead_of(self, order: Order) -> list[Order]:
        queue = self.queues[order.side][order.price]
        return queue[: queue.index(order)]

    def named_by(self, record: Record) -> Order | None:
        """The resting order that a C, M or F names."""
        return self.orders.get(record.order_id)

    # -- effects ---------------------------------------------------------------------------------

    def _add(self, record: Record, now: int) -> None:
        key: object = record.order_id
        if record.flags & F_TOB:
            self.clear(now, record.side)
            # Top-of-book quotes often carry id 0 on both sides; they must not replace one another.
            key = record.order_id or ("top of book", record.side)
        known = self.orders.get(key)
        if known is not None:
            if not record.flags & F_SNAPSHOT:
                self.counters["duplicate_add"] += 1
            self._remove(known, now)
        self._enter(key, record, now)

    def _cancel(self, record: Record, now: int) -> None:
        order = self.named_by(record)
        if order is None:
            self.counters["unknown_cancel"] += 1
            return
        taken = min(record.size, order.size)
        filled = min(order.fill_pending, taken)
        self._take(order, pulled=taken - filled, filled=filled, now=now)
        order.fill_pending = 0
        if order.size == 0:
            self._drop(order)

    def _modify(self, record: Record, now: int) -> None:
        order = self.named_by(record)
        if order is None:
            self.counters["modify_as_add"] += 1
            self._enter(record.order_id, record, now)
            return
        assert record.price is not None, "an M of a known order without a price has no meaning"
        new_cell = (record.side if record.side in self.queues else order.side, record.price)
        if record.size == 0:
            self._remove(order, now)
        elif new_cell != order.cell:
            if self._is_resting(order, now) and record.price != order.price:
                flow = self._flow(order.cell)
                # away from spot: a bid that moves down, an ask that moves up
                if (record.price < order.price) == (order.side == "B"):
                    flow.away += order.left
                else:
                    flow.toward += order.left
            self._remove(order, now)
            self._enter(order.key, record, now)
        else:
            self._resize(order, record.size, now)

    def _resize(self, order: Order, new: int, now: int) -> None:
        """An M at the same price: compared with what is left after the reported fills."""
        left, was_filled = order.left, order.fill_pending > 0
        self._take(order, pulled=max(left - new, 0), filled=order.fill_pending, now=now)
        order.fill_pending = 0
        if new > left:
            flow = self._flow(order.cell)
            flow.add += new - left
            if was_filled:
                flow.refill += new - left
            queue = self.queues[order.side][order.price]
            queue.remove(order)
            queue.append(order)
            order.ts_enter = now
        order.size = new

    def _report_fill(self, record: Record) -> None:
        order = self.named_by(record)
        if order is None:
            self.counters["fill_unknown"] += 1
            return
        if record.size > order.size:
            self.counters["fill_over_size"] += 1
        order.fill_pending = min(order.size, order.fill_pending + record.size)

    def _enter(self, key: object, record: Record, now: int) -> None:
        if record.price is None or record.size == 0 or record.side not in self.queues:
            return
        # A snapshot tells how old its orders are, whatever the time at which it arrives.
        ts_enter = record.ts_event if record.flags & F_SNAPSHOT else now
        order = Order(key, record.side, record.price, record.size, ts_enter)
        self.orders[key] = order
        self.queues[order.side].setdefault(order.price, []).append(order)
        self._flow(order.cell).add += order.size

    def _remove(self, order: Order, now: int) -> None:
        """The whole order leaves: what F reported as fill, the rest as pull."""
        self._take(order, pulled=order.left, filled=order.fill_pending, now=now)
        self._drop(order)

    def _take(self, order: Order, *, pulled: int, filled: int, now: int) -> None:
        flow = self._flow(order.cell)
        flow.pull += pulled
        flow.fill += filled
        if self._is_resting(order, now):
            flow.pull_rest += pulled
        order.size -= pulled + filled

    def _drop(self, order: Order) -> None:
        del self.orders[order.key]
        queue = self.queues[order.side][order.price]
        queue.remove(order)
        if not queue:
            del self.queues[order.side][order.price]

    def _is_resting(self, order: Order, now: int) -> bool:
        return now - order.ts_enter >= self.rest_ns

    def _flow(self, cell: Cell) -> Flow:
        return self.flows.setdefault(cell, Flow())
