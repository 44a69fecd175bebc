"""The book of one contract, rebuilt from the records of a file: what a reader of the file can know, and no more.

In words:

- `orders` is one row per resting order; `free` the stack of unused rows; `table` an open-addressing hash from order id
  to row (linear probing, -1 empty; a removed entry closes its gap).
- `cells[tick, side]` is the ladder: quantity shown and number of orders, ticks counted from `state.origin`; orders
  whose price lies beyond the ladder rest without a cell (tick -1).
- `state` holds best prices, the running event and counters.

A block of records yields rows: changes of the best prices, the best levels at whole seconds, events of several records,
adds, gone. Only `A`, `C`, `M` and `R` change the book. Kept apart from the book engine on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spymaster.jit import kernel
from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_NONE,
    ACTION_TRADE,
    F_LAST,
    F_SNAPSHOT,
    SIDE_BID,
    Records,
)
from spymaster.simulator.errors import SimulatorCapacityError
from spymaster.simulator.layout import INNER, LEVELS
from spymaster.simulator.schedule import SECOND_NS

TICKS = 1 << 16
MAX_ORDERS = 1 << 18
_SLOTS = 2 * MAX_ORDERS

E_PARTIAL, E_REFILL, E_FULL, E_NO_AGGRESSOR, E_UNKNOWN, E_OVERSIZE, E_EXTRA_CANCEL = 1, 2, 4, 8, 16, 32, 64
"""What happened in an event of several records, as bits of its `kind`."""

REPRICE, SMALLER, LARGER, SAME = 0, 1, 2, 3

RESTING = np.dtype(
    [("id", "u8"), ("ts", "i8"), ("tick", "i4"), ("qty", "i4"), ("filled", "i4"), ("side", "u1"), ("live", "u1")],
    align=True,
)
"""`live`: added after the snapshot; `filled`: in the running event."""
STATE = np.dtype(
    [
        ("origin", "i8"), ("tick_size", "i8"), ("bid", "i8"), ("ask", "i8"), ("seen_bid", "i8"), ("seen_ask", "i8"),
        ("second", "i8"), ("low", "i8"), ("high", "i8"), ("n_free", "i8"), ("overflow", "i8"),
        ("event_n", "i8"), ("event_kind", "i8"), ("event_pattern", "u8"), ("event_trades", "i8"), ("first_gone", "i8"),
        ("n_quotes", "i8"), ("n_seconds", "i8"), ("n_events", "i8"), ("n_adds", "i8"), ("n_lives", "i8"),
        ("modifies", "i8", (4,)), ("fills", "i8"), ("unknown", "i8"), ("oversize", "i8"), ("crossed", "i8"),
    ],
    align=True,
)  # fmt: skip
QUOTE = np.dtype([("ts", "i8"), ("bid", "i8"), ("ask", "i8")])
EVENT = np.dtype([("ts", "i8"), ("pattern", "u8"), ("n", "i4"), ("kind", "i4")])
"""`pattern` has the first 16 actions as four-bit codes, the first one highest (`PATTERN_LETTERS`)."""
ADDED = np.dtype([("ts", "i8"), ("size", "i4"), ("distance", "i2"), ("alone", "u1"), ("pad", "u1")])
"""`distance`: ticks behind the best price of its side, -1 in front of it; `alone`: the event has no other record."""
GONE = np.dtype([("ts", "i8"), ("life", "i8"), ("filled", "i8")])
"""`life`: ns since the order was added, -1 if before the file's first live record; `filled`: 1 filled, 0 cancelled."""

_NO_DISTANCE = -2
_CODES = np.zeros(256, np.uint64)
for _code, _action in enumerate((ACTION_ADD, ACTION_CANCEL, ACTION_MODIFY, ACTION_TRADE, ACTION_FILL, ACTION_NONE), 1):
    _CODES[_action] = _code


@dataclass
class Replayed:
    """Rows of the blocks so far, within the window."""

    quotes: list[np.ndarray] = field(default_factory=list)
    seconds: list[np.ndarray] = field(default_factory=list)
    levels: list[np.ndarray] = field(default_factory=list)
    events: list[np.ndarray] = field(default_factory=list)
    adds: list[np.ndarray] = field(default_factory=list)
    gone: list[np.ndarray] = field(default_factory=list)


