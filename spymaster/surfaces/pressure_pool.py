"""What pressure is usual at each distance from spot: the pool of `gold.physics_norm_calibration`'s ratio rows.

Every valid second of a session counts, with every bucket of a distance band, both directions together, **idle buckets
included**: the mean is what a second and bucket have on average, so a component over it is 1 on average in a session
like those of the pool. (The other metrics of the calibration leave idle rows out, because theirs are quantiles, which
would be 0; a mean is not.) Rest counts on its own side only: bids in buckets at or below spot's, asks at or above.

A component is divided by the `scale` of its row: the mean of a flow, the median of rest, and at least E (`eps_qty`),
so that nothing is divided by zero, and a few lots where nothing ever happens are not taken for a storm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from spymaster.surfaces import pressure_kernels
from spymaster.surfaces.blocks import WallBlock
from spymaster.surfaces.option_flow import NO_OPTIONS, OptionFlow
from spymaster.surfaces.pressure import REST_COMPONENTS, BucketFlows, Buckets, Windows
from spymaster.surfaces.tally import SIGNIFICANT_BITS, Tally
from spymaster.tables.pressure_surface_1s import COMPONENTS
from spymaster.tables.types import DISTANCE_BANDS

FLOW_BITS: Final = 8
"""Significant bits of flows in the pool's quantiles, which are for looking at; means are of the values as stored."""

_LOWEST: Final = 2.0**-10
_OCTAVES: Final = 31
"""Values from 2^-10 lots, below which one counts as 0 in quantiles, to 2^21 lots."""
_BITS: Final = tuple(SIGNIFICANT_BITS if name in REST_COMPONENTS else FLOW_BITS for name in COMPONENTS)

PressureTallies = Mapping[tuple[str, str | None], Tally]
"""The pooled components of one session, by component and distance band."""


class PressurePool:
    """Counts the components of one session, block by block, in bounded memory; batches do not matter."""

    def __init__(self, buckets: Buckets, *, decay_s: float, options: OptionFlow = NO_OPTIONS) -> None:
        self._state = BucketFlows(buckets, decay_s=decay_s, options=options)
        self._band_of = buckets.band_of()
        shape = (len(COMPONENTS), len(DISTANCE_BANDS))
        self._seen = np.zeros(shape, dtype=np.int64)
        self._total = np.zeros(shape)
        self._counts = np.zeros((*shape, 1 + (_OCTAVES << (SIGNIFICANT_BITS - 1))), dtype=np.int32)
        self._spare = np.array([24 - bits for bits in _BITS], dtype=np.int64)
        self._lowest = int(np.float32(_LOWEST).view(np.uint32))

    def add(self, wall: pl.DataFrame, block: WallBlock) -> None:
        """Count the windows of some wall rows (whole windows, in order); `block` is the rows' block."""
        first = np.flatnonzero(np.concatenate([[True], block.t[1:] != block.t[:-1]]))
        windows = wall.select("window_end", "spot_ref_price_int", "window_valid")[first]
        found = self._state.update(Windows.of(windows), block)
        pressure_kernels.count(
            found.values, found.valid, self._band_of, self._spare, self._lowest, self._seen, self._total, self._counts
        )

    def tallies(self) -> PressureTallies:
        """Everything counted so far, by component and distance band."""
        return {
            (metric, band): self._tally(k, b)
            for k, metric in enumerate(COMPONENTS)
            for b, band in enumerate(DISTANCE_BANDS)
        }

    def _tally(self, k: int, b: int) -> Tally:
        number = np.flatnonzero(self._counts[k, b])
        spare = int(self._spare[k])
        bits = ((self._lowest >> spare) + number - 1) << spare
        values = np.where(number == 0, np.float32(0.0), bits.astype(np.uint32).view(np.float32))
        return Tally(values, self._counts[k, b][number].astype(np.int64), float(self._total[k, b]))


def usual(metric: str, *, mean: float, median: float, eps_qty: float) -> float:
    """What a component is divided by: the mean of a flow, the median of rest, at least E."""
    return max(median if metric in REST_COMPONENTS else mean, eps_qty)
