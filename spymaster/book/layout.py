"""Memory layout of the book: what every kernel of this package reads and writes.

In words:

- `orders` int64 [capacity, 4]: 32 bytes per order slot, of which `O_ID` and `O_TS` are read here and the four int32
  `O_CELL`, `O_SIZE`, `O_PREV`, `O_NEXT` through `links`, the same memory as int32 [capacity, 8]. Free slots are chained
  through `O_NEXT`. A slot never moves while its order lives, so FIFO queues are linked through slot numbers.
- `pending` int64: per slot the fills reported since its last book change (low half) and the batch of fills that last
  named it (high half). Apart from the orders, because `S_PENDING_N` is nearly always 0 and then it is not read.
- `index` int32 [power of two]: open addressing from order id to slot + 1, 0 is empty, at least four times the slots.
- `cells` int32 [n, 16]: one 64-byte line per (price, side): the level, its flow in this window, the window of its last
  flow, and what its last wall row said. The first `2 * width` cells are the grid: cell `2 * (tick - origin) + side`,
  side 0 bid and 1 ask. Cells behind it are the spill: prices too far from the market for the grid.
- `ends` int32 [5, n]: per cell the depth at the last four ends of windows (that of window w in row `w & 3`) and the
  number of orders at the last end. Contiguous per row, so that the quiet majority of wall rows is copied in bulk.
- `bits` uint64 [width / 64, 16]: per grid tick one bit in each plane `BIT_* + side`: an order rests; flow in this
  window; the last wall row had quantity younger than the resting age, so that the sparse form must look again; flow
  in the window before this one, in the one before that, in the one before that.
- `spill` int64 [6 * capacity]: keys `2 * tick + side` of the spill cells, then the spill cells with flow in the last
  four windows, then an open-addressing index from key to number + 1.
- `per_tick` float64 [1]: ticks per unit of price.
- `state` int64: every scalar `S_*`, the counters of what was odd `K_*`, the distinct prices of the event's trades from
  `AT_PRICES`, the slots named by the event's fills from `AT_FILLS`, and from `AT_SUMMARY` one bit per word of `bits`
  that has a cell with flow in the last four windows; from `AT_ADDRESSES` where the other arrays are.

Python holds the arrays and the kernels find them as described in `arrays`.

Kernels allocate nothing. When something is full they stop before the record that needs room, and the engine grows
the array and resumes.
"""

from __future__ import annotations

BID, ASK = 0, 1
NO_TICK = -(2**62)  # "no best bid"; the mirrored value is "no best ask"
NO_ASK = 2**62
NO_PRICE = -(2**63)  # null in price columns until they become Arrow

# orders
O_ID, O_TS = range(2)
ORDER_FIELDS = 4
O_CELL, O_SIZE, O_PREV, O_NEXT = range(4, 8)
LINK_FIELDS = 8

# cells
(
    C_DEPTH,
    C_COUNT,
    C_HEAD,
    C_TAIL,
    C_ADD,
    C_PULL,
    C_PULL_REST,
    C_FILL,
    C_REFILL,
    C_AWAY,
    C_TOWARD,
    C_YOUNG,
    C_LAST,
    C_OUT_DEPTH,
    C_OUT_REST,
    C_OUT_COUNT,
) = range(16)
CELL_FIELDS = 16
LONG_AGO = -10
"""`C_LAST` of a cell without flow so far."""

# rows of `ends`: depth of window w in row w & 3
END_COUNT = 4
END_ROWS = 5

# bit planes, each plus the side; flow `age` windows ago is in BIT_TOUCH_AGES[age]
BIT_REST, BIT_TOUCH, BIT_REVISIT, BIT_TOUCH_1, BIT_TOUCH_2, BIT_TOUCH_3 = 0, 2, 4, 6, 8, 10
BIT_TOUCH_AGES = (BIT_TOUCH, BIT_TOUCH_1, BIT_TOUCH_2, BIT_TOUCH_3)
BIT_PLANES = 16

