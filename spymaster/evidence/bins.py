"""Bins of ages and lags, as edges in ns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spymaster.jit import hot_kernel

Edges = NDArray[np.int64]

MOST_STEPS = 10_000

US, MS, SECOND = 1_000, 1_000_000, 1_000_000_000


def linear(first: int, last: int, width: int) -> Edges:
    """Edges from `first` to `last`, `width` ns apart."""
    return np.arange(first, last + 1, width, dtype=np.int64)


def logarithmic(first: int, last: int, per_decade: int) -> Edges:
    """Edges from `first` to `last`, so many a decade; the last bin ends at `last`."""
    steps = round(np.log10(last / first) * per_decade)
    edges = np.round(first * 10.0 ** (np.arange(steps + 1) / per_decade)).astype(np.int64)
    edges[-1] = last
    return edges


def centres(edges: Edges) -> NDArray[np.float64]:
    """Middles of the bins."""
    return (edges[:-1] + edges[1:]) / 2


def steps_of(edges: Edges) -> tuple[NDArray[np.int32], int]:
    """Bin by step of a width that divides all edges, and that width; an empty table and 0 where it would be long.

    Looking up a bin is several times as fast as searching for it.
    """
    step = int(np.gcd.reduce(edges))
    if edges[-1] // step > MOST_STEPS:
        return np.zeros(0, np.int32), 0
    firsts = np.arange(edges[-1] // step) * step
    return (np.searchsorted(edges, firsts, side="right") - 1).astype(np.int32), step


def divider(edges: Edges) -> tuple[int, int]:
    """Factor and shift by which numbers below the last edge are divided by the width of all bins; (0, 0) without one.

    `x // width` is `x * factor >> shift`, exactly (Granlund & Montgomery 1994), at a fifth of the time.
    """
    width, last = int(edges[1] - edges[0]), int(edges[-1])
    shift = last.bit_length() + width.bit_length()
    factor = -(-(1 << shift) // width)
    if np.any(np.diff(edges) != width) or last.bit_length() + factor.bit_length() > 62:
        return 0, 0
    return factor, shift


@hot_kernel()
def bin_of(edges, bins, step, value):
    """The bin `[edges[k], edges[k + 1])` of a value, -1 outside all of them; `bins` and `step` are of `steps_of`."""
    low, high = 0, edges.shape[0] - 1
    if step > 0:
        return bins[value // step] if edges[0] <= value < edges[high] else np.int32(-1)
    if value < edges[0] or value >= edges[high]:
        return np.int32(-1)
    while high - low > 1:
        middle = (low + high) // 2
        if value < edges[middle]:
            high = middle
        else:
            low = middle
    return np.int32(low)
