"""The pass over market-by-order records: one loop, one record at a time, resumable at any record.

Record semantics are those of Databento's MBO schema: trades and fills never change the book, a fill is remembered
until the cancel or modify that follows it, a snapshot replaces the book, and the book may be read only after F_LAST.
"""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.layout import BIT_PLANES, CELL_FIELDS, LINK_FIELDS, ORDER_FIELDS
from spymaster.book.levels import find_cell, refresh_spill_best, spill_slot
from spymaster.book.orders import (
    cancel,
    find_order,
    forget_fill,
    home,
    index_insert,
    judge_fills,
    modify,
    put,
    report_fill,
    withdraw,
)
from spymaster.book.views import prefetch, strided_view_of, view_of
from spymaster.book.windows import advance, best_quantity, book_is_valid, start_clock
from spymaster.jit import hot_kernel, kernel
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
    F_SNAPSHOT,
    F_TOB,
    SIDE_ASK,
    SIDE_BID,
    UNDEF_PRICE,
)

MAX_SIZE = 2**31 - 1


@kernel()
def clear_side(book, side, ts):
    """Everything on one side leaves as pull."""
    for slot in range(book.state[la.S_ORDERS_CAPACITY]):
        if book.links[slot, la.O_SIZE] > 0:
            cell = book.links[slot, la.O_CELL]
            width2 = 2 * book.state[la.S_WIDTH]
            own = cell & 1 if cell < width2 else book.spill[cell - width2] & 1
            if own == side:
                forget_fill(book, slot)  # whatever was reported: what a clear removes counts as pull
                withdraw(book, slot, ts)


@kernel()
def clear_book(book, ts):
    """Everything leaves as pull."""
    clear_side(book, la.BID, ts)
    clear_side(book, la.ASK, ts)
    book.state[la.S_PRE_STALE] = 1


@hot_kernel()
def begin_event(book, ts, ts_recv):
    """Start collecting what the rows of an event need."""
    st = book.state
    st[la.S_IN_EVENT] = 1
    st[la.S_EVENT_TS] = ts
    st[la.S_EVENT_TS_RECV] = ts_recv
    st[la.S_EVENT_BAD] = 0
    st[la.S_EVENT_T_COUNT] = 0
    st[la.S_EVENT_FILLS] = 0
    if st[la.S_PRE_STALE]:
        st[la.S_PRE_BID_QTY], _ = best_quantity(book, la.BID)
        st[la.S_PRE_ASK_QTY], _ = best_quantity(book, la.ASK)
        st[la.S_PRE_STALE] = 0
        st[la.S_TOP_CHANGED] = 1


@kernel()
def note_trade(book, record, size):
    """A trade print: volume, last price, and the sums of its event."""
    st = book.state
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
def write_trade(book, out):
    """One row of `trade` for the event that closes."""
    st = book.state
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
def write_bbo(book, out, bid_qty, bid_orders, ask_qty, ask_orders, crossed):
    """One row of `bbo_change` if the event left another best bid or offer than the last row has."""
    st = book.state
    bid, ask = st[la.S_BEST_BID], st[la.S_BEST_ASK]
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
    bbo[0, row] = st[la.S_EVENT_TS]
    bbo[1, row] = st[la.S_EVENT_TS_RECV]
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
def close_event(book, out):
    """F_LAST: the book may be read. Judge it, write the event's rows."""
    st = book.state
    if st[la.S_FILLS_N] > 0:
        judge_fills(book)
    st[la.S_BAD_PENDING] = st[la.S_EVENT_BAD]
    if st[la.S_EVENT_BAD]:
        st[la.S_WINDOW_BAD] = 1
        st[la.S_WINDOW_OK] = 0
    if st[la.S_EVENT_T_COUNT] > 0 and st[la.S_EMIT] & la.EMIT_TRADE:
        write_trade(book, out)
    if st[la.S_TOP_CHANGED]:
        st[la.S_TOP_CHANGED] = 0
        bid_qty, bid_orders = best_quantity(book, la.BID)
        ask_qty, ask_orders = best_quantity(book, la.ASK)
        st[la.S_CROSSED] = 1 if st[la.S_BEST_BID] >= st[la.S_BEST_ASK] else 0
        if st[la.S_EMIT] & la.EMIT_BBO:
            write_bbo(book, out, bid_qty, bid_orders, ask_qty, ask_orders, st[la.S_CROSSED])
        st[la.S_PRE_BID_QTY] = bid_qty
        st[la.S_PRE_ASK_QTY] = ask_qty
    if st[la.S_CROSSED]:
        st[la.S_WINDOW_CROSSED] = 1
        book.state[la.K_CROSSED] += 1
    st[la.S_IN_EVENT] = 0
    st[la.S_EVENT_ID] += 1


