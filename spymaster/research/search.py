"""Exact nearest neighbours by Euclidean distance, without an index and without a library.

    points   float32[n, d]   one row per vector, C-contiguous

A scan of all rows is bound by memory: it takes as long as reading them. Distances of the scan are sums of squared
differences in single precision, good to `SLACK`; all rows that could be among the nearest are then measured again in
double precision, in one order, so that neither rounding nor the machine decides which rows are found. Ties go to the
row that comes first.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spymaster.jit import kernel

SLACK: Final = 1e-4
"""Relative error that the scan's squared distances are far below (d times 6e-8 for d numbers, d at most 1,000)."""


def nearest(
    points: np.ndarray, query: np.ndarray, count: int, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (int64[m]) and distances (float64[m]) of the `count` nearest rows, nearest first; m is less if n is.

    allowed: bool[n], rows that may be found; all without it.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    query = np.ascontiguousarray(query, dtype=np.float32)
    count = min(count, len(points) if allowed is None else int(allowed.sum()))
    if count <= 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    rough = np.empty(len(points), dtype=np.float32)
    squared_distances(points, query, rough)
    if allowed is not None:
        rough[~allowed] = np.inf
    bound = np.partition(rough, count - 1)[count - 1]
    rows = np.flatnonzero(rough <= bound * (1.0 + SLACK) + np.finfo(np.float32).tiny)
    distance = np.empty(len(rows))
    exact_distances(points, rows, query, distance)
    order = np.lexsort((rows, distance))[:count]
    return rows[order], distance[order]


@kernel(fastmath=True)
def squared_distances(points, query, out):
    """Squared distance of every row of float32[n, d] from float32[d], into float32[n]."""
    for i in range(points.shape[0]):
        total = np.float32(0.0)
        for j in range(points.shape[1]):
            difference = points[i, j] - query[j]
            total += difference * difference
        out[i] = total


@kernel()
def exact_distances(points, rows, query, out):
    """Distance of some rows (int64[m]) of float32[n, d] from float32[d], in double precision and one order."""
    for i in range(rows.shape[0]):
        total = 0.0
        for j in range(points.shape[1]):
            difference = np.float64(points[rows[i], j]) - np.float64(query[j])
            total += difference * difference
        out[i] = np.sqrt(total)
