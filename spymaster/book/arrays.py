"""The arrays of the book: as Python holds them, and how kernels find them.

Their addresses lie in the state, which is all that a call from kernel to kernel hands on: nine arrays and eight
output buffers as arguments would be pushed through every call that is not inlined. `note_addresses` has to be called
whenever an array is replaced, and the engine keeps the arrays alive.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spymaster.book import layout as la
from spymaster.book.layout import BIT_PLANES, CELL_FIELDS, LINK_FIELDS, ORDER_FIELDS
from spymaster.book.views import FLOAT64, INT32, INT64, UINT8, UINT64, strided_view_at, view_at, view_of
from spymaster.jit import hot_kernel


class Book(NamedTuple):
    """Every array a kernel touches; drawn in `layout`."""

    orders: np.ndarray
    links: np.ndarray
    pending: np.ndarray
    index: np.ndarray
    cells: np.ndarray
    ends: np.ndarray
    bits: np.ndarray
    spill: np.ndarray
    per_tick: np.ndarray
    state: np.ndarray


class Scratch(NamedTuple):
    """What closing a window needs to choose its wall rows."""

    chosen: np.ndarray  # int32: cells of the wall rows of the closing window
    special: np.ndarray  # int32: which of these rows are more than a copy of the depth


class Pointers(NamedTuple):
    """`Book` inside the kernels."""

    orders: Any
    links: Any
    pending: Any
    index: Any
    cells: Any
    ends: Any
    bits: Any
    spill: Any
    per_tick: Any
    state: Any


class Rows(NamedTuple):
    """The columns of the block that is being filled (`blocks`), [columns, rows], and `Scratch`, inside the kernels."""

    snapshot: Any
    wall_wide: Any
    wall: Any
    wall_flags: Any
    trade: Any
    bbo: Any
    chosen: Any
    special: Any


def cache_aligned(rows: int, columns: int, dtype: type) -> np.ndarray:
    """Zeroed C-ordered array whose first row starts on a 64-byte line, so that a 64-byte row is one cache line."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(rows * columns * item + 64, dtype=np.uint8)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + rows * columns * item].view(dtype).reshape(rows, columns)


def empty_cells(n: int) -> np.ndarray:
    """`n` cells in which nothing rests and nothing has happened."""
    cells = cache_aligned(n, CELL_FIELDS, np.int32)
    cells[:, la.C_HEAD] = cells[:, la.C_TAIL] = -1
    cells[:, la.C_LAST] = la.LONG_AGO
    return cells


def note_addresses(state: np.ndarray, arrays: Book | Scratch) -> None:
    """Write the addresses and row lengths of arrays where the kernels look for them."""
    for name, array in arrays._asdict().items():
        if name in la.ADDRESSED:
            place = la.AT_ADDRESSES + 2 * la.ADDRESSED.index(name)
            state[place] = array.__array_interface__["data"][0]  # a tenth of the time of `ctypes.data`
            state[place + 1] = array.shape[-1]


@hot_kernel()
def state_of(state):
    """The state as a view: the first thing that a kernel called from Python makes."""
    return view_of(state, 1, "state")


@hot_kernel()
def book_of(st):
    """Views of the book's arrays."""
    return Pointers(
        view_at(st, la.A_ORDERS, INT64, ORDER_FIELDS, "orders"),
        view_at(st, la.A_ORDERS, INT32, LINK_FIELDS, "orders"),
        view_at(st, la.A_PENDING, INT64, 1, "pending"),
        view_at(st, la.A_INDEX, INT32, 1, "index"),
        view_at(st, la.A_CELLS, INT32, CELL_FIELDS, "cells"),
        strided_view_at(st, la.A_ENDS, INT32, "ends"),
        view_at(st, la.A_BITS, UINT64, BIT_PLANES, "bits"),
        view_at(st, la.A_SPILL, INT64, 1, "spill"),
        view_at(st, la.A_PER_TICK, FLOAT64, 1, "per_tick"),
        st,
    )


@hot_kernel()
def rows_of(st):
    """Views of the output buffers."""
    return Rows(
        strided_view_at(st, la.A_SNAPSHOT, INT64, "snapshot"),
        strided_view_at(st, la.A_WALL_WIDE, INT64, "wall_wide"),
        strided_view_at(st, la.A_WALL, INT32, "wall"),
        strided_view_at(st, la.A_WALL_FLAGS, UINT8, "wall_flags"),
        strided_view_at(st, la.A_TRADE, INT64, "trade"),
        strided_view_at(st, la.A_BBO, INT64, "bbo"),
        view_at(st, la.A_CHOSEN, INT32, 1, "chosen"),
        view_at(st, la.A_SPECIAL, INT32, 1, "special"),
    )