@kernel()
def begin_snapshot(book, ts):
    """A snapshot replaces the book: everything that rested leaves."""
    st = book.state
    clear_book(book, ts)
    st[la.S_BOOK_STATE] = la.SNAPSHOT
    st[la.S_BOOK_BASIS] = 0
    st[la.S_BAD_PENDING] = 0
    st[la.S_WINDOW_OK] = 0
    book.state[la.K_SNAPSHOTS] += 1


@hot_kernel()
def price_to_cell(book, record):
    """Cell of a record's price and side, or -1 where the price is not a multiple of the tick size."""
    price = record.price
    tick = np.int64(np.floor(np.float64(price) * book.per_tick[0] + 0.5))
    if tick * book.state[la.S_TICK_SIZE] != price:
        return np.int64(-1)
    return find_cell(book, tick, la.BID if record.side == SIDE_BID else la.ASK)


@hot_kernel()
def apply_book_record(book, record, action, ts):
    """Let A, C, M or R change the book. Returns DONE or an error code."""
    order_id = np.int64(record.order_id)
    size = np.int64(record.size)
    if action == ACTION_CANCEL:
        slot = find_order(book, order_id)
        if slot < 0:
            book.state[la.K_UNKNOWN_CANCEL] += 1
        else:
            if size > book.links[slot, la.O_SIZE]:
                book.state[la.K_CANCEL_OVER] += 1
            cancel(book, slot, size, ts)
        return la.DONE
    if action == ACTION_CLEAR:
        book.state[la.K_CLEARS] += 1
        clear_book(book, ts)
        return la.DONE
    if record.side != SIDE_BID and record.side != SIDE_ASK:
        return la.ERR_SIDE
    if size > MAX_SIZE:
        return la.ERR_SIZE
    if action == ACTION_ADD and record.flags & F_TOB:
        clear_side(book, la.BID if record.side == SIDE_BID else la.ASK, ts)
        if record.price == UNDEF_PRICE:
            return la.DONE
    cell = price_to_cell(book, record)
    if cell < 0:
        return la.ERR_OFF_TICK
    slot = find_order(book, order_id)
    if action == ACTION_MODIFY and slot >= 0:
        modify(book, slot, cell, size, ts)
        return la.DONE
    if slot >= 0:
        if not record.flags & F_SNAPSHOT:
            book.state[la.K_DUPLICATE_ADD] += 1
        withdraw(book, slot, ts)
    elif action == ACTION_MODIFY:
        book.state[la.K_MODIFY_AS_ADD] += 1
    if size > 0:
        put(book, order_id, cell, size, ts)
    return la.DONE


