"""MBO records as plain Python tuples, and their grouping into events and snapshots.

Belongs here: what a record *is* and where an event or a snapshot starts and ends (10-market-data §1 and §2). What they
do to a book is in `ledger.py`, what they do to the clock in `book.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

F_LAST, F_TOB, F_SNAPSHOT, F_MAYBE_BAD_BOOK = 0x80, 0x40, 0x20, 0x04
UNDEF_PRICE = 2**63 - 1


class Record(NamedTuple):
    """One MBO record. Times in ns, price in 1e-9 (None where undefined), action and side as letters."""

    ts_event: int
    ts_recv: int
    order_id: int
    price: int | None
    size: int
    flags: int
    action: str
    side: str
    sequence: int


class Event(NamedTuple):
    """Live records up to and with the one that carries F_LAST (or up to a snapshot, or to the end of the file)."""

    records: list[Record]


class Snapshot(NamedTuple):
    """A run of F_SNAPSHOT records; `closed` when its last record carries F_LAST."""

    records: list[Record]
    closed: bool


def to_records(array: np.ndarray, instrument_id: int | None = None) -> list[Record]:
    """Turn a structured array into records, optionally of one instrument, in file order.

    Accepts `spymaster.market.dbn.MBO_DTYPE` (action and side as ASCII codes) as well as what
    `databento.DBNStore.to_ndarray` returns (one-byte strings).
    """
    if instrument_id is not None:
        array = array[array["instrument_id"] == instrument_id]
    columns: list[list[Any]] = [array[name].tolist() for name in ("ts_event", "ts_recv", "order_id")]
    columns.append([None if price == UNDEF_PRICE else price for price in array["price"].tolist()])
    columns += [array[name].tolist() for name in ("size", "flags")]
    columns += [_letters(array[name]) for name in ("action", "side")]
    columns.append(array["sequence"].tolist())
    return [Record(*row) for row in zip(*columns, strict=True)]


def _letters(values: np.ndarray) -> list[str]:
    if values.dtype.kind == "S":
        return [value.decode() for value in values.tolist()]
    return [chr(value) for value in values.tolist()]


def load_dbn(path: Path) -> np.ndarray:
    """All MBO records of a DBN file, read by Databento's own decoder (not by Spymaster's reader)."""
    import databento

    return databento.DBNStore.from_file(path).to_ndarray()


def group(records: Iterable[Record]) -> Iterator[Event | Snapshot]:
    """Split one instrument's records into events and snapshots.

    An event ends with F_LAST. A snapshot ends with F_LAST too, or before the first live record; the F_SNAPSHOT record
    after a closed snapshot starts another one (the next day's file, loaded after this one). What is still open when
    the other kind begins, or at the end of the file, is closed there.
    """
    pending: list[Record] = []
    for record in records:
        if pending and (pending[-1].flags ^ record.flags) & F_SNAPSHOT:
            yield _close(pending)
            pending = []
        pending.append(record)
        if record.flags & F_LAST:
            yield _close(pending)
            pending = []
    if pending:
        yield _close(pending)


def _close(records: Sequence[Record]) -> Event | Snapshot:
    if records[0].flags & F_SNAPSHOT:
        return Snapshot(list(records), closed=bool(records[-1].flags & F_LAST))
    return Event(list(records))
