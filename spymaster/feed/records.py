"""From `bronze.future_mbo` and `bronze.option_mbo` back to records, byte for byte as they were in the file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from spymaster.feed.prefetch import prefetch
from spymaster.lake import Partition
from spymaster.market.dbn import MBO_DTYPE, UNDEF_PRICE, Records

CHUNK_RECORDS = 65_536
_COLUMNS = (
    "instrument_id",
    "publisher_id",
    "ts_event",
    "ts_recv",
    "order_id",
    "price_int",
    "size",
    "flags",
    "channel_id",
    "action",
    "side",
    "ts_in_delta",
    "sequence",
)


def records(partition: Partition, contract: str, chunk: int = CHUNK_RECORDS) -> Iterator[Records]:
    """Yield the records of one contract of a `bronze.future_mbo` partition, in file order, at most `chunk` at a time.

    Only the row groups of that contract are read, ahead of the consumer in a thread. Each array is new and writable.
    """
    return prefetch(
        pack(frame[start : start + chunk])
        for frame in partition.batches(_COLUMNS, contract=contract)
        for start in range(0, frame.height, chunk)
    )


def option_records(mbo: Partition, chunk: int = CHUNK_RECORDS) -> Iterator[Records]:
    """Yield the records of a `bronze.option_mbo` partition, in file order, at most `chunk` at a time.

    They are read ahead of the consumer in a thread. Each array is new and writable.
    """
    return prefetch(
        pack(frame[start : start + chunk]) for frame in mbo.batches(_COLUMNS) for start in range(0, frame.height, chunk)
    )


def pack(frame: pl.DataFrame) -> Records:
    """Rows of either table (any columns beside the needed ones are ignored) as an array of records."""
    from spymaster.feed import kernels

    result = np.empty(frame.height, MBO_DTYPE)
    columns = frame.select(pl.col(_COLUMNS).to_physical()).with_columns(pl.col("price_int").fill_null(UNDEF_PRICE))
    arrays = [columns.get_column(name).to_numpy() for name in _COLUMNS]
    kernels.pack(result, *arrays, kernels.ACTION_LETTERS, kernels.SIDE_LETTERS)
    return result
