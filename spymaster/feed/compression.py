"""Open plain and zstd files as one byte stream, and find out beforehand whether a zstd file is whole.

A zstd stream reader ends a truncated file like a complete one, without an error. The frame and block headers tell the
truth and cost a few bytes each to walk (format: RFC 8878, section 3.1).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import IO, Any, NamedTuple

from spymaster.feed.errors import CorruptFileError, TruncatedFileError, UnreadableFileError

ZSTD_MAGIC = 0xFD2FB528
_SKIPPABLE_MAGIC = 0x184D2A50  # low four bits free
_DICTIONARY_ID_BYTES = (0, 1, 2, 4)
_RAW, _RLE, _RESERVED = 0, 1, 3


def is_zstd(head: bytes) -> bool:
    """Whether a file with these first bytes is zstd-compressed (or begins with a skippable zstd frame)."""
    magic = int.from_bytes(head[:4], "little")
    return len(head) >= 4 and (magic == ZSTD_MAGIC or magic & ~0xF == _SKIPPABLE_MAGIC)


def read_head(path: Path, n: int = 4) -> bytes:
    """First bytes of the file. Raises UnreadableFileError."""
    try:
        with path.open("rb") as file:
            return file.read(n)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror or error}") from error


def open_stream(path: Path) -> IO[bytes] | Any:
    """The file's decompressed content as a readable object with `read` and `readinto`; close it after use."""
    compressed = is_zstd(read_head(path))
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror or error}") from error
    if not compressed:
        return file
    import zstandard

    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=True)


def require_whole(path: Path) -> None:
    """Raise TruncatedFileError or CorruptFileError unless a zstd file ends exactly at the end of a frame.

    Walks frame and block headers only (a few thousand for a day). Plain files pass: their end is checked by reading.
    """
    if not is_zstd(read_head(path)):
        return
    with path.open("rb", buffering=0) as file:
        data = _Bytes(file.fileno(), os.fstat(file.fileno()).st_size)
        at = 0
        while at < data.size:
            at = _end_of_frame(path, data, at)


class _Bytes(NamedTuple):
    """A file of which a few bytes here and there are read; a memory map would keep all between them resident."""

    descriptor: int
    size: int


def _end_of_frame(path: Path, data: _Bytes, at: int) -> int:
    (magic,) = _unpack(path, data, "<I", at)
    if magic & ~0xF == _SKIPPABLE_MAGIC:
        (size,) = _unpack(path, data, "<I", at + 4)
        return _inside(path, data, at + 8 + size)
    if magic != ZSTD_MAGIC:
        raise CorruptFileError(path, f"no zstd frame begins at byte {at:,} of the compressed file")
    (descriptor,) = _unpack(path, data, "<B", at + 4)
    single_segment = descriptor >> 5 & 1
    content_size_bytes = (single_segment, 2, 4, 8)[descriptor >> 6]
    at += 5 + (1 - single_segment) + _DICTIONARY_ID_BYTES[descriptor & 3] + content_size_bytes
    last = False
    while not last:
        low, high = _unpack(path, data, "<HB", at)
        header = low | high << 16
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise CorruptFileError(path, f"a zstd block of reserved type at byte {at:,} of the compressed file")
        at = _inside(path, data, at + 3 + (1 if kind == _RLE else size))
    return _inside(path, data, at + 4 * (descriptor >> 2 & 1))


def _unpack(path: Path, data: _Bytes, form: str, at: int) -> tuple[int, ...]:
    size = struct.calcsize(form)
    _inside(path, data, at + size)
    return struct.unpack(form, os.pread(data.descriptor, size, at))


def _inside(path: Path, data: _Bytes, at: int) -> int:
    if at > data.size:
        raise TruncatedFileError(
            path,
            f"truncated: the compressed file ends at byte {data.size:,}, inside a zstd frame",
            byte=data.size,
            hint="Copy or download the file again.",
        )
    return at