# state scalars
(
    S_ORIGIN,
    S_WIDTH,
    S_TICK_SIZE,
    S_INSTRUMENT,
    S_WINDOW_NS,
    S_REST_NS,
    S_GRID,
    S_NEAR,
    S_RTH_START,
    S_RTH_END,
    S_EMIT,
    S_FREE,
    S_LIVE_ORDERS,
    S_INDEX_MASK,
    S_INDEX_SHIFT,
    S_COUNT_YOUNG,
    S_SPILL_N,
    S_SPILL_MASK,
    S_SPILL_RECENT_N,
    S_SPILL_BEST_BID,
    S_SPILL_BEST_ASK,
    S_BEST_BID,
    S_BEST_ASK,
    S_STARTED,
    S_WINDOW_START,
    S_WINDOW_END,
    S_WINDOW_NUMBER,
    S_BOOK_STATE,
    S_BOOK_BASIS,
    S_BAD_PENDING,
    S_WINDOW_OK,
    S_WINDOW_CROSSED,
    S_WINDOW_BAD,
    S_WINDOW_GAP,
    S_MESSAGES,
    S_TRADES,
    S_BUY,
    S_SELL,
    S_NONE,
    S_T_OPEN,
    S_T_HIGH,
    S_T_LOW,
    S_LAST_PRICE,
    S_LAST_TRADE_TS,
    S_LAST_TS,
    S_LAST_SEQUENCE,
    S_IN_EVENT,
    S_EVENT_ID,
    S_EVENT_BAD,
    S_EVENT_TS,
    S_EVENT_TS_RECV,
    S_EVENT_T_COUNT,
    S_EVENT_T_QTY,
    S_EVENT_T_PRICE0,
    S_EVENT_T_NOTIONAL,
    S_EVENT_T_LAST,
    S_EVENT_T_SIDE,
    S_EVENT_T_IMPLIED,
    S_EVENT_T_LEVELS,
    S_EVENT_FILLS,
    S_BBO_BID,
    S_BBO_BID_QTY,
    S_BBO_BID_ORDERS,
    S_BBO_ASK,
    S_BBO_ASK_QTY,
    S_BBO_ASK_ORDERS,
    S_GRID_LO,
    S_GRID_HI,
    S_BAD_VALUE,
    S_BLOCK_WINDOWS,
    S_SNAPSHOT_N,
    S_WALL_N,
    S_TRADE_N,
    S_BBO_N,
    S_FULL,
    S_BBO_ANY,
    S_PRE_BID_QTY,
    S_PRE_ASK_QTY,
    S_ORDINARY,
    S_FILLS_N,
    S_FILL_BATCH,
    S_AFTER_SNAPSHOT,
    S_TOP_CHANGED,
    S_YOUNG_FROM,
    S_FINISHING,
    S_SKIPPED,
    S_PENDING_N,
    S_DUE,
    S_SPILL_CAPACITY,
    S_ORDERS_CAPACITY,
    S_WALL_CAPACITY,
    S_TRADE_CAPACITY,
    S_BBO_CAPACITY,
) = range(93)

# book states
EMPTY, SNAPSHOT, LIVE = 0, 1, 2

# counters, in the order of COUNTER_NAMES; records and events need none of their own
COUNTER_NAMES = (
    "snapshot_records",
    "unknown_cancel",
    "modify_as_add",
    "duplicate_add",
    "fill_unknown",
    "fill_over_size",
    "cancel_over_size",
    "crossed_events",
    "bad_book_flags",
    "sequence_gaps",
    "fifo_known_fills",
    "fifo_front_fills",
    "clears",
    "snapshots",
    "unclosed_events",
)
DIAGNOSTIC_NAMES = ("spilled_levels", "recentred")
(
    K_SNAPSHOT,
    K_UNKNOWN_CANCEL,
    K_MODIFY_AS_ADD,
    K_DUPLICATE_ADD,
    K_FILL_UNKNOWN,
    K_FILL_OVER,
    K_CANCEL_OVER,
    K_CROSSED,
    K_BAD_FLAGS,
    K_SEQUENCE_GAPS,
    K_KNOWN_FILLS,
    K_FRONT_FILLS,
    K_CLEARS,
    K_SNAPSHOTS,
    K_UNCLOSED,
    K_SPILLED,
    K_RECENTRED,
) = range(100, 117)
COUNTERS, DIAGNOSTICS = slice(100, 115), slice(115, 117)

