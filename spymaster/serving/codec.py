"""Binary frames of the stream (`spymaster.arrow.v1`): pure packing and parsing.

A frame is a header of 40 bytes, a table of 16 bytes per segment, and the segments: one encapsulated Arrow message each
(a schema in SCHEMA frames, a record batch otherwise), at offsets divisible by 8 and padded with zeros to 8. All numbers
are little-endian. A window that travels to many clients is packed once into a `Body`; only the header differs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag

import pyarrow as pa

from spymaster.errors import SpymasterError
from spymaster.serving.batches import exact
from spymaster.serving.surfaces import BY_ID, BY_NAME, Geometry

PROTOCOL = "spymaster.arrow.v1"
MAGIC = b"SPM1"
VERSION = 1
HEADER = struct.Struct("<4sBBHIIQqII")
ENTRY = struct.Struct("<HHIII")
ALIGNMENT = 8
MAX_FRAME_BYTES = 2 * 1024 * 1024
MAX_BUNDLE = 300
"""Windows of a HISTORY bundle."""


class FrameError(SpymasterError):
    """Bytes that are no frame; `code` says which rule they break."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Kind(IntEnum):
    """What a frame holds."""

    SCHEMA = 1
    WINDOW = 2
    BUNDLE = 3


class Flag(IntFlag):
    """Bits of a frame's header."""

    HISTORY = 1
    AFTER_GAP = 2
    LAST = 4


@dataclass(frozen=True)
class Segment:
    """One Arrow message of a surface; `rows` is 0 for a schema."""

    surface_id: int
    schema_rev: int
    rows: int
    payload: bytes


@dataclass(frozen=True)
class Body:
    """Everything of a frame but its header: segment table and segments, ready to follow any header."""

    seg_count: int
    content: bytes

    def __len__(self) -> int:
        return HEADER.size + len(self.content)


@dataclass(frozen=True)
class Frame:
    """A parsed frame."""

    kind: Kind
    flags: Flag
    epoch: int
    seq: int
    ts_ns: int
    sec: int
    count: int
    segments: tuple[Segment, ...]


def schema_body(surfaces: Iterable[str], geometry: Geometry) -> Body:
    """The body of a SCHEMA frame for surfaces by name."""
    wire = [BY_NAME[name] for name in in_order(surfaces)]
    return body(Segment(s.id, s.schema_rev, 0, s.schema(geometry).serialize().to_pybytes()) for s in wire)


def batch_body(batches: Mapping[str, pa.RecordBatch]) -> Body:
    """The body of a WINDOW or BUNDLE frame from record batches by surface name, all of the same rows."""
    return body(batch_segment(name, batches[name]) for name in in_order(batches))


def batch_segment(name: str, batch: pa.RecordBatch) -> Segment:
    """The segment of one surface."""
    wire = BY_NAME[name]
    return Segment(wire.id, wire.schema_rev, batch.num_rows, exact(batch).serialize().to_pybytes())


def in_order(surfaces: Iterable[str]) -> list[str]:
    """Names of surfaces in the order of their segments."""
    return sorted(surfaces, key=lambda name: BY_NAME[name].id)


def body(segments: Iterable[Segment]) -> Body:
    """Pack segments in the order given. Raises `FrameError` (`order`, `size`) for what a parser would refuse."""
    parts = list(segments)
    ids = [part.surface_id for part in parts]
    if ids != sorted(set(ids)):
        raise FrameError("order", f"segment ids must ascend and be unique, got {ids}")
    offset = HEADER.size + ENTRY.size * len(parts)
    table, content = bytearray(), bytearray()
    for part in parts:
        table += ENTRY.pack(part.surface_id, part.schema_rev, part.rows, offset, len(part.payload))
        padded = part.payload + b"\0" * (-len(part.payload) % ALIGNMENT)
        content += padded
        offset += len(padded)
    if offset > MAX_FRAME_BYTES:
        raise FrameError("size", f"a frame of {offset} bytes is over the limit of {MAX_FRAME_BYTES}")
    return Body(len(parts), bytes(table + content))


def pack(
    packed: Body, kind: Kind, *, epoch: int, seq: int, ts_ns: int = 0, sec: int = 0, count: int = 0, flags: int = 0
) -> bytes:
    """A whole frame. `ts_ns`: end of its last window; `sec`: its first window; `count`: its windows."""
    header = HEADER.pack(MAGIC, VERSION, kind, flags, epoch, packed.seg_count, seq, ts_ns, sec, count)
    return header + packed.content


def parse(data: bytes) -> Frame:
    """Read a frame back, checking every rule. Raises `FrameError`; never reads beyond `data`."""
    if len(data) < HEADER.size:
        raise FrameError("truncated", f"{len(data)} bytes are less than a header")
    if len(data) > MAX_FRAME_BYTES:
        raise FrameError("size", f"a frame of {len(data)} bytes is over the limit of {MAX_FRAME_BYTES}")
    magic, version, kind, flags, epoch, seg_count, seq, ts_ns, sec, count = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FrameError("magic", f"a frame begins with {MAGIC!r}, not {magic!r}")
    if version != VERSION:
        raise FrameError("version", f"version {version} is not {VERSION}")
    if kind not in tuple(Kind):
        raise FrameError("kind", f"there is no kind {kind}")
    expected = {Kind.SCHEMA: count == 0, Kind.WINDOW: count == 1, Kind.BUNDLE: count >= 1}
    if not expected[Kind(kind)]:
        raise FrameError("count", f"{count} windows in a frame of kind {kind}")
    segments = tuple(_segments(data, seg_count, count))
    return Frame(Kind(kind), Flag(flags), epoch, seq, ts_ns, sec, count, segments)


def read_batches(frame: Frame, schemas: Mapping[str, pa.Schema]) -> dict[str, pa.RecordBatch]:
    """Record batches by surface name of a WINDOW or BUNDLE frame, for clients in Python; others are passed over."""
    by_id = {BY_NAME[name].id: (name, schema) for name, schema in schemas.items()}
    found = {}
    for segment in frame.segments:
        if segment.surface_id in by_id:
            name, schema = by_id[segment.surface_id]
            found[name] = pa.ipc.read_record_batch(pa.py_buffer(segment.payload), schema)
    return found


def read_schemas(frame: Frame) -> dict[str, pa.Schema]:
    """Schemas by surface name of a SCHEMA frame."""
    return {BY_ID[s.surface_id].name: pa.ipc.read_schema(pa.py_buffer(s.payload)) for s in frame.segments}


def _segments(data: bytes, seg_count: int, count: int) -> Iterable[Segment]:
    end = HEADER.size + ENTRY.size * seg_count
    if end > len(data):
        raise FrameError("truncated", f"a table of {seg_count} segments does not fit into {len(data)} bytes")
    previous = -1
    for number in range(seg_count):
        entry = ENTRY.unpack_from(data, HEADER.size + ENTRY.size * number)
        surface_id, schema_rev, rows, offset, length = entry
        if surface_id <= previous:
            raise FrameError("order", f"segment id {surface_id} follows {previous}")
        if offset % ALIGNMENT:
            raise FrameError("alignment", f"offset {offset} is not divisible by {ALIGNMENT}")
        if offset < end or offset + length > len(data):
            raise FrameError("bounds", f"segment {surface_id} spans {offset}..{offset + length} of {len(data)} bytes")
        if rows != count:
            raise FrameError("rows", f"segment {surface_id} has {rows} rows in a frame of {count} windows")
        previous, end = surface_id, offset + length
        yield Segment(surface_id, schema_rev, rows, data[offset : offset + length])
