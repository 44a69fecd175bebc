"""Exact nearest neighbours by Euclidean distance, without an index and without a library.

    points   float32[n, d]   one row per vector, C-contiguous

A scan of all rows takes as long as reading them from memory. So many points have a copy of a quarter of their
size, which tells the few rows that can be among the nearest at all (`coarse`). Their squared distances are summed in
single precision, good to `_slack`; those that could be among the nearest are measured again in double precision, in one
order, so that neither copies nor rounding nor the machine decide which rows are found. Ties go to the row that comes
first.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.research.coarse import Coarse


def nearest(
    points: np.ndarray, query: np.ndarray, count: int, allowed: np.ndarray | None = None, coarse: Coarse | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (int64[m]) and distances (float64[m]) of the `count` nearest rows, nearest first; m is less if n is.

    allowed: bool[n], rows that may be found; all without it. coarse: `Coarse.of(points)`; the answer is the same
    without it. Nothing is near a query that is not finite.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    query = np.ascontiguousarray(query, dtype=np.float32)
    allowed = np.ones(len(points), dtype=bool) if allowed is None else allowed
    count = min(count, int(allowed.sum()))
    if count <= 0 or not np.isfinite(query).all():
        return np.empty(0, dtype=np.int64), np.empty(0)
    rows = np.flatnonzero(allowed) if coarse is None else coarse.possible(query, count, allowed)
    rough = np.empty(len(rows), dtype=np.float32)
    squared_distances(points, rows, query, rough)
    bound = np.partition(rough, count - 1)[count - 1]
    rows = rows[rough <= bound * (1.0 + _slack(points.shape[1])) + np.finfo(np.float32).tiny]
    distance = np.empty(len(rows))
    exact_distances(points, rows, query, distance)
    order = np.lexsort((rows, distance))[:count]
    return rows[order], distance[order]


def _slack(d: int) -> float:
    """Relative slack between two sums of d squared differences in single precision, in whatever order they are taken.

    Each is wrong by at most (d + 2) 2^-24 of itself, if that is small.
    """
    return 4.0 * (d + 3) * 2.0**-24


@kernel(fastmath={"reassoc", "contract"})
def squared_distances(points, rows, query, out):
    """Squared distances of some rows (int64[m]) of float32[n, d] from float32[d], into float32[m]."""
    for i in range(rows.shape[0]):
        row = rows[i]
        total = np.float32(0.0)
        for j in range(points.shape[1]):
            difference = points[row, j] - query[j]
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
