"""Kernels that open and close one-second windows and write their rows.

Closing a window costs what happened in it and what rests around spot, never the width of the grid: rows are found
through bit planes, and only touched cells are reset.
"""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.levels import cell_if_any
from spymaster.book.orders import stamp_entry
from spymaster.book.views import lowest_bit
from spymaster.jit import hot_kernel, kernel

MINUTE_NS = 60_000_000_000
_ONE = np.uint64(1)


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


@hot_kernel()
def forget_flow(book, cell):
    """Reset a cell's accumulators for the next window and carry its depth forward."""
    for field in range(la.C_ADD, la.C_YOUNG):
        book.cells[cell, field] = 0
    book.cells[cell, la.C_START] = book.cells[cell, la.C_DEPTH]
    book.cells[cell, la.C_TOUCHED] = 0


@hot_kernel()
def remember_depth(book, cell, window):
    """Shift a touched cell's history of depths at window ends to end at `window`."""
    cells = book.cells
    age = window - cells[cell, la.C_LAST]
    e0, e1, e2 = cells[cell, la.H_E0], cells[cell, la.H_E1], cells[cell, la.H_E2]
    cells[cell, la.C_LAST] = window
    cells[cell, la.H_E0] = cells[cell, la.C_DEPTH]
    cells[cell, la.H_E1] = e0
    cells[cell, la.H_E2] = e1 if age == 1 else e0
    cells[cell, la.H_E3] = e2 if age == 1 else (e1 if age == 2 else e0)


@hot_kernel()
def depth_differences(book, cell, age):
    """First, second and third difference per second of a cell's depth that last changed `age` windows ago."""
    cells = book.cells
    e0 = np.int64(cells[cell, la.H_E0])
    if age >= 3:
        return np.int64(0), np.int64(0), np.int64(0)
    e1 = np.int64(cells[cell, la.H_E1])
    e2 = np.int64(cells[cell, la.H_E2])
    if age == 2:
        return np.int64(0), np.int64(0), e0 - e1
    if age == 1:
        return np.int64(0), e1 - e0, e0 - 3 * e0 + 3 * e1 - e2
    return e0 - e1, e0 - 2 * e1 + e2, e0 - 3 * e1 + 3 * e2 - cells[cell, la.H_E3]


@kernel()
def start_clock(book, ts):
    """The first live record opens the first window; the book so far is its start, with no flow and no history."""
    st = book.state
    st[la.S_STARTED] = 1
    st[la.S_WINDOW_START] = ts // st[la.S_WINDOW_NS] * st[la.S_WINDOW_NS]
    st[la.S_WINDOW_END] = st[la.S_WINDOW_START] + st[la.S_WINDOW_NS]
    st[la.S_DUE] = st[la.S_WINDOW_END]
    st[la.S_WINDOW_NUMBER] = 0
    for cell in range(2 * st[la.S_WIDTH] + st[la.S_SPILL_N]):
        forget_flow(book, cell)
        book.cells[cell, la.C_LAST] = -10
        for field in range(la.H_E0, la.H_OUT_DEPTH):
            book.cells[cell, field] = book.cells[cell, la.C_DEPTH]
    for word in range(st[la.S_WIDTH] >> 6):
        book.bits[word, la.BIT_TOUCH] = 0
        book.bits[word, la.BIT_TOUCH + 1] = 0
    for group in range((st[la.S_WIDTH] >> 12) + 1):
        st[la.AT_SUMMARY + group] = 0
    st[la.S_SPILL_TOUCHED_N] = 0
    st[la.S_YOUNG_N] = 0
    for slot in range(st[la.S_ORDERS_CAPACITY]):
        if book.links[slot, la.O_SIZE] > 0:
            stamp_entry(book, slot, book.orders[slot, la.O_TS])
    open_window(book)


@kernel()
def open_window(book):
    """Reset what is counted per window."""
    st = book.state
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


@hot_kernel()
def entered_after(book, number, cutoff):
    """Slot of an entry of the young list whose order lives, entered after `cutoff` and not again since; else -1."""
    slot = np.int64(book.young[number])
    if book.young_at[slot] == number and book.links[slot, la.O_SIZE] > 0 and book.orders[slot, la.O_TS] > cutoff:
        return slot
    return np.int64(-1)


