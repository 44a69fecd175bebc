"""The pass over market-by-order records: one loop, one record at a time, resumable at any record.

Record semantics are those of Databento's MBO schema: trades and fills never change the book, a fill is remembered
until the cancel or modify that follows it, a snapshot replaces the book, and the book may be read only after F_LAST.

Nine of ten events are one add, cancel or modify of a live book in the current window (`ordinary`). They need none of
the bookkeeping of the others, and `run` takes a short way with them; the book changes by the same kernels.
"""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.arrays import book_of, rows_of, state_of
from spymaster.book.events import begin_event, close_event, count_event, note_trade
from spymaster.book.layout import ORDER_FIELDS
from spymaster.book.levels import find_cell, refresh_spill_best, side_of, spill_slot
from spymaster.book.orders import cancel, forget_fill, home, judge_fills, locate, modify, put, report_fill, withdraw
from spymaster.book.views import prefetch, view_of
from spymaster.book.windows import advance, start_clock
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
ORDINARY_FLAGS = 0xFF & ~0x02
"""Flags that an ordinary record has none of but F_LAST; 0x02 is the publisher's own and says nothing."""


@kernel()
def clear_side(st, side, ts):
    """Everything on one side leaves as pull."""
    book = book_of(st)
    for slot in range(st[la.S_ORDERS_CAPACITY]):
        if book.links[slot, la.O_SIZE] > 0 and side_of(book, np.int64(book.links[slot, la.O_CELL])) == side:
            forget_fill(book, slot)  # whatever was reported: what a clear removes counts as pull
            place, _ = locate(book, book.orders[slot, la.O_ID])
            withdraw(st, place, slot, ts)


@kernel()
def clear_book(st, ts):
    """Everything leaves as pull."""
    clear_side(st, la.BID, ts)
    clear_side(st, la.ASK, ts)


@kernel()
def begin_snapshot(st, ts):
    """A snapshot replaces the book: everything that rested leaves."""
    clear_book(st, ts)
    st[la.S_BOOK_STATE] = la.SNAPSHOT
    st[la.S_BOOK_BASIS] = 0
    st[la.S_BAD_PENDING] = 0
    st[la.S_WINDOW_OK] = 0
    st[la.K_SNAPSHOTS] += 1


@hot_kernel()
def price_to_cell(book, record):
    """Cell of a record's price and side; -1 if the price is no multiple of the tick size, `NO_ROOM` in a full spill."""
    price = record.price
    tick = np.int64(np.floor(np.float64(price) * book.per_tick[0] + 0.5))
    if tick * book.state[la.S_TICK_SIZE] != price:
        return np.int64(-1)
    return find_cell(book, tick, la.BID if record.side == SIDE_BID else la.ASK)


@hot_kernel()
def apply_book_record(book, record, action, ts):
    """Let A, C, M or R change the book. Returns DONE or, with nothing changed, why not."""
    order_id = np.int64(record.order_id)
    size = np.int64(record.size)
    if action == ACTION_CANCEL:
        place, slot = locate(book, order_id)
        if slot < 0:
            book.state[la.K_UNKNOWN_CANCEL] += 1
        else:
            if size > book.links[slot, la.O_SIZE]:
                book.state[la.K_CANCEL_OVER] += 1
            cancel(book, place, slot, size, ts)
        return la.DONE
    if action == ACTION_CLEAR:
        book.state[la.K_CLEARS] += 1
        clear_book(book.state, ts)
        return la.DONE
    if record.side != SIDE_BID and record.side != SIDE_ASK:
        return la.ERR_SIDE
    if size > MAX_SIZE:
        return la.ERR_SIZE
    replaces_side = action == ACTION_ADD and record.flags & F_TOB
    if replaces_side and record.price == UNDEF_PRICE:
        clear_side(book.state, la.BID if record.side == SIDE_BID else la.ASK, ts)
        return la.DONE
    cell = price_to_cell(book, record)
    if cell < 0:
        return la.GROW_SPILL if cell == la.NO_ROOM else la.ERR_OFF_TICK
    if replaces_side:
        clear_side(book.state, la.BID if record.side == SIDE_BID else la.ASK, ts)
    place, slot = locate(book, order_id)
    if slot >= 0:
        if action == ACTION_MODIFY:
            modify(book, place, slot, cell, size, ts)
            return la.DONE
        if not record.flags & F_SNAPSHOT:
            book.state[la.K_DUPLICATE_ADD] += 1
        withdraw(book.state, place, slot, ts)
        place, _ = locate(book, order_id)
    elif action == ACTION_MODIFY:
        book.state[la.K_MODIFY_AS_ADD] += 1
    if size > 0:
        put(book, place, order_id, cell, size, ts)
    return la.DONE


