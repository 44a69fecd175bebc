"""`bronze.option_mbo`: the market-by-order records of the root's options, as they came."""

from __future__ import annotations

from spymaster.tables.model import ParquetLayout, TableModel
from spymaster.tables.records import MBO_COLUMNS, MBO_DELTA, MBO_SPLIT


class OptionMbo(TableModel):
    """Every market-by-order record of the root's options for one UTC date, in the order of the file.

    A file holds thousands of instruments, so rows are not grouped: one pass reads them all. What an instrument is says
    `option_definition`.
    """

    layer = "bronze"
    name = "option_mbo"
    time_column = "ts_recv"
    parquet = ParquetLayout(
        delta=MBO_DELTA,
        split=MBO_SPLIT,
        dictionary=("instrument_id", "price_int", "action", "side"),
        pruning=("ts_event",),
    )

    fields = MBO_COLUMNS
