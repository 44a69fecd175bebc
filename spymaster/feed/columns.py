"""Records of a file into the columns of a Bronze table, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from spymaster.market.dbn import UNDEF_PRICE, Records
from spymaster.tables.model import TableModel
from spymaster.tables.types import ACTION, RECORD_SIDE, TIMESTAMP

_STORAGE: dict[str, Any] = {
    "instrument_id": np.uint32,
    "publisher_id": np.uint16,
    "ts_event": np.int64,
    "ts_recv": np.int64,
    "order_id": np.uint64,
    "price_int": np.int64,
    "size": np.uint32,
    "flags": np.uint8,
    "channel_id": np.uint8,
    "action": np.uint8,
    "side": np.uint8,
    "ts_in_delta": np.int32,
    "sequence": np.uint32,
}
"""Column arrays of a frame under construction, in the order of the kernels' arguments."""


class Columns:
    """Column arrays that fill up record by record and become a frame of `model` when `rows` are full."""

    def __init__(self, rows: int, model: type[TableModel]) -> None:
        self._rows = rows
        self._names = model.schema().names()
        self._filled = 0
        self._arrays = self._allocate()

    def _allocate(self) -> dict[str, np.ndarray]:
        return {name: np.empty(self._rows, dtype) for name, dtype in _STORAGE.items()}

    def add(self, records: Records, contract: str | None = None) -> Iterator[pl.DataFrame]:
        """Append records, of one `contract` where the table has one, yielding each frame that gets full."""
        from spymaster.feed import kernels

        while len(records):
            taken = records[: self._rows - self._filled]
            span = slice(self._filled, self._filled + len(taken))
            kernels.unpack(
                taken, *(array[span] for array in self._arrays.values()), kernels.ACTION_CODES, kernels.SIDE_CODES
            )
            self._filled += len(taken)
            records = records[len(taken) :]
            if self._filled == self._rows:
                yield from self.rest(contract)

    def rest(self, contract: str | None = None) -> Iterator[pl.DataFrame]:
        """Yield what is left (of the contract) as a frame, if anything is."""
        if self._filled:
            yield _frame({name: array[: self._filled] for name, array in self._arrays.items()}, contract)[self._names]
            self._filled = 0
            self._arrays = self._allocate()


def _frame(arrays: dict[str, np.ndarray], contract: str | None) -> pl.DataFrame:
    price = pl.col("price_int")
    return pl.DataFrame(arrays).select(
        pl.lit(contract).alias("contract"),
        pl.col("instrument_id", "publisher_id"),
        pl.col("ts_event", "ts_recv").cast(TIMESTAMP),
        pl.col("order_id"),
        pl.when(price != UNDEF_PRICE).then(price).alias("price_int"),
        pl.col("size", "flags", "channel_id"),
        pl.col("action").cat.to(ACTION),
        pl.col("side").cat.to(RECORD_SIDE),
        pl.col("ts_in_delta", "sequence"),
    )