@kernel()
def apply_snapshot_record(book, out, record, action):
    """A record flagged F_SNAPSHOT. It happens at its receive time; its event time is the order's age."""
    st = book.state
    if st[la.S_IN_EVENT]:
        close_event(book, out)
        book.state[la.K_UNCLOSED] += 1
    if st[la.S_STARTED]:
        code = advance(book, out, np.int64(record.ts_recv))
        if code != la.DONE:
            return code
    if st[la.S_AFTER_SNAPSHOT] == 0 or action == ACTION_CLEAR:
        begin_snapshot(book, np.int64(record.ts_recv))
    st[la.S_AFTER_SNAPSHOT] = 1
    book.state[la.K_SNAPSHOT] += 1
    if action in (ACTION_ADD, ACTION_MODIFY, ACTION_CANCEL):
        code = apply_book_record(book, record, action, np.int64(record.ts_event))
        if code != la.DONE:
            return code
    if record.flags & F_LAST:
        st[la.S_BOOK_STATE] = la.LIVE
        st[la.S_BOOK_BASIS] = 1
        st[la.S_AFTER_SNAPSHOT] = 0
    st[la.S_PRE_STALE] = 1
    return la.DONE


@hot_kernel()
def go_live(book):
    """A live record ends a snapshot without a closing flag; without any snapshot the book is live but never valid."""
    st = book.state
    if st[la.S_BOOK_STATE] != la.LIVE:
        st[la.S_BOOK_BASIS] = 1 if st[la.S_BOOK_STATE] == la.SNAPSHOT else 0
        st[la.S_BOOK_STATE] = la.LIVE
        st[la.S_AFTER_SNAPSHOT] = 0


@hot_kernel()
def apply_live_record(book, out, record, action):
    """A live record: event and window clocks, the book, the counts."""
    st = book.state
    ts = np.int64(record.ts_event)
    if ts < st[la.S_LAST_TS]:
        st[la.S_BAD_VALUE] = ts
        return la.ERR_TIME
    if not st[la.S_IN_EVENT]:
        if ts >= st[la.S_DUE]:
            if not st[la.S_STARTED]:
                go_live(book)  # a snapshot at the head of the file is complete before the first window opens
                start_clock(book, ts)
            code = advance(book, out, ts)
            if code != la.DONE:
                return code
        begin_event(book, ts, np.int64(record.ts_recv))
    st[la.S_LAST_TS] = ts
    go_live(book)
    sequence = np.int64(record.sequence)
    if sequence < st[la.S_LAST_SEQUENCE]:
        book.state[la.K_SEQUENCE_GAPS] += 1
        st[la.S_WINDOW_GAP] = 1
    st[la.S_LAST_SEQUENCE] = sequence
    if record.flags & F_MAYBE_BAD_BOOK:
        book.state[la.K_BAD_FLAGS] += 1
        st[la.S_EVENT_BAD] = 1
    st[la.S_MESSAGES] += 1
    if action == ACTION_FILL:
        st[la.S_EVENT_FILLS] += 1
        slot = find_order(book, np.int64(record.order_id))
        if slot < 0:
            book.state[la.K_FILL_UNKNOWN] += 1
        elif report_fill(book, slot, np.int64(record.size)):
            book.state[la.K_FILL_OVER] += 1
    elif action == ACTION_TRADE:
        note_trade(book, record, np.int64(record.size))
    elif action == ACTION_NONE:
        st[la.S_MESSAGES] -= 1  # a bare event end is no message, so that both closing forms count alike
    else:
        if st[la.S_FILLS_N] > 0:
            judge_fills(book)
        code = apply_book_record(book, record, action, ts)
        if code != la.DONE:
            return code
        if action == ACTION_CLEAR:
            st[la.S_BOOK_BASIS] = 1
            st[la.S_BAD_PENDING] = 0
            st[la.S_WINDOW_OK] = 0
    if record.flags & F_LAST:
        close_event(book, out)
    return la.DONE


@hot_kernel()
def look_ahead(book, records, i, n):
    """Fetch what later records will touch while this one is worked on: a random order is in no near cache.

    In two steps, the second needing what the first has fetched: the index entry of an order id, then the order's row.
    """
    if i + 8 < n:
        prefetch(book.index, home(book, np.int64(records[i + 8].order_id)))
        slot = np.int64(book.index[home(book, np.int64(records[i + 4].order_id))]) - 1
        if slot >= 0:
            prefetch(book.orders, ORDER_FIELDS * slot)


