"""Touches of levels: when the mid, after an approach, is first within a tick of a level (`gold.setup_episode`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from spymaster.setups.mids import SECOND_NS, Mids
from spymaster.setups.touch_kernels import BLOCK, touches

NEAR_TICKS: Final = 8.0
OUT_FACTOR: Final = 2.0
EXPIRY_NS: Final = 600 * SECOND_NS
REARM_NS: Final = 60 * SECOND_NS
LEVEL_COLUMNS: Final = (
    "session_date", "level_id", "level_type", "price_int", "valid_from", "valid_to", "group_id", "is_placebo",
)  # fmt: skip
"""Columns that episodes read of `silver.session_level`."""


@dataclass(frozen=True)
class Runs:
    """Rows of the mid joined as the kernel takes them; see `touch_kernels.touches`."""

    run_of: np.ndarray
    start: np.ndarray
    mid2: np.ndarray
    usable: np.ndarray
    fresh: np.ndarray
    up: np.ndarray
    down: np.ndarray
    near: np.ndarray
    out: np.ndarray

    @classmethod
    def of(cls, mids: Mids, tick: int) -> Runs:
        """tick in 1e-9."""
        rows = np.arange(len(mids.ts))
        sigma = mids.seconds.sigma_at(mids.ts)
        moved, known = mids.moved(rows, mids.ts)
        with np.errstate(invalid="ignore"):
            up, down = (known & (sign * moved >= sigma * tick) for sign in (1, -1))  # half a sigma, in twice the mid
        near = 2.0 * tick * np.maximum(NEAR_TICKS, 2.0 * np.nan_to_num(sigma))
        changed = np.ones(len(rows), dtype=bool)
        changed[1:] = mids.fresh[1:]
        for one in (mids.usable, mids.mid2, up, down, near):
            changed[1:] |= one[1:] != one[:-1]
        start = np.flatnonzero(changed)
        arrays = (mids.mid2, mids.usable, mids.fresh, up, down, near, OUT_FACTOR * near)
        return cls(np.cumsum(changed) - 1, np.append(start, len(rows)), *(one[start] for one in arrays))

    def blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each block: the lowest and highest twice the mid that is not further away than D_out, and any break."""
        first = np.arange(0, len(self.mid2), BLOCK)
        if not len(first):
            return np.empty(0), np.empty(0), np.empty(0, dtype=bool)
        low = np.minimum.reduceat(np.where(self.usable, self.mid2 - self.out, np.inf), first)
        high = np.maximum.reduceat(np.where(self.usable, self.mid2 + self.out, -np.inf), first)
        return low, high, np.logical_or.reduceat(self.fresh | ~self.usable, first)


def touch_rows(levels: pl.DataFrame, mids: Mids, tick: int) -> pl.DataFrame:
    """One row per touch: `level` (row of `levels`), `row` and `approach_row` of the mid, `direction`, `gap_through`.

    levels: rows with `LEVEL_COLUMNS` in order of level_id and valid_from; tick in 1e-9. A level is far or cools down by
    itself, whichever group it is in.
    """
    begin, end = (levels[name].to_physical().to_numpy() for name in ("valid_from", "valid_to"))
    track = levels["level_id"].rle_id().cast(pl.Int64).to_numpy()
    anew = np.ones(len(track), dtype=bool)
    anew[1:] = (track[1:] != track[:-1]) | (begin[1:] != end[:-1])
    runs = Runs.of(mids, tick)
    stretches = (
        levels["price_int"].to_numpy() * 2,
        *(np.searchsorted(mids.ts, times, side="left") for times in (begin, end)),
        anew,
    )
    path = (mids.ts, runs.run_of, runs.start, runs.mid2, runs.usable, runs.fresh, runs.up, runs.down)
    room = 100_000
    while True:
        found = np.zeros((room, 5), dtype=np.int64)
        count = touches(
            *stretches, *path, runs.near, runs.out, *runs.blocks(), 2 * tick, EXPIRY_NS, REARM_NS, found
        )  # fmt: skip
        if count <= room:
            break
        room = count
    columns = ("level", "row", "approach_row", "direction", "gap_through")
    return pl.DataFrame({name: found[:count, k] for k, name in enumerate(columns)}).with_columns(
        pl.col("gap_through").cast(pl.Boolean)
    )
