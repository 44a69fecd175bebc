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
"""What design 20 §3 calibrates, per wall row and per band."""

BANDS = (None, "AT", "NEAR", "MID", "FAR")


@check(CALIBRATION, suite=Suite.PHYSICS, blocking=True)
def metrics_complete(session: Session) -> Finding:
    """Every metric has a row per wall row and per band, so that no score lacks its scale."""
    rows = collect(scan(session, CALIBRATION, ["metric_name", "band"]))
    have = set(rows.cast(pl.String).iter_rows())
    missing = [(metric, band) for metric in METRICS for band in BANDS if (metric, band) not in have]
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

    A pool without any row (no valid second in any session so far) is a warning: nothing is scored then.
    """
    from spymaster.surfaces.calibration import SCALE_FLOOR

    rows = collect(scan(session, CALIBRATION))
    if rows.height and rows["n_rows"].max() == 0:
        return Finding(1, "the pool is empty: no valid active row in its sessions", {"n_rows": 0}, (), Severity.WARN)
    width = pl.when(pl.col("kind") == "signed").then("scale").otherwise(pl.col("q95") - pl.col("q05"))
    bad = rows.with_columns(width=width).filter((width <= SCALE_FLOOR).fill_null(True) | (pl.col("n_rows") == 0))
    shown = bad.select("metric_name", "band", "kind", "width", "n_rows")
    return finding(bad.height, shown, f"scale of every metric above its floor of {SCALE_FLOOR}", rows=rows.height)


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
    """Dates of the partitions in the manifest, in order."""
    records = session.partition(CALIBRATION).manifest.inputs
    return sorted(date.fromisoformat(one.name.rsplit(" ", 1)[1]) for one in records if one.kind == "partition")
