"""Is liquidity leaving this price? Metrics of every wall row and their score (`silver.vacuum_surface_1s`).

E is the instrument's `eps_qty`. Per row, over one window:

    pull_add_log        ln((pull_rest + E) / (add + E)); d1, d2, d3 its differences over consecutive seconds of the same
                        price and side, where a second without a row had no flow and so the value 0
    net_withdrawal      (pull_total - add) / (depth_start + E)
    wall_erosion        -ln((depth_end + E) / (depth_start + E))
    pull_intensity_rest pull_rest / (depth_start + E)
    wall_strength_log   ln((depth_rest + E) / (median + E)), median of depth_rest over the side's ticks 0..20 of that
                        window, an empty tick as 0: '9 times the usual wall' reads off it
    fill_share          fill / (pull_total + fill + E): eaten or withdrawn
    vacuum_score        mean N of the four signed metrics: 0.5 idle, towards 1 leaving, towards 0 building

Raw columns follow these formulas in every window; the score is null where the window is not valid. Before the first
window of the stream nothing is known to have happened: differences start from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import polars as pl

from spymaster.surfaces import kernels
from spymaster.surfaces.blocks import WallBlock, order_error, whole_windows
from spymaster.surfaces.scores import Norms
from spymaster.surfaces.zones import WINDOW_NS, ZONE_QUANTITIES, ZONE_TICKS

SIGNED_METRICS: Final = ("pull_add_log", "net_withdrawal", "wall_erosion", "d2_pull_add_log")
METRICS: Final = (*SIGNED_METRICS, "wall_strength_log", "pull_intensity_rest", "depth_qty_end", "net_flow_qty")
"""What calibration knows, per wall row and per band; the order of kernel arrays."""

ROW_COLUMNS: Final = (
    "pull_add_log",
    "d1_pull_add_log",
    "d2_pull_add_log",
    "d3_pull_add_log",
    "net_withdrawal",
    "wall_erosion",
    "pull_intensity_rest",
    "wall_strength_log",
    "fill_share",
)

WALL_COLUMNS: Final = (
    "window_end",
    "contract",
    "price_int",
    "side",
    "rel_ticks",
    "spot_ref_price_int",
    *ZONE_QUANTITIES,
    "window_valid",
)
"""Columns of `silver.wall_surface_1s` that these metrics read."""

KEY_COLUMNS: Final = ("window_end", "contract", "price_int", "side", "rel_ticks", "spot_ref_price_int", "window_valid")


_TABLED_LOTS: Final = 512
"""Quantities below this have their logarithms in a table (2 MB, of which a window needs two rows)."""


class VacuumRows:
    """Row metrics of a wall, block by block; carries the flow of the last windows so that block edges do not show.

    Blocks are whole windows in time order. `update` returns float32[9, n] in the order of `ROW_COLUMNS`.
    """

    def __init__(self, *, eps_qty: float, window_ns: int = WINDOW_NS) -> None:
        self._eps = float(eps_qty)
        self._step = window_ns
        self._past = np.array([-(1 << 62), 0, 0], dtype=np.int64)
        self._past_key = np.empty((2, 0), dtype=np.int64)
        self._past_x = np.empty((2, 0, 3), dtype=np.float64)
        self._rest = np.empty((2, ZONE_TICKS + 1), dtype=np.int64)
        self._logs = np.empty((_TABLED_LOTS, _TABLED_LOTS), dtype=np.float64)
        kernels.fill_logs(self._eps, self._logs)

    def update(self, wall: WallBlock) -> np.ndarray:
        """Metrics of one block. Raises SurfaceInputError where rows are not sorted by window_end, price_int, side."""
        self._make_room(wall.t)
        out = np.empty((len(ROW_COLUMNS), wall.rows), dtype=np.float32)
        bad = kernels.flow_differences(
            wall.t,
            wall.price,
            wall.side,
            wall.q,
            self._step,
            self._eps,
            self._logs,
            self._past,
            self._past_key,
            self._past_x,
            out,
        )
        if bad >= 0:
            raise order_error(wall, bad, "wall rows out of order, or of a window given before")
        kernels.row_ratios(wall.q, self._eps, out)
        kernels.row_logs(wall.t, wall.side, wall.rel, wall.q, self._eps, self._logs, self._rest, out)
        return out

    def _make_room(self, t: np.ndarray) -> None:
        """Let both lists hold what they have and all rows of three windows more."""
        if len(t) == 0:
            return
        starts = np.flatnonzero(t[1:] != t[:-1]) + 1
        longest = np.diff(starts, prepend=0, append=len(t)).max()
        missing = int(self._past[1]) + 3 * int(longest) - self._past_key.shape[1]
        if missing > 0:
            self._past_key = np.concatenate([self._past_key, np.empty((2, missing), np.int64)], axis=1)
            self._past_x = np.concatenate([self._past_x, np.empty((2, missing, 3))], axis=1)


def vacuum_score(rows: np.ndarray, norms: Norms) -> np.ndarray:
    """Mean N of the four signed metrics, float32[n], of float32[9, n] row metrics."""
    chosen = [norms.norm(metric) for metric in SIGNED_METRICS]
    signed = [norm.kind == "signed" for norm in chosen]
    score = np.empty(rows.shape[1], dtype=np.float32)
    kernels.mean_score(
        rows,
        np.array([ROW_COLUMNS.index(metric) for metric in SIGNED_METRICS]),
        np.array([norm.origin for norm in chosen], dtype=np.float64),
        np.array([norm.scale for norm in chosen], dtype=np.float64),
        np.where(signed, 0.5, 0.0),
        np.where(signed, 0.5, 1.0),
        np.empty(2048),
        score,
    )
    return score


def vacuum_frames(
    wall_batches: Iterable[pl.DataFrame], calibration: pl.DataFrame, *, eps_qty: float, window_ns: int = WINDOW_NS
) -> Iterator[pl.DataFrame]:
    """`silver.vacuum_surface_1s` of a wall, in blocks, the same rows in the same order.

    wall_batches: frames with `WALL_COLUMNS`, sorted, of any size. calibration: `gold.physics_norm_calibration` of the
    date. Raises SurfaceInputError for rows out of order, CalibrationError for a calibration without the four metrics.
    """
    norms = Norms(calibration)
    state = VacuumRows(eps_qty=eps_qty, window_ns=window_ns)
    for wall in whole_windows(wall_batches):
        rows = state.update(WallBlock.of(wall))
        columns = [pl.Series(name, rows[i]) for i, name in enumerate(ROW_COLUMNS)]
        score = pl.Series("vacuum_score", vacuum_score(rows, norms))
        if not wall["window_valid"].all():
            score = score.set(~wall["window_valid"], None)
        yield wall.select(KEY_COLUMNS).hstack([*columns, score])
