"""Kernels that keep, per cell, the depth at the last four ends of windows, and reset its flow.

A cell's depth can only differ between these ends if it had flow since, so only cells with flow in the last four windows
are gone through; they are found through bit planes that age by one window at each end.
"""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.arrays import book_of
from spymaster.book.views import lowest_bit
from spymaster.jit import hot_kernel, kernel

_ONE = np.uint64(1)


@kernel()
def begin_history(st):
    """The clock starts: the depth so far is the depth at every earlier end, and nothing has flow."""
    book = book_of(st)
    for cell in range(2 * st[la.S_WIDTH] + st[la.S_SPILL_N]):
        forget_flow(book, cell)
        book.cells[cell, la.C_LAST] = la.LONG_AGO
        for row in range(la.END_COUNT):
            book.ends[row, cell] = book.cells[cell, la.C_DEPTH]
        book.ends[la.END_COUNT, cell] = book.cells[cell, la.C_COUNT]
    for word in range(st[la.S_WIDTH] >> 6):
        for side in range(2):
            for plane in la.BIT_TOUCH_AGES:
                book.bits[word, plane + side] = 0
    for group in range((st[la.S_WIDTH] >> 12) + 1):
        st[la.AT_SUMMARY + group] = 0
    st[la.S_SPILL_RECENT_N] = 0


@hot_kernel()
def forget_flow(book, cell):
    """Reset a cell's accumulators for the next window, by whose end what is young now will rest."""
    for field in range(la.C_ADD, la.C_YOUNG + 1):
        book.cells[cell, field] = 0


@hot_kernel()
def keep_end(book, row, cell):
    """Note a cell's state at the window's end."""
    book.ends[row, cell] = book.cells[cell, la.C_DEPTH]
    book.ends[la.END_COUNT, cell] = book.cells[cell, la.C_COUNT]


@kernel()
def keep_ends(st):
    """Note the state of every cell at the window's end; before its rows are written."""
    book = book_of(st)
    bits = book.bits
    row = st[la.S_WINDOW_NUMBER] & 3
    for group in range((st[la.S_WIDTH] >> 12) + 1):
        words = np.uint64(st[la.AT_SUMMARY + group])
        while words != 0:
            word = 64 * group + lowest_bit(words)
            words &= words - _ONE
            for side in range(2):
                recent = bits[word, la.BIT_TOUCH + side] | bits[word, la.BIT_TOUCH_1 + side]
                recent |= bits[word, la.BIT_TOUCH_2 + side] | bits[word, la.BIT_TOUCH_3 + side]
                while recent != 0:
                    keep_end(book, row, 2 * (64 * word + lowest_bit(recent)) + side)
                    recent &= recent - _ONE
    for number in range(st[la.S_SPILL_RECENT_N]):
        keep_end(book, row, book.spill[st[la.S_SPILL_CAPACITY] + number])


@kernel()
def reset_flow(st):
    """Reset the flow of the window and age the planes by one window; after its rows have been written."""
    book = book_of(st)
    bits = book.bits
    for group in range((st[la.S_WIDTH] >> 12) + 1):
        words = np.uint64(st[la.AT_SUMMARY + group])
        still = words
        while words != 0:
            lowest = lowest_bit(words)
            words &= words - _ONE
            word = 64 * group + lowest
            left = np.uint64(0)
            for side in range(2):
                touched = bits[word, la.BIT_TOUCH + side]
                bits[word, la.BIT_TOUCH_3 + side] = bits[word, la.BIT_TOUCH_2 + side]
                bits[word, la.BIT_TOUCH_2 + side] = bits[word, la.BIT_TOUCH_1 + side]
                bits[word, la.BIT_TOUCH_1 + side] = touched
                bits[word, la.BIT_TOUCH + side] = 0
                left |= touched | bits[word, la.BIT_TOUCH_2 + side] | bits[word, la.BIT_TOUCH_3 + side]
                while touched != 0:
                    forget_flow(book, 2 * (64 * word + lowest_bit(touched)) + side)
                    touched &= touched - _ONE
            if left == 0:
                still &= ~(_ONE << np.uint64(lowest))
        st[la.AT_SUMMARY + group] = np.int64(still)
    kept = 0
    first = st[la.S_SPILL_CAPACITY]
    for number in range(st[la.S_SPILL_RECENT_N]):
        cell = book.spill[first + number]
        forget_flow(book, cell)
        if st[la.S_WINDOW_NUMBER] - book.cells[cell, la.C_LAST] < 3:
            book.spill[first + kept] = cell
            kept += 1
    st[la.S_SPILL_RECENT_N] = kept
