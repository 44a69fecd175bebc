"""`bronze.future_statistics`: statistics of the exchange on the root's futures, as they came."""

from __future__ import annotations

from spymaster.tables.model import TableModel
from spymaster.tables.records import STATISTICS_COLUMNS


class FutureStatistics(TableModel):
    """Every statistics record of the root's futures for one UTC date, in the order of the file.

    Open interest is `stat_type` 9 and a quantity; 1 is the opening price, 3 the settlement, 4 and 5 the session's low
    and high, 6 the cleared volume. A record is known from its `ts_recv` on and speaks of the session `ts_ref`.
    """

    layer = "bronze"
    name = "future_statistics"
    time_column = "ts_recv"

    fields = STATISTICS_COLUMNS
