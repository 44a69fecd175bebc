"""From stored rows of `wall_surface_1s` to exact quantities around spot, and from these to codes. Pure.

The stored form leaves rows out that tell nothing new (see `spymaster.lake.dense`): a price keeps the depth of its last
row until the next one. Here that is filled in on a dense grid of seconds and prices, without making the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.serving import surfaces
from spymaster.serving.batches import NO_QTY, Arrays
from spymaster.serving.fill import SECOND_NS, Span
from spymaster.serving.lod import NO_TICK
from spymaster.serving.surfaces import Transfers

COLUMNS = (
    "window_end", "price_int", "side", "depth_qty_end", "depth_qty_rest", "add_qty", "pull_qty_total", "fill_qty",
)  # fmt: skip
"""Columns that are read."""


@dataclass
class WallArrays:
    """Exact quantities around spot, [rows, width] each, spot in the middle; -1 where nothing is known.

    bid, ask, rest_bid, rest_ask: at window_end; add, pull, fill: both sides of the window together.
    """

    bid: NDArray[np.int32]
    ask: NDArray[np.int32]
    rest_bid: NDArray[np.int32]
    rest_ask: NDArray[np.int32]
    add: NDArray[np.int32]
    pull: NDArray[np.int32]
    fill: NDArray[np.int32]

    def rows(self, first: int, stop: int) -> WallArrays:
        """Rows [first, stop), not copied."""
        return WallArrays(*(getattr(self, name)[first:stop] for name in vars(self)))


def wall_arrays(span: Span, frame: pl.DataFrame, present: NDArray[np.bool_], half: int, grid: int) -> WallArrays:
    """Quantities within `half` ticks of spot from stored rows in order of time.

    frame: the rows of the span, and of the seconds before it that tell what still stands; present: whether each of
    these seconds and of those of the span has a snapshot, without which its rows do not count; grid: widest distance
    from spot that the table stores, beyond which nothing is known.
    """
    lookback = len(present) - span.rows
    spots = span.spot[span.spot != NO_TICK].astype(np.int64)
    width = 2 * half + 1
    if not len(spots):
        return WallArrays(*(np.full((span.rows, width), NO_QTY, np.int32) for _ in range(7)))
    low = int(spots.min()) - half
    prices = int(spots.max()) + half + 1 - low
    offset = frame["window_end"].to_physical().to_numpy() - span.timeline.end_ns(span.first - lookback)
    at, price = offset // SECOND_NS, frame["price_int"].to_numpy() // span.tick - low
    near = (offset % SECOND_NS == 0) & (at >= 0) & (at < len(present)) & (price >= 0) & (price < prices)
    near[near] = present[at[near]]
    frame, at, price = frame.filter(pl.Series(near)), at[near], price[near]
    place = _Place(span, low, half, grid)

    own = at >= lookback
    cell, inside = place.cells(at[own] - lookback, price[own])
    flows = [frame[name].to_numpy()[own][inside] for name in ("add_qty", "pull_qty_total", "fill_qty")]
    add, pull, fill = (place.sums(cell, values) for values in flows)
    depth = frame["depth_qty_end"].to_numpy()
    known = place.zero | place.marks(cell[(depth[own][inside] > 0) | np.any(np.array(flows) > 0, axis=0)])

    ask_side = (frame["side"] == "A").to_numpy()
    ends, rests = [], []
    for side in (~ask_side, ask_side):
        # Number of the row that stands at each second and price, counted from 1; 0 where none does.
        standing = np.zeros((len(present), prices), np.int32)
        standing[at[side], price[side]] = np.arange(1, int(side.sum()) + 1, dtype=np.int32)
        np.maximum.accumulate(standing, axis=0, out=standing)
        drawn = place.around_spot(standing[lookback:])
        ends.append(_lookup(depth[side], drawn))
        rests.append(_lookup(frame["depth_qty_rest"].to_numpy()[side], drawn))
        known |= place.filled & (ends[-1] > 0)
    tables = (ends[0], ends[1], rests[0], rests[1], add, pull, fill)
    return WallArrays(*(np.where(known, values, np.int32(NO_QTY)) for values in tables))


def fill_wall(exact: WallArrays, transfers: Transfers) -> tuple[Arrays, NDArray[np.bool_]]:
    """`wall` codes from exact quantities, and the seconds of which a cell is clipped.

    A crossed book that has both sides on one tick keeps the larger one.
    """
    known = exact.ask >= 0
    of_ask = exact.ask >= exact.bid
    depth = np.where(of_ask, exact.ask, -exact.bid)
    rest = np.where(of_ask, exact.rest_ask, exact.rest_bid)
    size = np.abs(depth)
    share = np.divide(rest, size, out=np.full(rest.shape, np.nan), where=known & (size > 0))
    flow = exact.add - exact.pull
    clipped = known & ((size > transfers.depth.max) | (np.abs(flow) > transfers.flow.max))
    arrays = {
        "depth": transfers.depth.encode_whole(depth, known),
        "net_flow": transfers.flow.encode_whole(flow, known),
        "rest_share": transfers.of("unit").encode(share),
    }
    return arrays, np.asarray(clipped.any(axis=1))


def fill_ladder(exact: WallArrays, rungs: int) -> Arrays:
    """`ladder`: the exact quantities of the middle `rungs` prices."""
    width = exact.bid.shape[1]
    middle = slice((width - rungs) // 2, (width + rungs) // 2)
    return {name: getattr(exact, name)[:, middle] for name in surfaces.LADDER}


class _Place:
    """Where a second and price lie in arrays around spot; `low` is the tick of the first price."""

    def __init__(self, span: Span, low: int, half: int, grid: int) -> None:
        self._shape = (span.rows, 2 * half + 1)
        has_spot = span.spot != NO_TICK
        # Distance of spot's window from the first price; rows without a spot are masked wherever this is used.
        self._shift = np.where(has_spot, span.spot.astype(np.int64) - half - low, 0)
        self._has_spot = has_spot
        within = (np.abs(np.arange(-half, half + 1)) <= grid)[None, :]
        self.filled = has_spot[:, None] & within
        """Cells that a standing row fills."""
        self.zero = self.filled & span.valid[:, None]
        """Cells of which an absent row says that nothing rests there and nothing happened."""

    def cells(self, at: NDArray[np.int64], price: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Flat positions of rows, and which of the rows have one."""
        column = price - self._shift[at]
        inside = (column >= 0) & (column < self._shape[1]) & self._has_spot[at]
        return at[inside] * self._shape[1] + column[inside], inside

    def sums(self, cell: NDArray[np.int64], values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Sums of values by cell."""
        found = np.bincount(cell, weights=values, minlength=self._shape[0] * self._shape[1])
        return found.astype(np.int32).reshape(self._shape)

    def marks(self, cell: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The cells named."""
        found = np.zeros(self._shape, np.bool_)
        found.reshape(-1)[cell] = True
        return found

    def around_spot(self, standing: NDArray[np.int32]) -> NDArray[np.int32]:
        """[rows, prices] moved into the frame of spot; nothing stands outside the grid or without a spot."""
        columns = self._shift[:, None] + np.arange(self._shape[1])[None, :]
        return np.where(self.filled, np.take_along_axis(standing, columns, axis=1), 0)


def _lookup(values: NDArray[np.int32], numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.concatenate([np.zeros(1, np.int32), values])[numbers]
