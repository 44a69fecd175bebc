"""From the stored tables of a session to the arrays that tests read."""

from __future__ import annotations

from spymaster.evidence import arrays
from spymaster.evidence.arrays import DayArrays, Market, day_arrays, market_arrays
from spymaster.evidence.law import Law
from spymaster.lake import Partition


def session_market(trades: Partition, quotes: Partition, snapshot: Partition) -> Market:
    """Trades and quotes of a date, of partitions of `silver.trade`, `bbo_change` and `book_snapshot_1s`."""
    return market_arrays(
        trades.read(arrays.TRADE_COLUMNS), quotes.read(arrays.QUOTE_COLUMNS), snapshot.read(arrays.SNAPSHOT_COLUMNS)
    )


def session_arrays(
    events: Partition,
    lives: Partition,
    trades: Partition,
    quotes: Partition,
    snapshot: Partition,
    *,
    tick_size_int: int,
    law: Law | None = None,
) -> DayArrays:
    """The day of partitions of `silver.order_event`, `order_life`, `trade`, `bbo_change` and `book_snapshot_1s`.

    law: as in `day_arrays`, of earlier days. Raises `EvidenceInputError` for a day without seconds.
    """
    return day_arrays(
        events.read(arrays.EVENT_COLUMNS),
        lives.read(arrays.LIFE_COLUMNS),
        trades.read(arrays.TRADE_COLUMNS),
        quotes.read(arrays.QUOTE_COLUMNS),
        snapshot.read(arrays.SNAPSHOT_COLUMNS),
        tick_size_int=tick_size_int,
        law=law,
    )