@kernel()
def mark_young(book):
    """Give every cell the quantity of its orders that are not yet resting at the window's end."""
    st = book.state
    cutoff = st[la.S_WINDOW_END] - st[la.S_REST_NS]
    for number in range(st[la.S_YOUNG_N]):
        slot = entered_after(book, number, cutoff)
        if slot >= 0:
            book.cells[book.links[slot, la.O_CELL], la.C_YOUNG] += book.links[slot, la.O_SIZE]


@kernel()
def unmark_young(book):
    """Undo `mark_young` and keep only the orders that may still be too young at the next window's end."""
    st = book.state
    cutoff = st[la.S_WINDOW_END] - st[la.S_REST_NS]
    kept = 0
    for number in range(st[la.S_YOUNG_N]):
        slot = entered_after(book, number, cutoff)
        if slot >= 0:
            book.cells[book.links[slot, la.O_CELL], la.C_YOUNG] = 0
            if book.orders[slot, la.O_TS] > cutoff + st[la.S_WINDOW_NS]:
                book.young[kept] = slot
                book.young_at[slot] = kept
                kept += 1
    st[la.S_YOUNG_N] = kept


@hot_kernel()
def write_changes(book, out, row, cell, age):
    """Flow, young quantity and differences of a wall row, and the note of what was written for the sparse form."""
    cells = book.cells
    wall = out.wall
    depth = cells[cell, la.C_DEPTH]
    rest = depth - cells[cell, la.C_YOUNG]
    wall[1, row] = cells[cell, la.C_START]
    wall[3, row] = rest
    wall[5, row] = cells[cell, la.C_ADD]
    wall[6, row] = cells[cell, la.C_PULL]
    wall[7, row] = cells[cell, la.C_PULL_REST]
    wall[8, row] = cells[cell, la.C_FILL]
    wall[9, row] = cells[cell, la.C_REFILL]
    wall[10, row] = cells[cell, la.C_AWAY]
    wall[11, row] = cells[cell, la.C_TOWARD]
    d1, d2, d3 = depth_differences(book, cell, age)
    wall[12, row] = d1
    wall[13, row] = d2
    wall[14, row] = d3
    cells[cell, la.H_OUT_DEPTH] = depth
    cells[cell, la.H_OUT_REST] = rest
    cells[cell, la.H_OUT_COUNT] = cells[cell, la.C_COUNT]
    if rest != depth:
        offset = cell >> 1
        book.bits[offset >> 6, la.BIT_REVISIT + (cell & 1)] |= _ONE << np.uint64(offset & 63)


@kernel()
def fill(column, first, n, value):
    """`n` equal values from `column[first]` on; a loop of its own so that it becomes vector stores."""
    for k in range(first, first + n):
        column[k] = value


@kernel()
def write_chosen(book, out, n, spot, spot_tick, valid):
    """The wall rows of the `n` chosen cells.

    Most prices are quiet: what they say is one depth and many zeros. So constants and zeros are filled column by
    column, and only rows that changed in the last three windows, or come into the grid, are written field by field.
    """
    st = book.state
    first = st[la.S_WALL_N]
    st[la.S_WALL_N] = first + n
    wide, wall, flags, chosen, cells = out.wall_wide, out.wall, out.wall_flags, out.chosen, book.cells
    tick_size, origin = st[la.S_TICK_SIZE], st[la.S_ORIGIN]
    capacity = st[la.S_WALL_CAPACITY]
    fill(wide, first, n, st[la.S_WINDOW_END])
    fill(wide, 2 * capacity + first, n, spot)
    fill(flags, capacity + first, n, np.uint8(valid))
    for column in range(5, 15):
        fill(wall, column * capacity + first, n, np.int32(0))
    for k in range(n):
        cell = chosen[k] & (la.ENTERED - 1)
        tick = origin + (cell >> 1)
        wide[1, first + k] = tick * tick_size
        flags[0, first + k] = cell & 1
        wall[0, first + k] = tick - spot_tick
    window = st[la.S_WINDOW_NUMBER]
    # with a resting age beyond the window a quiet cell may still turn from young to resting: never take the short way
    always = st[la.S_REST_NS] > st[la.S_WINDOW_NS]
    for k in range(n):
        cell = chosen[k] & (la.ENTERED - 1)
        row = first + k
        depth = cells[cell, la.C_DEPTH]
        wall[1, row] = depth
        wall[2, row] = depth
        wall[3, row] = depth
        wall[4, row] = cells[cell, la.C_COUNT]
        age = window - cells[cell, la.C_LAST]
        if age < 3 or chosen[k] >= la.ENTERED or always:
            write_changes(book, out, row, cell, age)


