"""The pass over the records of a chain: one loop over interleaved instruments, one row where a quote has changed.

Record semantics are those of `book.kernel`. A book of an option needs no queues: what is asked of it is the best price
of each side, its quantity, and what came, went and traded.
"""

from __future__ import annotations

import numpy as np

from spymaster.book.chain import layout as la
from spymaster.book.chain.orders import cancel, clear, has_room, locate, modify, number_of, order_home, put
from spymaster.book.views import lowest_bit, prefetch, view_of
from spymaster.jit import hot_kernel, kernel
from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_TRADE,
    F_BAD_TS_RECV,
    F_LAST,
    F_MAYBE_BAD_BOOK,
    F_SNAPSHOT,
    SIDE_ASK,
    SIDE_BID,
    UNDEF_PRICE,
)

_ONE = np.uint64(1)
_MASK = np.int64(la.FILL_MASK)


@hot_kernel()
def best(books, levels, number, side):
    """Key and quantity of the best price of a side; `NO_KEY` and 0 where nothing rests."""
    count = books[number, la.B_LEVELS + side]
    if count == 0:
        return np.int64(la.NO_KEY), np.int64(0)
    place = books[number, la.B_FIRST + side] + count - 1
    return levels[place, la.L_KEY], levels[place, la.L_QTY]


@hot_kernel()
def write_row(st, books, levels, rows, number):
    """A row of an instrument whose quote, validity or traded volume has changed since its last one."""
    bid, bid_qty = best(books, levels, number, la.BID)
    ask, ask_qty = best(books, levels, number, la.ASK)
    valid = np.int64(
        books[number, la.B_PHASE] == la.LIVE and books[number, la.B_BASIS] == 1 and books[number, la.B_DOUBT] == 0
    )
    same = (
        bid == books[number, la.B_OUT_KEY]
        and ask == books[number, la.B_OUT_KEY + 1]
        and bid_qty == books[number, la.B_OUT_QTY]
        and ask_qty == books[number, la.B_OUT_QTY + 1]
        and valid == books[number, la.B_OUT_VALID]
    )
    if same and books[number, la.B_BUY] == 0 and books[number, la.B_SELL] == 0:
        return
    row = st[la.S_ROWS]
    st[la.S_ROWS] = row + 1
    rows[0, row] = st[la.S_WINDOW_END]
    rows[1, row] = number
    rows[2, row] = bid
    rows[3, row] = bid_qty
    rows[4, row] = ask
    rows[5, row] = ask_qty
    rows[6, row] = books[number, la.B_BUY]
    rows[7, row] = books[number, la.B_SELL]
    rows[8, row] = books[number, la.B_ADD]
    rows[9, row] = books[number, la.B_PULL]
    rows[10, row] = valid
    books[number, la.B_OUT_KEY] = bid
    books[number, la.B_OUT_KEY + 1] = ask
    books[number, la.B_OUT_QTY] = bid_qty
    books[number, la.B_OUT_QTY + 1] = ask_qty
    books[number, la.B_OUT_VALID] = valid
    for field in range(la.B_ADD, la.B_SELL + 1):
        books[number, field] = 0


@kernel()
def close_window(state, books, levels, touched, rows):
    """Rows of the instruments that this window has named, by their number. The caller has made sure that all fit."""
    st, books, levels = view_of(state, 1, "state"), view_of(books, 32, "books"), view_of(levels, 2, "levels")
    marks = view_of(touched, 1, "touched")
    for word in range(st[la.S_WORDS]):
        left = marks[word]
        marks[word] = 0
        while left != 0:
            write_row(st, books, levels, rows, 64 * word + lowest_bit(left))
            left &= left - _ONE


