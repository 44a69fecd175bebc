"""The scales that turn a session's metrics into scores, from earlier sessions only (`gold.physics_norm_calibration`).

Pool: wall rows of up to `max_sessions` earlier sessions that are valid, within `max_rel_ticks` of spot and *active*
(some add, pull or fill in the window). Idle levels are left out on purpose: with them every quantile is zero and every
score constant. Each metric of `vacuum.METRICS` is pooled per wall row (band null) and, from band sums, per band: a
side of a band in a window is one row, active if anything happened in the band, and both sides share the band's rows.
The components of pressure are pooled by distance from spot, by rules of their own (`surfaces.pressure_pool`).

The session itself is read only where no earlier one has a valid window (`basis` same_session), and then shown as such
and kept out of every evaluation. Nothing of the session or of later ones can change a calibration with `basis`
prior_sessions. Values are counted as float32 (`surfaces.tally`); how the wall arrives in batches does not matter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.instruments import Instrument
from spymaster.settings import Settings
from spymaster.surfaces.blocks import WallBlock, whole_windows
from spymaster.surfaces.errors import CalibrationError
from spymaster.surfaces.option_flow import NO_OPTIONS
from spymaster.surfaces.pressure import session_buckets, session_options
from spymaster.surfaces.pressure_pool import PressurePool, usual
from spymaster.surfaces.tally import Tally, TallyBuilder, merged
from spymaster.surfaces.vacuum import METRICS, ROW_COLUMNS, SIGNED_METRICS, VacuumRows
from spymaster.surfaces.windows import BandMetrics, zone_sums
from spymaster.surfaces.zones import ADD, END, FILL, PULL, WINDOW_NS, ZONE_QUANTITIES
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.types import BANDS

SCALE_FLOOR: Final = 1e-3
"""Least scale stored, so that scores are finite. A metric at the floor is degenerate, and an integrity check says
so."""

WALL_COLUMNS: Final = (
    "window_end",
    "price_int",
    "side",
    "rel_ticks",
    "spot_ref_price_int",
    *ZONE_QUANTITIES,
    "window_valid",
)

SessionPool = Mapping[tuple[str, str | None], Tally]
"""The pooled values of one session, by metric and band (None: per wall row)."""

_LEVEL_METRICS: Final = ("depth_qty_end", "net_flow_qty")
_REMEMBERED_SESSIONS: Final = 24
_remembered: OrderedDict[tuple[Any, ...], SessionPool] = OrderedDict()


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
    instrument: Instrument,
    settings: Settings,
    quotes: Sequence[Partition] = (),
    definitions: Sequence[Partition] = (),
) -> pl.DataFrame:
    """`gold.physics_norm_calibration` of `dt` from the walls that `select_sessions` chose.

    sessions: earlier walls, or the wall of `dt` alone. quotes, definitions: `option_quote_1s` and `option_definition`
    of those dates; a date that lacks one of them has no options in the pool. Raises CalibrationError if there is no
    session, if `dt` itself is mixed with earlier ones, or if options are of another date. What was read once in this
    process is remembered by content hash, so that a run over many dates reads each session once.
    """
    dates = [partition.dt for partition in sessions]
    if not dates or any(day > dt for day in dates) or (dt in dates and len(dates) > 1):
        raise CalibrationError(
            f"calibration of {dt} needs earlier sessions, or {dt} alone; it was given {[str(day) for day in dates]}",
            hint="choose them with select_sessions",
        )
    strange = [partition.label for partition in (*quotes, *definitions) if partition.dt not in dates]
    if strange:
        raise CalibrationError(f"calibration of {dt} was offered options of a session not in its pool: {strange[0]}")
    quoted, defined = ({partition.dt: partition for partition in options} for options in (quotes, definitions))
    pools = {
        wall.dt: _session_pool(wall, quoted.get(wall.dt), defined.get(wall.dt), instrument, settings)
        for wall in sorted(sessions, key=lambda p: p.dt)
    }
    return calibration_frame(pools, dt, eps_qty=instrument.eps_qty)


def session_pool(
    wall_batches: Iterable[pl.DataFrame],
    *,
    eps_qty: float,
    max_rel_ticks: int = 20,
    window_ns: int = WINDOW_NS,
    pressure: PressurePool | None = None,
) -> SessionPool:
    """Count the pooled values of one session's wall: frames with `WALL_COLUMNS`, sorted, in batches of any size.

    With `pressure`, a fresh pool of the session, the components of pressure are counted in the same pass.
    """
    rows_state = VacuumRows(eps_qty=eps_qty, window_ns=window_ns)
    band_state = BandMetrics(eps_qty=eps_qty, window_ns=window_ns)
    pool = {(metric, band): TallyBuilder() for band in (None, *BANDS) for metric in METRICS}
    for wall in whole_windows(wall_batches):
        block = WallBlock.of(wall)
        if pressure is not None:
            pressure.add(wall, block)
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
    tallies = {key: builder.tally() for key, builder in pool.items()}
    return tallies if pressure is None else {**tallies, **pressure.tallies()}


def calibration_frame(pools: Mapping[date, SessionPool], dt: date, *, eps_qty: float = 1.0) -> pl.DataFrame:
    """The table's rows, by metric and band, from the pools of its sessions by date; eps_qty: E, lots."""
    days = sorted(pools)
    shared = {
        "n_sessions": len(days),
        "basis": "same_session" if days == [dt] else "prior_sessions",
        "session_window": f"{days[0]}/{days[-1]}",
        "asof_dt": days[-1],
    }
    rows = []
    for metric, band in pools[days[0]]:
        pool = merged(pools[day][metric, band] for day in days)
        q05, q50, q95 = pool.quantiles(0.05, 0.50, 0.95)
        if metric in SIGNED_METRICS:
            kind, scale = "signed", max(pool.absolute().quantiles(0.95)[0], SCALE_FLOOR)
        elif metric in METRICS:
            kind, scale = "magnitude", max(q95 - q05, SCALE_FLOOR)
        else:
            kind, scale = "ratio", usual(metric, mean=pool.mean, median=q50, eps_qty=eps_qty)
        rows.append(
            {
                "metric_name": metric,
                "band": band,
                "kind": kind,
                "q05": q05,
                "q50": q50,
                "q95": q95,
                "mean": pool.mean,
                "scale": scale,
                "n_rows": pool.n,
                **shared,
            }
        )
    return pl.DataFrame(rows, schema=PhysicsNormCalibration.schema()).sort("metric_name", "band")


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


