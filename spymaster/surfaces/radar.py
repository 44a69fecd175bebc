"""What lies within 20 ticks of spot, as ratios, one row per second (`silver.radar_vacuum_1s`).

Per side (asks at or above spot, bids at or below), bands AT 0-2, NEAR 3-5, MID 6-14, FAR 15-20. `s` and `e` are the
start and the end of the window, both measured against the window-end spot, so that a spot that moved does not fake a
book that moved; quantities are sums over the side's ticks 0..20, E is the instrument's `eps_qty`.

    com_disp_log             ln((d_e + 1) / (d_s + 1)), d the quantity-weighted mean distance in ticks, 20 if empty
    slope_convex_log         ln((far_e + E) / (near_e + E))
    slope_inner_log          ln((near_e + E) / (at_e + E))
    at_share_delta           at_e / (total_e + E) - at_s / (total_s + E)
    near_share_delta         the same of the NEAR band
    reprice_away_share_rest  away / (away + toward) of resting quantity moved by M, 0.5 if none
    pull_add_log_rest        ln((pull_rest + E) / (add + E))
    pull_intensity_log_rest  ln(1 + pull_rest / (total_s + E))
    add_intensity_log        ln(1 + add / (total_s + E))
    at_pull_share_rest       pull_rest of AT / (pull_rest + E); near_pull_share_rest likewise
    fill_intensity_log       ln(1 + fill / (total_s + E))
    bbo_dist_ticks           distance of the nearest level with depth at the end, 20 if none

Each has d1, d2, d3: successive differences over consecutive seconds, null where one of those seconds has no spot.

`approach_dir` is the sign of the mid's move over the last 3 s where that move exceeds half the standard deviation of
the mid's 3-second moves over the trailing 60 s (population, the move itself included); `none` otherwise, and until 30
such moves are known. The mid is `mid_price_int`; a window without one has no move.

The families of the mission, f* and u*, are views of these columns: `spymaster.surfaces.views`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from spymaster.surfaces import kernels
from spymaster.surfaces.blocks import WallBlock, nanoseconds
from spymaster.surfaces.views import VIEWS, fu_view
from spymaster.surfaces.windows import Differences, ZoneSums, zone_sums
from spymaster.surfaces.zones import ASK, BID, MOVE_QUANTITIES, WINDOW_NS, ZONE_QUANTITIES
from spymaster.tables import radar_vacuum_1s
from spymaster.tables.types import APPROACH_DIRECTION, APPROACH_DIRECTIONS

__all__ = ["FEATURES", "VIEWS", "RadarBuilder", "fu_view", "radar_features"]

FEATURES: Final = tuple(radar_vacuum_1s.FEATURES)
"""Features of one side, in the order of the table and of kernel arrays."""

WALL_COLUMNS: Final = ("window_end", "price_int", "side", "rel_ticks", *ZONE_QUANTITIES, *MOVE_QUANTITIES)
SNAPSHOT_COLUMNS: Final = ("window_end", "contract", "spot_ref_price_int", "window_valid", "mid_price_int")

APPROACH_MOVE_S: Final = 3
APPROACH_SPAN_S: Final = 60
APPROACH_LEAST_MOVES: Final = 30

_APPROACH_CODES: Final = np.array([APPROACH_DIRECTIONS.index(name) for name in ("none", "up", "down")], dtype=np.uint8)
"""By direction of the move, 0, 1 and (from the end) -1."""

_COLUMN_OF: Final = [(side, ASK if side == "ask" else BID, i) for side in ("ask", "bid") for i in range(len(FEATURES))]


def radar_features(zone: ZoneSums, *, eps_qty: float) -> np.ndarray:
    """float64[m, 2, 13]: the features of each window and side (0 bid, 1 ask), in the order of `FEATURES`.

    zone: sums of windows **of any length**, with geometry; for a window of several seconds `depth_qty_start` is the
    depth at its beginning, `depth_qty_end` and `depth_qty_rest` those at its end, and flows are sums over it.
    """
    if zone.geometry is None:
        raise ValueError("radar needs the geometry of the zone: zone_sums(..., geometry=True)")
    out = np.empty((len(zone.win_t), 2, len(FEATURES)), dtype=np.float64)
    kernels.radar_features(zone.sums, zone.geometry, float(eps_qty), out)
    return out


class RadarBuilder:
    """`silver.radar_vacuum_1s` block by block; what differences and `approach_dir` need is carried between blocks."""

    def __init__(self, *, eps_qty: float, window_ns: int = WINDOW_NS) -> None:
        self._eps = float(eps_qty)
        self._step = window_ns
        self._differences = Differences(window_ns=window_ns)
        self._mid_t = np.empty(0, dtype=np.int64)
        self._mid = np.empty(0, dtype=np.float64)
        self._reach = round(APPROACH_MOVE_S * 1e9 / window_ns)
        self._span = round(APPROACH_SPAN_S * 1e9 / window_ns)

    def update(self, wall: pl.DataFrame, snapshot: pl.DataFrame) -> pl.DataFrame:
        """Radar rows of the snapshot rows given, one each.

        wall: rows with `WALL_COLUMNS` of exactly those windows, sorted by window_end, price_int, side (windows without
        a row are fine, other windows are not). snapshot: rows with `SNAPSHOT_COLUMNS`, in time order, following those
        of the call before. Raises SurfaceInputError for a wall row without its snapshot row.
        """
        return self.update_block(WallBlock.of(wall, moves=True), snapshot)

    def update_block(self, wall: WallBlock, snapshot: pl.DataFrame) -> pl.DataFrame:
        """`update` of wall columns that are arrays already, with `MOVE_QUANTITIES`."""
        win_t = nanoseconds(snapshot["window_end"])
        values = radar_features(zone_sums(wall, win_t, geometry=True), eps_qty=self._eps)
        values[snapshot["spot_ref_price_int"].is_null().to_numpy()] = np.nan
        ladder = [("", values)]
        ladder += zip(("d1_", "d2_", "d3_"), self._differences.update(win_t, values), strict=True)
        features = [
            pl.Series(f"{prefix}{side}_{FEATURES[i]}", columns[code, i], nan_to_null=True)
            for prefix, block in ladder
            for columns in (np.ascontiguousarray(block.transpose(1, 2, 0), dtype=np.float32),)
            for side, code, i in _COLUMN_OF
        ]
        shared = snapshot.select("window_end", "contract", "spot_ref_price_int", "window_valid")
        return shared.hstack([self._approach(win_t, snapshot["mid_price_int"]), *features])

    def _approach(self, win_t: np.ndarray, mid: pl.Series) -> pl.Series:
        t = np.concatenate([self._mid_t, win_t])
        values = np.concatenate([self._mid, mid.cast(pl.Float64).fill_null(np.nan).to_numpy()])
        breaks = np.ones(len(t), dtype=bool)
        breaks[1:] = np.diff(t) != self._step
        run_start = np.maximum.accumulate(np.where(breaks, np.arange(len(t)), 0)).astype(np.int64)
        direction = np.empty(len(win_t), dtype=np.int8)
        kernels.approach_moves(
            values,
            run_start,
            len(self._mid_t),
            self._reach,
            self._span,
            APPROACH_LEAST_MOVES,
            np.empty_like(values),
            direction,
        )
        keep = self._reach + self._span
        self._mid_t, self._mid = t[-keep:], values[-keep:]
        return pl.Series("approach_dir", _APPROACH_CODES[direction]).cat.to(APPROACH_DIRECTION)