@hot_kernel()
def differs_from_last_row(book, cell):
    """Whether a cell's resting state is not what its last wall row says."""
    depth = book.cells[cell, la.C_DEPTH]
    return (
        book.cells[cell, la.H_OUT_DEPTH] != depth
        or book.cells[cell, la.H_OUT_REST] != depth - book.cells[cell, la.C_YOUNG]
        or book.cells[cell, la.H_OUT_COUNT] != book.cells[cell, la.C_COUNT]
    )


@hot_kernel()
def span(first, low, high):
    """Mask of the bits of a word starting at tick `first` whose ticks lie in [low, high]."""
    start = max(low - first, 0)
    stop = min(high - first, 63)
    if start > stop:
        return np.uint64(0)
    return (~np.uint64(0) << np.uint64(start)) & (~np.uint64(0) >> np.uint64(63 - stop))


@kernel()
def write_wall(book, out, spot, valid):
    """The wall of the closing window: every resting or touched price of the grid, or the sparse form of it."""
    st = book.state
    n = 0
    tick_size = st[la.S_TICK_SIZE]
    spot_tick = spot // tick_size
    low = spot_tick - st[la.S_GRID]
    high = spot_tick + st[la.S_GRID]
    start = st[la.S_WINDOW_START]
    full = st[la.S_RTH_START] <= start < st[la.S_RTH_END] or start % MINUTE_NS == 0 or st[la.S_WINDOW_NUMBER] == 0
    near_low = spot_tick - st[la.S_NEAR]
    near_high = spot_tick + st[la.S_NEAR]
    known_low = st[la.S_GRID_LO]
    known_high = st[la.S_GRID_HI]
    origin = st[la.S_ORIGIN]
    bits = book.bits
    for word in range((low - origin) >> 6, ((high - origin) >> 6) + 1):
        first = origin + 64 * word
        inside = span(first, low, high)
        whole = inside if full else span(first, near_low, near_high)
        entered = inside & ~span(first, known_low, known_high)
        for side in range(2):
            wanted = inside & (bits[word, la.BIT_TOUCH + side] | (bits[word, la.BIT_REST + side] & whole))
            doubtful = inside & ~wanted & (entered | bits[word, la.BIT_REVISIT + side])
            while doubtful != 0:
                bit = doubtful & (~doubtful + _ONE)
                doubtful ^= bit
                cell = 2 * (64 * word + lowest_bit(bit)) + side
                if differs_from_last_row(book, cell):
                    wanted |= bit
                elif book.cells[cell, la.C_YOUNG] == 0:
                    bits[word, la.BIT_REVISIT + side] &= ~bit
            bits[word, la.BIT_REVISIT + side] &= ~wanted
            bits[word, la.BIT_CHOSEN + side] = wanted
        bids, asks = bits[word, la.BIT_CHOSEN], bits[word, la.BIT_CHOSEN + 1]
        look = bids | asks
        while look != 0:
            position = lowest_bit(look)
            bit = _ONE << np.uint64(position)
            look ^= bit
            cell = 2 * (64 * word + position)
            if entered & bit:
                cell += la.ENTERED
            if bids & bit:
                out.chosen[n] = cell
                n += 1
            if asks & bit:
                out.chosen[n] = cell + 1
                n += 1
    write_chosen(book, out, n, spot, spot_tick, valid)
    st[la.S_GRID_LO] = low
    st[la.S_GRID_HI] = high


