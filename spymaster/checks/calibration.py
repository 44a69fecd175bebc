"""Physics integrity of `physics_norm_calibration`: complete, causal, and able to tell one second from another."""

from __future__ import annotations

from datetime import date

import polars as pl

from spymaster.checks.base import Finding, Session, Severity, Suite, check
from spymaster.checks.frames import CALIBRATION, collect, finding, scan

METRICS = (
    "pull_add_log",
    "net_withdrawal",
    "wall_erosion",
    "d2_pull_add_log",
    "wall_strength_log",
    "pull_intensity_rest",
    "depth_qty_end",
    "net_flow_qty",
)
"""What is calibrated per wall row and per band."""

BANDS = (None, "AT", "NEAR", "MID", "FAR")

OPTION_COMPONENTS = ("option_long", "option_short")
COMPONENTS = (
    "book_long",
    "book_short",
    "trade_long",
    "trade_short",
    *OPTION_COMPONENTS,
    "rest_long",
    "rest_short",
)
"""Components of pressure: calibrated per distance from spot, as ratios."""

TOLERANCE = 1e-9

DISTANCES = {"D0": 0, "D1": 1, "D2_3": 2, "D4_5": 4, "D6_10": 6, "D11_20": 11, "D21_40": 21}
"""Nearest bucket of each distance band."""


@check(CALIBRATION, suite=Suite.PHYSICS, blocking=True)
def metrics_complete(session: Session) -> Finding:
    """Every metric has a row per wall row and per band, every component of pressure one per distance.

    No score lacks its scale then.
    """
    rows = collect(scan(session, CALIBRATION, ["metric_name", "band"]))
    have = set(rows.cast(pl.String).iter_rows())
    wanted = [(metric, band) for metric in METRICS for band in BANDS]
    wanted += [(metric, band) for metric in COMPONENTS for band in DISTANCES]
    missing = [row for row in wanted if row not in have]
    first = pl.DataFrame(missing, schema=["metric_name", "band"], orient="row")
    return finding(len(missing), first, "one row per metric and band", rows=rows.height)


@check(CALIBRATION, suite=Suite.PHYSICS, blocking=True)
def causal(session: Session) -> Finding:
    """Scales come from sessions before the date; from the date itself only on a first session, which says so."""
    rows = collect(scan(session, CALIBRATION))
    inputs = _input_dates(session)
    row_faults = [
        f"{metric}/{band or 'row'}: {fault}"
        for metric, band, basis, asof, window in rows.select(
            "metric_name", "band", "basis", "asof_dt", "session_window"
        ).iter_rows()
        if (fault := _row_fault(str(basis), asof, str(window), inputs, session.dt))
    ]
    basis = rows["basis"].cast(pl.String).unique().sort().to_list()
    faults: list[str] = []
    if "prior_sessions" in basis:
        faults += [f"input of {day} is not earlier than {session.dt}" for day in inputs if day >= session.dt]
    elif "same_session" in basis:
        faults += [f"same_session reads {day}" for day in inputs if day != session.dt]
    if len(basis) > 1:
        faults.append("rows of both bases")
    if rows.height and not inputs:
        faults.append("the manifest names no session")
    faults += row_faults
    metadata = {
        "basis": ", ".join(basis),
        "sessions": len(inputs),
        "asof_dt": str(rows["asof_dt"].max()) if rows.height else None,
    }
    message = faults[0] if faults else f"from {metadata['sessions']} sessions up to {metadata['asof_dt']}"
    return Finding(len(faults), message, metadata, tuple(faults))


@check(CALIBRATION, suite=Suite.PHYSICS, blocking=True)
def not_degenerate(session: Session) -> Finding:
    """Every metric varies over the pool: where quantiles coincide, every score would be a constant or a switch.

    A ratio may be constant (where nothing ever trades), but what it is divided by is its mean (flow) or median (rest),
    at least eps_qty, and taken from some second; options may have been in no session of the pool. A pool without any
    row (no valid second in any session so far) is a warning: nothing is scored then.
    """
    from spymaster.surfaces.calibration import SCALE_FLOOR

    rows = collect(scan(session, CALIBRATION))
    if rows.height and rows["n_rows"].max() == 0:
        return Finding(1, "the pool is empty: no valid active row in its sessions", {"n_rows": 0}, (), Severity.WARN)
    ratio = pl.col("kind") == "ratio"
    width = pl.when(pl.col("kind") == "signed").then("scale").otherwise(pl.col("q95") - pl.col("q05"))
    usual = pl.when(pl.col("metric_name").str.starts_with("rest_")).then("q50").otherwise("mean")
    divisor = pl.max_horizontal(usual, pl.lit(session.instrument.eps_qty))
    off = (pl.col("scale") - divisor).abs() > TOLERANCE * divisor
    may_lack = ratio & (pl.col("metric_name").is_in(OPTION_COMPONENTS) | pl.col("band").is_in(_beyond_grid(session)))
    constant = ~ratio & (width <= SCALE_FLOOR).fill_null(True)
    bad = rows.with_columns(width=width).filter(
        constant | (ratio & off.fill_null(True)) | ((pl.col("n_rows") == 0) & ~may_lack)
    )
    shown = bad.select("metric_name", "band", "kind", "width", "scale", "n_rows")
    rule = f"scale of every metric above its floor of {SCALE_FLOOR}, of every ratio its usual value"
    return finding(bad.height, shown, rule, rows=rows.height)


def _beyond_grid(session: Session) -> list[str]:
    """Distance bands whose nearest bucket does not lie within the wall's grid as a whole."""
    size, grid = session.instrument.bucket_ticks, session.lake.settings.engine.grid_ticks
    return [band for band, nearest in DISTANCES.items() if (nearest + 1) * size - 1 > grid]


def _row_fault(basis: str, asof: date, window: str, inputs: list[date], dt: date) -> str | None:
    """What is not causal, or not as the manifest has it, about one row."""
    if basis == "prior_sessions" and asof >= dt:
        return f"asof_dt {asof} is not before {dt}"
    if basis == "same_session" and asof != dt:
        return f"asof_dt {asof} is not {dt}, though the basis is same_session"
    if inputs and asof != inputs[-1]:
        return f"asof_dt {asof} is not the last session read, {inputs[-1]}"
    if inputs and window != f"{inputs[0]}/{inputs[-1]}":
        return f"session_window {window} is not {inputs[0]}/{inputs[-1]}"
    return None


def _input_dates(session: Session) -> list[date]:
    """Dates of the partitions in the manifest, in order: walls and options of one session are one date."""
    records = session.partition(CALIBRATION).manifest.inputs
    return sorted({date.fromisoformat(one.name.rsplit(" ", 1)[1]) for one in records if one.kind == "partition"})
