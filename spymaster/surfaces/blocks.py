"""Frames in blocks of whole windows, and their columns as kernel arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from spymaster.surfaces.errors import SurfaceInputError


def whole_windows(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cut a stream of rows sorted by `window_end` so that no window spans two blocks.

    The rows of the last window seen are held back until the next window begins; empty batches are dropped.
    """
    held: pl.DataFrame | None = None
    for batch in batches:
        if batch.is_empty():
            continue
        frame = batch if held is None else pl.concat([held, batch])
        ends = frame["window_end"].to_physical()
        cut = int(ends.search_sorted(ends[-1], side="left"))
        if cut:
            yield frame[:cut]
        held = frame[cut:]
    if held is not None:
        yield held


def with_snapshot(
    wall_batches: Iterable[pl.DataFrame], snapshot: pl.DataFrame
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Pair blocks of the wall with the snapshot rows of the same windows; every snapshot row comes exactly once.

    Windows without a wall row (no spot yet, an empty book) go with the block that follows them, or come last with an
    empty wall.
    """
    done = 0
    empty: pl.DataFrame | None = None
    ends = snapshot["window_end"].to_physical()
    for block in whole_windows(wall_batches):
        upto = int(ends.search_sorted(block["window_end"].to_physical()[-1], side="right"))
        yield block, snapshot[done:upto]
        done = upto
        empty = block[:0]
    if done < snapshot.height:
        yield (pl.DataFrame() if empty is None else empty), snapshot[done:]


def nanoseconds(column: pl.Series) -> np.ndarray:
    """int64[n], writable: a timestamp column as nanoseconds since the epoch."""
    return column.cast(pl.Datetime("ns", "UTC")).to_physical().to_numpy(writable=True)


def side_codes(column: pl.Series) -> np.ndarray:
    """uint8[n], writable: 0 bid, 1 ask."""
    return (column == "A").cast(pl.UInt8).to_numpy(writable=True)


def row_keys(frame: pl.DataFrame) -> np.ndarray:
    """int64[n]: 2 * price_int + side, rising within a window."""
    return frame["price_int"].to_numpy() * 2 + side_codes(frame["side"])


def quantities(frame: pl.DataFrame, names: Sequence[str]) -> np.ndarray:
    """int32[k, n], C-contiguous and writable: one row per name."""
    stacked = np.empty((len(names), frame.height), dtype=np.int32)
    for row, name in enumerate(names):
        stacked[row] = frame[name].to_numpy()
    return stacked


def relative_ticks(frame: pl.DataFrame) -> np.ndarray:
    """int32[n], writable."""
    return frame["rel_ticks"].cast(pl.Int32).to_numpy(writable=True)


def order_error(frame: pl.DataFrame, row: int, what: str) -> SurfaceInputError:
    """An error naming the first offending row of a block."""
    shown = frame.select("window_end", "price_int", "side").row(row)
    return SurfaceInputError(
        f"{what}: row {row} of the block, window_end {shown[0]}, price_int {shown[1]}, side {shown[2]}",
        hint="wall rows must be sorted by window_end, price_int, side, with every window in the snapshot table",
    )