@kernel()
def apply_odd_book_record(st, record, action, ts):
    """`apply_book_record` for records that are not worth another copy of its code."""
    book = book_of(st)
    return apply_book_record(book, record, action, ts)


@kernel()
def apply_snapshot_record(st, record, action):
    """A record flagged F_SNAPSHOT. It happens at its receive time; its event time is the order's age."""
    if st[la.S_IN_EVENT]:
        close_event(st)
        st[la.K_UNCLOSED] += 1
    if st[la.S_STARTED]:
        code = advance(st, np.int64(record.ts_recv))
        if code != la.DONE:
            return code
    if st[la.S_AFTER_SNAPSHOT] == 0 or action == ACTION_CLEAR:
        begin_snapshot(st, np.int64(record.ts_recv))
    st[la.S_ORDINARY] = 0
    st[la.S_AFTER_SNAPSHOT] = 1
    st[la.K_SNAPSHOT] += 1
    if action in (ACTION_ADD, ACTION_MODIFY, ACTION_CANCEL):
        code = apply_odd_book_record(st, record, action, np.int64(record.ts_event))
        if code != la.DONE:
            return code
    if record.flags & F_LAST:
        st[la.S_BOOK_STATE] = la.LIVE
        st[la.S_BOOK_BASIS] = 1
        st[la.S_AFTER_SNAPSHOT] = 0
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
def note_message(book, ts, sequence):
    """The clocks of the feed."""
    st = book.state
    st[la.S_LAST_TS] = ts
    if sequence < st[la.S_LAST_SEQUENCE]:
        st[la.K_SEQUENCE_GAPS] += 1
        st[la.S_WINDOW_GAP] = 1
    st[la.S_LAST_SEQUENCE] = sequence
    st[la.S_MESSAGES] += 1


@hot_kernel()
def apply_live_record(st, record, action):
    """A live record that is not ordinary: event and window clocks, the book, the counts."""
    book = book_of(st)
    ts = np.int64(record.ts_event)
    if ts < st[la.S_LAST_TS]:
        st[la.S_BAD_VALUE] = ts
        return la.ERR_TIME
    if not st[la.S_IN_EVENT]:
        if ts >= st[la.S_DUE]:
            if not st[la.S_STARTED]:
                go_live(book)  # a snapshot at the head of the file is complete before the first window opens
                start_clock(st, ts)
            code = advance(st, ts)
            if code != la.DONE:
                return code
        begin_event(st, ts, np.int64(record.ts_recv))
    go_live(book)
    note_message(book, ts, np.int64(record.sequence))
    if record.flags & F_MAYBE_BAD_BOOK:
        st[la.K_BAD_FLAGS] += 1
        st[la.S_EVENT_BAD] = 1
    if action == ACTION_FILL:
        st[la.S_EVENT_FILLS] += 1
        _, slot = locate(book, np.int64(record.order_id))
        if slot < 0:
            st[la.K_FILL_UNKNOWN] += 1
        elif report_fill(book, slot, np.int64(record.size)):
            st[la.K_FILL_OVER] += 1
    elif action == ACTION_TRADE:
        note_trade(st, record, np.int64(record.size))
    elif action == ACTION_NONE:
        st[la.S_MESSAGES] -= 1  # a bare event end is no message, so that both closing forms count alike
    else:
        if st[la.S_FILLS_N] > 0:
            judge_fills(st)
        code = apply_odd_book_record(st, record, action, ts)
        if code != la.DONE:
            return code
        if action == ACTION_CLEAR:
            st[la.S_BOOK_BASIS] = 1
            st[la.S_BAD_PENDING] = 0
            st[la.S_WINDOW_OK] = 0
    if record.flags & F_LAST:
        close_event(st)
    return la.DONE


