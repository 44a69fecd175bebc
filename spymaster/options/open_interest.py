"""Open interest as it becomes known during a session: a step function per option.

A statistics file holds many kinds of records in one column: `stat_type` 9 is open interest and a quantity, while 1 is
the opening price, 3 the settlement and 6 the cleared volume. An option's open interest is published more than once, the
preliminary figure hours before the final one, and a record may withdraw what was said. So what is known at a time is
the option's latest record received by then (`ts_recv`) about a session at or before the date (`ts_ref`), and nothing if
that record is a withdrawal or has no quantity. Nothing known is not 0 contracts.

A date's partition of statistics holds what was received on that date. What was received on earlier ones, mostly about
sessions further back, is not carried over: before the date's first publication nothing is known.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import polars as pl

OPEN_INTEREST: Final = 9
"""`stat_type` of open interest."""
UNKNOWN: Final = -1
"""Quantity of a step that leaves nothing known."""

STATISTICS_COLUMNS: Final = ("instrument_id", "stat_type", "quantity", "ts_ref", "ts_recv", "update")
"""Columns of `bronze.option_statistics` that are read."""


class InterestSteps(NamedTuple):
    """Changes of what is known, in the order in which they become known; int64[m] each."""

    known_ns: np.ndarray
    """Receive time: from then on, itself included, the step counts."""
    instrument_id: np.ndarray
    quantity: np.ndarray
    """Lots, `UNKNOWN` where nothing is known any more."""

    def at(self, ns: int) -> dict[int, int]:
        """Open interest by instrument id as known at a time (ns); instruments of which nothing is known are absent."""
        until = int(np.searchsorted(self.known_ns, ns, side="right"))
        latest = dict(zip(self.instrument_id[:until].tolist(), self.quantity[:until].tolist(), strict=True))
        return {number: quantity for number, quantity in latest.items() if quantity != UNKNOWN}


def interest_steps(statistics: pl.DataFrame, dt: date) -> InterestSteps:
    """Steps of open interest from a date's `bronze.option_statistics` (`STATISTICS_COLUMNS`), rows in file order.

    Records about a later session, or about none, are no open interest of this one. Of two records of one option with
    one receive time the later in the file counts.
    """
    next_day = datetime(dt.year, dt.month, dt.day, tzinfo=UTC) + timedelta(days=1)
    told = (pl.col("update") == "new") & (pl.col("quantity") >= 0)
    steps = (
        statistics.lazy()
        .filter((pl.col("stat_type") == OPEN_INTEREST) & (pl.col("ts_ref") < next_day))
        .select(
            known_ns=pl.col("ts_recv").to_physical(),
            instrument_id=pl.col("instrument_id").cast(pl.Int64),
            quantity=pl.when(told.fill_null(False)).then("quantity").otherwise(UNKNOWN).cast(pl.Int64),
        )
        .sort("known_ns", maintain_order=True)
        .collect()
    )
    return InterestSteps(*(np.array(steps[name]) for name in InterestSteps._fields))
