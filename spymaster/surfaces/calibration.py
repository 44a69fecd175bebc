"""The scales that turn a session's metrics into scores, from earlier sessions only (`gold.physics_norm_calibration`).

Pool: wall rows of up to `max_sessions` earlier sessions that are valid, within `max_rel_ticks` of spot and *active*
(some add, pull or fill in the window). Idle levels are left out on purpose: with them every quantile is zero and every
score constant. Each metric of `vacuum.METRICS` is pooled per wall row (band null) and, from band sums, per band: a
side of a band in a window is one row, active if anything happened in the band, and both sides share the band's rows.

The session itself is read only where no earlier one has a valid window (`basis` same_session), and then shown as such
and kept out of every evaluation. Nothing of the session or of later ones can change a calibration with `basis`
prior_sessions. Values are counted as float32 (`surfaces.tally`); how the wall arrives in batches does not matter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.settings import CalibrationSettings, Settings
from spymaster.surfaces.blocks import WallBlock, whole_windows
from spymaster.surfaces.errors import CalibrationError
from spymaster.surfaces.tally import Tally, TallyBuilder, merged
from spymaster.surfaces.vacuum import METRICS, ROW_COLUMNS, SIGNED_METRICS, VacuumRows
from spymaster.surfaces.windows import BandMetrics, zone_sums
from spymaster.surfaces.zones import ADD, END, FILL, PULL, WINDOW_NS, ZONE_QUANTITIES
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.types import BANDS

SCALE_FLOOR: Final = 1e-3
"""Least scale stored, so that scores are finite. A metric at the floor is degenerate, and an integrity check says
so."""

WALL_COLUMNS: Final = ("window_end", "price_int", "side", "rel_ticks", *ZONE_QUANTITIES, "window_valid")

SessionPool = Mapping[tuple[str, str | None], Tally]
"""The pooled values of one session, by metric and band (None: per wall row)."""

_LEVEL_METRICS: Final = ("depth_qty_end", "net_flow_qty")
_REMEMBERED_SESSIONS: Final = 24
_remembered: OrderedDict[tuple[str, float, int, int], SessionPool] = OrderedDict()


def select_sessions(partitions: Sequence[Partition], dt: date, settings: Settings) -> list[Partition]:
    """The walls that the calibration of `dt` reads, in date order.

    The last `max_sessions` of those before `dt` that have a valid window; where there is none, that of `dt` itself.
    Later ones are refused: CalibrationError.
    """
    later = [partition.label for partition in partitions if partition.dt > dt]
    if later:
        raise CalibrationError(f"calibration of {dt} was offered a later session: {later[0]}")
    earlier = sorted((partition for partition in partitions if partition.dt < dt), key=lambda p: p.dt, reverse=True)
    chosen: list[Partition] = []
    for partition in earlier:
        if len(chosen) == settings.calibration.max_sessions:
            break
        if _has_valid_window(partition):
            chosen.append(partition)
    return chosen[::-1] or [partition for partition in partitions if partition.dt == dt]


def calibrate(
    sessions: Sequence[Partition],
    dt: date,
    *,
    eps_qty: float,
    settings: CalibrationSettings | None = None,
    window_ns: int = WINDOW_NS,
) -> pl.DataFrame:
    """`gold.physics_norm_calibration` of `dt` from the walls that `select_sessions` chose.

    sessions: earlier walls, or the wall of `dt` alone. eps_qty: E, lots. Raises CalibrationError if there is none, or
    if `dt` itself is mixed with earlier ones. A wall read once in this process is remembered by its content hash, so
    that a run over many dates reads each session once.
    """
    settings = settings or CalibrationSettings()
    dates = [partition.dt for partition in sessions]
    if not dates or any(day > dt for day in dates) or (dt in dates and len(dates) > 1):
        raise CalibrationError(
            f"calibration of {dt} needs earlier sessions, or {dt} alone; it was given {[str(day) for day in dates]}",
            hint="choose them with select_sessions",
        )
    pools = {
        partition.dt: _session_pool(partition, eps_qty=eps_qty, max_rel_ticks=settings.max_rel_ticks, step=window_ns)
        for partition in sorted(sessions, key=lambda p: p.dt)
    }
    return calibration_frame(pools, dt)


def session_pool(
    wall_batches: Iterable[pl.DataFrame], *, eps_qty: float, max_rel_ticks: int = 20, window_ns: int = WINDOW_NS
) -> SessionPool:
    """Count the pooled values of one session's wall: frames with `WALL_COLUMNS`, sorted, in batches of any size."""
    rows_state = VacuumRows(eps_qty=eps_qty, window_ns=window_ns)
    band_state = BandMetrics(eps_qty=eps_qty, window_ns=window_ns)
    pool = {(metric, band): TallyBuilder() for band in (None, *BANDS) for metric in METRICS}
    for wall in whole_windows(wall_batches):
        block = WallBlock.of(wall)
        valid = wall["window_valid"].to_numpy()
        active = _active_rows(rows_state.update(block), block, valid, max_rel_ticks)
        for i, metric in enumerate(METRICS):
            pool[metric, None].add(active[i])
        first = np.flatnonzero(np.concatenate([[True], block.t[1:] != block.t[:-1]]))
        zone = zone_sums(block, block.t[first])
        metrics = band_state.update(zone)
        happened = zone.sums[..., ADD] + zone.sums[..., PULL] + zone.sums[..., FILL] > 0
        happened &= valid[first][:, None, None]
        for b, band in enumerate(BANDS):
            here = metrics[:, :, b][happened[:, :, b]]
            for i, metric in enumerate(METRICS):
                pool[metric, band].add(here[:, i])
    return {key: builder.tally() for key, builder in pool.items()}


