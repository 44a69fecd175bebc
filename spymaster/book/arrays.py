"""How kernels find the arrays of the book: their addresses lie in the state, which is all that a call hands on.

A book of twelve arrays and eight output buffers as arguments would be pushed through every call that is not inlined;
in the state they cost a load where they are used. `note_addresses` has to be called whenever an array is replaced,
and the engine keeps the arrays alive.
"""

from __future__ import annotations

import numpy as np

from spymaster.book import layout as la
from spymaster.book.layout import BIT_PLANES, CELL_FIELDS, LINK_FIELDS, ORDER_FIELDS
from spymaster.book.views import FLOAT64, INT32, INT64, UINT8, UINT64, strided_view_at, view_at, view_of
from spymaster.jit import hot_kernel


def note_addresses(state: np.ndarray, arrays: la.Book | la.Output) -> None:
    """Write the addresses and row lengths of arrays where the kernels look for them."""
    for name, array in arrays._asdict().items():
        if name in la.ADDRESSED:
            place = la.AT_ADDRESSES + 2 * la.ADDRESSED.index(name)
            state[place : place + 2] = array.ctypes.data, array.shape[-1]


@hot_kernel()
def state_of(state):
    """The state as a view: the first thing that a kernel called from Python makes."""
    return view_of(state, 1, "state")


@hot_kernel()
def book_of(st):
    """Views of the book's arrays."""
    return la.Pointers(
        view_at(st, la.A_ORDERS, INT64, ORDER_FIELDS, "orders"),
        view_at(st, la.A_ORDERS, INT32, LINK_FIELDS, "orders"),
        view_at(st, la.A_PENDING, INT64, 1, "pending"),
        view_at(st, la.A_INDEX, INT32, 1, "index"),
        view_at(st, la.A_CELLS, INT32, CELL_FIELDS, "cells"),
        strided_view_at(st, la.A_ENDS, INT32, "ends"),
        view_at(st, la.A_BITS, UINT64, BIT_PLANES, "bits"),
        view_at(st, la.A_YOUNG, INT32, 1, "young"),
        view_at(st, la.A_YOUNG_AT, INT32, 1, "young_at"),
        view_at(st, la.A_SPILL, INT64, 1, "spill"),
        view_at(st, la.A_PER_TICK, FLOAT64, 1, "per_tick"),
        st,
    )


@hot_kernel()
def rows_of(st):
    """Views of the output buffers."""
    return la.Rows(
        strided_view_at(st, la.A_SNAPSHOT, INT64, "snapshot"),
        strided_view_at(st, la.A_WALL_WIDE, INT64, "wall_wide"),
        strided_view_at(st, la.A_WALL, INT32, "wall"),
        strided_view_at(st, la.A_WALL_FLAGS, UINT8, "wall_flags"),
        strided_view_at(st, la.A_TRADE, INT64, "trade"),
        strided_view_at(st, la.A_BBO, INT64, "bbo"),
        view_at(st, la.A_CHOSEN, INT32, 1, "chosen"),
        view_at(st, la.A_SPECIAL, INT32, 1, "special"),
    )
