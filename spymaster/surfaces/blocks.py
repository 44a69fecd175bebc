"""Frames in blocks of whole windows, and their columns as kernel arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from spymaster.surfaces.errors import SurfaceInputError
from spymaster.surfaces.zones import MOVE_QUANTITIES, ZONE_QUANTITIES
from spymaster.tables.types import SIDE, TIMESTAMP


def whole_windows(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cut a stream of rows sorted by `window_end` so that no window spans two blocks.

    The rows of the last window seen are held back until the next window begins, and come as a block of their own, so
    that the many rows of a batch are sliced and never copied. Empty batches are dropped.
    """
    held: list[pl.DataFrame] = []
    for batch in batches:
        if batch.is_empty():
            continue
        ends = batch["window_end"].to_physical()
        if held:
            over = int(ends.search_sorted(held[0]["window_end"].to_physical()[0], side="right"))
            held.append(batch[:over])
            if over == batch.height:
                continue
            yield pl.concat(held, rechunk=True)
            batch, ends = batch[over:], ends[over:]
        cut = int(ends.search_sorted(ends[-1], side="left"))
        if cut:
            yield batch[:cut]
        held = [batch[cut:]]
    if held:
        yield pl.concat(held, rechunk=True)


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


class WallBlock(NamedTuple):
    """Columns of a block of wall rows as the kernels take them: read-only views, nothing is copied."""

    t: np.ndarray
    """int64[n], window_end in ns."""
    price: np.ndarray
    """int64[n]."""
    side: np.ndarray
    """uint8[n], 0 bid, 1 ask."""
    rel: np.ndarray
    """int32[n], rel_ticks."""
    q: tuple[np.ndarray, ...]
    """int32[n] each, in the order of `ZONE_QUANTITIES`, then of `MOVE_QUANTITIES` where asked for."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.t)

    @classmethod
    def of(cls, wall: pl.DataFrame, *, moves: bool = False) -> WallBlock:
        """The block of a frame of wall rows; one without rows may be without columns, too."""
        names = _quantity_names(moves)
        if wall.is_empty():
            return cls.of_columns({name: np.empty(0, dtype) for name, dtype in _EMPTY.items()}, moves=moves)
        return cls.of_columns(
            {
                "window_end": nanoseconds(wall["window_end"]),
                "price_int": wall["price_int"].cast(pl.Int64).to_numpy(),
                "side": wall["side"].cast(SIDE).to_physical().cast(pl.UInt8).to_numpy(),
                **{name: wall[name].cast(pl.Int32).to_numpy() for name in ("rel_ticks", *names)},
            },
            moves=moves,
        )

    @classmethod
    def of_columns(cls, columns: Mapping[str, np.ndarray], *, moves: bool = False) -> WallBlock:
        """The block of arrays of the right types, by column name."""
        t, price, side, rel, *q = (
            _read_only(columns[name])
            for name in ("window_end", "price_int", "side", "rel_ticks", *_quantity_names(moves))
        )
        return cls(t, price, side, rel, tuple(q))


_EMPTY: Final = {
    "window_end": np.int64,
    "price_int": np.int64,
    "side": np.uint8,
    **dict.fromkeys(("rel_ticks", *ZONE_QUANTITIES, *MOVE_QUANTITIES), np.int32),
}


def _quantity_names(moves: bool) -> tuple[str, ...]:
    return (*ZONE_QUANTITIES, *MOVE_QUANTITIES) if moves else ZONE_QUANTITIES


def _read_only(values: np.ndarray) -> np.ndarray:
    view = values.view()
    view.flags.writeable = False
    return view


def nanoseconds(column: pl.Series) -> np.ndarray:
    """int64[n]: a timestamp column as nanoseconds since the epoch."""
    return column.cast(TIMESTAMP).to_physical().to_numpy()


def order_error(wall: WallBlock, row: int, what: str) -> SurfaceInputError:
    """An error naming the first offending row of a block."""
    when = np.datetime64(int(wall.t[row]), "ns")
    return SurfaceInputError(
        f"{what}: row {row} of the block, window_end {when}, price_int {wall.price[row]}, "
        f"side {SIDE.categories[int(wall.side[row])]}",
        hint="wall rows must be sorted by window_end, price_int, side, with every window in the snapshot table",
    )
