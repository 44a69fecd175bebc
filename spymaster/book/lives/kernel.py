"""The pass over records: events, snapshots, and which order a record is about. Semantics are those of `book.kernel`."""

from __future__ import annotations

import numpy as np

from spymaster.book.lives import layout as la
from spymaster.book.lives.orders import (
    cancel_side,
    drop,
    forget_all,
    locate,
    modify,
    place_of,
    put,
    rest,
    take,
    views,
    write_event,
    write_life,
)
from spymaster.book.views import prefetch, view_of
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
    F_TOB,
    SIDE_ASK,
    SIDE_BID,
    UNDEF_PRICE,
)


@kernel()
def close_event(a):
    """The book may be read: all rows of the event say whether it can be relied on."""
    st = a.state
    valid = st[la.S_BOOK_STATE] == la.LIVE and st[la.S_BOOK_BASIS] == 1 and st[la.S_EVENT_BAD] == 0
    for row in range(st[la.S_EVENT_FIRST], st[la.S_EVENT_N]):
        a.events[14 * st[la.S_EVENT_ROOM] + row] = valid
    st[la.S_EVENT_FIRST] = st[la.S_EVENT_N]
    st[la.S_EVENT_ID] += 1
    st[la.S_IN_EVENT] = 0
    st[la.S_BLIND] = 0


@hot_kernel()
def has_quotes(a):
    """Go to the last quote of an event before the one that begins; whether the quotes at hand reach that far."""
    st = a.state
    at = st[la.S_QUOTE]
    n = st[la.S_QUOTES_N]
    while at < n and a.quotes[at] < st[la.S_EVENT_ID]:
        st[la.S_BID] = a.quotes[n + at]
        st[la.S_ASK] = a.quotes[2 * n + at]
        at += 1
    st[la.S_QUOTE] = at
    return at < n or st[la.S_QUOTES_END] == 1


@kernel()
def apply_book_record(a, record, action, ts):
    """Let A, C or M change the book."""
    st = a.state
    order_id = np.int64(record.order_id)
    size = np.int64(record.size)
    place, slot = locate(a, order_id)
    if action == ACTION_CANCEL:
        if slot < 0:
            st[la.K_UNKNOWN_CANCEL] += 1
        else:
            take(a, record, place, slot, size, ts)
        return
    side = np.int64(record.side == SIDE_ASK)
    price = np.int64(record.price)
    if action == ACTION_ADD and record.flags & F_TOB:
        cancel_side(a, record, side, ts)
        if price == UNDEF_PRICE:
            return
        place, slot = locate(a, order_id)
    seen = action == ACTION_ADD
    if slot >= 0:
        turned = side != a.orders[slot, la.O_SIDE] and size > 0
        if action == ACTION_MODIFY and not turned:
            modify(a, record, place, slot, price, size, ts)
            return
        st[la.K_DUPLICATE_ADD] += np.int64(seen)
        seen = True  # one order goes and another comes under its id
        take(a, record, place, slot, a.orders[slot, la.O_SIZE], ts)
        place, slot = locate(a, order_id)
    elif action == ACTION_MODIFY:
        # of size 0 it would have ended the order, and writes no entry
        st[la.K_MODIFY_AS_ADD if size > 0 else la.K_UNKNOWN_CANCEL] += 1
    if size > 0:
        put(a, place, order_id, price, side, size, ts, seen)
        write_event(a, record, la.ADD, side, order_id, price, la.NO_PRICE, size, np.int64(0), size)


@kernel()
def apply_snapshot_record(a, record, action):
    """A record of a snapshot: it writes no message, and its orders have lived before."""
    st = a.state
    if st[la.S_IN_EVENT]:
        close_event(a)
    if st[la.S_AFTER_SNAPSHOT] == 0 or action == ACTION_CLEAR:
        forget_all(a, np.int64(record.ts_recv))
        st[la.S_BOOK_STATE] = la.SNAPSHOT
        st[la.S_BOOK_BASIS] = 0
    st[la.S_AFTER_SNAPSHOT] = 1
    st[la.S_BLIND] = 1
    st[la.S_LAST_TS] = np.int64(record.ts_recv)
    if action in (ACTION_ADD, ACTION_MODIFY, ACTION_CANCEL):
        place, slot = locate(a, np.int64(record.order_id))
        if slot >= 0:
            rest(a, a.orders[slot, la.O_PRICE], a.orders[slot, la.O_SIDE], -a.orders[slot, la.O_SIZE])
            write_life(a, slot, np.int64(record.ts_recv), la.NO_PRICE, la.END_OPEN)
            drop(a, place, slot)
            place, _ = locate(a, np.int64(record.order_id))
        size = np.int64(record.size)
        if action != ACTION_CANCEL and size > 0:
            side = np.int64(record.side == SIDE_ASK)
            entered = np.int64(record.ts_event)
            put(a, place, np.int64(record.order_id), np.int64(record.price), side, size, entered, False)
    if record.flags & F_LAST:
        st[la.S_BOOK_STATE] = la.LIVE
        st[la.S_BOOK_BASIS] = 1
        st[la.S_AFTER_SNAPSHOT] = 0


