"""Bodies of tile answers: dense rows of one surface at one level of detail, as an Arrow stream. No web framework here.

Whole groups only: a range is widened to multiples of the level. Ten minutes' worth of rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spymaster.serving.batches import NO_QTY, Arrays, columns_of, missing_column, record_batch
from spymaster.serving.lod import NO_TICK, Groups, Pool, any_flag, group, pool_cells, worst
from spymaster.serving.session import Session
from spymaster.serving.surfaces import BY_NAME, WireSurface

BATCH_ROWS = 600
TILE_ROWS = 1024
TILES_PER_REQUEST = 24


class Sink:
    """A file that keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep `data`."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def writable(self) -> bool:
        """Yes."""
        return True

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def tile_stream(
    session: Session, surface: WireSurface, start: int, stop: int, level: int = 1, pool: Pool | None = None
) -> Iterator[bytes]:
    """The Arrow stream of seconds [start, stop), piece by piece. `pool` overrides the default of the first column."""
    geometry = session.geometry
    sink = Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), surface.schema(geometry)) as writer:
        for batch in tile_batches(session, surface, start, stop, level, pool):
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


def tile_batches(
    session: Session, surface: WireSurface, start: int, stop: int, level: int = 1, pool: Pool | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a tile answer, at most `BATCH_ROWS` at a time."""
    start, stop = start - start % level, min(session.seconds, stop + -stop % level)
    names = tuple(dict.fromkeys(("snap", surface.name)))
    while start < stop:
        end = min(stop, start + BATCH_ROWS * level)
        windows = list(session.iter_batches(start, end, names, batch=end - start))
        arrays = {name: _joined(BY_NAME[name], [w.batches[name] for w in windows]) for name in names}
        secs = np.arange(start, end, dtype=np.int32)
        if level > 1:
            secs, arrays[surface.name] = _pooled(session, surface, secs, arrays, level, pool)
        yield record_batch(surface, session.geometry, secs, arrays[surface.name])
        start = end


def _joined(surface: WireSurface, batches: list[pa.RecordBatch]) -> Arrays:
    parts = [columns_of(surface, batch) for batch in batches]
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _pooled(
    session: Session,
    surface: WireSurface,
    secs: NDArray[np.int32],
    arrays: dict[str, Arrays],
    level: int,
    pool: Pool | None,
) -> tuple[NDArray[np.int32], Arrays]:
    snap = arrays["snap"]
    groups = group(secs, snap["spot_tick"], snap["state"], level)
    if surface.name == "snap":
        return groups.secs, pool_snap(snap, groups)
    columns = arrays[surface.name]
    pooled: Arrays = {}
    for number, column in enumerate(surface.columns):
        values = columns[column.name]
        if column.type == "cells_u8":
            assert column.transfer is not None
            assert column.pool is not None
            how = pool if pool is not None and number == 0 else column.pool
            pooled[column.name] = pool_cells(
                values, snap["spot_tick"], groups, how, session.transfers.of(column.transfer)
            )
        else:
            nothing = missing_column(column, session.geometry, len(groups))
            pooled[column.name] = _picked(values, nothing, groups)
    return groups.secs, pooled


def pool_snap(snap: Arrays, groups: Groups) -> Arrays:
    """`snap` of groups: prices and sizes of the anchor's second; first open, top high, lowest low, summed volumes."""
    starts = groups.starts[:-1]
    pooled: Arrays = {}
    for name, values in snap.items():
        match name:
            case "state":
                pooled[name] = worst(values, groups)
            case "flags":
                pooled[name] = any_flag(values, groups)
            case "buy_vol" | "sell_vol":
                known = values != NO_QTY
                total = np.add.reduceat(np.where(known, values, 0).astype(np.int64), starts)
                any_known = np.logical_or.reduceat(known, starts)
                pooled[name] = np.where(any_known, np.minimum(total, 2**31 - 1), NO_QTY)
            case "high_tick":
                pooled[name] = np.maximum.reduceat(values, starts)
            case "low_tick":
                high = np.where(values == NO_TICK, 2**31 - 1, values.astype(np.int64))
                low = np.minimum.reduceat(high, starts)
                pooled[name] = np.where(low == 2**31 - 1, NO_TICK, low)
            case "open_tick":
                rows = np.arange(len(values))
                first = np.minimum.reduceat(np.where(values == NO_TICK, len(values), rows), starts)
                at = np.minimum(first, len(values) - 1)
                pooled[name] = np.where(first < groups.starts[1:], values[at], NO_TICK)
            case _:
                nothing = np.full(len(groups), NO_TICK if name.endswith("_tick") else NO_QTY, np.int32)
                pooled[name] = _picked(values, nothing, groups)
    return pooled


def _picked(values: NDArray[np.generic], nothing: NDArray[np.generic], groups: Groups) -> NDArray[np.generic]:
    """The row of each group's anchor; missing without one."""
    has_source = groups.source >= 0
    shape = (-1,) + (1,) * (values.ndim - 1)
    return np.where(has_source.reshape(shape), values[np.maximum(groups.source, 0)], nothing)
