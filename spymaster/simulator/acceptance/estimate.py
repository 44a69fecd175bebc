"""Figures with their standard errors: sums over blocks of time, a figure of the sums, and the jackknife over blocks.

A figure that is a function of sums needs the records once; leaving a block out costs a subtraction. Blocks are longer
than what makes neighbouring seconds alike, as far as the span allows (Kunsch 1989, Ann. Stat.; Efron 1982).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Figure = Callable[[NDArray[np.float64]], float | None]
"""From sums (k,) to the figure; None where they do not tell."""

_LEAST_BLOCKS = 4


@dataclass(frozen=True)
class Estimate:
    """A measured figure. `value` None: the span cannot show it. `error`: its standard error, None if it has none."""

    value: float | None
    error: float | None = None


UNKNOWN = Estimate(None)


def estimate(sums: NDArray[np.float64], figure: Figure) -> Estimate:
    """Figure of the sums of all blocks (blocks, k), with the jackknife's standard error."""
    total = sums.sum(axis=0)
    value = figure(total)
    if value is None or len(sums) < _LEAST_BLOCKS:
        return Estimate(value)
    others = [figure(total - block) for block in sums]
    told = np.array([other for other in others if other is not None])
    if len(told) < _LEAST_BLOCKS:
        return Estimate(value)
    n = len(told)
    return Estimate(value, float(np.sqrt((n - 1) / n * ((told - told.mean()) ** 2).sum())))


def ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> Estimate:
    """Estimate of sum over sum, by block."""
    return estimate(np.column_stack([above, below]), lambda s: float(s[0] / s[1]) if s[1] > 0 else None)


def block_sums(block: NDArray[np.int64], blocks: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of `values` (n,) or (n, k) by block number (n,): (blocks, k)."""
    values = values.reshape(len(block), -1)
    return np.array([np.bincount(block, weights=column, minlength=blocks) for column in values.T], np.float64).T


def counts(block: NDArray[np.int64], blocks: int, cell: NDArray[np.int64], cells: int) -> NDArray[np.float64]:
    """How many of each cell 0 ... cells - 1 each block has: (blocks, cells)."""
    flat = np.bincount(block * cells + np.clip(cell, 0, cells - 1), minlength=blocks * cells)
    return flat.reshape(blocks, cells).astype(np.float64)


def pair_sums(
    block: NDArray[np.int64], blocks: int, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What correlation and regression of x and y need: n, x, y, xx, yy, xy by block."""
    return block_sums(block, blocks, np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y]))


def correlation(sums: NDArray[np.float64]) -> float | None:
    """Correlation from `pair_sums`."""
    n, x, y, xx, yy, xy = sums[:6]
    if n < 30:
        return None
    scale = (xx - x * x / n) * (yy - y * y / n)
    return float((xy - x * y / n) / scale**0.5) if scale > 0 else None


def hill(sums: NDArray[np.float64]) -> float | None:
    """Tail exponent of whole numbers from their count and the sum of log(value / (least - 1/2)).

    Hill's estimator with the correction of Clauset, Shalizi & Newman 2009 (SIAM Review).
    """
    return float(sums[0] / sums[1]) if sums[0] >= 50 and sums[1] > 0 else None


def gamma_distance(cells: NDArray[np.float64]) -> tuple[float, float]:
    """Shape of the Gamma law fitted to a histogram over 0, 1, 2 ..., and the distance between the two.

    Zeros are left out. The shape is the maximum-likelihood one in the approximation of Minka 2002; the distance is the
    largest one between the cumulative laws, counts read as continuous values about them.
    """
    at = np.arange(1, len(cells), dtype=np.float64)
    weight = cells[1:] / cells[1:].sum()
    mean = float((weight * at).sum())
    gap = float(np.log(mean) - (weight * np.log(at)).sum())
    shape = (3 - gap + ((gap - 3) ** 2 + 24 * gap) ** 0.5) / (12 * gap)
    scale = mean / shape
    edges = np.arange(1, 20 * len(cells) + 1) / 20.0
    middle = edges - 0.025
    density = np.exp((shape - 1) * np.log(middle / mean) - (middle - mean) / scale)
    law = np.cumsum(density)
    theirs = np.interp(at + 0.5, edges, law / law[-1])
    return shape, float(np.abs(np.cumsum(weight) - theirs).max())
