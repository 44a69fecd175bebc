"""The books of a chain as Python sees them: records in, rows of changed quotes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spymaster.book.chain import layout as la
from spymaster.book.chain.kernel import close_window, run
from spymaster.book.chain.orders import reindex

_FIRST_ROOM = 4
"""Levels that a side begins with."""


class ChainEngine:
    """Best quotes and flow of many instruments, one row per window and instrument where something has changed.

    Feed it record arrays (`market.dbn.MBO_DTYPE`, file order, cut anywhere; instruments that are not of the chain are
    counted and skipped), then call `finish`. Rows come as columns by name: `window_end` in ns, `instrument_id` and its
    `number` in the ascending order of the ids, `bid_price_int` and `ask_price_int` in 1e-9 (`layout.NO_PRICE` where
    nothing rests), `bid_qty`, `ask_qty`, `buy_volume` and `sell_volume` by aggressor, `add_qty` and `pull_qty` since
    the instrument's last row (what a snapshot brings or removes counts as neither), `valid`: the book was LIVE at the
    end of the window, reached through a complete snapshot or a clear, and not in doubt. Crossed quotes are reported as
    they are. A block holds whole windows; within a window rows come by instrument id.
    """

    def __init__(
        self, instrument_ids: Sequence[int] | np.ndarray, *, window_ns: int = 1_000_000_000, block_rows: int = 65_536
    ) -> None:
        ids = np.unique(np.asarray(instrument_ids, np.int64))
        if not len(ids):
            raise ValueError("a chain without instruments")
        self._ids = ids
        n = len(ids)
        places = 1 << int(4 * n - 1).bit_length()
        self._books = np.zeros((n, la.BOOK_FIELDS), np.int64)
        self._books[:, la.B_ID] = ids
        stretches = _FIRST_ROOM * np.arange(2 * n).reshape(n, 2)
        self._books[:, la.B_FIRST : la.B_FIRST + 2] = stretches
        self._books[:, la.B_ROOM : la.B_ROOM + 2] = _FIRST_ROOM
        self._books[:, la.B_OUT_KEY : la.B_OUT_KEY + 2] = la.NO_KEY
        self._levels = np.zeros((4 * _FIRST_ROOM * n, 2), np.int64)
        self._lookup = np.zeros((places, 2), np.int64)
        self._touched = np.zeros(-(-n // 64), np.uint64)
        st = self._state = np.zeros(la.STATE_FIELDS, np.int64)
        st[la.S_WINDOW_NS] = window_ns
        st[la.S_INSTRUMENTS] = n
        st[la.S_WORDS] = len(self._touched)
        st[la.S_LOOKUP_MASK] = places - 1
        st[la.S_LOOKUP_SHIFT] = 64 - (places - 1).bit_length()
        st[la.S_LEVELS_USED] = 2 * _FIRST_ROOM * n
        st[la.S_LEVELS_CAPACITY] = len(self._levels)
        self._enter_instruments()
        self._orders = np.zeros((0, la.ORDER_FIELDS), np.int64)
        self._grow_orders(16_384)
        self._block_rows = block_rows + n
        self._renew()

    @property
    def counters(self) -> dict[str, int]:
        """What was seen and what was odd, by name."""
        values = self._state[la.AT_COUNTERS : la.AT_COUNTERS + len(la.COUNTER_NAMES)]
        return dict(zip(la.COUNTER_NAMES, values.tolist(), strict=True))

    def process(self, records: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """Apply a chunk of records, yielding every block of rows that fills up on the way."""
        if not records.flags.writeable:
            records = records.copy()  # a read-only array would compile the kernel a second time
        position = 0
        while True:
            position, code = run(
                self._state, self._books, self._levels, self._orders, self._index, self._lookup, self._touched,
                self._rows, records, position,
            )  # fmt: skip
            if code == la.DONE:
                return
            if code == la.BLOCK_FULL:
                yield self._drain()
            elif code == la.GROW_ORDERS:
                self._grow_orders(2 * len(self._orders))
            else:
                self._levels = np.concatenate([self._levels, np.zeros_like(self._levels)])
                self._state[la.S_LEVELS_CAPACITY] = len(self._levels)

    def finish(self) -> Iterator[dict[str, np.ndarray]]:
        """End of the file: close the last window and yield what is left."""
        if self._state[la.S_STARTED]:
            if self._state[la.S_ROWS] + len(self._ids) > self._state[la.S_ROWS_CAPACITY]:
                yield self._drain()
            close_window(self._state, self._books, self._levels, self._touched, self._rows)
        if self._state[la.S_ROWS]:
            yield self._drain()

    def _drain(self) -> dict[str, np.ndarray]:
        """The rows so far, and fresh memory for those to come."""
        end, number, bid, bid_qty, ask, ask_qty, buys, sells, added, pulled, valid = self._rows[
            :, : int(self._state[la.S_ROWS])
        ]
        self._renew()
        return {
            "window_end": end,
            "instrument_id": self._ids[number],
            "number": number,
            "bid_price_int": np.where(bid == la.NO_KEY, la.NO_PRICE, -bid),
            "bid_qty": bid_qty,
            "ask_price_int": np.where(ask == la.NO_KEY, la.NO_PRICE, ask),
            "ask_qty": ask_qty,
            "buy_volume": buys,
            "sell_volume": sells,
            "add_qty": added,
            "pull_qty": pulled,
            "valid": valid.astype(bool),
        }

    def _renew(self) -> None:
        self._rows = np.empty((len(la.ROW_COLUMNS), self._block_rows), np.int64)
        self._state[la.S_ROWS] = 0
        self._state[la.S_ROWS_CAPACITY] = self._block_rows

    def _enter_instruments(self) -> None:
        mask, shift = int(self._state[la.S_LOOKUP_MASK]), int(self._state[la.S_LOOKUP_SHIFT])
        for number, instrument_id in enumerate(self._ids.tolist()):
            place = (instrument_id * 0x9E3779B97F4A7C15 % 2**64) >> shift
            while self._lookup[place, 1]:
                place = (place + 1) & mask
            self._lookup[place] = instrument_id, number + 1

    def _grow_orders(self, capacity: int) -> None:
        """Room for more orders, and an index of four places for each."""
        before = len(self._orders)
        grown = np.zeros((capacity, la.ORDER_FIELDS), np.int64)
        grown[:before] = self._orders
        grown[before:, la.O_ID] = np.arange(before + 1, capacity + 1)
        self._orders = grown
        self._index = np.zeros(4 * capacity, np.int32)
        st = self._state
        st[la.S_FREE] = before  # growing happens when every slot is taken
        st[la.S_ORDERS_CAPACITY] = capacity
        st[la.S_INDEX_MASK] = len(self._index) - 1
        st[la.S_INDEX_SHIFT] = 64 - (len(self._index) - 1).bit_length()
        reindex(st, grown, self._index, before)
