"""`bronze.future_mbo`: the market-by-order records of a day, as they came."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, ParquetLayout, TableModel
from spymaster.tables.records import MBO_COLUMNS, MBO_DELTA, MBO_SPLIT


class FutureMbo(TableModel):
    """Every market-by-order record of the root's futures for one UTC date, snapshots included.

    Rows are grouped by contract in order of its name; within a contract they keep the order of the file, which is the
    only truth about sequence. A row group of the Parquet file never spans two contracts.
    """

    layer = "bronze"
    name = "future_mbo"
    sort_by = ("contract",)
    time_column = "ts_recv"
    parquet = ParquetLayout(
        delta=MBO_DELTA,
        split=MBO_SPLIT,
        # a price is smaller in a dictionary (0.9 bytes against 2.0), a constant column cheaper without any
        dictionary=("price_int", "action", "side"),
        pruning=("ts_event",),
        row_group_by="contract",
    )

    contract = Column(pl.String, "raw symbol of the instrument, e.g. ESH4")
    fields = MBO_COLUMNS
