"""Kernels over events: what the records up to F_LAST have in common, and the rows of `trade` and `bbo_change`."""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.arrays import book_of, rows_of
from spymaster.book.orders import judge_fills
from spymaster.book.windows import best_quantity, book_is_valid
from spymaster.jit import hot_kernel, kernel
from spymaster.market.dbn import SIDE_ASK, SIDE_BID, UNDEF_PRICE


@kernel()
def begin_event(st, ts, ts_recv):
    """Start collecting what the rows of an event of several records need."""
    book = book_of(st)
    st[la.S_ORDINARY] = 0
    st[la.S_IN_EVENT] = 1
    st[la.S_EVENT_TS] = ts
    st[la.S_EVENT_TS_RECV] = ts_recv
    st[la.S_EVENT_BAD] = 0
    st[la.S_EVENT_T_COUNT] = 0
    st[la.S_EVENT_FILLS] = 0
    st[la.S_PRE_BID_QTY], _ = best_quantity(book, la.BID)
    st[la.S_PRE_ASK_QTY], _ = best_quantity(book, la.ASK)


@kernel()
def note_trade(st, record, size):
    """A trade print: volume, last price, and the sums of its event."""
    price = record.price
    side = record.side
    if side == SIDE_BID:
        st[la.S_BUY] += size
    elif side == SIDE_ASK:
        st[la.S_SELL] += size
    else:
        st[la.S_NONE] += size
    st[la.S_TRADES] += 1
    if price == UNDEF_PRICE:
        return
    if st[la.S_T_OPEN] == la.NO_PRICE:
        st[la.S_T_OPEN] = price
        st[la.S_T_HIGH] = price
        st[la.S_T_LOW] = price
    else:
        st[la.S_T_HIGH] = max(st[la.S_T_HIGH], price)
        st[la.S_T_LOW] = min(st[la.S_T_LOW], price)
    st[la.S_LAST_PRICE] = price
    st[la.S_LAST_TRADE_TS] = np.int64(record.ts_event)
    if st[la.S_EVENT_T_COUNT] == 0:
        st[la.S_EVENT_T_SIDE] = 0 if side == SIDE_BID else (1 if side == SIDE_ASK else 2)
        st[la.S_EVENT_T_IMPLIED] = 1 if record.order_id == 0 else 0
        st[la.S_EVENT_T_PRICE0] = price
        st[la.S_EVENT_T_QTY] = 0
        st[la.S_EVENT_T_NOTIONAL] = 0
        st[la.S_EVENT_T_LEVELS] = 0
    st[la.S_EVENT_T_COUNT] += 1
    st[la.S_EVENT_T_QTY] += size
    st[la.S_EVENT_T_NOTIONAL] += (price - st[la.S_EVENT_T_PRICE0]) * size
    st[la.S_EVENT_T_LAST] = price
    levels = st[la.S_EVENT_T_LEVELS]
    for number in range(min(levels, la.PRICES)):
        if st[la.AT_PRICES + number] == price:
            return
    if levels < la.PRICES:
        st[la.AT_PRICES + levels] = price
    st[la.S_EVENT_T_LEVELS] = levels + 1


@kernel()
def write_trade(st):
    """One row of `trade` for the event that closes."""
    out = rows_of(st)
    row = st[la.S_TRADE_N]
    st[la.S_TRADE_N] = row + 1
    if row + 1 == st[la.S_TRADE_CAPACITY]:
        st[la.S_FULL] = 1
    side = st[la.S_EVENT_T_SIDE]
    qty = st[la.S_EVENT_T_QTY]
    first = st[la.S_EVENT_T_PRICE0]
    before = st[la.S_PRE_ASK_QTY] if side == 0 else st[la.S_PRE_BID_QTY]
    trade = out.trade
    trade[0, row] = st[la.S_EVENT_TS]
    trade[1, row] = st[la.S_EVENT_TS_RECV]
    trade[2, row] = st[la.S_EVENT_ID]
    trade[3, row] = st[la.S_EVENT_T_LAST]
    trade[4, row] = first + st[la.S_EVENT_T_NOTIONAL] // qty if qty > 0 else first
    trade[5, row] = qty
    trade[6, row] = side
    trade[7, row] = st[la.S_EVENT_T_LEVELS]
    trade[8, row] = before if side != 2 and before > 0 else -1
    trade[9, row] = st[la.S_EVENT_FILLS]
    trade[10, row] = st[la.S_EVENT_T_IMPLIED]


