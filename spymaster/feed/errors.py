"""What can be wrong with a market data file. Each error names the file and the place in it."""

from __future__ import annotations

from pathlib import Path

from spymaster.errors import SpymasterError


class FeedError(SpymasterError):
    """A market data file that cannot be used as it is.

    Attributes
    ----------
    path
        The file.
    partition
        For example `ES 2023-12-25`, where it is known.
    byte, record
        0-based offset of the byte (of the decompressed content) or of the record, where it is known.
    """

    def __init__(
        self,
        path: Path,
        message: str,
        *,
        partition: str | None = None,
        byte: int | None = None,
        record: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.path = path
        self.partition = partition
        self.byte = byte
        self.record = record
        places = [f"partition {partition}"] if partition else []
        places += [f"record {record:,}"] if record is not None else []
        places += [f"byte {byte:,}"] if byte is not None else []
        super().__init__(f"{path}: {message}" + (f" ({', '.join(places)})" if places else ""), hint=hint)


class UnreadableFileError(FeedError):
    """The file is missing, is a folder, or may not be read."""


class TruncatedFileError(FeedError):
    """The file ends in the middle of its metadata, of a record or of a compressed frame."""


class CorruptFileError(FeedError):
    """The compressed data are damaged: a checksum or a block does not fit."""


class CorruptMetadataError(FeedError):
    """The head of the file is not DBN metadata."""


class WrongSchemaError(FeedError):
    """The metadata name another schema than the one needed."""


class WrongDatasetError(FeedError):
    """The file comes from another dataset than the one expected here."""


class WrongRecordTypeError(FeedError):
    """A record in the file is not of the schema that the metadata name."""


class InvalidRecordError(FeedError):
    """A record holds an action or side that DBN does not define."""


class EmptyFileError(FeedError):
    """The file has metadata and not one record."""


class UnknownInstrumentIdError(FeedError):
    """A record belongs to an instrument that the metadata do not name."""


class UnsupportedSymbologyError(FeedError):
    """The metadata do not map instrument ids to raw symbols."""


class TimeRegressionError(FeedError):
    """`ts_event` of a live record is earlier than that of the same instrument's live record before it."""


class WrongRootError(FeedError):
    """The file holds contracts of another root than the one it was to be added to."""


class WrongTimeSpanError(FeedError):
    """The file covers several dates where it must cover one."""


class UnknownProductError(FeedError):
    """The metadata do not tell whether the file holds futures or options."""


class DuplicateDateError(FeedError):
    """The lake already holds another raw file of the same root, product, table and date."""
