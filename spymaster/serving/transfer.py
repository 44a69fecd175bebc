"""Transfer functions: how a value becomes the one byte that a cell of a picture is sent as, and back.

Code 0 always means "no data". Every function is monotone and invertible up to its resolution, and is declared per
column in the manifest, so that a client decodes without knowing the column. Halves are rounded up (floor(x + 0.5)), as
JavaScript does, so that both ends agree on every code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

MISSING = 0
"""Code of a cell that nothing is known about."""
CENTRE = 128
"""Code of zero in the two signed functions."""

_TABLE_MAX = 1_000_000
"""Longest scale, in whole units, of which all codes are tabulated."""

Codes = NDArray[np.uint8]


class Transfer(Protocol):
    """One transfer function with its parameters."""

    fn: ClassVar[str]

    def encode(self, values: ArrayLike) -> Codes:
        """Codes 1..255 of `values`, 0 where they are NaN; values out of range are clamped."""
        ...

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        """Values of `codes`; NaN for 0."""
        ...

    def clipped(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Whether a value lies outside the range, so that its code is a bound and not the value."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """The function as the manifest declares it."""
        ...


@dataclass(frozen=True)
class Unit:
    """1 + round(254 x) for x in 0..1."""

    fn: ClassVar[str] = "unit"

    def encode(self, values: ArrayLike) -> Codes:
        x = _floats(values)
        return _codes(x, 1 + _round(254 * np.clip(x, 0, 1)))

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        return np.where(codes == MISSING, np.nan, (codes.astype(np.float64) - 1) / 254)

    def clipped(self, values: ArrayLike) -> NDArray[np.bool_]:
        x = _floats(values)
        return (x < 0) | (x > 1)

    def as_dict(self) -> dict[str, Any]:
        return {"fn": self.fn}


@dataclass(frozen=True)
class SignedUnit:
    """128 + round(127 x) for x in -1..1; the magnitude is rounded, so that a sign changes nothing else."""

    fn: ClassVar[str] = "signed_unit"

    def encode(self, values: ArrayLike) -> Codes:
        x = _floats(values)
        return _codes(x, CENTRE + np.sign(x) * _round(127 * np.clip(np.abs(x), 0, 1)))

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        return np.where(codes == MISSING, np.nan, (codes.astype(np.float64) - CENTRE) / 127)

    def clipped(self, values: ArrayLike) -> NDArray[np.bool_]:
        return np.abs(_floats(values)) > 1

    def as_dict(self) -> dict[str, Any]:
        return {"fn": self.fn}


@dataclass(frozen=True)
class SignedLog:
    """128 + sgn(x) max(1, round(127 ln(1 + |x|/c) / ln(1 + max/c))), clamped to 1..255; 128 is zero and only zero.

    `c`: magnitude below which the scale is about linear; `max`: magnitude of the last code. Both in the unit of x, > 0.
    """

    c: float
    max: float
    fn: ClassVar[str] = "signed_log"

    def __post_init__(self) -> None:
        if not (0 < self.c < math.inf and 0 < self.max < math.inf):
            raise ValueError(f"signed_log needs c > 0 and max > 0, got c = {self.c}, max = {self.max}")

    def encode(self, values: ArrayLike) -> Codes:
        x = _floats(values)
        steps = _round(127 * np.log1p(np.abs(x) / self.c) / math.log1p(self.max / self.c))
        return _codes(x, CENTRE + np.sign(x) * np.clip(steps, 1, 127))

    def encode_whole(self, values: NDArray[np.integer], known: NDArray[np.bool_]) -> Codes:
        """The same codes of whole numbers, by a table; code 0 where not known."""
        most = math.ceil(self.max)
        if most > _TABLE_MAX:
            return self.encode(np.where(known, values, np.nan))
        table = self.encode(np.arange(-most, most + 1))
        return np.where(known, table[np.clip(values, -most, most) + most], MISSING).astype(np.uint8)

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        steps = codes.astype(np.float64) - CENTRE
        sizes = self.c * np.expm1(np.abs(steps) / 127 * math.log1p(self.max / self.c))
        return np.where(codes == MISSING, np.nan, np.sign(steps) * sizes)

    def clipped(self, values: ArrayLike) -> NDArray[np.bool_]:
        return np.abs(_floats(values)) > self.max

    def as_dict(self) -> dict[str, Any]:
        return {"fn": self.fn, "c": self.c, "max": self.max}


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)


def _round(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.floor(values + 0.5)


def _codes(values: NDArray[np.float64], codes: NDArray[np.float64]) -> Codes:
    return np.where(np.isnan(values), MISSING, np.nan_to_num(codes)).astype(np.uint8)
