"""Sums over the zone around spot of windows of any length, in one pass over the wall.

They are what `surfaces.windows.zone_sums` makes of windows of a second, so that every feature of `radar_vacuum_1s` is
computed by the same function from windows of 1, 5 and 120 seconds. Both ends of a window are measured from the spot at
its end, and flows are added up price by price.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl

from spymaster.setups import zone_kernels
from spymaster.setups.errors import SetupInputError
from spymaster.surfaces.blocks import WallBlock, nanoseconds, whole_windows
from spymaster.surfaces.windows import ZoneSums
from spymaster.surfaces.zones import (
    ADD,
    AWAY,
    BAND_WIDTH_TICKS,
    END,
    FILL,
    MOVE_QUANTITIES,
    PULL,
    PULL_REST,
    REST,
    TOWARD,
    ZONE_QUANTITIES,
)

WALL_COLUMNS: Final = ("window_end", "price_int", "side", "rel_ticks", *ZONE_QUANTITIES, *MOVE_QUANTITIES)
"""Columns of `silver.wall_surface_1s` that windows are made of."""

SECOND_NS: Final = 1_000_000_000
_ORDER: Final = (END, REST, ADD, PULL, PULL_REST, FILL, AWAY, TOWARD)
_BAND: Final = np.repeat(np.arange(4), BAND_WIDTH_TICKS)


def zone_windows(
    wall_batches: Iterable[pl.DataFrame], end_s: np.ndarray, length_s: np.ndarray, spot_tick: np.ndarray, tick: int
) -> ZoneSums:
    """Sums of `k` windows, in the order asked for.

    wall_batches: rows with `WALL_COLUMNS`, sorted, in batches of any size. end_s: int64[k], seconds since the epoch at
    which the windows end. length_s: int64[k], seconds. spot_tick: int64[k], spot at the end, ticks. tick: tick size,
    1e-9. A window's rows are those of its own seconds and earlier ones. Raises `SetupInputError` for a length below 1.
    """
    end_s, length_s, spot = (np.array(values, dtype=np.int64) for values in (end_s, length_s, spot_tick))
    if len(length_s) and length_s.min() < 1:
        raise SetupInputError(f"a window of {length_s.min()} s: windows have at least one second")
    k = len(end_s)
    begin = end_s - length_s
    by_begin, by_end = np.argsort(begin, kind="stable"), np.argsort(end_s, kind="stable")
    slots = _most_at_once(begin, end_s)
    slot, free = np.zeros(k, dtype=np.int64), np.arange(slots, dtype=np.int64)
    cursor = np.array([0, 0, slots], dtype=np.int64)
    state = (
        np.zeros((slots, 2, zone_kernels.ZONE + 1, 6), dtype=np.int64),
        np.full((2, zone_kernels.CELLS), -1, dtype=np.int64),
        np.zeros((2, zone_kernels.CELLS, 2), dtype=np.int64),
        np.zeros((2, zone_kernels.CELLS, 6), dtype=np.int64),
    )
    sums, geometry = np.zeros((k, 2, 4, 7), dtype=np.int64), np.zeros((k, 2, 5), dtype=np.int64)

    def feed(second: np.ndarray, first_row: np.ndarray, tick_at: np.ndarray, side: np.ndarray, v: np.ndarray) -> None:
        zone_kernels.window_sums(
            second, first_row, tick_at, side, v, begin, end_s, spot, by_begin, by_end, _BAND.copy(), slot, free,
            cursor, *state, sums, geometry,
        )  # fmt: skip

    last = int(end_s.max()) if k else 0
    for rows in whole_windows(wall_batches) if k else ():
        block = WallBlock.of(rows, moves=True)
        values = np.stack([block.q[quantity] for quantity in _ORDER]).astype(np.int64)
        second, first = np.unique(block.t // SECOND_NS, return_index=True)
        first_row = np.append(first, block.rows).astype(np.int64)
        feed(second, first_row, block.price // tick, block.side.astype(np.int64), values)
        if int(second[-1]) > last:
            break
    nothing = np.empty(0, dtype=np.int64)
    feed(np.array([last + 1]), np.zeros(2, dtype=np.int64), nothing, nothing, np.empty((8, 0), dtype=np.int64))
    return ZoneSums(end_s * SECOND_NS, sums, np.zeros((k, 2), dtype=np.int64), geometry)


def _most_at_once(begin: np.ndarray, end: np.ndarray) -> int:
    """How many windows are begun and not ended, at most; one that ends makes room for one that begins."""
    when = np.concatenate([end, begin])
    change = np.concatenate([np.full(len(end), -1), np.ones(len(begin), dtype=np.int64)])
    order = np.argsort(when, kind="stable")
    return int(np.max(np.cumsum(change[order]), initial=0)) + 1


def spot_ticks(seconds: pl.DataFrame, tick: int) -> np.ndarray:
    """int64[n]: spot of rows with `spot_ref_price_int`, ticks; 0 where there is none."""
    return (seconds["spot_ref_price_int"].fill_null(0) // tick).to_numpy().astype(np.int64)


def ends_of(seconds: pl.DataFrame) -> np.ndarray:
    """int64[n]: `window_end`, seconds since the epoch."""
    return nanoseconds(seconds["window_end"]) // SECOND_NS