@hot_kernel()
def write_bbo(book, out, ts, ts_recv, crossed):
    """One row of `bbo_change` if the event left another best bid or offer than the last row has."""
    st = book.state
    bid, ask = st[la.S_BEST_BID], st[la.S_BEST_ASK]
    bid_qty, bid_orders = best_quantity(book, la.BID)
    ask_qty, ask_orders = best_quantity(book, la.ASK)
    if (
        st[la.S_BBO_ANY]
        and bid == st[la.S_BBO_BID]
        and ask == st[la.S_BBO_ASK]
        and bid_qty == st[la.S_BBO_BID_QTY]
        and ask_qty == st[la.S_BBO_ASK_QTY]
        and bid_orders == st[la.S_BBO_BID_ORDERS]
        and ask_orders == st[la.S_BBO_ASK_ORDERS]
    ):
        return
    st[la.S_BBO_ANY] = 1
    st[la.S_BBO_BID], st[la.S_BBO_BID_QTY], st[la.S_BBO_BID_ORDERS] = bid, bid_qty, bid_orders
    st[la.S_BBO_ASK], st[la.S_BBO_ASK_QTY], st[la.S_BBO_ASK_ORDERS] = ask, ask_qty, ask_orders
    row = st[la.S_BBO_N]
    st[la.S_BBO_N] = row + 1
    if row + 1 == st[la.S_BBO_CAPACITY]:
        st[la.S_FULL] = 1
    bbo = out.bbo
    bbo[0, row] = ts
    bbo[1, row] = ts_recv
    bbo[2, row] = st[la.S_EVENT_ID]
    bbo[3, row] = bid * st[la.S_TICK_SIZE] if bid != la.NO_TICK else la.NO_PRICE
    bbo[4, row] = bid_qty
    bbo[5, row] = bid_orders
    bbo[6, row] = ask * st[la.S_TICK_SIZE] if ask != la.NO_ASK else la.NO_PRICE
    bbo[7, row] = ask_qty
    bbo[8, row] = ask_orders
    bbo[9, row] = crossed
    bbo[10, row] = book_is_valid(book)


@hot_kernel()
def count_event(book, out, ts, ts_recv):
    """The book may be read: is it crossed, has its top changed? Returns whether the rows of this block are full."""
    st = book.state
    crossed = st[la.S_BEST_BID] >= st[la.S_BEST_ASK]
    if crossed:
        st[la.S_WINDOW_CROSSED] = 1
        st[la.K_CROSSED] += 1
    full = np.int64(0)
    if st[la.S_EMIT] & la.EMIT_BBO and st[la.S_TOP_CHANGED]:
        st[la.S_TOP_CHANGED] = 0
        write_bbo(book, out, ts, ts_recv, crossed)
        full = st[la.S_FULL]
    st[la.S_EVENT_ID] += 1
    return full


@kernel()
def close_event(st):
    """F_LAST of an event that was begun: judge it, write its rows."""
    book = book_of(st)
    out = rows_of(st)
    if st[la.S_FILLS_N] > 0:
        judge_fills(st)
    st[la.S_BAD_PENDING] = st[la.S_EVENT_BAD]
    if st[la.S_EVENT_BAD]:
        st[la.S_WINDOW_BAD] = 1
        st[la.S_WINDOW_OK] = 0
    if st[la.S_EVENT_T_COUNT] > 0 and st[la.S_EMIT] & la.EMIT_TRADE:
        write_trade(st)
    count_event(book, out, st[la.S_EVENT_TS], st[la.S_EVENT_TS_RECV])
    st[la.S_IN_EVENT] = 0
    st[la.S_ORDINARY] = 1 if st[la.S_BOOK_STATE] == la.LIVE and st[la.S_BAD_PENDING] == 0 else 0
