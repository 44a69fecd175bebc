"""The memory that one block of windows is written into, and the columns in it.

A block is one allocation, handed over as it is when it is full. A busy second fills a fortieth of a block, so a day has
thousands of them: what does not change from one to the next is worked out once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from spymaster.book import layout as la

SNAPSHOT, WALL, TRADE, BBO = "book_snapshot_1s", "wall_surface_1s", "trade", "bbo_change"
EMITTABLE = {SNAPSHOT: la.EMIT_SNAPSHOT, WALL: la.EMIT_WALL, TRADE: la.EMIT_TRADE, BBO: la.EMIT_BBO}

Block = dict[str, dict[str, np.ndarray]]
"""Columns by table by name: what a block of whole windows emitted. Nullable integers hold `layout.NO_PRICE`."""

LINE = 64
"""Bytes of a cache line; every column starts on one."""


class _Buffer(NamedTuple):
    """A table's columns of one type, `stride` bytes apart from `offset` on."""

    table: str
    names: tuple[str, ...]
    dtype: np.dtype
    address: int
    """Where in the state the kernels find it."""
    offset: int
    stride: int


_COLUMNS = (
    (SNAPSHOT, la.SNAPSHOT_COLUMNS, np.int64, la.A_SNAPSHOT),
    (WALL, la.WALL_WIDE, np.int64, la.A_WALL_WIDE),
    (WALL, la.WALL_INT, np.int32, la.A_WALL),
    (WALL, la.WALL_FLAGS, np.uint8, la.A_WALL_FLAGS),
    (TRADE, la.TRADE_COLUMNS, np.int64, la.A_TRADE),
    (BBO, la.BBO_COLUMNS, np.int64, la.A_BBO),
)
_ADDRESSES = slice(_COLUMNS[0][3], _COLUMNS[-1][3] + 1, 2)


class BlockMemory:
    """The block that is being filled, with room for `rows` by table; `state` is told where it lies."""

    def __init__(self, state: np.ndarray, rows: Mapping[str, int]) -> None:
        self._state = state
        self._buffers: list[_Buffer] = []
        size = 0
        for table, names, item, address in _COLUMNS:
            dtype = np.dtype(item)
            room = -(-rows[table] // LINE) * LINE
            self._buffers.append(_Buffer(table, tuple(names), dtype, address, size, room * dtype.itemsize))
            state[address + 1] = room
            size += len(names) * room * dtype.itemsize
        self._size = size + LINE
        self._offsets = np.array([buffer.offset for buffer in self._buffers])
        self.renew()

    def renew(self) -> None:
        """Go on with fresh memory; what was written stays with whoever holds columns of it."""
        self._memory = np.empty(self._size, np.uint8)
        start = self._memory.__array_interface__["data"][0]  # a tenth of the time of `ctypes.data`
        self._skip = -start % LINE
        self._state[_ADDRESSES] = self._offsets + (start + self._skip)

    def columns(self, rows: Mapping[str, int]) -> Block:
        """The first `rows` of each table named there."""
        block: Block = {table: {} for table in rows}
        for table, names, dtype, _, offset, stride in self._buffers:
            if table in rows:
                shape, strides = (len(names), rows[table]), (stride, dtype.itemsize)
                held = np.ndarray(shape, dtype, self._memory, self._skip + offset, strides)
                block[table].update(zip(names, held, strict=True))
        return block
