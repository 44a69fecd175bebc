"""Sums of a window over the zone around its spot: the one step that radar, bands and calibration share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spymaster.surfaces import kernels
from spymaster.surfaces.blocks import WallBlock, order_error
from spymaster.surfaces.zones import BAND_WIDTH_TICKS, WINDOW_NS, ZONE_QUANTITIES, ZONE_TICKS


@dataclass(frozen=True)
class ZoneSums:
    """Integer sums of `m` windows. Axis 1 of all: 0 bid, 1 ask; axis 2 of `sums`: AT, NEAR, MID, FAR."""

    win_t: np.ndarray
    """int64[m], window_end in ns."""
    sums: np.ndarray
    """int64[m, 2, 4, 7], lots, in the order of `ZONE_QUANTITIES`."""
    median: np.ndarray
    """int64[m, 2], median of depth_qty_rest over the side's ticks 0..20, an empty tick as 0."""
    geometry: np.ndarray | None
    """int64[m, 2, 5] of `kernels.zone_geometry`, where asked for."""


def zone_sums(wall: WallBlock, win_t: np.ndarray, *, geometry: bool = False) -> ZoneSums:
    """Sum a block of wall rows over the windows `win_t` (int64[m], rising), which must include every row's own.

    `geometry` needs a block with `MOVE_QUANTITIES`. Raises SurfaceInputError naming the first row whose window is not
    among the windows.
    """
    m = len(win_t)
    win_t = np.array(win_t, dtype=np.int64)  # a copy of one's own: kernels take writable windows
    sums = np.zeros((m, 2, 4, len(ZONE_QUANTITIES)), dtype=np.int64)
    median = np.zeros((m, 2), dtype=np.int64)
    shape = np.empty((m, 2, 5), dtype=np.int64) if geometry else None
    rest = np.empty((2, ZONE_TICKS + 1), dtype=np.int64)
    q = wall.q[: len(ZONE_QUANTITIES)]
    bad = kernels.zone_sums(wall.t, win_t, wall.side, wall.rel, q, rest, sums, median)
    if bad >= 0:
        raise order_error(wall, bad, "wall row of a window that the snapshot table does not have")
    if shape is not None:
        kernels.zone_geometry(wall.t, win_t, wall.side, wall.rel, wall.q, shape)
    return ZoneSums(win_t, sums, median, shape)


class BandMetrics:
    """Metrics of each band's sums, window by window; carries two windows for the second difference."""

    def __init__(self, *, eps_qty: float, window_ns: int = WINDOW_NS) -> None:
        self._eps = float(eps_qty)
        self._step = window_ns
        self._width = np.array(BAND_WIDTH_TICKS, dtype=np.int64)
        self._lag_t = np.full(2, -(1 << 62), dtype=np.int64)
        self._lag_x = np.zeros((2, 2, 4), dtype=np.float64)

    def update(self, zone: ZoneSums) -> np.ndarray:
        """float64[m, 2, 4, 8] in the order of `vacuum.METRICS`, for the windows that follow those given before."""
        out = np.empty((len(zone.win_t), 2, 4, 8), dtype=np.float64)
        kernels.band_metrics(
            zone.win_t,
            self._step,
            zone.sums,
            zone.median,
            self._width,
            self._eps,
            self._lag_t,
            self._lag_x,
            out,
        )
        return out


class Differences:
    """First to third differences of per-window values over consecutive windows; NaN where a neighbour is missing."""

    def __init__(self, *, window_ns: int = WINDOW_NS) -> None:
        self._step = window_ns
        self._t: np.ndarray | None = None
        self._history = np.empty((0,))

    def update(self, win_t: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """d1, d2, d3, each of the shape of `values` (float64[m, ...]); a gap in `win_t` starts anew."""
        if self._t is None:
            self._t = np.empty(0, dtype=np.int64)
            self._history = np.empty((0, *values.shape[1:]), dtype=np.float64)
        t = np.concatenate([self._t, win_t])
        level = np.concatenate([self._history, values])
        follows = np.zeros(len(t), dtype=bool)
        follows[1:] = np.diff(t) == self._step
        results = []
        for _ in range(3):
            change = np.full_like(level, np.nan)
            change[1:] = level[1:] - level[:-1]
            change[~follows] = np.nan
            results.append(change[len(self._t) :])
            level = change
        raw = np.concatenate([self._history, values])
        self._t, self._history = t[-3:], raw[-3:]
        return results[0], results[1], results[2]
