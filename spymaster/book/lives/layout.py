"""Memory layout of the pass over orders' messages and lives.

In words:

- `orders` int64 [capacity, O_FIELDS]: one row per resting order, what is needed for every message in the first eight
  fields. `O_SIZE` 0 is a free slot.
- `free` int32 [capacity]: the slots that are free, a stack of `S_FREE_N`.
- `index` int32 [4 * capacity]: open addressing from order id to slot + 1, 0 is empty.
- `levels` int64 [power of two, 2]: open addressing from `2 * price + side` to the quantity that rests there; `NO_PRICE`
  is an empty place. Levels are never removed, only all together: a session has a few thousand prices.
- `quotes` int64 [3, n]: event id, best bid and best ask of a stretch of `bbo_change`.
- `events` int64 [columns, rows] and `lives` the same: the rows being written.
- `state` int64: the scalars `S_*` and counters `K_*`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NO_PRICE = -(2**63)
"""Null in every column until it becomes a frame."""

(
    O_ID,
    O_SIZE,
    O_PENDING,
    O_PRICE,
    O_SIDE,
    O_FILLED,
    O_MAX,
    O_REPRICES,
    O_UPS,
    O_DOWNS,
    O_REFILLS,
    O_TS_ADD,
    O_TS_REPRICE,
    O_EVENT_ADD,
    O_SIZE_ADD,
    O_PRICE_ADD,
    O_DIST_ADD,
    O_AHEAD,
    O_KNOWN,
) = range(19)
ORDER_FIELDS = 20

(
    S_INSTRUMENT,
    S_TICK,
    S_LIVE,
    S_FREE_N,
    S_INDEX_SHIFT,
    S_LEVELS_N,
    S_LEVELS_SHIFT,
    S_EVENT_N,
    S_EVENT_FIRST,
    S_LIFE_N,
    S_IN_EVENT,
    S_EVENT_ID,
    S_EVENT_BAD,
    S_BOOK_STATE,
    S_BOOK_BASIS,
    S_AFTER_SNAPSHOT,
    S_SPOT,
    S_SPOT_BEFORE,
    S_QUOTE,
    S_QUOTES_END,
    S_BID,
    S_ASK,
    S_BLIND,
    S_LAST_TS,
    S_CAPACITY,
    S_INDEX_MASK,
    S_LEVELS_MASK,
    S_EVENT_ROOM,
    S_LIFE_ROOM,
    S_QUOTES_N,
) = range(30)

COUNTER_NAMES = (
    "live_messages",
    "unknown_cancel",
    "unknown_fill",
    "modify_as_add",
    "duplicate_add",
    "unchanged_modify",
    "print_without_price",
    "censored_lives",
)
(
    K_MESSAGES,
    K_UNKNOWN_CANCEL,
    K_UNKNOWN_FILL,
    K_MODIFY_AS_ADD,
    K_DUPLICATE_ADD,
    K_UNCHANGED,
    K_NO_PRICE,
    K_CENSORED,
) = range(32, 40)
COUNTERS = slice(32, 40)
STATE_FIELDS = 40

EMPTY, SNAPSHOT, LIVE = 0, 1, 2

(
    ADD,
    CANCEL,
    REPRICE,
    SIZE_UP,
    SIZE_DOWN,
    FILL_PARTIAL,
    FILL_FULL,
    REFILL,
    TRADE,
    TRADE_IMPLIED,
) = range(10)
"""In the order of `tables.types.MESSAGE_KINDS`."""
END_CANCEL, END_FILL, END_OPEN = range(3)
"""In the order of `tables.types.LIFE_ENDS`."""

EVENT_COLUMNS = (
    "ts_event",
    "ts_recv",
    "sequence",
    "event_id",
    "kind",
    "side",
    "order_id",
    "price_int",
    "prev_price_int",
    "qty",
    "size_before",
    "size_after",
    "dist_ticks",
    "rel_ticks",
    "book_valid",
)
LIFE_COLUMNS = (
    "order_id",
    "side",
    "ts_add",
    "ts_end",
    "ts_last_reprice",
    "event_id_add",
    "event_id_end",
    "end_reason",
    "known_add",
    "size0",
    "price_int_add",
    "dist_add",
    "filled_qty",
    "max_displayed",
    "n_reprice",
    "n_size_up",
    "n_size_down",
    "n_refill",
    "queue_ahead_add",
)

DONE, FULL, GROW_ORDERS, GROW_LEVELS, NEED_QUOTES, BAD_RECORD = range(6)
"""What a kernel call ended with."""

ROWS_PER_RECORD = 4
"""Most rows that one record writes, unless it clears a side."""


class Arrays(NamedTuple):
    """Everything that the kernels read and write; see the module."""

    state: np.ndarray
    orders: np.ndarray
    free: np.ndarray
    index: np.ndarray
    levels: np.ndarray
    quotes: np.ndarray
    events: np.ndarray
    lives: np.ndarray
