"""Intervals of effects by resampling blocks of time, which keeps what happens together together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK_NS = 60_000_000_000
RESAMPLES = 500


def block_of(times: NDArray[np.int64], start: int, blocks: int) -> NDArray[np.int64]:
    """Number of the block of 60 s from `start` that each event lies in; events outside are in the nearest one.

    Surrogates are drawn in cells that reach a little beyond the first and the last block.
    """
    return np.clip((times - start) // BLOCK_NS, 0, blocks - 1)


def block_sums(times: NDArray[np.int64], start: int, blocks: int, weights: NDArray | None = None) -> NDArray:
    """Number (or summed weight) of events by `block_of`."""
    return np.bincount(block_of(times, start, blocks), weights=weights, minlength=blocks)


def ratio_interval(
    parts: NDArray, wholes: NDArray, rng: np.random.Generator, *, resamples: int = RESAMPLES, level: float = 0.95
) -> tuple[float, float]:
    """Interval of sum(parts) / sum(wholes) over blocks drawn with replacement; parts may be negative.

    Raises ValueError without blocks. A resample whose wholes add up to 0 is left out.
    """
    n = len(parts)
    if n == 0 or n != len(wholes):
        raise ValueError(f"{n} parts and {len(wholes)} wholes make no ratio")
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    below = drawn @ np.asarray(wholes, np.float64)
    above = drawn @ np.asarray(parts, np.float64)
    ratios = above[below > 0] / below[below > 0]
    if not len(ratios):
        return 0.0, 0.0
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
