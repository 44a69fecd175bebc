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


def nearest(points: np.ndarray, query: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (int64[m]) and distances (float64[m]) of the `count` nearest rows, nearest first; m is less if n is."""
    points = np.ascontiguousarray(points, dtype=np.float32)
    query = np.ascontiguousarray(query, dtype=np.float32)
    count = min(count, len(points))
    if count <= 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    rough = np.empty(len(points), dtype=np.float32)
    squared_distances(points, query, rough)
    bound = np.partition(rough, count - 1)[count - 1]
    rows = np.flatnonzero(rough <= bound * (1.0 + SLACK) + np.finfo(np.float32).tiny)
    distance = np.sqrt(((points[rows].astype(np.float64) - query.astype(np.float64)) ** 2).sum(axis=1))
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
