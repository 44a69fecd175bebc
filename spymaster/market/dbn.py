"""The MBO record as one NumPy dtype, its constants, and the one writer of DBN files.

Belongs here: the layout shared by feed, book, simulator and tests, and writing. Reading files (with all that can be
wrong in them) is `spymaster.feed.reader`. Layout and flag bits follow Databento's DBN specification, versions 1 to 3;
the MBO record is the same 56 little-endian bytes in all three, only the metadata before it differs.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Records: TypeAlias = NDArray[np.void]
"""One-dimensional structured array of `MBO_DTYPE`."""

MBO_DTYPE = np.dtype(
    [
        ("length", "u1"),  # record size in 32-bit words: 14
        ("rtype", "u1"),  # 160
        ("publisher_id", "<u2"),
        ("instrument_id", "<u4"),
        ("ts_event", "<u8"),  # matching engine time, ns UTC
        ("order_id", "<u8"),
        ("price", "<i8"),  # 1e-9 of the currency unit; UNDEF_PRICE when absent
        ("size", "<u4"),
        ("flags", "u1"),  # bit set F_*
        ("channel_id", "u1"),
        ("action", "u1"),  # ASCII code ACTION_*
        ("side", "u1"),  # ASCII code SIDE_*
        ("ts_recv", "<u8"),  # capture time, ns UTC
        ("ts_in_delta", "<i4"),  # ns
        ("sequence", "<u4"),
    ]
)
RECORD_BYTES = MBO_DTYPE.itemsize
RTYPE_MBO = 160
MBO_LENGTH = RECORD_BYTES // 4

F_LAST = 0x80
F_TOB = 0x40
F_SNAPSHOT = 0x20
F_MBP = 0x10
F_BAD_TS_RECV = 0x08
F_MAYBE_BAD_BOOK = 0x04
F_PUBLISHER = 0x02

ACTION_ADD = ord("A")
ACTION_CANCEL = ord("C")
ACTION_MODIFY = ord("M")
ACTION_CLEAR = ord("R")
ACTION_TRADE = ord("T")
ACTION_FILL = ord("F")
ACTION_NONE = ord("N")

SIDE_BID = ord("B")
SIDE_ASK = ord("A")
SIDE_NONE = ord("N")

UNDEF_PRICE = 2**63 - 1
UNDEF_TIMESTAMP = 2**64 - 1

SIM_DATASET = "SIM.SPYMASTER"
SIM_PUBLISHER = 65001
"""Publisher id of every simulated record; no vendor uses it."""

DATASET_MAX_CHARS = 15
_FRAME_RECORDS = 2_000_000

Compression: TypeAlias = Literal["zstd"] | None


def mbo_records(n: int) -> Records:
    """Allocate `n` zeroed MBO records whose `length` and `rtype` are already right."""
    records = np.zeros(n, MBO_DTYPE)
    records["length"] = MBO_LENGTH
    records["rtype"] = RTYPE_MBO
    return records


def encode_metadata(
    *,
    dataset: str,
    symbols: Mapping[str, int],
    start_ns: int,
    end_ns: int,
    schema: str = "mbo",
    stype_in: str = "raw_symbol",
    version: int = 3,
) -> bytes:
    """The DBN header: who is in the file, from when to when (`end_ns` exclusive), in which schema.

    Every symbol gets one mapping interval over the UTC dates of the file. Raises ValueError for a dataset name the
    format cannot hold or an empty time span.
    """
    import databento_dbn as dbn

    if not 0 < len(dataset) <= DATASET_MAX_CHARS:
        raise ValueError(f"dataset {dataset!r} must have 1 to {DATASET_MAX_CHARS} characters")
    if end_ns <= start_ns:
        raise ValueError(f"end_ns {end_ns} is not after start_ns {start_ns}")
    if version not in (1, 2, 3):
        raise ValueError(f"DBN version {version} is not 1, 2 or 3")
    first = _utc_date(start_ns)
    after = _utc_date(end_ns - 1) + datetime.timedelta(days=1)
    mappings = [
        _SymbolMapping(symbol, [_MappingInterval(first, after, str(number))]) for symbol, number in symbols.items()
    ]
    metadata = dbn.Metadata(
        dataset=dataset,
        start=start_ns,
        end=end_ns,
        stype_in=cast(dbn.SType, dbn.SType.from_str(stype_in)),
        stype_out=cast(dbn.SType, dbn.SType.from_str("instrument_id")),
        schema=cast(dbn.Schema, dbn.Schema.from_str(schema)),
        symbols=list(symbols),
        partial=[],
        not_found=[],
        mappings=cast(Any, mappings),
        version=version,
    )
    return bytes(metadata)


class DbnWriter:
    """Write one DBN file: metadata, then records, in place only when the context ends without an error.

    The file grows under a temporary name in its own folder and is put in place by one atomic replace, so no reader
    ever meets half a file. With zstd the metadata and each two million records are frames of their own (a decoder
    reads them as one stream) and carry checksums.

    Parameters
    ----------
    path
        Target file; its folder is created.
    dataset
        For example `GLBX.MDP3` or `SIM.SPYMASTER`, at most 15 characters.
    symbols
        Raw symbol to instrument id of everything in the file.
    start_ns, end_ns
        Time span of the file, ns UTC, end exclusive.
    schema, stype_in, version, compression
        As in the DBN specification; `compression=None` writes a plain `.dbn`.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        dataset: str,
        symbols: Mapping[str, int],
        start_ns: int,
        end_ns: int,
        schema: str = "mbo",
        stype_in: str = "raw_symbol",
        version: int = 3,
        compression: Compression = "zstd",
    ) -> None:
        self.path = Path(path)
        self.count = 0
        self._compression = compression
        self._header = encode_metadata(
            dataset=dataset,
            symbols=symbols,
            start_ns=start_ns,
            end_ns=end_ns,
            schema=schema,
            stype_in=stype_in,
            version=version,
        )
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._file: IO[bytes] | None = None
        self._sink: Any = None
        self._frame_records = 0

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        self._sink = self._file
        if self._compression == "zstd":
            import zstandard

            compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
            self._sink = compressor.stream_writer(self._file, closefd=False)
        self._sink.write(self._header)
        self._end_frame()
        return self

    def write(self, records: Records) -> None:
        """Append MBO records in the order given. Raises TypeError for any other dtype."""
        if records.dtype != MBO_DTYPE:
            raise TypeError(f"expected records of MBO_DTYPE, got {records.dtype}")
        for start in range(0, len(records), _FRAME_RECORDS):
            part = np.ascontiguousarray(records[start : start + _FRAME_RECORDS])
            self._append(part.view(np.uint8).data, len(part))

    def write_encoded(self, encoded: bytes, count: int = 1) -> None:
        """Append `count` already encoded records of any schema (definition, statistics, status)."""
        self._append(encoded, count)

    def _append(self, data: bytes | memoryview, count: int) -> None:
        self._sink.write(data)
        self.count += count
        self._frame_records += count
        if self._frame_records >= _FRAME_RECORDS:
            self._end_frame()

    def _end_frame(self) -> None:
        self._frame_records = 0
        if self._compression == "zstd":
            import zstandard

            self._sink.flush(zstandard.FLUSH_FRAME)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None, "a DbnWriter is used as a context manager"
        try:
            if error is None:
                if self._sink is not self._file:
                    self._sink.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                os.replace(self._temporary, self.path)
        finally:
            self._file.close()
            with contextlib.suppress(FileNotFoundError):
                self._temporary.unlink()


