"""Memory layout of the books of a chain: what every kernel of this package reads and writes.

- `orders` int64 [capacity, 4]: order id, price, `size << 32 | reported fills`, `instrument << 1 | side`. Free slots are
  chained through the first.
- `index` int32 [power of two]: open addressing from order id and instrument to slot + 1, 0 is empty.
- `levels` int64 [capacity, 2]: price key and quantity. Each side of each instrument has a stretch of it, sorted, the
  best price last, so that what changes most often moves the least. A key is the price of an ask and minus the price of
  a bid: the smaller, the better. A side that outgrows its stretch gets one of twice the length at the end.
- `books` int64 [instruments, 32]: the columns `B_*`; instruments in ascending order of their ids.
- `lookup` int64 [power of two, 2]: open addressing from instrument id to number + 1.
- `touched` uint64: one bit per instrument that a record of this window has named.
- `state` int64: the scalars `S_*` and the counters `K_*`.
"""

from __future__ import annotations

BID, ASK = 0, 1
NO_PRICE = -(2**63)

O_ID, O_PRICE, O_SIZE, O_OWNER = range(4)
ORDER_FIELDS = 4
FILL_MASK = 2**32 - 1

L_KEY, L_QTY = range(2)

(
    B_ID,
    B_FIRST,  # of bids; that of asks is the next: so everywhere below where a side is added
    _B_FIRST_ASK,
    B_ROOM,
    _B_ROOM_ASK,
    B_LEVELS,
    _B_LEVELS_ASK,
    B_PHASE,
    B_BASIS,
    B_DOUBT,
    B_ADD,
    B_PULL,
    B_BUY,
    B_SELL,
    B_OUT_KEY,
    _B_OUT_KEY_ASK,
    B_OUT_QTY,
    _B_OUT_QTY_ASK,
    B_OUT_VALID,
    B_AFTER_SNAPSHOT,
    B_EVENT_BAD,  # the publisher has doubted this event of it
) = range(21)
BOOK_FIELDS = 32

EMPTY, SNAPSHOT, LIVE = 0, 1, 2
NO_KEY = 2**62
"""Key of a side on which nothing rests."""

(
    S_FREE,
    S_ORDERS,
    S_ORDERS_CAPACITY,
    S_INDEX_MASK,
    S_INDEX_SHIFT,
    S_LEVELS_USED,
    S_LEVELS_CAPACITY,
    S_LOOKUP_MASK,
    S_LOOKUP_SHIFT,
    S_WORDS,
    S_STARTED,
    S_WINDOW_NS,
    S_WINDOW_END,
    S_ROWS,
    S_ROWS_CAPACITY,
    S_INSTRUMENTS,
) = range(16)

COUNTER_NAMES = (
    "records",
    "snapshot_records",
    "skipped_instruments",
    "unknown_cancels",
    "unknown_modifies",
    "duplicate_adds",
    "cancels_over_size",
    "fills_of_unknown_orders",
    "clears",
    "late_records",
    "bad_flags",
)
AT_COUNTERS = 16
(
    K_RECORDS,
    K_SNAPSHOT,
    K_SKIPPED,
    K_UNKNOWN_CANCEL,
    K_UNKNOWN_MODIFY,
    K_DUPLICATE_ADD,
    K_CANCEL_OVER,
    K_UNKNOWN_FILL,
    K_CLEARS,
    K_LATE,
    K_BAD_FLAGS,
) = range(AT_COUNTERS, AT_COUNTERS + len(COUNTER_NAMES))
STATE_FIELDS = AT_COUNTERS + len(COUNTER_NAMES)

DONE, BLOCK_FULL, GROW_ORDERS, GROW_LEVELS = 0, 1, 2, 3

ROW_COLUMNS = (
    "window_end", "instrument", "bid_key", "bid_qty", "ask_key", "ask_qty", "buy_volume", "sell_volume", "add_qty",
    "pull_qty", "valid",
)  # fmt: skip
