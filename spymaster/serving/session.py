"""One market session as it is served: its timeline, what it has, and its windows one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spymaster.serving.catalog import SessionInfo, SessionKey
from spymaster.serving.codec import Segment, batch_segment
from spymaster.serving.describe import Status
from spymaster.serving.errors import BadRequestError, UnknownSurfaceError
from spymaster.serving.fill import Timeline
from spymaster.serving.manifest import Calibration
from spymaster.serving.segments import Segments
from spymaster.serving.surfaces import BY_NAME, SURFACES, Geometry, Transfers

CHUNK_S = 3600
"""Seconds that are loaded, and forgotten, together."""
ALL = tuple(surface.name for surface in SURFACES)


@dataclass(frozen=True)
class WindowBatch:
    """Consecutive seconds of some surfaces: `sec` is the first, `ts_ns` the end of the last; one state per second."""

    sec: int
    count: int
    ts_ns: int
    state: NDArray[np.uint8]
    batches: dict[str, pa.RecordBatch]
    chunk: Chunk | None = field(default=None, repr=False, compare=False)
    """Where the seconds come from, if they are stored ones."""

    def segment(self, name: str) -> Segment:
        """A surface as it travels."""
        if self.chunk is None:
            return batch_segment(name, self.batches[name])
        return self.chunk.segments.segment(name, self.sec - self.chunk.first, self.count)


@dataclass(frozen=True)
class Chunk:
    """The dense columns of up to `CHUNK_S` seconds, as one record batch per surface."""

    first: int
    rows: int
    batches: dict[str, pa.RecordBatch]
    orphans: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Surfaces that cannot be drawn for a reason that only the rows tell."""

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(batch.nbytes for batch in self.batches.values())

    @cached_property
    def segments(self) -> Segments:
        """Makes the segments of its seconds."""
        return Segments(self.batches)


class ChunkSource(Protocol):
    """Where a session's chunks come from: the store, which loads what it does not have."""

    def chunk(self, session: Session, number: int) -> Chunk: ...


@dataclass(frozen=True)
class Session:
    """A market session that is open. Cheap: chunks are held by the store, and fetched when they are asked for."""

    info: SessionInfo
    timeline: Timeline
    contract: str
    tick: int
    """Price step, 1e-9."""
    bucket_ticks: int
    grid_ticks: int
    base_tick: int
    geometry: Geometry
    transfers: Transfers
    calibration: Calibration
    statuses: dict[str, Status]
    last_valid: NDArray[np.int64]
    """Last second up to each whose window was valid, -1 for none."""
    present: NDArray[np.bool_]
    """Whether each second has a snapshot."""
    rth: tuple[int, int] | None
    """Seconds of regular hours on the timeline, the last excluded."""
    opening_sec: int
    """Second at which a page opens the session: 14 minutes into its trading."""
    source: ChunkSource = field(repr=False, compare=False)

    @property
    def key(self) -> SessionKey:
        """Symbol and date."""
        return self.info.key

    @property
    def seconds(self) -> int:
        """Length of the timeline."""
        return self.timeline.seconds

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-self.seconds // CHUNK_S)

    def chunk(self, number: int) -> Chunk:
        """A chunk, loaded if it is not there. Blocks on disk: call it from a worker thread."""
        return self.source.chunk(self, number)

    def iter_batches(
        self, start: int = 0, stop: int | None = None, surfaces: Sequence[str] = ALL, batch: int = 1
    ) -> Iterator[WindowBatch]:
        """Every second of [start, stop) in order, gap seconds included, `batch` at a time; never sleeps.

        A batch ends early at the end of a chunk. Raises `BadRequestError` for a range that is not in the timeline,
        `UnknownSurfaceError` for a name that is no wire surface.
        """
        stop = self.seconds if stop is None else stop
        if not 0 <= start <= stop <= self.seconds:
            raise BadRequestError(f"seconds {start}..{stop} are not within 0..{self.seconds}")
        names = wire_names(surfaces)
        sec = start
        while sec < stop:
            chunk = self.chunk(sec // CHUNK_S)
            count = min(batch, stop - sec, chunk.first + chunk.rows - sec)
            yield self.window(chunk, sec, count, names)
            sec += count

    def window(self, chunk: Chunk, sec: int, count: int, names: Sequence[str]) -> WindowBatch:
        """`count` seconds from `sec` on, all within the chunk; slices, no copies."""
        at = sec - chunk.first
        state = chunk.batches["snap"].column("state").slice(at, count).to_numpy(zero_copy_only=False)
        batches = {name: chunk.batches[name].slice(at, count) for name in names}
        return WindowBatch(sec, count, self.timeline.end_ns(sec + count - 1), state, batches, chunk)


def wire_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names in order of their ids, each once. Raises `UnknownSurfaceError`."""
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise UnknownSurfaceError("no such surface", hint=f"There are {', '.join(BY_NAME)}.")
    return tuple(name for name in ALL if name in set(names))