AT_PRICES, PRICES = 128, 128
AT_FILLS, FILLS = 256, 4096
AT_SUMMARY, SUMMARY = AT_FILLS + FILLS, 64
MAX_WIDTH = 64 * 64 * SUMMARY
AT_ADDRESSES = AT_SUMMARY + SUMMARY + 8
STATE_FIELDS = AT_ADDRESSES + 40

# where the address of each array lies, followed by the length of its rows (see `arrays`)
ADDRESSED = (
    "orders", "pending", "index", "cells", "ends", "bits", "spill", "per_tick",
    "snapshot", "wall_wide", "wall", "wall_flags", "trade", "bbo", "chosen", "special",
)  # fmt: skip
(
    A_ORDERS,
    A_PENDING,
    A_INDEX,
    A_CELLS,
    A_ENDS,
    A_BITS,
    A_SPILL,
    A_PER_TICK,
    A_SNAPSHOT,
    A_WALL_WIDE,
    A_WALL,
    A_WALL_FLAGS,
    A_TRADE,
    A_BBO,
    A_CHOSEN,
    A_SPECIAL,
) = range(AT_ADDRESSES, AT_ADDRESSES + 2 * len(ADDRESSED), 2)

PENDING_MASK = 2**32 - 1
"""The low half of `pending`."""

PADDING = 32
"""Rows that the wall of a window may write beyond its own."""

NO_ROOM = -2
"""Instead of a cell: the spill is full."""

# what a kernel call ended with
DONE, BLOCK_FULL, GROW_ORDERS, GROW_SPILL, RECENTRE = 0, 1, 2, 3, 4
ERR_TIME, ERR_OFF_TICK, ERR_SIZE, ERR_ACTION, ERR_SIDE = 10, 11, 12, 13, 14

# bits of S_EMIT
EMIT_SNAPSHOT, EMIT_WALL, EMIT_TRADE, EMIT_BBO = 1, 2, 4, 8

# wall columns: int64 rows of `wall_wide`, int32 rows of `wall`, uint8 rows of `wall_flags`
WALL_WIDE = ("window_end", "price_int", "spot_ref_price_int")
WALL_INT = (
    "rel_ticks",
    "depth_qty_start",
    "depth_qty_end",
    "depth_qty_rest",
    "order_count_end",
    "add_qty",
    "pull_qty_total",
    "pull_qty_rest",
    "fill_qty",
    "refill_qty",
    "reprice_away_qty",
    "reprice_toward_qty",
    "d1_depth_qty",
    "d2_depth_qty",
    "d3_depth_qty",
)
WALL_FLAGS = ("side", "window_valid")

SNAPSHOT_COLUMNS = (
    "window_end",
    "best_bid_price_int",
    "best_bid_qty",
    "best_bid_orders",
    "best_ask_price_int",
    "best_ask_qty",
    "best_ask_orders",
    "last_trade_price_int",
    "last_trade_ts",
    "spot_ref_price_int",
    "trade_open_price_int",
    "trade_high_price_int",
    "trade_low_price_int",
    "buy_volume",
    "sell_volume",
    "none_volume",
    "trade_count",
    "message_count",
    "crossed",
    "book_state",
    "maybe_bad_book",
    "sequence_gap",
    "is_partial",
    "book_valid",
    "window_valid",
)
TRADE_COLUMNS = (
    "ts_event",
    "ts_recv",
    "event_id",
    "price_int",
    "vwap_price_int",
    "qty",
    "aggressor",
    "levels_consumed",
    "l1_qty_before",
    "n_fills",
    "is_implied",
)
BBO_COLUMNS = (
    "ts_event",
    "ts_recv",
    "event_id",
    "bid_price_int",
    "bid_qty",
    "bid_orders",
    "ask_price_int",
    "ask_qty",
    "ask_orders",
    "crossed",
    "book_valid",
)
