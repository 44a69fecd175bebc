"""`bronze.future_mbo`: the records of an MBO file as frames, grouped by contract, in bounded memory.

A file interleaves its instruments in time; the table groups them, because one contract-day is what all else reads. The
file is decoded once. The contract that comes first by name (often the front month, hence most of the file)
goes straight through; the others wait in an anonymous temporary file, which vanishes with the process, and are read
back contract by contract. One decode pass per contract would need no disk, but a root has 5 to 40 instruments with its
spreads and decoding is the expensive part: a day that decodes in seconds would take minutes. A file of one instrument,
the usual case, never touches the disk. A date may also come in several files, each with contracts of its own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from spymaster.feed.errors import DuplicateInstrumentError, MissingRawFileError, WrongTimeSpanError
from spymaster.feed.metadata import REAL_DATASET
from spymaster.feed.prefetch import prefetch
from spymaster.feed.reader import CHUNK_RECORDS, MboFile, RecordCheck
from spymaster.lake import Lake, RawFile, raw_files
from spymaster.market.dbn import MBO_DTYPE, RECORD_BYTES, SIM_DATASET, UNDEF_PRICE, Records
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.types import ACTION, RECORD_SIDE, TIMESTAMP

FRAME_ROWS = 262_144
_SPOOL_BUFFER_RECORDS = 500_000
"""Records held back in memory before they go to the spool, over all contracts: 28 MB."""


def open_day(lake: Lake, root: str, dt: date) -> list[tuple[RawFile, MboFile]]:
    """The raw MBO files of a root's date, their headers checked; several where each holds other contracts.

    Raises MissingRawFileError if there is none, WrongTimeSpanError if one is of another date, DuplicateInstrumentError
    if two hold the same instrument, and what `MboFile.open` raises.
    """
    label = f"{root} {dt}"
    raws = raw_files(lake, root, "market_by_order_dbn", dt)
    if not raws:
        raise MissingRawFileError(
            f"no market-by-order file of {label} in {lake.root}/raw",
            hint=f"Add one: spymaster raw add FILE --symbol {root}",
        )
    datasets = {SIM_DATASET if raw.provenance == "simulated" else REAL_DATASET for raw in raws}
    opened = [(raw, MboFile.open(raw.path, datasets=datasets, partition=label)) for raw in raws]
    held: dict[int, Path] = {}
    for raw, file in opened:
        if file.metadata.dates != (dt, dt):
            raise WrongTimeSpanError(
                raw.path,
                f"its name tells {dt}, its metadata {' to '.join(map(str, file.metadata.dates))}",
                partition=label,
                hint="Add raw files with `spymaster raw add`, which checks their date.",
            )
        for number, symbol in file.metadata.symbols.items():
            if number in held:
                raise DuplicateInstrumentError(
                    raw.path,
                    f"{symbol} ({number}) is also in {held[number].name} of the same date",
                    partition=label,
                    hint="Keep one of the two files in the raw folder.",
                )
            held[number] = raw.path
    return opened


def future_mbo_frames(
    files: MboFile | Sequence[MboFile],
    *,
    spool_dir: Path | None = None,
    rows: int = FRAME_ROWS,
    counters: dict[str, Any] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield the files' records as frames of `bronze.future_mbo`, at most `rows` each, grouped by contract name.

    `files` hold different instruments of one date. Within a contract the file's order is kept. Decoding works ahead in
    a thread. `spool_dir` (default: the system's) holds the temporary file; it needs 56 bytes per record of all
    contracts but the first. `counters` receives `records` and `records_by_contract`. Raises what `MboFile.chunks`
    raises.
    """
    return prefetch(_frames([files] if isinstance(files, MboFile) else files, spool_dir, rows, counters), depth=1)


