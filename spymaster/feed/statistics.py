"""`bronze.future_statistics` and `bronze.option_statistics`: what the exchange publishes beside the orders.

Open interest, settlements, the session's prices and volume. Rows are the records as they came, those that withdraw a
statistic included; which of them hold at a moment is for the reader to say, who knows the moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from spymaster.feed.errors import InvalidRecordError
from spymaster.feed.messages import read_statistics, timestamp
from spymaster.feed.sources import dataset_of, open_covering
from spymaster.lake import RawFile
from spymaster.market.calendar import wall_time_ns
from spymaster.market.dbn import UNDEF_PRICE
from spymaster.tables.model import TableModel
from spymaster.tables.types import STATISTIC_UPDATES

if TYPE_CHECKING:
    from databento_dbn import StatMsg

FRAME_ROWS = 131_072
_UPDATES = dict(enumerate(STATISTIC_UPDATES, start=1))
"""By the numbers of DBN."""


def statistics_frames(
    model: type[TableModel], raw: RawFile, dt: date, *, rows: int = FRAME_ROWS, counters: dict[str, Any] | None = None
) -> Iterator[pl.DataFrame]:
    """Yield frames of `model` (either statistics table): the file's records received on `dt`, in the order of the file.

    A file may span several dates. What DBN calls undefined is null, in every version of it. `counters` receives
    `statistics` (rows) and `of_other_dates` (records left out). Raises what opening and reading the file raises, and
    InvalidRecordError for a record without times or with an unknown kind of update.
    """
    partition = f"{raw.symbol} {dt}"
    open_covering(raw, dt, schema="statistics", partition=partition)
    schema = model.schema()
    start, end = (wall_time_ns(day, time(0), "UTC") for day in (dt, dt + timedelta(days=1)))
    filled: list[tuple[Any, ...]] = []
    kept = other = 0
    for number, record in enumerate(read_statistics(raw.path, datasets={dataset_of(raw)}, partition=partition)):
        if not start <= record.ts_recv < end and timestamp(record.ts_recv) is not None:
            other += 1
            continue
        filled.append(_row(record, raw, number, partition))
        kept += 1
        if len(filled) == rows:
            yield pl.DataFrame(filled, schema=schema, orient="row")
            filled = []
    if filled:
        yield pl.DataFrame(filled, schema=schema, orient="row")
    if counters is not None:
        counters |= {"statistics": kept, "of_other_dates": other}


def _row(record: StatMsg, raw: RawFile, number: int, partition: str) -> tuple[Any, ...]:
    """One record, its fields in the order of the tables' columns."""
    update = _UPDATES.get(int(record.update_action))
    event, received = timestamp(record.ts_event), timestamp(record.ts_recv)
    if update is None or event is None or received is None:
        wrong = f"update action {int(record.update_action)}" if update is None else "no time of event or receipt"
        message = f"a statistic of instrument {record.instrument_id} with {wrong}"
        raise InvalidRecordError(raw.path, message, partition=partition, record=number)
    return (
        record.instrument_id,
        record.publisher_id,
        int(record.stat_type),
        None if record.price == UNDEF_PRICE else record.price,
        None if record.quantity == UNDEF_PRICE else record.quantity,
        timestamp(record.ts_ref),
        event,
        received,
        update,
        record.stat_flags,
        record.channel_id,
        record.sequence,
    )
