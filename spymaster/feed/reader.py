"""Read the records of an MBO file: fast, in bounded memory, and never a bad one.

The file is decompressed straight into one reusable buffer that is viewed as records; nothing is copied or parsed, and
a compiled pass checks what the rest of the system relies on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spymaster.feed.compression import open_stream, require_whole
from spymaster.feed.errors import (
    CorruptFileError,
    EmptyFileError,
    FeedError,
    InvalidRecordError,
    TimeRegressionError,
    TruncatedFileError,
    UnknownInstrumentIdError,
    UnreadableFileError,
    WrongRecordTypeError,
)
from spymaster.feed.metadata import KNOWN_DATASETS, FileMetadata, read_metadata, require
from spymaster.market.dbn import MBO_DTYPE, RECORD_BYTES, Records

CHUNK_RECORDS = 65_536
"""Records per chunk: 3.7 MB, which stays in the cache of the core that decompressed it."""


@dataclass(frozen=True)
class MboFile:
    """One DBN file of schema `mbo` whose header has been checked. Every pass over it opens it anew."""

    path: Path
    metadata: FileMetadata
    partition: str | None = None

    @classmethod
    def open(
        cls, path: Path | str, *, datasets: Collection[str] = KNOWN_DATASETS, partition: str | None = None
    ) -> Self:
        """Check that the file is whole, of one of `datasets` and of schema `mbo`; `partition` goes into messages.

        Raises UnreadableFileError, TruncatedFileError, CorruptMetadataError, UnsupportedSymbologyError,
        WrongDatasetError or WrongSchemaError.
        """
        path = Path(path)
        metadata = read_metadata(path)
        require(path, metadata, schema="mbo", datasets=datasets, partition=partition)
        require_whole(path)
        return cls(path, metadata, partition)

    def chunks(self, records: int = CHUNK_RECORDS) -> Iterator[Records]:
        """Yield the file's records in order, in arrays of at most `records`.

        Each array is a view of one buffer, valid until the next is asked for; copy what must outlive it. Raises
        EmptyFileError, TruncatedFileError, CorruptFileError, WrongRecordTypeError, InvalidRecordError,
        UnknownInstrumentIdError or TimeRegressionError at the record where the file goes wrong, after every good
        record before it has been yielded.
        """
        return (chunk for chunk, _ in self.checked_chunks(RecordCheck(self), records))

    def checked_chunks(self, check: RecordCheck, records: int = CHUNK_RECORDS) -> Iterator[tuple[Records, NDArray]]:
        """As `chunks`, with each record's position in `check.ids`; `check` holds the counts per instrument."""
        for chunk in self._raw_chunks(records):
            good, error = check.scan(chunk)
            if good:
                yield chunk[:good], check.which[:good]
            if error:
                raise error
        if check.total == 0:
            raise EmptyFileError(
                self.path,
                "the file has metadata but no records",
                partition=self.partition,
                hint="The exchange may have been closed all day; then remove the file, or keep it out of the lake.",
            )

    def _raw_chunks(self, records: int) -> Iterator[Records]:
        import zstandard

        buffer = np.empty(records, MBO_DTYPE)
        content = buffer.view(np.uint8).data
        at = self.metadata.header_bytes
        stream: Any = open_stream(self.path)
        try:
            stream.read(at)
            filled = RECORD_BYTES * records
            while filled == RECORD_BYTES * records:
                filled = _fill(stream, content)
                whole, rest = divmod(filled, RECORD_BYTES)
                if whole:
                    yield buffer[:whole]
                at += filled
                if rest:
                    raise self._error(
                        TruncatedFileError, f"truncated: the last record has {rest} of {RECORD_BYTES} bytes", byte=at
                    )
        except zstandard.ZstdError as error:
            raise self._error(CorruptFileError, f"damaged zstd data after this place: {error}", byte=at) from error
        except OSError as error:
            raise self._error(UnreadableFileError, f"cannot be read: {error.strerror or error}", byte=at) from error
        finally:
            stream.close()

    def _error(self, kind: type[FeedError], message: str, *, byte: int) -> FeedError:
        record = (byte - self.metadata.header_bytes) // RECORD_BYTES
        return kind(self.path, message, partition=self.partition, byte=byte, record=record)


def _fill(stream: Any, target: memoryview) -> int:
    """Read until `target` is full or the stream ends; the number of bytes read."""
    filled = 0
    while filled < len(target):
        got = stream.readinto(target[filled:])
        if not got:
            break
        filled += got
    return filled


@dataclass
class RecordCheck:
    """State of the checks over one pass: instruments of the file, their last live time, how many records each has."""

    file: MboFile
    total: int = 0
    ids: NDArray[np.uint32] = field(init=False)
    counts: NDArray[np.int64] = field(init=False)
    which: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        # One id that no record can carry keeps the kernel's first lookup inside the array for a file without symbols.
        self.ids = np.array(sorted(self.file.metadata.symbols) or [2**32 - 1], np.uint32)
        self.counts = np.zeros(len(self.ids), np.int64)
        self.which = np.empty(0, np.int32)
        self._last_ts = np.zeros(len(self.ids), np.uint64)

    def scan(self, chunk: Records) -> tuple[int, FeedError | None]:
        """Check the next chunk: how many of its records are good, and the error of the one after them."""
        from spymaster.feed import kernels

        if len(self.which) < len(chunk):
            self.which = np.empty(len(chunk), np.int32)
        good, fault = kernels.check(
            chunk, self.ids, self._last_ts, self.counts, self.which, kernels.ACTION_CODES, kernels.SIDE_CODES
        )
        error = self._describe(chunk[good], fault, self.total + good) if fault != kernels.OK else None
        self.total += good
        return good, error

    def _describe(self, record: Any, fault: int, offset: int) -> FeedError:
        from spymaster.feed import kernels

        metadata = self.file.metadata
        number = int(record["instrument_id"])
        kind, message, hint = InvalidRecordError, "", None
        if fault == kernels.BAD_TYPE:
            kind = WrongRecordTypeError
            message = (
                f"record of type {record['rtype']} and {record['length']} words in a file of schema mbo, whose records "
                f"have type 160 and 14 words"
            )
        elif fault == kernels.BAD_INSTRUMENT:
            kind = UnknownInstrumentIdError
            known = ", ".join(f"{symbol} ({item})" for item, symbol in list(metadata.symbols.items())[:5]) or "none"
            message = f"record of instrument {number}, which the metadata do not name; they name {known}"
        elif fault == kernels.BAD_TIME:
            kind = TimeRegressionError
            last = int(self._last_ts[np.searchsorted(self.ids, number)])
            symbol = metadata.symbols[number]
            message = (
                f"ts_event of a live record of {symbol} ({number}) goes back from {np.datetime64(last, 'ns')} to "
                f"{np.datetime64(int(record['ts_event']), 'ns')}"
            )
            hint = "Files must keep the order in which the exchange published; was this one sorted or merged?"
        else:
            action, side = bytes([record["action"]]), bytes([record["side"]])
            message = f"action {action!r} and side {side!r} are not both ones that DBN defines"
        byte = metadata.header_bytes + offset * RECORD_BYTES
        return kind(self.file.path, message, partition=self.file.partition, record=offset, byte=byte, hint=hint)
