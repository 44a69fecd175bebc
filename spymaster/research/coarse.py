"""A copy of points with one byte per number, whose scan tells which rows can be among the nearest at all.

    points   float32[n, d]        x_i
    codes    int8[n, d]           a_i, each number within 127
    weight   int64[d]             w, at least 1
    unit     a power of two       u; a step of dim j is u w_j

A row stands for y_i = u w a_i, in each dim. A query q stands for z = u b with whole b, finer than the rows. Then

    |y_i - z|^2 = u^2 (N_i - 2 a_i.c + B),    N_i = |w a_i|^2,  c = w b,  B = |b|^2

is whole but for u^2. It is smaller than 2^32, because w is chosen so that the sum of ((127 + 127 REACH) w_j)^2 is: so
the sums may be taken modulo 2^32 (int32), and nothing of it is rounded. Nor are y and z, products of small whole
numbers and a power of two. With r_i = |x_i - y_i| (stored) and s = |q - z|, the triangle inequality has

    D_i - r_i - s  <=  |x_i - q|  <=  D_i + r_i + s,        D_i = |y_i - z|

Let U be the `count`-th smallest D_i + r_i. At least `count` rows are not further than U + s, so a row with
D_i - r_i - s > U + s is further than all of these and is none of the nearest, whatever ties there are. All others are
`possible`. This holds for any codes: what a code cannot express, such as an outlier, is in r_i, and makes its row
possible more often. D_i, r_i, s and U are kept with a relative error below `ROUNDING`/4, on the side that keeps rows.

Steps are chosen on a sample of the rows, for the smallest errors; they decide how many rows are possible, not which
rows are nearest. The copy takes a quarter of the memory of the points, and 8 bytes per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spymaster.jit import kernel

LEAST_BYTES: Final = 16_000_000
"""Points of fewer bytes have no copy: to scan them costs less than the arithmetic around the scan of a copy."""
LARGEST: Final = 127
"""Largest code."""
REACH: Final = 3
"""How far a query may be from zero, in largest codes, before it is cut."""
LARGEST_WEIGHT: Final = 9
"""Weight for which 127 REACH w^2, the largest factor of a code, still fits 16 bits."""
SAMPLE: Final = 1024
"""Rows that steps are chosen on, evenly spread."""
STEPS: Final = 16
"""Steps that are tried for a dim: that of the largest number of the sample, and each 1/sqrt(2) of the one before."""
USUAL, FAR, OUTLIER = 0.99, 2.0, 16.0
"""Quantile of a dim that is usual; usual ones that an error counts at most; from how many on nothing is coded."""
ROUNDING: Final = 1e-6
"""Relative slack of comparisons: single precision rounds by 6e-8, and double precision sums d numbers below 1e-9."""
_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True)
class Coarse:
    """The copy. Arrays have one entry per row of the points, but `weight`, which has one per dim."""

    codes: np.ndarray
    """int8[n, d]."""
    norm: np.ndarray
    """uint32[n], N_i."""
    error: np.ndarray
    """float32[n], r_i, rounded up."""
    weight: np.ndarray
    """int64[d]."""
    unit: float

    @classmethod
    def of(cls, points: np.ndarray, least_bytes: int = LEAST_BYTES) -> Coarse | None:
        """The copy of float32[n, d]; None where there are few points, too many dims, or a number that is not finite."""
        points = np.ascontiguousarray(points, dtype=np.float32)
        n, d = points.shape
        if not n or not d or points.nbytes < least_bytes:
            return None
        sample = points[np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64)].astype(np.float64)
        found = _weights(_steps(sample)) if np.isfinite(sample).all() else None
        if found is None:
            return None
        weight, unit = found
        codes, norm, error = np.empty((n, d), np.int8), np.empty(n, np.uint32), np.empty(n, np.float64)
        encode(points, weight.astype(np.float64) * unit, weight, codes, norm, error)
        if not np.isfinite(error).all():
            return None
        with np.errstate(over="ignore"):
            return cls(codes, norm, (error * (1.0 + ROUNDING)).astype(np.float32), weight, unit)

    def possible(self, query: np.ndarray, count: int, allowed: np.ndarray) -> np.ndarray:
        """int64[m], in order: allowed rows (bool[n]) that can be among the `count` nearest of these.

        query: float32[d], finite. count: at least 1, and at most the number of allowed rows.
        """
        exact = query.astype(np.float64)
        most = REACH * LARGEST * self.weight
        b = np.clip(np.rint(exact / self.unit), -most, most).astype(np.int64)
        off = float(np.sqrt(((exact - b * self.unit) ** 2).sum()))
        distance = np.empty(len(self.codes), np.float32)
        coarse_distances(
            self.codes, (self.weight * b).astype(np.int16), self.norm, int((b**2).sum()), self.unit, allowed, distance
        )
        with np.errstate(over="ignore"):
            bound = float(np.partition(distance + self.error, count - 1)[count - 1])
            bound = np.float32((bound + 2.0 * off) * (1.0 + ROUNDING)) + np.finfo(np.float32).tiny
            return np.flatnonzero((distance * np.float32(1.0 - ROUNDING) <= bound + self.error) & allowed)


def _steps(sample: np.ndarray) -> np.ndarray:
    """float64[d]: the step of each dim with the smallest mean squared error over float64[m, d]; 0 where all are 0.

    What is far beyond the usual counts as if it were `FAR` usual ones away: a few outliers are left to the errors of
    their rows, instead of making the steps of all rows larger.
    """
    size = np.abs(sample)
    largest, usual = size.max(axis=0), np.quantile(size, USUAL, axis=0)
    largest = np.where(usual > 0.0, np.minimum(largest, OUTLIER * usual), largest) / LARGEST
    best, least = largest, np.full(len(largest), np.inf)
    for k in range(STEPS):
        step = largest * 0.5 ** (k / 2)
        divisor = np.where(step > 0.0, step, 1.0)
        coded = np.clip(np.rint(sample / divisor), -LARGEST, LARGEST) * divisor
        error = (np.minimum(np.abs(sample - coded), FAR * usual) ** 2).mean(axis=0)
        best, least = np.where(error < least, step, best), np.minimum(error, least)
    return best


def _weights(steps: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Whole weights and the smallest unit for which they are the steps, about, and all sums fit; None if there is none.

    A step below the unit becomes the unit: its errors are small beside those of the others.
    """
    most = float(steps.max())
    if most == 0.0:
        most = 1.0
    unit = 2.0 ** (np.floor(np.log2(most)) - 4)
    while unit <= 2.0 * most:
        weight = np.maximum(np.rint(steps / unit), 1.0)
        if weight.max() <= LARGEST_WEIGHT and ((LARGEST * (1 + REACH) * weight) ** 2).sum() <= _MASK:
            return weight.astype(np.int64), float(unit)
        unit *= 2.0
    return None


