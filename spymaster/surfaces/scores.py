"""N(x): how a raw metric becomes a score in [0, 1], by the calibration row of its metric and band.

A signed metric has its neutral point at 0: `N(x) = clip(0.5 + 0.5 x / scale, 0, 1)`, so idle is exactly 0.5. A
magnitude has its range: `N(x) = clip((x - q05) / scale, 0, 1)` with `scale = q95 - q05`. Calibration floors `scale`,
so nothing here divides by zero; a metric at its floor is degenerate, which is an integrity check's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from spymaster.surfaces.errors import CalibrationError

Kind = Literal["signed", "magnitude", "ratio"]


@dataclass(frozen=True)
class Norm:
    """One calibration row, as far as a score needs it; `band` None means per wall row."""

    metric: str
    band: str | None
    kind: Kind
    q05: float
    scale: float

    @property
    def origin(self) -> float:
        """Where the score of a magnitude is 0, of a signed metric 0.5."""
        return 0.0 if self.kind == "signed" else self.q05

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Scores of raw values of any shape, float64; NaN stays NaN."""
        share = (np.asarray(x, dtype=np.float64) - self.origin) / self.scale
        return np.clip(0.5 + 0.5 * share if self.kind == "signed" else share, 0.0, 1.0)

    def expression(self, column: str | pl.Expr) -> pl.Expr:
        """The same as a Polars expression, for checks and queries."""
        raw = pl.col(column) if isinstance(column, str) else column
        share = (raw.cast(pl.Float64) - self.origin) / self.scale
        return (share * 0.5 + 0.5 if self.kind == "signed" else share).clip(0.0, 1.0)


class Norms:
    """The rows of one `gold.physics_norm_calibration` partition, by metric and band."""

    def __init__(self, calibration: pl.DataFrame) -> None:
        self._norms: dict[tuple[str, str | None], Norm] = {}
        for row in calibration.select("metric_name", "band", "kind", "q05", "scale").iter_rows():
            metric, band, kind, q05, scale = row
            if kind == "ratio":
                continue
            if scale is None or not scale > 0.0:
                raise CalibrationError(f"calibration of {metric} (band {band}) has scale {scale}, must be positive")
            self._norms[metric, band] = Norm(metric, band, kind, q05, scale)

    def norm(self, metric: str, band: str | None = None) -> Norm:
        """The norm of a metric per wall row (band None) or of a band's sums.

        Raises CalibrationError where the calibration has no such row.
        """
        try:
            return self._norms[metric, band]
        except KeyError:
            raise CalibrationError(
                f"calibration has no row for metric {metric!r}, band {band!r}",
                hint="rebuild gold.physics_norm_calibration of this date",
            ) from None