def write_dbn(
    path: Path | str,
    records: Records,
    *,
    dataset: str,
    symbols: Mapping[str, int],
    start_ns: int,
    end_ns: int,
    schema: str = "mbo",
    stype_in: str = "raw_symbol",
    version: int = 3,
    compression: Compression = "zstd",
) -> Path:
    """Write all of `records` as one DBN file and return its path (arguments as for `DbnWriter`)."""
    with DbnWriter(
        path,
        dataset=dataset,
        symbols=symbols,
        start_ns=start_ns,
        end_ns=end_ns,
        schema=schema,
        stype_in=stype_in,
        version=version,
        compression=compression,
    ) as writer:
        writer.write(records)
    return Path(path)


class _MappingInterval:
    """What `databento_dbn` reads attributes from: one interval of a symbol mapping."""

    def __init__(self, start_date: datetime.date, end_date: datetime.date, symbol: str) -> None:
        self.start_date = start_date
        self.end_date = end_date
        self.symbol = symbol


class _SymbolMapping:
    """All intervals of one raw symbol."""

    def __init__(self, raw_symbol: str, intervals: list[_MappingInterval]) -> None:
        self.raw_symbol = raw_symbol
        self.intervals = intervals


def _utc_date(ns: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(ns // 1_000_000_000, datetime.UTC).date()