@kernel()
def pointers(arrays):
    """Bare views of the book's arrays; valid while the caller holds them."""
    return la.Pointers(
        view_of(arrays.orders, ORDER_FIELDS),
        view_of(arrays.links, LINK_FIELDS),
        view_of(arrays.pending, 1),
        view_of(arrays.index, 1),
        view_of(arrays.cells, CELL_FIELDS),
        view_of(arrays.bits, BIT_PLANES),
        view_of(arrays.young, 1),
        view_of(arrays.young_at, 1),
        view_of(arrays.spill, 1),
        view_of(arrays.per_tick, 1),
        view_of(arrays.state, 1),
    )


@kernel()
def rows(arrays):
    """Bare views of the output buffers."""
    return la.Rows(
        strided_view_of(arrays.snapshot),
        strided_view_of(arrays.wall_wide),
        strided_view_of(arrays.wall),
        strided_view_of(arrays.wall_flags),
        strided_view_of(arrays.trade),
        strided_view_of(arrays.bbo),
        view_of(arrays.chosen, 1),
    )


@kernel()
def run(arrays, buffers, records, first):
    """Apply `records[first:]` of one instrument. Returns (next record, why it stopped).

    On `BLOCK_FULL`, `GROW_*` and `RECENTRE` the next record has not been applied: make room and call again. On `ERR_*`
    it has not been applied either and is the offending one.
    """
    book = pointers(arrays)
    out = rows(buffers)
    st = book.state
    instrument = st[la.S_INSTRUMENT]
    orders_limit = st[la.S_ORDERS_CAPACITY]
    young_limit = st[la.S_YOUNG_CAPACITY]
    spill_limit = st[la.S_SPILL_CAPACITY]
    for i in range(first, records.shape[0]):
        record = records[i]
        if record.instrument_id != instrument:
            st[la.S_SKIPPED] += 1
            continue
        look_ahead(book, records, i, records.shape[0])
        action = record.action
        if action in (ACTION_ADD, ACTION_MODIFY):
            if st[la.S_LIVE_ORDERS] >= orders_limit:
                return i, la.GROW_ORDERS
            if st[la.S_YOUNG_N] >= young_limit:
                return i, la.GROW_YOUNG
            if st[la.S_SPILL_N] >= spill_limit:
                return i, la.GROW_SPILL
        elif action not in (ACTION_CANCEL, ACTION_CLEAR, ACTION_TRADE, ACTION_FILL, ACTION_NONE):
            return i, la.ERR_ACTION
        # a clear without a true receive time was made by the publisher: it opens the snapshot that follows
        flags = record.flags
        if flags & (F_SNAPSHOT | F_BAD_TS_RECV) and (flags & F_SNAPSHOT or action == ACTION_CLEAR):
            code = apply_snapshot_record(book, out, record, action)
        else:
            code = apply_live_record(book, out, record, action)
        if code != la.DONE:
            return i, code
        if st[la.S_FULL]:
            return i + 1, la.BLOCK_FULL
    return records.shape[0], la.DONE


@kernel()
def finish(arrays, buffers):
    """End of a closed file: close an event without F_LAST, then the last, partial window."""
    book = pointers(arrays)
    out = rows(buffers)
    st = book.state
    if st[la.S_STARTED] == 0:
        return la.DONE
    if st[la.S_IN_EVENT]:
        close_event(book, out)
        book.state[la.K_UNCLOSED] += 1
    st[la.S_FINISHING] = 1
    return advance(book, out, st[la.S_WINDOW_END])


@kernel()
def reindex(arrays, slots):
    """Enter the first `slots` order slots, all taken, into an empty index."""
    book = pointers(arrays)
    for slot in range(slots):
        index_insert(book, book.orders[slot, la.O_ID], slot)


@kernel()
def reindex_spill(arrays):
    """Enter all spill keys into an empty spill index, and find the best prices among them."""
    book = pointers(arrays)
    for number in range(book.state[la.S_SPILL_N]):
        book.spill[spill_slot(book, book.spill[number])] = number + 1
    refresh_spill_best(book)