class Replay:
    """Feed it all records of one contract in file order; `rows` fills up with what happened in `window` (ns, [a, b)).

    `levels` are int32 (seconds, side, (tick, quantity, orders), 20), best first, orders 0 where there is no level.
    Raises SimulatorCapacityError when more than `MAX_ORDERS` orders rest.
    """

    def __init__(self, tick_size_int: int, window: tuple[int, int]) -> None:
        self.rows = Replayed()
        self._anchored = False
        self._state = np.zeros(1, STATE)
        self._orders = np.zeros(MAX_ORDERS, RESTING)
        self._free = np.arange(MAX_ORDERS, dtype=np.int32)[::-1].copy()
        self._table = np.full(_SLOTS, -1, np.int32)
        self._cells = np.zeros((TICKS, 2, 2), np.int32)
        state = self._state[0]
        state["tick_size"] = tick_size_int
        state["low"], state["high"] = window
        state["second"] = window[0] + SECOND_NS
        state["bid"], state["ask"], state["n_free"] = -1, TICKS, MAX_ORDERS
        state["seen_bid"], state["seen_ask"] = -2, -2

    @property
    def counters(self) -> np.void:
        """`modifies` (by REPRICE ...), `fills`, `unknown` and `oversize` fills, `crossed` events, in the window."""
        return self._state[0]

    def feed(self, records: Records) -> None:
        """Take the next records of the contract."""
        n = len(records)
        if n == 0:
            return
        state = self._state[0]
        if not self._anchored:
            prices = records["price"][np.isin(records["action"], (ACTION_ADD, ACTION_MODIFY, ACTION_CANCEL))]
            if not len(prices):
                return
            middle = int(np.median(prices)) // int(state["tick_size"])
            self._anchored = True
            state["origin"] = (middle - TICKS // 2) * int(state["tick_size"])
        until = min(int(records["ts_event"][-1]), int(state["high"]))
        spare = max(0, (until - int(state["second"])) // SECOND_NS + 2)
        quotes, events = np.empty(n + 1, QUOTE), np.empty(n // 2 + 2, EVENT)
        adds, gone = np.empty(n, ADDED), np.empty(n, GONE)
        ends, levels = np.empty(spare, np.int64), np.zeros((spare, 2, 3, LEVELS), np.int32)
        for name in ("n_quotes", "n_seconds", "n_events", "n_adds", "n_lives"):
            state[name] = 0
        _replay(
            state, self._table, self._orders, self._free, self._cells, records, quotes, ends, levels, events, adds,
            gone,
        )  # fmt: skip
        if state["overflow"]:
            raise SimulatorCapacityError(f"more than {MAX_ORDERS} resting orders")
        kept = self.rows
        for rows, name, into in (
            (quotes, "n_quotes", kept.quotes), (ends, "n_seconds", kept.seconds), (levels, "n_seconds", kept.levels),
            (events, "n_events", kept.events), (adds, "n_adds", kept.adds), (gone, "n_lives", kept.gone),
        ):  # fmt: skip
            if state[name]:
                into.append(rows[: int(state[name])].copy())

    def resting(self) -> np.ndarray:
        """Rows of the orders that rest now."""
        return self._orders[self._table[self._table >= 0]]


@kernel()
def _replay(state, table, orders, free, cells, records, quotes, seconds, levels, events, adds, gone):
    for k in range(len(records)):
        row = records[k]
        ts = np.int64(row.ts_event)
        snapshot = row.flags & F_SNAPSHOT != 0
        if not snapshot:
            while state.second <= ts and state.second <= state.high:
                seconds[state.n_seconds] = state.second
                _best_levels(state, cells, levels[state.n_seconds])
                state.n_seconds += 1
                state.second += SECOND_NS
        measured = not snapshot and state.low <= ts < state.high
        action = row.action
        if action != ACTION_NONE:
            if state.event_n < 16:
                state.event_pattern = (state.event_pattern << np.uint64(4)) | _CODES[action]
            state.event_n += 1
        if action == ACTION_ADD:
            _add(state, table, orders, free, cells, row, snapshot, measured, adds)
        elif action == ACTION_CANCEL:
            _cancel(state, table, orders, free, cells, row, measured, gone)
        elif action == ACTION_MODIFY:
            _modify(state, table, orders, free, cells, row, measured)
        elif action == ACTION_CLEAR:
            _clear(state, table, orders, free, cells)
        elif action == ACTION_TRADE:
            state.event_trades += 1
            if row.order_id == 0:
                state.event_kind |= E_NO_AGGRESSOR
        elif action == ACTION_FILL:
            _fill(state, table, orders, row, measured)
        if row.flags & F_LAST:
            if measured:
                _close(state, ts, quotes, events, adds)
            state.event_n = state.event_kind = state.event_trades = state.first_gone = 0
            state.event_pattern = np.uint64(0)
        if state.overflow:
            return


@kernel(**INNER)
def _close(state, ts, quotes, events, adds):
    if state.event_n == 1:
        if state.event_pattern == _CODES[ACTION_ADD] and state.n_adds > 0:
            adds[state.n_adds - 1].alone = 1
    elif state.event_n > 1:
        if state.first_gone and state.n_lives > 0:
            state.n_lives -= 1
        row = events[state.n_events]
        row.ts, row.pattern, row.n, row.kind = ts, state.event_pattern, state.event_n, state.event_kind
        state.n_events += 1
    crossed = state.bid >= 0 and state.ask < TICKS and state.bid >= state.ask
    state.crossed += crossed
    if state.bid != state.seen_bid or state.ask != state.seen_ask:
        row = quotes[state.n_quotes]
        row.ts, row.bid, row.ask = ts, state.bid, state.ask
        state.seen_bid, state.seen_ask = state.bid, state.ask
        state.n_quotes += 1


@kernel(**INNER)
def _home(order_id):
    return np.int64((order_id * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(45))


@kernel(**INNER)
def _find(table, orders, order_id):
    """Where in the table an order is, or the place that it would take."""
    at = _home(order_id)
    while table[at] >= 0 and orders[table[at]].id != order_id:
        at = (at + 1) & (_SLOTS - 1)
    return at


@kernel(**INNER)
def _remove(state, table, orders, free, cells, at):
    slot = table[at]
    _count(state, cells, orders[slot], -1)
    free[state.n_free] = slot
    state.n_free += 1
    k = (at + 1) & (_SLOTS - 1)
    while table[k] >= 0:
        if ((k - _home(orders[table[k]].id)) & (_SLOTS - 1)) >= ((k - at) & (_SLOTS - 1)):
            table[at] = table[k]
            at = k
        k = (k + 1) & (_SLOTS - 1)
    table[at] = -1


@kernel(**INNER)
def _count(state, cells, order, sign):
    """Put an order into its cell (+1) or take it out (-1), and keep the best prices."""
    tick = np.int64(order.tick)
    if tick < 0:
        return
    side = np.int64(order.side)
    cells[tick, side, 0] += sign * order.qty
    cells[tick, side, 1] += sign
    if sign > 0:
        if side == 0:
            state.bid = max(state.bid, tick)
        else:
            state.ask = min(state.ask, tick)
    elif cells[tick, side, 1] == 0:
        if side == 0 and tick == state.bid:
            while state.bid >= 0 and cells[state.bid, 0, 1] == 0:
                state.bid -= 1
        elif side == 1 and tick == state.ask:
            while state.ask < TICKS and cells[state.ask, 1, 1] == 0:
                state.ask += 1


@kernel(**INNER)
def _place(state, cells, order, row):
    tick = (row.price - state.origin) // state.tick_size
    order.tick = tick if 0 <= tick < TICKS else -1
    order.side = 0 if row.side == SIDE_BID else 1
    order.qty = row.size
    _count(state, cells, order, 1)


@kernel(**INNER)
def _add(state, table, orders, free, cells, row, snapshot, measured, adds):
    if state.n_free == 0:
        state.overflow = 1
        return
    at = _find(table, orders, row.order_id)
    if table[at] >= 0:
        _remove(state, table, orders, free, cells, at)
        at = _find(table, orders, row.order_id)
    bid, ask = state.bid, state.ask
    state.n_free -= 1
    slot = free[state.n_free]
    table[at] = slot
    order = orders[slot]
    order.id, order.ts, order.filled, order.live = row.order_id, row.ts_event, 0, 0 if snapshot else 1
    _place(state, cells, order, row)
    if measured:
        distance = np.int64(_NO_DISTANCE)
        if order.side == 0 and bid >= 0:
            distance = max(bid - order.tick, -1)
        elif order.side == 1 and ask < TICKS:
            distance = max(order.tick - ask, -1)
        added = adds[state.n_adds]
        added.ts, added.size, added.distance, added.alone = row.ts_event, row.size, min(distance, 30_000), 0
        state.n_adds += 1


@kernel(**INNER)
def _cancel(state, table, orders, free, cells, row, measured, gone):
    at = _find(table, orders, row.order_id)
    if table[at] < 0:
        return
    order = orders[table[at]]
    alone = state.event_n == 1
    if order.filled > 0:
        state.event_kind |= E_FULL
    elif state.event_trades > 0:
        state.event_kind |= E_EXTRA_CANCEL
    if measured and (alone or order.filled > 0):
        end = gone[state.n_lives]
        end.ts = row.ts_event
        end.life = np.int64(row.ts_event) - order.ts if order.live else -1
        end.filled = order.filled > 0
        state.n_lives += 1
        state.first_gone = alone
    left = order.qty - np.int64(row.size)
    if order.filled == 0 and left > 0:
        if order.tick >= 0:
            cells[order.tick, order.side, 0] -= row.size
        order.qty = left
    else:
        _remove(state, table, orders, free, cells, at)


@kernel(**INNER)
def _modify(state, table, orders, free, cells, row, measured):
    at = _find(table, orders, row.order_id)
    if table[at] < 0:
        return
    order = orders[table[at]]
    if order.filled > 0:
        state.event_kind |= E_REFILL if order.filled >= order.qty else E_PARTIAL
    elif measured and state.event_n == 1:
        tick = (row.price - state.origin) // state.tick_size
        if tick != order.tick and (order.tick >= 0 or 0 <= tick < TICKS):
            state.modifies[REPRICE] += 1
        elif row.size < order.qty:
            state.modifies[SMALLER] += 1
        elif row.size > order.qty:
            state.modifies[LARGER] += 1
        else:
            state.modifies[SAME] += 1
    _count(state, cells, order, -1)
    order.filled = 0
    _place(state, cells, order, row)


@kernel(**INNER)
def _fill(state, table, orders, row, measured):
    state.fills += measured
    at = _find(table, orders, row.order_id)
    if table[at] < 0:
        state.event_kind |= E_UNKNOWN
        state.unknown += measured
        return
    order = orders[table[at]]
    order.filled += row.size
    if row.size > order.qty:
        state.event_kind |= E_OVERSIZE
        state.oversize += measured


@kernel(**INNER)
def _clear(state, table, orders, free, cells):
    for at in range(_SLOTS):
        if table[at] >= 0:
            order = orders[table[at]]
            if order.tick >= 0:
                cells[order.tick, order.side, 0] = cells[order.tick, order.side, 1] = 0
            free[state.n_free] = table[at]
            state.n_free += 1
            table[at] = -1
    state.bid, state.ask = -1, TICKS


@kernel(**INNER)
def _best_levels(state, cells, into):
    for side in range(2):
        tick = state.bid if side == 0 else state.ask
        step = -1 if side == 0 else 1
        found = 0
        while found < LEVELS and 0 <= tick < TICKS:
            if cells[tick, side, 1] > 0:
                into[side, 0, found], into[side, 1, found], into[side, 2, found] = (
                    tick,
                    cells[tick, side, 0],
                    cells[tick, side, 1],
                )
                found += 1
            tick += step
