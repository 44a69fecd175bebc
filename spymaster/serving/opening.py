"""Opens a market session: its timeline, price step, scales, and what it has, before any of its seconds is loaded."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.market.calendar import rth_window
from spymaster.market.instruments import Instrument, instrument
from spymaster.serving.catalog import SessionInfo
from spymaster.serving.describe import Status
from spymaster.serving.errors import BrokenSessionError
from spymaster.serving.fill import SECOND_NS, Timeline
from spymaster.serving.manifest import Calibration
from spymaster.serving.session import ChunkSource, Session
from spymaster.serving.surfaces import BY_NAME, CALIBRATION, SNAPSHOT, Geometry, Transfers
from spymaster.serving.transfer import SignedLog
from spymaster.settings import Settings
from spymaster.tables.types import MAX_GRID_TICKS

WALL = "silver.wall_surface_1s"
GEX = "silver.gex_surface_1s"
DEFINITIONS = "bronze.future_definition"

AFTER_OPEN_S = 14 * 60
"""The opening range of 15 minutes is about to close: early enough to see it, and most of the picture exists by then."""
MOVING_MINUTES = 3
"""Minutes in a row in which spot must move: an indicative price before the open jumps now and then, and stands."""


def open_session(info: SessionInfo, settings: Settings, source: ChunkSource) -> Session:
    """Read what a session is before any of its seconds is loaded. Raises `BrokenSessionError`."""
    status = info.surface_status(BY_NAME["snap"])
    if not status.ok:
        raise BrokenSessionError(f"this market session has no usable snapshot: {status.reason}")
    item = instrument(info.key.symbol, settings)
    light = info.partitions[SNAPSHOT].read(["window_end", "contract", "spot_ref_price_int", "window_valid"])
    ends = light["window_end"].to_physical()
    timeline = Timeline(int(ends[0]) - SECOND_NS, (int(ends[-1]) - int(ends[0])) // SECOND_NS + 1)
    contract = str(light["contract"][0])
    tick = _tick_size(info, contract, item)
    spot = light["spot_ref_price_int"].drop_nulls()
    odd = spot.filter(spot % tick != 0)
    if len(odd):
        raise BrokenSessionError(f"book_snapshot_1s has a spot of {odd[0]} (1e-9), off the tick of {tick}")
    valid_spot = light.filter(pl.col("window_valid"))["spot_ref_price_int"].drop_nulls()
    base = valid_spot if len(valid_spot) else spot
    secs = (ends.to_numpy() - timeline.t0_ns) // SECOND_NS - 1
    last_valid = np.full(timeline.seconds, -1, np.int64)
    last_valid[secs] = np.where(light["window_valid"].to_numpy(), secs, -1)
    present = np.zeros(timeline.seconds, np.bool_)
    present[secs] = True
    transfers, calibration = _scales(info)
    rth = _regular_hours(info, timeline)
    opened = rth[0] if rth else trading_start(secs, light["spot_ref_price_int"])
    return Session(
        info=info,
        timeline=timeline,
        contract=contract,
        tick=tick,
        bucket_ticks=item.bucket_ticks,
        grid_ticks=_parameter(info, WALL, "engine", "grid_ticks", MAX_GRID_TICKS),
        base_tick=int(base[0]) // tick if len(base) else 0,
        geometry=Geometry(
            settings.serving.half_ticks,
            settings.serving.ladder_ticks,
            2 * _parameter(info, GEX, "options", "grid_strikes", settings.options.grid_strikes) + 1,
        ),
        transfers=transfers,
        calibration=calibration,
        statuses=info.statuses,
        last_valid=np.maximum.accumulate(last_valid),
        present=present,
        rth=rth,
        opening_sec=min(timeline.seconds, opened + AFTER_OPEN_S) - 1,
        source=source,
    )


def trading_start(secs: NDArray[np.int64], spot: pl.Series) -> int:
    """First second at which spot begins to move for good, 0 where it never does: for sessions without regular hours.

    secs [rows]: seconds of the timeline. spot [rows]: 1e-9, null where there is none.
    """
    minutes = (
        pl.DataFrame({"minute": secs // 60, "spot": spot})
        .drop_nulls()
        .group_by("minute", maintain_order=True)
        .agg(moves=pl.col("spot").max() > pl.col("spot").min())
    )
    moving, run = minutes.filter("moves")["minute"].to_list(), MOVING_MINUTES - 1
    # A minute without a spot is not in the list: minutes in a row are as far apart as they are in the list.
    runs = (first for first, last in zip(moving, moving[run:], strict=False) if last - first == run)
    return 60 * int(next(runs, 0))


def price_decimals(tick: int) -> int:
    """Digits after the point that a price of this step needs; `tick` in 1e-9."""
    text = f"{tick % 1_000_000_000:09d}".rstrip("0")
    return len(text)


def _regular_hours(info: SessionInfo, timeline: Timeline) -> tuple[int, int] | None:
    """Seconds of regular hours, the last excluded, as far as the timeline covers them; None if it covers none."""
    window = rth_window(info.key.dt, info.key.symbol, info.lake.settings)
    if window is None:
        return None
    first, last = ((ns - timeline.t0_ns) // SECOND_NS for ns in window)
    first, last = max(0, first), min(timeline.seconds, last)
    return (first, last) if first < last else None


def _tick_size(info: SessionInfo, contract: str, item: Instrument) -> int:
    if info.table_status(DEFINITIONS, ("contract", "tick_size_int")).ok:
        rows = info.partitions[DEFINITIONS].read(["contract", "tick_size_int"]).filter(pl.col("contract") == contract)
        if rows.height:
            return int(rows.item(0, "tick_size_int"))
    return item.tick_size_int


def _parameter(info: SessionInfo, table: str, section: str, name: str, default: int) -> int:
    manifest = info.manifests.get(table)
    return int(manifest.parameters.get(section, {}).get(name, default)) if manifest else default


def _scales(info: SessionInfo) -> tuple[Transfers, Calibration]:
    """Scales of depth and flow from the calibration, if it may be used."""

    def defaults(reason: str | None) -> tuple[Transfers, Calibration]:
        return Transfers(), Calibration(
            status="defaults", basis=None, asof_dt=None, n_sessions=None, reason=reason or "no calibration"
        )

    status: Status = info.table_status(CALIBRATION, ("metric_name", "band", "q50", "q95", "basis", "asof_dt"))
    if not status.ok:
        return defaults(status.reason)
    rows = info.partitions[CALIBRATION].read().filter(pl.col("band").is_null())
    found = {row["metric_name"]: row for row in rows.iter_rows(named=True)}
    if not {"depth_qty_end", "net_flow_qty"} <= set(found):
        return defaults("the calibration has no scale of depth and flow")
    depth, flow = found["depth_qty_end"], found["net_flow_qty"]
    if depth["basis"] == "prior_sessions" and depth["asof_dt"] >= info.key.dt:
        return defaults("the calibration knows the session it scales: refused")
    scales = [SignedLog(max(1.0, abs(row["q50"])), max(50 * abs(row["q95"]), 50.0)) for row in (depth, flow)]
    return Transfers(*scales), Calibration(
        status="ok" if depth["basis"] == "prior_sessions" else "same_session",
        basis=depth["basis"],
        asof_dt=depth["asof_dt"].isoformat(),
        n_sessions=depth.get("n_sessions"),
        reason=None,
    )
