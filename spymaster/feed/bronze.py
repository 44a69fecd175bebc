"""`bronze.future_mbo` and `bronze.option_mbo`: the records of an MBO file as frames, in bounded memory.

Options keep the order of the file, so their records go straight through. Futures are grouped by contract: a file
interleaves its instruments in time, and one contract-day is what all else reads. The file is decoded once. The contract
that comes first by name (often the front month, hence most of the file) goes straight through; the others wait in an
anonymous temporary file, which vanishes with the process, and are read back contract by contract. One decode pass per
contract would need no disk, but a root has 5 to 40 instruments with its spreads and decoding is the expensive part: a
day that decodes in seconds would take minutes. A file of one instrument, the usual case, never touches the disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from spymaster.feed.columns import Columns
from spymaster.feed.errors import WrongTimeSpanError
from spymaster.feed.prefetch import prefetch
from spymaster.feed.reader import CHUNK_RECORDS, MboFile, RecordCheck
from spymaster.feed.sources import dataset_of
from spymaster.lake import RawFile
from spymaster.lake.errors import full_disk_named
from spymaster.market.dbn import MBO_DTYPE, RECORD_BYTES, Records
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.option_mbo import OptionMbo

FRAME_ROWS = 262_144
_SPOOL_BUFFER_RECORDS = 500_000
"""Records held back in memory before they go to the spool, over all contracts: 28 MB."""


def open_raw(raw: RawFile) -> MboFile:
    """Open the raw MBO file of a root's date, after checking that it is what its place in the lake says.

    Raises WrongDatasetError (real data among simulated or the reverse), WrongTimeSpanError (another date than its name
    tells), and what `MboFile.open` raises.
    """
    label = f"{raw.symbol} {raw.dt}"
    file = MboFile.open(raw.path, datasets={dataset_of(raw)}, partition=label)
    if file.metadata.dates != (raw.dt, raw.dt):
        raise WrongTimeSpanError(
            raw.path,
            f"its name tells {raw.dt}, its metadata {' to '.join(map(str, file.metadata.dates))}",
            partition=label,
            hint="Add raw files with `spymaster raw add`, which checks their date.",
        )
    return file


def future_mbo_frames(
    file: MboFile, *, spool_dir: Path | None = None, rows: int = FRAME_ROWS, counters: dict[str, Any] | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the file's records as frames of `bronze.future_mbo`, at most `rows` each, grouped by contract name.

    Within a contract the file's order is kept. Decoding works ahead in a thread. `spool_dir` (default: the system's)
    holds the temporary file; it needs 56 bytes per record of all contracts but the first. `counters` receives
    `records` and `records_by_contract`. Raises what `MboFile.chunks` raises.
    """
    return prefetch(_frames(file, spool_dir, rows, counters), depth=1)


def _frames(
    file: MboFile, spool_dir: Path | None, rows: int, counters: dict[str, Any] | None
) -> Generator[pl.DataFrame, None, None]:
    check = RecordCheck(file)
    names = [file.metadata.symbols.get(int(number), "") for number in check.ids]
    first, *others = sorted(range(len(names)), key=lambda position: names[position])
    columns = Columns(rows, FutureMbo)
    grouped = np.empty(CHUNK_RECORDS if others else 0, MBO_DTYPE)
    with _Spool(spool_dir, len(names)) as spool:
        for chunk, which in file.checked_chunks(check, CHUNK_RECORDS):
            for position, records in _split(chunk, which, len(names), grouped):
                if position == first:
                    yield from columns.add(records, names[first])
                else:
                    spool.put(position, records)
        yield from columns.rest(names[first])
        for position in others:
            for records in spool.get(position):
                yield from columns.add(records, names[position])
            yield from columns.rest(names[position])
    if counters is not None:
        by_contract = {names[position]: int(check.counts[position]) for position in (first, *others)}
        counters["records"] = check.total
        counters["records_by_contract"] = {name: count for name, count in by_contract.items() if count}


def option_mbo_frames(
    file: MboFile, *, rows: int = FRAME_ROWS, counters: dict[str, Any] | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the file's records as frames of `bronze.option_mbo`, at most `rows` each, in the order of the file.

    Decoding works ahead in a thread. `counters` receives `records` and `instruments` (those that have records). Raises
    what `MboFile.chunks` raises.
    """
    return prefetch(_option_frames(file, rows, counters), depth=1)


def _option_frames(file: MboFile, rows: int, counters: dict[str, Any] | None) -> Generator[pl.DataFrame, None, None]:
    check = RecordCheck(file)
    columns = Columns(rows, OptionMbo)
    for chunk, _ in file.checked_chunks(check, CHUNK_RECORDS):
        yield from columns.add(chunk)
    yield from columns.rest()
    if counters is not None:
        counters["records"] = check.total
        counters["instruments"] = int(np.count_nonzero(check.counts))


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
        with full_disk_named(f"temporary records in {self._folder or tempfile.gettempdir()}"):
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
