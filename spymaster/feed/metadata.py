"""The header of a DBN file: what it holds, of whom, from when to when. Decoded by `databento_dbn`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from spymaster.feed.compression import open_stream
from spymaster.feed.errors import (
    CorruptFileError,
    CorruptMetadataError,
    TruncatedFileError,
    UnsupportedSymbologyError,
    WrongDatasetError,
    WrongSchemaError,
)
from spymaster.market.dbn import SIM_DATASET

REAL_DATASET = "GLBX.MDP3"
KNOWN_DATASETS = frozenset({REAL_DATASET, SIM_DATASET})
"""Datasets Spymaster reads: CME Globex, and its own simulator's."""

PREFIX_BYTES = 8
_MAX_HEADER_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class FileMetadata:
    """Header of a DBN file. Times in ns UTC, `end_ns` exclusive; `header_bytes` is where the records begin."""

    version: int
    dataset: str
    schema: str | None
    stype_in: str | None
    stype_out: str
    start_ns: int
    end_ns: int | None
    ts_out: bool
    requested: tuple[str, ...]
    symbols: dict[int, str]
    """Instrument id to raw symbol, of every mapping that touches the file's dates."""
    header_bytes: int

    @property
    def simulated(self) -> bool:
        """Whether the file comes from the simulator."""
        return self.dataset == SIM_DATASET

    @property
    def dt(self) -> date:
        """UTC date on which the file begins."""
        return _utc_date(self.start_ns)

    @property
    def dates(self) -> tuple[date, date]:
        """First and last UTC date of the file."""
        return self.dt, max(self.dt, _utc_date((self.end_ns or self.start_ns + 1) - 1))


def read_metadata(path: Path) -> FileMetadata:
    """Read and decode the header of a DBN file, plain or zstd.

    Raises UnreadableFileError, TruncatedFileError, CorruptMetadataError or UnsupportedSymbologyError.
    """
    import zstandard

    stream = open_stream(path)
    try:
        header = _read_header(path, stream)
    except zstandard.ZstdError as error:
        raise CorruptFileError(path, f"damaged zstd data in the metadata: {error}", byte=0) from error
    except OSError as error:
        raise CorruptMetadataError(path, f"cannot be read: {error.strerror or error}") from error
    finally:
        stream.close()
    return _decode(path, header)


def require(
    path: Path,
    metadata: FileMetadata,
    *,
    schema: str,
    datasets: Collection[str] = KNOWN_DATASETS,
    partition: str | None = None,
) -> None:
    """Raise WrongDatasetError or WrongSchemaError unless the file is of a dataset and the schema expected here."""
    if metadata.dataset not in datasets:
        raise WrongDatasetError(
            path,
            f"dataset is {metadata.dataset!r}, expected {' or '.join(sorted(datasets))}",
            partition=partition,
            hint="Real files come from CME Globex (GLBX.MDP3), simulated ones from SIM.SPYMASTER.",
        )
    if metadata.schema != schema:
        found = repr(metadata.schema) if metadata.schema else "a mix of schemas (a live capture)"
        raise WrongSchemaError(path, f"schema is {found}, expected {schema!r}", partition=partition)
    if metadata.ts_out:
        raise WrongSchemaError(
            path,
            "a live capture with gateway send times (ts_out) behind each record",
            partition=partition,
            hint="Use the historical file of the day, or capture with ts_out off.",
        )


def _read_header(path: Path, stream: Any) -> bytes:
    prefix = stream.read(PREFIX_BYTES)
    if prefix[:3] != b"DBN"[: len(prefix)] or (len(prefix) >= 4 and prefix[3] not in (1, 2, 3)):
        raise CorruptMetadataError(
            path,
            f"not a DBN file of version 1 to 3: it begins with {prefix!r}",
            byte=0,
            hint="Expected b'DBN', version.",
        )
    size = int.from_bytes(prefix[4:], "little")
    if len(prefix) == PREFIX_BYTES and size > _MAX_HEADER_BYTES:
        raise CorruptMetadataError(path, f"metadata would be {size:,} bytes long", byte=4)
    body = stream.read(size)
    if len(prefix) < PREFIX_BYTES or len(body) < size:
        end = len(prefix) + len(body)
        raise TruncatedFileError(path, f"truncated inside the metadata, which need {size + 8:,} bytes", byte=end)
    return prefix + body


def _decode(path: Path, header: bytes) -> FileMetadata:
    import databento_dbn as dbn

    try:
        decoded: Any = dbn.Metadata.decode(header)
        mappings = decoded.mappings
        metadata = FileMetadata(
            version=header[3],
            dataset=decoded.dataset,
            schema=None if decoded.schema is None else str(decoded.schema),
            stype_in=None if decoded.stype_in is None else str(decoded.stype_in),
            stype_out=str(decoded.stype_out),
            start_ns=int(decoded.start),
            end_ns=None if decoded.end is None else int(decoded.end),
            ts_out=bool(decoded.ts_out),
            requested=tuple(decoded.symbols),
            symbols={},
            header_bytes=len(header),
        )
        metadata.dt  # noqa: B018  (a start outside the calendar is corruption too)
    except (dbn.DBNError, ValueError, TypeError, OverflowError, UnicodeError) as error:
        raise CorruptMetadataError(path, f"metadata cannot be decoded: {error}", byte=PREFIX_BYTES) from error
    metadata.symbols.update(_symbols(path, metadata, mappings))
    return metadata


def _symbols(path: Path, metadata: FileMetadata, mappings: dict[str, list[Any]]) -> dict[int, str]:
    """Invert the mappings that touch the file's dates to {instrument id: raw symbol}."""
    if metadata.stype_out != "instrument_id" or metadata.stype_in not in (None, "raw_symbol", "parent"):
        raise UnsupportedSymbologyError(
            path,
            f"maps {metadata.stype_in} to {metadata.stype_out}; raw symbols cannot be told from that",
            hint="Download with stype_in raw_symbol or parent, and stype_out instrument_id.",
        )
    first, last = metadata.dates
    symbols: dict[int, str] = {}
    for raw_symbol, intervals in mappings.items():
        for interval in intervals:
            if interval["symbol"] and interval["start_date"] <= last and interval["end_date"] > first:
                try:
                    symbols.setdefault(int(interval["symbol"]), raw_symbol)
                except ValueError as error:
                    message = f"metadata map {raw_symbol!r} to {interval['symbol']!r}, which is not an instrument id"
                    raise CorruptMetadataError(path, message, byte=PREFIX_BYTES) from error
    return symbols


def _utc_date(ns: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ns // 1_000_000_000)).date()