@kernel()
def settle_touched(book, before_rows):
    """Over all touched cells: update histories (before the rows are written) or reset flow (after)."""
    st = book.state
    window = st[la.S_WINDOW_NUMBER]
    bits = book.bits
    for group in range((st[la.S_WIDTH] >> 12) + 1):
        words = np.uint64(st[la.AT_SUMMARY + group])
        while words != 0:
            word = 64 * group + lowest_bit(words)
            words &= words - _ONE
            for side in range(2):
                look = bits[word, la.BIT_TOUCH + side]
                while look != 0:
                    cell = 2 * (64 * word + lowest_bit(look)) + side
                    look &= look - _ONE
                    if before_rows:
                        remember_depth(book, cell, window)
                    else:
                        forget_flow(book, cell)
                if not before_rows:
                    bits[word, la.BIT_TOUCH + side] = 0
        if not before_rows:
            st[la.AT_SUMMARY + group] = 0
    for number in range(st[la.S_SPILL_TOUCHED_N]):
        cell = book.spill[st[la.S_SPILL_CAPACITY] + number]
        if before_rows:
            remember_depth(book, cell, window)
        else:
            forget_flow(book, cell)
    if not before_rows:
        st[la.S_SPILL_TOUCHED_N] = 0


@kernel()
def spot_price(book):
    """Last trade of the partition, before the first one the best bid of a valid book, else null."""
    st = book.state
    if st[la.S_LAST_PRICE] != la.NO_PRICE:
        return st[la.S_LAST_PRICE]
    if book_is_valid(book) and st[la.S_BEST_BID] != la.NO_TICK:
        return st[la.S_BEST_BID] * st[la.S_TICK_SIZE]
    return la.NO_PRICE


@kernel()
def grid_is_off_centre(book, spot):
    """Whether the wall around this spot would leave the array grid, so that the origin has to move first."""
    st = book.state
    if spot == la.NO_PRICE:
        return False
    tick_size = st[la.S_TICK_SIZE]
    offset = spot // tick_size - st[la.S_ORIGIN]
    return offset < st[la.S_GRID] or offset >= st[la.S_WIDTH] - st[la.S_GRID]


@kernel()
def write_snapshot(book, out, spot, valid, window_valid):
    """One row of `book_snapshot_1s`, in the order of `SNAPSHOT_COLUMNS`."""
    st = book.state
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
def close_window(book, out):
    """Write the rows of the current window and open the next one.

    The caller has made sure that a whole window of rows fits and that spot is inside the array grid.
    """
    st = book.state
    spot = spot_price(book)
    valid = book_is_valid(book)
    window_valid = valid and st[la.S_WINDOW_OK] == 1
    settle_touched(book, True)
    mark_young(book)
    write_snapshot(book, out, spot, valid, window_valid)
    if st[la.S_EMIT] & la.EMIT_WALL:
        if spot != la.NO_PRICE:
            write_wall(book, out, spot, window_valid)
        else:
            # nothing was written, so at the next spot every price counts as newly in the grid
            st[la.S_GRID_LO] = la.NO_ASK
            st[la.S_GRID_HI] = la.NO_TICK
    unmark_young(book)
    settle_touched(book, False)
    st[la.S_WINDOW_START] = st[la.S_WINDOW_END]
    st[la.S_WINDOW_END] += st[la.S_WINDOW_NS]
    st[la.S_DUE] = st[la.S_WINDOW_END]
    st[la.S_WINDOW_NUMBER] += 1
    open_window(book)


@kernel()
def advance(book, out, ts):
    """Close windows until `ts` lies in the current one. Returns 0, or why it had to stop in between."""
    st = book.state
    while ts >= st[la.S_WINDOW_END]:
        if st[la.S_SNAPSHOT_N] >= st[la.S_BLOCK_WINDOWS]:
            return la.BLOCK_FULL
        if st[la.S_WALL_N] + 2 * (2 * st[la.S_GRID] + 1) > st[la.S_WALL_CAPACITY]:
            return la.BLOCK_FULL
        if grid_is_off_centre(book, spot_price(book)):
            return la.RECENTRE
        close_window(book, out)
    return la.DONE