@kernel()
def run(state, books, levels, orders, index, lookup, touched, rows, records, first):
    """Apply `records[first:]`. Returns (next record, why it stopped).

    On anything but `DONE` the next record has not been applied: make room and call again. `rows` is int64
    [len(ROW_COLUMNS), n].
    """
    st, book, level = view_of(state, 1, "state"), view_of(books, 32, "books"), view_of(levels, 2, "levels")
    order, place_of, names = view_of(orders, 4, "orders"), view_of(index, 1, "index"), view_of(lookup, 2, "lookup")
    marks, feed = view_of(touched, 1, "touched"), view_of(records, 1, "records")
    n = records.shape[0]
    for i in range(first, n):
        record = feed[i]
        number = number_of(st, names, np.int64(record.instrument_id))
        if number < 0:
            st[la.K_SKIPPED] += 1
            continue
        if i + 8 < n:
            prefetch(feed, i + 16)
            later = number_of(st, names, np.int64(feed[i + 8].instrument_id))
            prefetch(place_of, order_home(st, np.int64(feed[i + 8].order_id), later))
        flags, action = record.flags, record.action
        # a clear without a true receive time was made by the publisher: it opens the snapshot that follows
        is_snapshot = flags & F_SNAPSHOT != 0 or (action == ACTION_CLEAR and flags & F_BAD_TS_RECV != 0)
        ts = np.int64(record.ts_recv) if is_snapshot else np.int64(record.ts_event)
        if st[la.S_STARTED] == 0:
            if not is_snapshot:
                st[la.S_STARTED] = 1
                st[la.S_WINDOW_END] = (ts // st[la.S_WINDOW_NS] + 1) * st[la.S_WINDOW_NS]
        elif ts >= st[la.S_WINDOW_END]:
            if st[la.S_ROWS] + st[la.S_INSTRUMENTS] > st[la.S_ROWS_CAPACITY]:
                return i, la.BLOCK_FULL
            close_window(state, books, levels, touched, rows)
            st[la.S_WINDOW_END] = (ts // st[la.S_WINDOW_NS] + 1) * st[la.S_WINDOW_NS]
        elif ts < st[la.S_WINDOW_END] - st[la.S_WINDOW_NS]:
            st[la.K_LATE] += 1
        if action in (ACTION_ADD, ACTION_MODIFY):
            if st[la.S_ORDERS] >= st[la.S_ORDERS_CAPACITY]:
                return i, la.GROW_ORDERS
            if not has_room(st, book, number):
                return i, la.GROW_LEVELS
        st[la.K_RECORDS] += 1
        marks[number >> 6] |= _ONE << np.uint64(number & 63)
        phase = book[number, la.B_PHASE]
        added, pulled = book[number, la.B_ADD], book[number, la.B_PULL]
        if is_snapshot:
            st[la.K_SNAPSHOT] += 1
            if book[number, la.B_AFTER_SNAPSHOT] == 0 or action == ACTION_CLEAR:
                clear(state, books, levels, orders, index, number)
                book[number, la.B_PHASE] = la.SNAPSHOT
                book[number, la.B_BASIS] = 0
                book[number, la.B_DOUBT] = 0
            book[number, la.B_AFTER_SNAPSHOT] = 1
        elif phase != la.LIVE:
            book[number, la.B_BASIS] = np.int64(phase == la.SNAPSHOT)
            book[number, la.B_PHASE] = la.LIVE
            book[number, la.B_AFTER_SNAPSHOT] = 0
        if flags & F_MAYBE_BAD_BOOK:
            st[la.K_BAD_FLAGS] += 1
            book[number, la.B_DOUBT] = 1
            book[number, la.B_EVENT_BAD] = 1
        size = np.int64(record.size)
        order_id = np.int64(record.order_id)
        side = la.BID if record.side == SIDE_BID else la.ASK
        if action == ACTION_TRADE:
            if record.side == SIDE_BID:
                book[number, la.B_BUY] += size
            elif record.side == SIDE_ASK:
                book[number, la.B_SELL] += size
        elif action == ACTION_FILL:
            _, slot = locate(st, order, place_of, order_id, number)
            if slot < 0:
                st[la.K_UNKNOWN_FILL] += 1
            else:
                left = order[slot, la.O_SIZE] >> 32
                order[slot, la.O_SIZE] = left << 32 | min((order[slot, la.O_SIZE] & _MASK) + size, left)
        elif action == ACTION_CLEAR:
            st[la.K_CLEARS] += 1
            if not is_snapshot:
                clear(state, books, levels, orders, index, number)
                book[number, la.B_BASIS] = 1
                book[number, la.B_DOUBT] = 0
        elif action in (ACTION_ADD, ACTION_MODIFY, ACTION_CANCEL):
            place, slot = locate(st, order, place_of, order_id, number)
            if action == ACTION_CANCEL:
                if slot < 0:
                    st[la.K_UNKNOWN_CANCEL] += 1
                else:
                    if size > order[slot, la.O_SIZE] >> 32:
                        st[la.K_CANCEL_OVER] += 1
                    cancel(st, book, level, order, place_of, place, slot, number, size)
            elif record.price != UNDEF_PRICE and (record.side == SIDE_BID or record.side == SIDE_ASK):
                if slot >= 0 and action == ACTION_MODIFY:
                    modify(st, book, level, order, place_of, place, slot, number, side, record.price, size)
                else:
                    if slot >= 0:
                        if not is_snapshot:
                            st[la.K_DUPLICATE_ADD] += 1
                        cancel(st, book, level, order, place_of, place, slot, number, order[slot, la.O_SIZE] >> 32)
                        place, _ = locate(st, order, place_of, order_id, number)
                    elif action == ACTION_MODIFY:
                        st[la.K_UNKNOWN_MODIFY] += 1
                    if size > 0:
                        put(st, book, level, order, place_of, place, order_id, number, side, record.price, size)
        if is_snapshot:
            book[number, la.B_ADD], book[number, la.B_PULL] = added, pulled  # what rests already neither comes nor goes
        if flags & F_LAST:
            if book[number, la.B_EVENT_BAD] == 0:
                book[number, la.B_DOUBT] = 0
            book[number, la.B_EVENT_BAD] = 0
            if is_snapshot:
                book[number, la.B_PHASE] = la.LIVE
                book[number, la.B_BASIS] = 1
                book[number, la.B_AFTER_SNAPSHOT] = 0
    return n, la.DONE
