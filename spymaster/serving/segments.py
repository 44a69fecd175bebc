"""Segments of any seconds of a chunk, by copying bytes: what `codec.batch_segment` makes of a slice, without Arrow.

A record batch message of fixed-width columns is the same but for its values, whatever the seconds are: its head and the
places of its buffers depend on the number of rows only. So for each number of rows one message is made by Arrow, and
all others are that head and the bytes of the columns, padded with zeros. The first is compared with what Arrow made of
it; a surface for which the two differ, or that holds texts, goes through Arrow every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from spymaster.serving.codec import Segment, batch_segment

_PREFIX = 8
"""Bytes before the metadata of a message: its mark and the length of what follows."""


@dataclass(frozen=True)
class _Column:
    """The values of a column, as bytes."""

    values: memoryview
    width: int
    """Bytes of a row."""

    def rows(self, at: int, count: int) -> memoryview:
        return self.values[at * self.width : (at + count) * self.width]


@dataclass(frozen=True)
class _Template:
    """What messages of so many rows have in common: their head, and the zeros after each column."""

    surface_id: int
    schema_rev: int
    head: bytes
    padding: tuple[bytes, ...]


class Segments:
    """Makes the segments of one chunk, which holds one record batch per surface."""

    def __init__(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        self._batches = batches
        self._columns = {name: _columns(batch) for name, batch in batches.items()}
        self._templates: dict[tuple[str, int], _Template] = {}

    def segment(self, name: str, at: int, count: int) -> Segment:
        """Rows [at, at + count) of a surface."""
        columns = self._columns[name]
        if columns is None:
            return self._by_arrow(name, at, count)
        template = self._templates.get((name, count))
        if template is None:
            segment = self._by_arrow(name, at, count)
            template = _template(segment, columns, count)
            if _message(template, columns, at, count) != segment.payload:
                self._columns[name] = None
                return segment
            self._templates[name, count] = template
        return Segment(template.surface_id, template.schema_rev, count, _message(template, columns, at, count))

    def _by_arrow(self, name: str, at: int, count: int) -> Segment:
        return batch_segment(name, self._batches[name].slice(at, count))


def _message(template: _Template, columns: tuple[_Column, ...], at: int, count: int) -> bytes:
    parts: list[bytes | memoryview] = [template.head]
    for column, padding in zip(columns, template.padding, strict=True):
        parts.append(column.rows(at, count))
        parts.append(padding)
    return b"".join(parts)


def _template(segment: Segment, columns: tuple[_Column, ...], count: int) -> _Template:
    """The head of a message, and padding to a multiple of `align` bytes, as the length of its body tells."""
    head = _PREFIX + int.from_bytes(segment.payload[4:_PREFIX], "little")
    sizes = [column.width * count for column in columns]
    body = len(segment.payload) - head
    align = next((one for one in (8, 64) if sum(size + -size % one for size in sizes) == body), 1)
    padding = tuple(b"\0" * (-size % align) for size in sizes)
    return _Template(segment.surface_id, segment.schema_rev, segment.payload[:head], padding)


def _columns(batch: pa.RecordBatch) -> tuple[_Column, ...] | None:
    """The columns of a batch as bytes; None if one has no fixed width or has nulls."""
    found = []
    for array in batch.columns:
        rows = len(array)
        size = array.type.list_size if pa.types.is_fixed_size_list(array.type) else 1
        values = array.flatten() if size > 1 or pa.types.is_fixed_size_list(array.type) else array
        if not pa.types.is_primitive(values.type) or values.null_count or array.null_count or not rows:
            return None
        item = values.type.bit_width // 8
        buffer = memoryview(values.buffers()[1]).cast("B")[values.offset * item : (values.offset + len(values)) * item]
        found.append(_Column(buffer, item * size))
    return tuple(found)