def calibration_frame(pools: Mapping[date, SessionPool], dt: date) -> pl.DataFrame:
    """The table's rows, by metric and band, from the pools of its sessions by date."""
    days = sorted(pools)
    shared = {
        "n_sessions": len(days),
        "basis": "same_session" if days == [dt] else "prior_sessions",
        "session_window": f"{days[0]}/{days[-1]}",
        "asof_dt": days[-1],
    }
    rows = []
    for metric in sorted(METRICS):
        for band in (None, *BANDS):
            pool = merged(pools[day][metric, band] for day in days)
            q05, q50, q95 = pool.quantiles(0.05, 0.50, 0.95)
            signed = metric in SIGNED_METRICS
            width = pool.absolute().quantiles(0.95)[0] if signed else q95 - q05
            rows.append(
                {
                    "metric_name": metric,
                    "band": band,
                    "kind": "signed" if signed else "magnitude",
                    "q05": q05,
                    "q50": q50,
                    "q95": q95,
                    "mean": pool.mean,
                    "scale": max(width, SCALE_FLOOR),
                    "n_rows": pool.n,
                    **shared,
                }
            )
    return pl.DataFrame(rows, schema=PhysicsNormCalibration.schema())


def _active_rows(rows: np.ndarray, wall: WallBlock, valid: np.ndarray, max_rel_ticks: int) -> np.ndarray:
    """float32[8, a]: `METRICS` of the rows that are pooled."""
    near = np.flatnonzero(valid & (wall.rel >= -max_rel_ticks) & (wall.rel <= max_rel_ticks))
    add, pull, fill = (wall.q[k][near] for k in (ADD, PULL, FILL))
    happened = (add | pull | fill) > 0
    keep = near[happened]
    pooled = np.empty((len(METRICS), len(keep)), dtype=np.float32)
    for i, metric in enumerate(METRICS):
        if metric not in _LEVEL_METRICS:
            pooled[i] = rows[ROW_COLUMNS.index(metric), keep]
    pooled[METRICS.index("depth_qty_end")] = wall.q[END][keep]
    pooled[METRICS.index("net_flow_qty")] = np.abs(add - pull)[happened]
    return pooled


def _session_pool(partition: Partition, *, eps_qty: float, max_rel_ticks: int, step: int) -> SessionPool:
    key = (partition.content_hash, float(eps_qty), max_rel_ticks, step)
    if key not in _remembered:
        batches = partition.batches(columns=WALL_COLUMNS)
        _remembered[key] = session_pool(batches, eps_qty=eps_qty, max_rel_ticks=max_rel_ticks, window_ns=step)
    _remembered.move_to_end(key)
    while len(_remembered) > _REMEMBERED_SESSIONS:
        _remembered.popitem(last=False)
    return _remembered[key]


def _has_valid_window(partition: Partition) -> bool:
    """Whether some row is valid; stops reading at the first batch that has one, nearly always the first."""
    return any(batch["window_valid"].any() for batch in partition.batches(columns=["window_valid"]))