@kernel()
def apply_odd_record(st, record, action):
    """Everything but ordinary records."""
    if st[la.S_SPILL_N] >= st[la.S_SPILL_CAPACITY]:
        return la.GROW_SPILL
    flags = record.flags
    # a clear without a true receive time was made by the publisher: it opens the snapshot that follows
    if flags & (F_SNAPSHOT | F_BAD_TS_RECV) and (flags & F_SNAPSHOT or action == ACTION_CLEAR):
        return apply_snapshot_record(st, record, action)
    return apply_live_record(st, record, action)


@hot_kernel()
def look_ahead(book, feed, i, n):
    """Fetch what later records will touch while this one is worked on: a random order is in no near cache.

    In steps, each needing what the one before has fetched: the record, the index entry of its order id, the order.
    """
    if i + 32 < n:
        prefetch(feed, i + 32)
        prefetch(book.index, home(book, np.int64(feed[i + 12].order_id)))
        # without a branch on an empty entry, which would be guessed wrong: the line before the array is as good as any
        prefetch(book.orders, ORDER_FIELDS * (np.int64(book.index[home(book, np.int64(feed[i + 6].order_id))]) - 1))


@kernel()
def run(state, records, first):
    """Apply `records[first:]` of one instrument. Returns (next record, why it stopped).

    On `BLOCK_FULL`, `GROW_*` and `RECENTRE` the next record has not been applied: make room and call again. On `ERR_*`
    it has not been applied either and is the offending one.
    """
    st = state_of(state)
    book = book_of(st)
    out = rows_of(st)
    instrument = st[la.S_INSTRUMENT]
    orders_limit = st[la.S_ORDERS_CAPACITY]
    feed = view_of(records, 1, "records")
    for i in range(first, records.shape[0]):
        record = feed[i]
        if record.instrument_id != instrument:
            st[la.S_SKIPPED] += 1
            continue
        look_ahead(book, feed, i, records.shape[0])
        action = record.action
        if action in (ACTION_ADD, ACTION_MODIFY):
            if st[la.S_LIVE_ORDERS] >= orders_limit:
                return i, la.GROW_ORDERS
            changes = True
        else:
            changes = action == ACTION_CANCEL
        ts = np.int64(record.ts_event)
        if (
            changes
            and record.flags & ORDINARY_FLAGS == F_LAST
            and st[la.S_ORDINARY]
            and st[la.S_LAST_TS] <= ts < st[la.S_DUE]
        ):
            code = apply_book_record(book, record, action, ts)
            if code != la.DONE:
                return i, code
            note_message(book, ts, np.int64(record.sequence))
            if count_event(book, out, ts, np.int64(record.ts_recv)):
                return i + 1, la.BLOCK_FULL
        else:
            if not changes and action not in (ACTION_CLEAR, ACTION_TRADE, ACTION_FILL, ACTION_NONE):
                return i, la.ERR_ACTION
            code = apply_odd_record(book.state, record, action)
            if code != la.DONE:
                return i, code
            if st[la.S_FULL]:
                return i + 1, la.BLOCK_FULL
    return records.shape[0], la.DONE


@kernel()
def finish(state):
    """End of a closed file: close an event without F_LAST, then the last, partial window."""
    st = state_of(state)
    if st[la.S_STARTED] == 0:
        return la.DONE
    if st[la.S_IN_EVENT]:
        close_event(st)
        st[la.K_UNCLOSED] += 1
    st[la.S_FINISHING] = 1
    return advance(st, st[la.S_WINDOW_END])


@kernel()
def reindex(state, slots):
    """Enter the first `slots` order slots, all taken, into an empty index."""
    book = book_of(state_of(state))
    for slot in range(slots):
        place, _ = locate(book, book.orders[slot, la.O_ID])
        book.index[place] = slot + 1


@kernel()
def reindex_spill(state):
    """Enter all spill keys into an empty spill index, and find the best prices among them."""
    st = state_of(state)
    book = book_of(st)
    for number in range(st[la.S_SPILL_N]):
        book.spill[spill_slot(st, book.spill[number])] = number + 1
    refresh_spill_best(st)