def _session_pool(
    wall: Partition,
    quotes: Partition | None,
    definitions: Partition | None,
    instrument: Instrument,
    settings: Settings,
) -> SessionPool:
    read = [partition for partition in (wall, quotes, definitions) if partition is not None]
    key = (*(partition.content_hash for partition in read), instrument, settings.calibration.max_rel_ticks,
           settings.engine, settings.pressure.decay_s)  # fmt: skip
    if key not in _remembered:
        buckets = session_buckets(wall, instrument, settings)
        options = NO_OPTIONS
        if quotes is not None and definitions is not None:
            options = session_options(quotes, definitions, buckets)
        _remembered[key] = session_pool(
            wall.batches(columns=WALL_COLUMNS),
            eps_qty=instrument.eps_qty,
            max_rel_ticks=settings.calibration.max_rel_ticks,
            window_ns=settings.engine.window_ns,
            pressure=PressurePool(buckets, decay_s=settings.pressure.decay_s, options=options),
        )
    _remembered.move_to_end(key)
    while len(_remembered) > _REMEMBERED_SESSIONS:
        _remembered.popitem(last=False)
    return _remembered[key]


def _has_valid_window(partition: Partition) -> bool:
    """Whether some row is valid; stops reading at the first batch that has one, nearly always the first."""
    return any(batch["window_valid"].any() for batch in partition.batches(columns=["window_valid"]))
