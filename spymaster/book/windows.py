"""Kernels that open and close one-second windows: the clock of the pass, and one snapshot row per window.

Closing a window costs what happened in it and what rests around spot, never the width of the grid: rows are found
through bit planes, and only cells with recent flow are gone through.
"""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.arrays import book_of, rows_of
from spymaster.book.ends import begin_history, keep_ends, reset_flow
from spymaster.book.levels import cell_if_any
from spymaster.book.wall import write_wall
from spymaster.jit import hot_kernel, kernel


@hot_kernel()
def book_is_valid(book):
    """LIVE, reached through a complete snapshot or a clear, and not doubted by the publisher."""
    st = book.state
    return st[la.S_BOOK_STATE] == la.LIVE and st[la.S_BOOK_BASIS] == 1 and st[la.S_BAD_PENDING] == 0


@hot_kernel()
def best_quantity(book, side):
    """Quantity and number of orders at the best price of a side; zeros where the side is empty."""
    tick = book.state[la.S_BEST_BID + side]
    if tick == la.NO_TICK or tick == la.NO_ASK:
        return np.int64(0), np.int64(0)
    cell = cell_if_any(book, tick, side)
    return np.int64(book.cells[cell, la.C_DEPTH]), np.int64(book.cells[cell, la.C_COUNT])


