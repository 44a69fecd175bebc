"""The pass over orders' messages and lives: feeds records and quotes to the kernels and drains the rows they write."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spymaster.book.errors import BookError
from spymaster.book.lives import layout as la
from spymaster.book.lives.kernel import finish, reindex, relevel, run

EVENT, LIFE = "order_event", "order_life"

Block = dict[str, dict[str, np.ndarray]]
"""Columns by table by name; nulls are `layout.NO_PRICE`. They are overwritten once the next block is asked for."""


class LifePass:
    """What the orders of one instrument did, resumable at any record.

    records: chunks of `market.dbn.MBO_DTYPE` in file order, cut anywhere; other instruments are skipped. They are those
    that the book's pass has accepted: what it refuses is not looked for again.
    quotes: int64 [3, n] arrays of `bbo_change` of the same pass: event id, best bid, best ask, `layout.NO_PRICE` where
    a side is empty.

    What comes out does not depend on how records and quotes were cut, nor on `rows`, the rows of a block.
    """

    def __init__(
        self,
        quotes: Iterator[np.ndarray],
        *,
        instrument_id: int,
        tick_size_int: int,
        rows: int = 131_072,
        source: str = "records",
    ) -> None:
        if tick_size_int <= 0:
            raise ValueError(f"tick size must be positive, got {tick_size_int}")
        self._quotes = quotes
        self._source = source
        self._fed = 0
        state = np.zeros(la.STATE_FIELDS, np.int64)
        state[la.S_INSTRUMENT], state[la.S_TICK] = instrument_id, tick_size_int
        state[la.S_BID] = state[la.S_ASK] = state[la.S_SPOT] = state[la.S_SPOT_BEFORE] = la.NO_PRICE
        self._arrays = la.Arrays(
            state=state,
            orders=np.zeros((0, la.ORDER_FIELDS), np.int64),
            free=np.zeros(0, np.int32),
            index=np.zeros(0, np.int32),
            levels=np.zeros((0, 2), np.int64),
            quotes=np.zeros((3, 0), np.int64),
            events=np.zeros((len(la.EVENT_COLUMNS), rows), np.int64),
            lives=np.zeros((len(la.LIFE_COLUMNS), rows), np.int64),
        )
        state[la.S_EVENT_ROOM] = state[la.S_LIFE_ROOM] = rows
        self._grow_orders(16_384)
        self._grow_levels(4096)

    def process(self, records: np.ndarray) -> Iterator[Block]:
        """Apply a chunk of records, yielding every block that fills up on the way."""
        if not records.flags.writeable:
            records = records.copy()  # a read-only array would compile the kernel a second time
        position = 0
        while True:
            position, code = run(self._arrays, records, position)
            if code == la.DONE:
                break
            if code == la.FULL:
                yield self._block()
                self._drained()
            elif code == la.GROW_ORDERS:
                self._grow_orders(2 * len(self._arrays.orders))
            elif code == la.GROW_LEVELS:
                self._grow_levels(2 * len(self._arrays.levels))
            elif code == la.NEED_QUOTES:
                self._more_quotes()
            else:
                record = records[position]
                raise BookError(
                    f"{self._source}: record {self._fed + position} of instrument {record['instrument_id']}: action "
                    f"{record['action']:#x} with side {record['side']:#x} has no meaning"
                )
        self._fed += len(records)

    def finish(self) -> Iterator[Block]:
        """End of the file: what is left, and the lives of the orders that still rest."""
        yield self._block()
        self._drained()
        finish(self._arrays)
        yield self._block()

    @property
    def counters(self) -> dict[str, int]:
        """What was seen and what was odd, by name."""
        return dict(zip(la.COUNTER_NAMES, self._arrays.state[la.COUNTERS].tolist(), strict=True))

    def _block(self) -> Block:
        """Rows of closed events, and lives."""
        a = self._arrays
        closed, lives = int(a.state[la.S_EVENT_FIRST]), int(a.state[la.S_LIFE_N])
        return {
            EVENT: dict(zip(la.EVENT_COLUMNS, a.events[:, :closed], strict=True)),
            LIFE: dict(zip(la.LIFE_COLUMNS, a.lives[:, :lives], strict=True)),
        }

    def _drained(self) -> None:
        """Go on after a block: rows of an event that is still open stay.

        There is then room for every life that may end at once, and for twice the rows that the open event has written.
        """
        a = self._arrays
        closed, n = int(a.state[la.S_EVENT_FIRST]), int(a.state[la.S_EVENT_N])
        a.events[:, : n - closed] = a.events[:, closed:n].copy()
        a.state[la.S_EVENT_FIRST], a.state[la.S_EVENT_N], a.state[la.S_LIFE_N] = 0, n - closed, 0
        most = int(a.state[la.S_LIVE]) + la.ROWS_PER_RECORD + 64
        needed = most + 2 * int(a.state[la.S_EVENT_N])
        if needed > a.events.shape[1]:
            wider = np.zeros((len(a.events), 2 * needed), np.int64)
            wider[:, : a.events.shape[1]] = a.events
            self._arrays = self._arrays._replace(events=wider)
            a.state[la.S_EVENT_ROOM] = wider.shape[1]
        if most > a.lives.shape[1]:
            self._arrays = self._arrays._replace(lives=np.zeros((len(a.lives), 2 * most), np.int64))
            a.state[la.S_LIFE_ROOM] = 2 * most

    def _grow_orders(self, capacity: int) -> None:
        a = self._arrays
        old = len(a.orders)
        orders = np.zeros((capacity, la.ORDER_FIELDS), np.int64)
        orders[:old] = a.orders
        free = np.zeros(capacity, np.int32)
        left = int(a.state[la.S_FREE_N])
        free[: capacity - old] = np.arange(capacity - 1, old - 1, -1)
        free[capacity - old : capacity - old + left] = a.free[:left]
        a.state[la.S_FREE_N] = capacity - old + left
        a.state[la.S_CAPACITY] = capacity
        a.state[la.S_INDEX_MASK] = 4 * capacity - 1
        a.state[la.S_INDEX_SHIFT] = 64 - ((4 * capacity).bit_length() - 1)
        self._arrays = a._replace(orders=orders, free=free, index=np.zeros(4 * capacity, np.int32))
        if old:
            reindex(self._arrays)

    def _grow_levels(self, places: int) -> None:
        a = self._arrays
        old = a.levels
        levels = np.zeros((places, 2), np.int64)
        levels[:, 0] = la.NO_PRICE
        a.state[la.S_LEVELS_MASK] = places - 1
        a.state[la.S_LEVELS_SHIFT] = 64 - (places.bit_length() - 1)
        a.state[la.S_LEVELS_N] = 0
        self._arrays = a._replace(levels=levels)
        if len(old):
            relevel(self._arrays, old)

    def _more_quotes(self) -> None:
        a = self._arrays
        batch = next(self._quotes, None)
        if batch is None:
            a.state[la.S_QUOTES_END] = 1
            return
        a.state[la.S_QUOTE] = 0
        a.state[la.S_QUOTES_N] = batch.shape[1]
        self._arrays = a._replace(quotes=np.ascontiguousarray(batch))
