"""Kernels that write the wall of a closing window: every resting or touched price of the grid, or its sparse form.

Most prices are quiet: what they say is one depth, a count and many zeros. So the rows are first chosen by bit planes,
then filled column by column from `ends` in loops that the compiler turns into vector instructions, and only rows with
flow, with quantity too young to rest, or new in the grid are gone through one by one.
"""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.arrays import book_of, rows_of
from spymaster.book.views import count_bits, lowest_bit, row_of
from spymaster.jit import hot_kernel, kernel

MINUTE_NS = 60_000_000_000
_ONE = np.uint64(1)


@hot_kernel()
def differs_from_last_row(book, cell):
    """Whether a cell's resting state is not what its last wall row says."""
    depth = book.cells[cell, la.C_DEPTH]
    return (
        book.cells[cell, la.C_OUT_DEPTH] != depth
        or book.cells[cell, la.C_OUT_REST] != depth - book.cells[cell, la.C_YOUNG]
        or book.cells[cell, la.C_OUT_COUNT] != book.cells[cell, la.C_COUNT]
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
def fill(column, n, value):
    """`n` equal values; a loop of its own so that it becomes vector stores."""
    for k in range(n):
        column[k] = value


@kernel()
def copy(column, source, n):
    """`column = source`."""
    for k in range(n):
        column[k] = source[k]


@kernel()
def gather(column, source, chosen, n):
    """`column[k] = source[chosen[k]]`; loops of their own are vectorised."""
    for k in range(n):
        column[k] = source[chosen[k]]


@kernel()
def depth_differences(e0, e1, e2, e3, n):
    """Second and third difference per second from four depths; they replace `e2` and `e3`."""
    for k in range(n):
        a, b, c, d = e0[k], e1[k], e2[k], e3[k]
        e2[k] = a - 2 * b + c
        e3[k] = a - 3 * b + 3 * c - d


@kernel()
def first_difference(column, e0, e1, n):
    """`column = e0 - e1`."""
    for k in range(n):
        column[k] = e0[k] - e1[k]


@kernel()
def write_places(ticks, prices, sides, chosen, n, origin, spot_tick, tick_size):
    """Where each row's cell lies: ticks from spot, price, side."""
    for k in range(n):
        tick = origin + (chosen[k] >> 1)
        ticks[k] = tick - spot_tick
        prices[k] = tick * tick_size
    for k in range(n):
        sides[k] = chosen[k] & 1


@kernel()
def write_quiet(st, n, spot, spot_tick, valid):
    """All columns of the `n` chosen rows as if nothing had happened there in this window.

    `n` is rounded up to whole steps of the vector loops: what is written beyond the rows will be written over, and
    costs less than the loops' scalar ends.
    """
    book = book_of(st)
    out = rows_of(st)
    first = st[la.S_WALL_N]
    window = st[la.S_WINDOW_NUMBER]
    chosen = out.chosen
    write_places(
        row_of(out.wall, 0, first), row_of(out.wall_wide, 1, first), row_of(out.wall_flags, 0, first),
        chosen, n, st[la.S_ORIGIN], spot_tick, st[la.S_TICK_SIZE],
    )  # fmt: skip
    fill(row_of(out.wall_wide, 0, first), n, st[la.S_WINDOW_END])
    fill(row_of(out.wall_wide, 2, first), n, spot)
    fill(row_of(out.wall_flags, 1, first), n, np.uint8(valid))
    ended, before = row_of(book.ends, window & 3, 0), row_of(book.ends, (window - 1) & 3, 0)
    start, depth = row_of(out.wall, 1, first), row_of(out.wall, 2, first)
    gather(start, before, chosen, n)
    gather(depth, ended, chosen, n)
    copy(row_of(out.wall, 3, first), depth, n)
    gather(row_of(out.wall, 4, first), row_of(book.ends, la.END_COUNT, 0), chosen, n)
    for column in range(5, 12):
        fill(row_of(out.wall, column, first), n, np.int32(0))
    d1, d2, d3 = row_of(out.wall, 12, first), row_of(out.wall, 13, first), row_of(out.wall, 14, first)
    gather(d2, row_of(book.ends, (window - 2) & 3, 0), chosen, n)
    gather(d3, row_of(book.ends, (window - 3) & 3, 0), chosen, n)
    first_difference(d1, depth, start, n)
    depth_differences(depth, start, d2, d3, n)


@kernel()
def write_special(st, n):
    """Flow and young quantity of the `n` rows that have any, and the note of what was written for the sparse form."""
    book = book_of(st)
    out = rows_of(st)
    cells, wall = book.cells, out.wall
    for number in range(n):
        k = np.int64(out.special[number])
        cell = np.int64(out.chosen[k])
        row = st[la.S_WALL_N] + k
        depth = cells[cell, la.C_DEPTH]
        rest = depth - cells[cell, la.C_YOUNG]
        wall[3, row] = rest
        wall[5, row] = cells[cell, la.C_ADD]
        wall[6, row] = cells[cell, la.C_PULL]
        wall[7, row] = cells[cell, la.C_PULL_REST]
        wall[8, row] = cells[cell, la.C_FILL]
        wall[9, row] = cells[cell, la.C_REFILL]
        wall[10, row] = cells[cell, la.C_AWAY]
        wall[11, row] = cells[cell, la.C_TOWARD]
        cells[cell, la.C_OUT_DEPTH] = depth
        cells[cell, la.C_OUT_REST] = rest
        cells[cell, la.C_OUT_COUNT] = cells[cell, la.C_COUNT]
        offset = cell >> 1
        young = np.uint64(rest != depth)  # no branch: it would be a coin
        book.bits[offset >> 6, la.BIT_REVISIT + (cell & 1)] |= young << np.uint64(offset & 63)


@hot_kernel()
def still_doubtful(book, word, side, doubtful):
    """Which of the doubtful bits of a word differ from their last row; the others need no second look."""
    wanted = np.uint64(0)
    while doubtful != 0:
        bit = doubtful & (~doubtful + _ONE)
        cell = 2 * (64 * word + lowest_bit(doubtful)) + side
        doubtful ^= bit
        if differs_from_last_row(book, cell):
            wanted |= bit
        elif book.cells[cell, la.C_YOUNG] == 0:
            book.bits[word, la.BIT_REVISIT + side] &= ~bit
    return wanted


@kernel()
def choose_side(chosen, n, cell, wanted):
    """Append the cells of a word's set bits, `cell` being that of the lowest bit."""
    if wanted == 0:
        return n
    start = lowest_bit(wanted)
    run = wanted >> np.uint64(start)
    if run & (run + _ONE) == 0:  # near spot every price has orders: one run, written by vector stores
        length = count_bits(run)
        for k in range(length):
            chosen[n + k] = cell + 2 * (start + k)
        return n + length
    while wanted != 0:
        chosen[n] = cell + 2 * lowest_bit(wanted)
        wanted &= wanted - _ONE
        n += 1
    return n


@hot_kernel()
def choose_both(chosen, n, cell, bids, asks):
    """Append the cells of a word in which both sides have rows: by price, bids before asks."""
    look = bids | asks
    while look != 0:
        position = lowest_bit(look)
        bit = look & (~look + _ONE)
        look ^= bit
        if bids & bit:
            chosen[n] = cell + 2 * position
            n += 1
        if asks & bit:
            chosen[n] = cell + 2 * position + 1
            n += 1
    return n


@hot_kernel()
def note_special(special, m, n, bids, asks, side, marked):
    """Note which rows of a word, its first being row `n`, belong to the marked bits of a side."""
    while marked != 0:
        below = (marked & (~marked + _ONE)) - _ONE
        marked &= marked - _ONE
        upto = below + below + _ONE if side == la.ASK else below  # at the same price the bid comes first
        special[m] = n + count_bits(bids & upto) + count_bits(asks & below)
        m += 1
    return m


@kernel()
def write_wall(st, spot, valid):
    """The rows of the closing window, by price, bids before asks."""
    book = book_of(st)
    out = rows_of(st)
    bits = book.bits
    spot_tick = spot // st[la.S_TICK_SIZE]
    origin = st[la.S_ORIGIN]
    low, high = spot_tick - st[la.S_GRID], spot_tick + st[la.S_GRID]
    start = st[la.S_WINDOW_START]
    full = st[la.S_RTH_START] <= start < st[la.S_RTH_END] or start % MINUTE_NS == 0 or st[la.S_WINDOW_NUMBER] == 0
    n = m = 0
    for word in range((low - origin) >> 6, ((high - origin) >> 6) + 1):
        first = origin + 64 * word
        inside = span(first, low, high)
        whole = inside if full else span(first, spot_tick - st[la.S_NEAR], spot_tick + st[la.S_NEAR])
        entered = inside & ~span(first, st[la.S_GRID_LO], st[la.S_GRID_HI])
        bids = asks = special_bids = special_asks = np.uint64(0)
        for side in range(2):
            touched = bits[word, la.BIT_TOUCH + side]
            again = bits[word, la.BIT_REVISIT + side]
            wanted = inside & (touched | (bits[word, la.BIT_REST + side] & whole))
            wanted |= still_doubtful(book, word, side, inside & ~wanted & (entered | again))
            bits[word, la.BIT_REVISIT + side] &= ~wanted
            special = touched | again | entered
            if side == la.BID:
                bids, special_bids = wanted, special
            else:
                asks, special_asks = wanted, special
        m = note_special(out.special, m, n, bids, asks, la.BID, bids & special_bids)
        m = note_special(out.special, m, n, bids, asks, la.ASK, asks & special_asks)
        cell = 128 * word
        if asks == 0:
            n = choose_side(out.chosen, n, cell, bids)
        elif bids == 0:
            n = choose_side(out.chosen, n, cell + 1, asks)
        else:
            n = choose_both(out.chosen, n, cell, bids, asks)
    padded = -(-n // la.PADDING) * la.PADDING
    for k in range(n, padded):
        out.chosen[k] = 0
    write_quiet(st, padded, spot, spot_tick, valid)
    write_special(st, m)
    st[la.S_WALL_N] += n
    st[la.S_GRID_LO] = low
    st[la.S_GRID_HI] = high