@kernel()
def encode(points, steps, weight, codes, norm, error):
    """Codes (int8[n, d]), N_i (uint32[n]) and r_i (float64[n]) of float32[n, d]. steps: float64[d], u w."""
    for i in range(points.shape[0]):
        total, squares = np.int64(0), 0.0
        for j in range(points.shape[1]):
            exact = np.float64(points[i, j])
            code = min(max(np.rint(exact / steps[j]), -127.0), 127.0)
            codes[i, j] = np.int8(code)
            whole = np.int64(code) * weight[j]
            total += whole * whole
            off = exact - code * steps[j]
            squares += off * off
        norm[i] = np.uint32(total)
        error[i] = np.sqrt(squares)


@kernel()
def coarse_distances(codes, factor, norm, base, unit, allowed, out):
    """D_i of allowed rows (bool[n]) into float32[n], infinite for the others. factor: int16[d], c. base: B."""
    for i in range(codes.shape[0]):
        if not allowed[i]:
            out[i] = np.inf
            continue
        total = np.int32(0)
        for j in range(codes.shape[1]):
            total = np.int32(total + np.int32(np.int32(codes[i, j]) * np.int32(factor[j])))
        squared = (np.int64(norm[i]) - 2 * np.int64(total) + base) & 0xFFFFFFFF
        out[i] = np.float32(unit * np.sqrt(np.float64(squared)))
