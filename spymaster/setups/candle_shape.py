"""The shape of six candles as 41 numbers, for vectors of the family `c120`.

Bars -5 to 0, of which the last ends with the cut-off; lengths in deviations of the mid over 120 s, signs positive in
the direction of the approach:

    body          close - open                       ah_wick, bh_wick   beyond the body, ahead and behind
    close         close - close of bar 0             volume_log         ln((volume + E)/(mean of the six + E))
    signed_vol    (bought - sold)/(volume + E)
    msg_rate_log  ln((records + 1)/(120 prior median of a second's + 1))
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from spymaster.setups.base_features import SMALLEST_SIGMA_TICKS
from spymaster.setups.vector_layout import BARS, SHAPE, SHAPE_FEATURES
from spymaster.setups.zone_windows import SECOND_NS
from spymaster.surfaces.blocks import nanoseconds

CANDLE_COLUMNS: Final = (
    "window_end", "open_price_int", "high_price_int", "low_price_int", "close_price_int", "volume", "buy_volume",
    "sell_volume", "n_msgs", "is_complete", "is_halt",
)  # fmt: skip
"""Columns read of `silver.candle_2m`."""

BAR_S: Final = 120


class Candles:
    """Candles of a session as arrays."""

    def __init__(self, candles: pl.DataFrame, *, tick: int, eps: float) -> None:
        """candles: rows with `CANDLE_COLUMNS`, in order of time. tick: 1e-9. eps: smallest lot E."""
        self.tick, self.eps = tick, eps
        self.end = nanoseconds(candles["window_end"]) // SECOND_NS
        self._values = {
            name: candles[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            for name in CANDLE_COLUMNS
            if name not in ("window_end", "is_complete", "is_halt")
        }
        usable = candles["is_complete"] & ~candles["is_halt"] & candles["close_price_int"].is_not_null()
        self._usable = usable.to_numpy()

    def bars(self, cutoff_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the six bars that end with each cut-off (int64[v, 6]), and whether all are there, whole and open."""
        last = np.searchsorted(self.end, cutoff_s)
        rows = last[:, None] + np.arange(1 - BARS, 1)
        inside = (rows >= 0) & (rows < len(self.end))
        rows = np.where(inside, rows, 0)
        if not len(self.end):
            return rows, np.zeros(len(rows), dtype=bool)
        due = np.asarray(cutoff_s)[:, None] + BAR_S * np.arange(1 - BARS, 1)
        return rows, (inside & (self.end[rows] == due) & self._usable[rows]).all(axis=1)

    def shape(
        self, rows: np.ndarray, direction: np.ndarray, sigma_120: np.ndarray, usual_msgs: np.ndarray
    ) -> np.ndarray:
        """float64[v, 41]: `SHAPE` of bars. rows: int64[v, 6]. sigma_120: ticks. usual_msgs: records of a second."""
        price = {name: self._values[f"{name}_price_int"][rows] / self.tick for name in ("open", "high", "low", "close")}
        sign = np.asarray(direction, dtype=np.float64)[:, None]
        sigma = np.maximum(sigma_120, SMALLEST_SIGMA_TICKS)[:, None]
        upper = price["high"] - np.maximum(price["open"], price["close"])
        lower = np.minimum(price["open"], price["close"]) - price["low"]
        volume = self._values["volume"][rows]
        bought, sold = self._values["buy_volume"][rows], self._values["sell_volume"][rows]
        parts = {
            "body": sign * (price["close"] - price["open"]) / sigma,
            "ah_wick": np.where(sign > 0, upper, lower) / sigma,
            "bh_wick": np.where(sign > 0, lower, upper) / sigma,
            "close": sign * (price["close"] - price["close"][:, -1:]) / sigma,
            "volume_log": np.log((volume + self.eps) / (volume.sum(axis=1, keepdims=True) / BARS + self.eps)),
            "signed_vol": sign * (bought - sold) / (volume + self.eps),
            "msg_rate_log": np.log((self._values["n_msgs"][rows] + 1.0) / (BAR_S * usual_msgs[:, None] + 1.0)),
        }
        together = np.stack([parts[name] for name in SHAPE_FEATURES], axis=2).reshape(
            len(rows), BARS * len(SHAPE_FEATURES)
        )
        return together[:, _KEPT]


_KEPT: Final = [
    k
    for k, name in enumerate(f"bar{bar}.{feature}" for bar in range(1 - BARS, 1) for feature in SHAPE_FEATURES)
    if name in SHAPE
]