@kernel()
def start_clock(st, ts):
    """The first live record opens the first window; the book so far is its start, with no flow and no history."""
    st[la.S_STARTED] = 1
    st[la.S_WINDOW_NUMBER] = 0
    set_window(st, ts // st[la.S_WINDOW_NS] * st[la.S_WINDOW_NS])
    begin_history(st)
    count_young(st)
    open_window(st)


@kernel()
def set_window(st, start):
    """The clock's bounds of the window that starts at `start`."""
    st[la.S_WINDOW_START] = start
    st[la.S_WINDOW_END] = start + st[la.S_WINDOW_NS]
    st[la.S_DUE] = st[la.S_WINDOW_END]
    st[la.S_YOUNG_FROM] = st[la.S_WINDOW_END] - st[la.S_REST_NS]


@kernel()
def open_window(st):
    """Reset what is counted per window."""
    book = book_of(st)
    st[la.S_WINDOW_OK] = 1 if book_is_valid(book) else 0
    st[la.S_WINDOW_CROSSED] = 0
    st[la.S_WINDOW_BAD] = 0
    st[la.S_WINDOW_GAP] = 0
    st[la.S_MESSAGES] = 0
    st[la.S_TRADES] = 0
    st[la.S_BUY] = 0
    st[la.S_SELL] = 0
    st[la.S_NONE] = 0
    st[la.S_T_OPEN] = la.NO_PRICE
    st[la.S_T_HIGH] = la.NO_PRICE
    st[la.S_T_LOW] = la.NO_PRICE


@kernel()
def count_young(st):
    """Count every cell's young quantity from its orders.

    Orders of this window are counted as they come, and are old by the end of the next one. Only where a resting age
    beyond the window, or a time beyond it, leaves orders young for longer, each window has to begin with a count.
    """
    book = book_of(st)
    st[la.S_COUNT_YOUNG] = 1 if st[la.S_REST_NS] > st[la.S_WINDOW_NS] else 0
    for slot in range(st[la.S_ORDERS_CAPACITY]):
        if book.links[slot, la.O_SIZE] > 0:
            book.cells[book.links[slot, la.O_CELL], la.C_YOUNG] = 0
    for slot in range(st[la.S_ORDERS_CAPACITY]):
        if book.links[slot, la.O_SIZE] > 0 and book.orders[slot, la.O_TS] > st[la.S_YOUNG_FROM]:
            book.cells[book.links[slot, la.O_CELL], la.C_YOUNG] += book.links[slot, la.O_SIZE]
            if book.orders[slot, la.O_TS] >= st[la.S_WINDOW_END]:
                st[la.S_COUNT_YOUNG] = 1


@kernel()
def spot_price(st):
    """Last trade of the partition, before the first one the best bid of a valid book, else null."""
    book = book_of(st)
    if st[la.S_LAST_PRICE] != la.NO_PRICE:
        return st[la.S_LAST_PRICE]
    if book_is_valid(book) and st[la.S_BEST_BID] != la.NO_TICK:
        return st[la.S_BEST_BID] * st[la.S_TICK_SIZE]
    return la.NO_PRICE


@kernel()
def grid_is_off_centre(st, spot):
    """Whether the wall around this spot would leave the array grid, so that the origin has to move first."""
    if spot == la.NO_PRICE:
        return False
    tick_size = st[la.S_TICK_SIZE]
    offset = spot // tick_size - st[la.S_ORIGIN]
    return offset < st[la.S_GRID] or offset >= st[la.S_WIDTH] - st[la.S_GRID]


@kernel()
def write_snapshot(st, spot, valid, window_valid):
    """One row of `book_snapshot_1s`, in the order of `SNAPSHOT_COLUMNS`."""
    book = book_of(st)
    out = rows_of(st)
    row = st[la.S_SNAPSHOT_N]
    st[la.S_SNAPSHOT_N] = row + 1
    snap = out.snapshot
    bid_qty, bid_orders = best_quantity(book, la.BID)
    ask_qty, ask_orders = best_quantity(book, la.ASK)
    has_bid = st[la.S_BEST_BID] != la.NO_TICK
    has_ask = st[la.S_BEST_ASK] != la.NO_ASK
    snap[0, row] = st[la.S_WINDOW_END]
    snap[1, row] = st[la.S_BEST_BID] * st[la.S_TICK_SIZE] if has_bid else la.NO_PRICE
    snap[2, row] = bid_qty
    snap[3, row] = bid_orders
    snap[4, row] = st[la.S_BEST_ASK] * st[la.S_TICK_SIZE] if has_ask else la.NO_PRICE
    snap[5, row] = ask_qty
    snap[6, row] = ask_orders
    snap[7, row] = st[la.S_LAST_PRICE]
    snap[8, row] = st[la.S_LAST_TRADE_TS]
    snap[9, row] = spot
    snap[10, row] = st[la.S_T_OPEN]
    snap[11, row] = st[la.S_T_HIGH]
    snap[12, row] = st[la.S_T_LOW]
    snap[13, row] = st[la.S_BUY]
    snap[14, row] = st[la.S_SELL]
    snap[15, row] = st[la.S_NONE]
    snap[16, row] = st[la.S_TRADES]
    snap[17, row] = st[la.S_MESSAGES]
    snap[18, row] = st[la.S_WINDOW_CROSSED]
    snap[19, row] = st[la.S_BOOK_STATE]
    snap[20, row] = 1 if st[la.S_WINDOW_BAD] or st[la.S_BAD_PENDING] else 0
    snap[21, row] = st[la.S_WINDOW_GAP]
    snap[22, row] = st[la.S_FINISHING]
    snap[23, row] = valid
    snap[24, row] = window_valid


@kernel()
def close_window(st):
    """Write the rows of the current window and open the next one.

    The caller has made sure that a whole window of rows fits and that spot is inside the array grid.
    """
    book = book_of(st)
    spot = spot_price(st)
    valid = book_is_valid(book)
    window_valid = valid and st[la.S_WINDOW_OK] == 1
    keep_ends(st)
    write_snapshot(st, spot, valid, window_valid)
    if st[la.S_EMIT] & la.EMIT_WALL:
        if spot != la.NO_PRICE:
            write_wall(st, spot, window_valid)
        else:
            # nothing was written, so at the next spot every price counts as newly in the grid
            st[la.S_GRID_LO] = la.NO_ASK
            st[la.S_GRID_HI] = la.NO_TICK
    reset_flow(st)
    st[la.S_WINDOW_NUMBER] += 1
    set_window(st, st[la.S_WINDOW_END])
    if st[la.S_COUNT_YOUNG]:
        count_young(st)
    open_window(st)


@kernel()
def advance(st, ts):
    """Close windows until `ts` lies in the current one. Returns 0, or why it had to stop in between."""
    while ts >= st[la.S_WINDOW_END]:
        if st[la.S_SNAPSHOT_N] >= st[la.S_BLOCK_WINDOWS]:
            return la.BLOCK_FULL
        if st[la.S_WALL_N] + 2 * (2 * st[la.S_GRID] + 1) > st[la.S_WALL_CAPACITY]:
            return la.BLOCK_FULL
        if grid_is_off_centre(st, spot_price(st)):
            return la.RECENTRE
        close_window(st)
    return la.DONE
