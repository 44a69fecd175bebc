"""Kernels of options on plain arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spymaster.options.forward import STRIKES, parity
from spymaster.options.smile import smooth, value_at


class ParityForward(NamedTuple):
    """A forward, half the width of what its strikes leave open (both in points), and how many strikes had a say."""

    forward: float
    uncertainty: float
    strikes: int


def parity_forward(
    strike: ArrayLike,
    call_bid: ArrayLike,
    call_ask: ArrayLike,
    put_bid: ArrayLike,
    put_ask: ArrayLike,
    *,
    discount: float = 1.0,
    strikes: int = STRIKES,
) -> ParityForward | None:
    """The forward of one expiry from the quotes of its strikes (points, NaN for none); None without a pair."""
    given = [np.array(one, float) for one in (strike, call_bid, call_ask, put_bid, put_ask)]
    forward, uncertainty, count = parity(*given, len(given[0]), float(discount), np.empty((5, strikes)))
    return ParityForward(forward, uncertainty, count) if count else None


def smoothed(x: ArrayLike, y: ArrayLike, weight: ArrayLike, bend: float, at: ArrayLike) -> np.ndarray:
    """The smoothing spline of points (x, y), of which x ascends, at the places `at`, float64."""
    points, given, weights, places = (np.ascontiguousarray(one, float) for one in (x, y, weight, at))
    value, second = np.empty_like(given), np.empty_like(given)
    smooth(points, given, weights, float(bend), len(points), value, second, np.empty((7, len(points))))
    flat = [value_at(points, value, second, len(points), float(one)) for one in places.ravel()]
    return np.reshape(flat, places.shape)