def _frames(
    files: Sequence[MboFile], spool_dir: Path | None, rows: int, counters: dict[str, Any] | None
) -> Generator[pl.DataFrame, None, None]:
    order = sorted({name for file in files for name in file.metadata.symbols.values()} or {""})
    first, place = order[0], {name: position for position, name in enumerate(order)}
    columns = _Columns(rows)
    counts = np.zeros(len(order), np.int64)
    grouped = np.empty(CHUNK_RECORDS, MBO_DTYPE)
    with _Spool(spool_dir, len(order)) as spool:
        for file in files:
            check = RecordCheck(file)
            positions = np.array([place[file.metadata.symbols.get(int(number), first)] for number in check.ids])
            for chunk, which in file.checked_chunks(check, CHUNK_RECORDS):
                for local, records in _split(chunk, which, len(positions), grouped):
                    if positions[local] == 0:
                        yield from columns.add(records, first)
                    else:
                        spool.put(positions[local], records)
            np.add.at(counts, positions, check.counts)
        yield from columns.rest(first)
        for position, name in enumerate(order[1:], start=1):
            for records in spool.get(position):
                yield from columns.add(records, name)
            yield from columns.rest(name)
    if counters is not None:
        counters["records"] = int(counts.sum())
        counters["records_by_contract"] = {name: int(n) for name, n in zip(order, counts, strict=True) if n}


def _split(chunk: Records, which: np.ndarray, instruments: int, grouped: Records) -> Iterator[tuple[int, Records]]:
    """The chunk's records per instrument, in order; views of `chunk` or of the buffer `grouped`."""
    if instruments == 1:
        yield 0, chunk
        return
    from spymaster.feed import kernels

    counts = np.bincount(which, minlength=instruments)
    ends = np.cumsum(counts)
    kernels.split(chunk, which, ends - counts, grouped)
    for position in np.flatnonzero(counts):
        yield int(position), grouped[ends[position] - counts[position] : ends[position]]


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


class _Columns:
    """Column arrays that fill up record by record and become a frame when full."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._filled = 0
        self._arrays = self._allocate()

    def _allocate(self) -> dict[str, np.ndarray]:
        return {name: np.empty(self._rows, dtype) for name, dtype in _STORAGE.items()}

    def add(self, records: Records, contract: str) -> Iterator[pl.DataFrame]:
        """Append records of one contract, yielding each frame that gets full."""
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

    def rest(self, contract: str) -> Iterator[pl.DataFrame]:
        """Yield what is left of the contract as a frame, if anything is."""
        if self._filled:
            yield _frame({name: array[: self._filled] for name, array in self._arrays.items()}, contract)
            self._filled = 0
            self._arrays = self._allocate()


def _frame(arrays: dict[str, np.ndarray], contract: str) -> pl.DataFrame:
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
    )[FutureMbo.schema().names()]


class _Spool:
    """Records of several instruments, put in as they come and read back one instrument at a time."""

    def __init__(self, folder: Path | None, instruments: int) -> None:
        self._folder = folder
        self._capacity = max(256, _SPOOL_BUFFER_RECORDS // instruments)
        self._waiting: list[Records | None] = [None] * instruments
        self._lengths = [0] * instruments
        self._extents: list[list[tuple[int, int]]] = [[] for _ in range(instruments)]
        self._end = 0

    def __enter__(self) -> _Spool:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, position: int, records: Records) -> None:
        """Keep records of one instrument."""
        buffer = self._waiting[position]
        if buffer is None:
            buffer = self._waiting[position] = np.empty(self._capacity, MBO_DTYPE)
        while len(records):
            length = self._lengths[position]
            taken = records[: self._capacity - length]
            buffer[length : length + len(taken)] = taken
            self._lengths[position] = length + len(taken)
            records = records[len(taken) :]
            if self._lengths[position] == self._capacity:
                self._write_out(position, buffer)

    def _write_out(self, position: int, buffer: Records) -> None:
        data = buffer[: self._lengths[position]].view(np.uint8).data
        written = 0
        while written < len(data):
            written += self._file.write(data[written:])
        self._extents[position].append((self._end, self._lengths[position]))
        self._end += len(data)
        self._lengths[position] = 0

    def get(self, position: int) -> Iterator[Records]:
        """The instrument's records in the order they were put."""
        for start, length in self._extents[position]:
            records = np.empty(length, MBO_DTYPE)
            content, at = records.view(np.uint8).data, 0
            while at < length * RECORD_BYTES:
                at += os.preadv(self._file.fileno(), [content[at:]], start + at)
            yield records
        buffer = self._waiting[position]
        if buffer is not None:
            yield buffer[: self._lengths[position]]
            self._waiting[position] = None