@kernel()
def apply_live_record(a, record, action):
    """A live record inside its event."""
    st = a.state
    ts = np.int64(record.ts_event)
    if st[la.S_BOOK_STATE] != la.LIVE:
        st[la.S_BOOK_BASIS] = np.int64(st[la.S_BOOK_STATE] == la.SNAPSHOT)
        st[la.S_BOOK_STATE] = la.LIVE
        st[la.S_AFTER_SNAPSHOT] = 0
    st[la.S_LAST_TS] = ts
    st[la.K_MESSAGES] += 1
    if record.flags & F_MAYBE_BAD_BOOK:
        st[la.S_EVENT_BAD] = 1
    if action in (ACTION_ADD, ACTION_CANCEL, ACTION_MODIFY):
        apply_book_record(a, record, action, ts)
    elif action == ACTION_FILL:
        _, slot = locate(a, np.int64(record.order_id))
        if slot < 0:
            st[la.K_UNKNOWN_FILL] += 1
        else:
            named = a.orders[slot, la.O_PENDING] + np.int64(record.size)
            a.orders[slot, la.O_PENDING] = min(named, a.orders[slot, la.O_SIZE])
    elif action == ACTION_TRADE:
        if record.price == UNDEF_PRICE:
            st[la.K_NO_PRICE] += 1
        else:
            side = np.int64(0 if record.side == SIDE_BID else (1 if record.side == SIDE_ASK else 2))
            kind = la.TRADE_IMPLIED if record.order_id == 0 else la.TRADE
            nothing = np.int64(la.NO_PRICE)
            price = np.int64(record.price)
            order_id = np.int64(record.order_id)
            write_event(a, record, kind, side, order_id, price, nothing, np.int64(record.size), nothing, nothing)
            st[la.S_SPOT] = price
    elif action == ACTION_CLEAR:
        forget_all(a, ts)
        st[la.S_BOOK_BASIS] = 1


@hot_kernel()
def clears(record, action):
    """Whether a record may take away many orders at once."""
    return (
        action == ACTION_CLEAR or record.flags & F_SNAPSHOT != 0 or (action == ACTION_ADD and record.flags & F_TOB != 0)
    )


@hot_kernel()
def look_ahead(a, feed, i, n):
    """Fetch what later records will touch, in steps of which each needs what the one before has fetched."""
    if i + 32 < n:
        st = a.state
        prefetch(feed, i + 32)
        prefetch(a.index, place_of(np.int64(feed[i + 12].order_id), st[la.S_INDEX_SHIFT]))
        slot = np.int64(a.index[place_of(np.int64(feed[i + 6].order_id), st[la.S_INDEX_SHIFT])]) - 1
        prefetch(a.orders, la.ORDER_FIELDS * slot)
        prefetch(a.orders, la.ORDER_FIELDS * slot + 8)


@kernel()
def run(arrays, records, first):
    """Apply `records[first:]` of one instrument. Returns (next record, why it stopped).

    Unless it is DONE the next record has not been applied: make room, or bring quotes, and call again.
    """
    a = views(arrays)
    st = a.state
    feed = view_of(records, 1, "records")
    event_room, life_room, places = st[la.S_EVENT_ROOM], st[la.S_LIFE_ROOM], st[la.S_LEVELS_MASK] + 1
    for i in range(first, records.shape[0]):
        record = feed[i]
        if record.instrument_id != st[la.S_INSTRUMENT]:
            continue
        look_ahead(a, feed, i, records.shape[0])
        action = record.action
        most = st[la.S_LIVE] if clears(record, action) else np.int64(0)
        if st[la.S_EVENT_N] + most + la.ROWS_PER_RECORD > event_room or st[la.S_LIFE_N] + most + 2 > life_room:
            return i, la.FULL
        if st[la.S_FREE_N] < 2:
            return i, la.GROW_ORDERS
        if 2 * st[la.S_LEVELS_N] + 4 > places:
            return i, la.GROW_LEVELS
        book = action in (ACTION_ADD, ACTION_MODIFY)
        if book and record.side != SIDE_BID and record.side != SIDE_ASK:
            return i, la.BAD_RECORD
        in_snapshot = record.flags & F_SNAPSHOT or (record.flags & F_BAD_TS_RECV and action == ACTION_CLEAR)
        if in_snapshot:
            apply_snapshot_record(a, record, action)
            continue
        if st[la.S_IN_EVENT] == 0:
            if not has_quotes(a):
                return i, la.NEED_QUOTES
            st[la.S_IN_EVENT] = 1
            st[la.S_EVENT_BAD] = 0
            st[la.S_SPOT_BEFORE] = st[la.S_SPOT]
        apply_live_record(a, record, action)
        if record.flags & F_LAST:
            close_event(a)
    return records.shape[0], la.DONE


@kernel()
def finish(arrays):
    """End of the file: close an open event, cut off the lives of what rests. There must be room for them."""
    a = views(arrays)
    if a.state[la.S_IN_EVENT]:
        close_event(a)
    forget_all(a, a.state[la.S_LAST_TS])


@kernel()
def reindex(arrays):
    """Enter every live order into an empty index."""
    a = views(arrays)
    for slot in range(a.state[la.S_CAPACITY]):
        if a.orders[slot, la.O_SIZE] > 0:
            place, _ = locate(a, a.orders[slot, la.O_ID])
            a.index[place] = slot + 1


@kernel()
def relevel(arrays, old):
    """Enter the levels of a smaller table into an empty one."""
    a = views(arrays)
    for row in range(old.shape[0]):
        if old[row, 0] != la.NO_PRICE:
            rest(a, old[row, 0] >> 1, old[row, 0] & 1, old[row, 1])
