"""Intervals of effects by resampling blocks of time, which keeps what happens together together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spymaster.jit import kernel

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


@kernel()
def sums_of_drawn(parts, wholes, drawn, above, below):
    """Sums of parts and of wholes over the blocks of each resample.

    Numbers of times that a block is drawn, multiplied by parts, would be the same, and be handed to BLAS: its second
    thread burns processor time while it waits.
    """
    for one in range(drawn.shape[0]):
        part, whole = 0.0, 0.0
        for block in drawn[one]:
            part += parts[block]
            whole += wholes[block]
        above[one], below[one] = part, whole


def sums_of(drawn: NDArray[np.int64], values: NDArray) -> NDArray[np.float64]:
    """Sums of values by block, of every resample: drawn[resamples, blocks] says how often a block was drawn.

    No matrix product: of so small a one a library makes two threads, of which one waits as busily as the other works,
    and in what order it adds up depends on the processor.
    """
    return np.einsum("ij,j->i", drawn, np.asarray(values, np.float64))


def ratio_interval(
    parts: NDArray, wholes: NDArray, rng: np.random.Generator, *, resamples: int = RESAMPLES, level: float = 0.95
) -> tuple[float, float]:
    """Interval of sum(parts) / sum(wholes) over blocks drawn with replacement; parts may be negative.

    Raises ValueError without blocks. A resample whose wholes add up to 0 is left out.
    """
    n = len(parts)
    if n == 0 or n != len(wholes):
        raise ValueError(f"{n} parts and {len(wholes)} wholes make no ratio")
    drawn = rng.integers(0, n, (resamples, n), dtype=np.int32)
    above, below = np.empty(resamples), np.empty(resamples)
    sums_of_drawn(np.asarray(parts, np.float64), np.asarray(wholes, np.float64), drawn, above, below)
    ratios = above[below > 0] / below[below > 0]
    if not len(ratios):
        return 0.0, 0.0
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
