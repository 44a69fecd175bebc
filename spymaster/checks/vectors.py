"""Integrity of setup vectors and their scaler: look-backs are valid, numbers are radar's, pools are of the past."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import MEASURE, RADAR, SCALER, SECOND_NS, VECTOR, collect, finding, scan
from spymaster.market.calendar import rth_window

LOOK_BACK_S: Final = {"s1": 27, "s5": 135, "c120": 720}
"""Seconds that a vector is made of."""

OF_A_SIDE: Final = (
    "com_disp_log", "slope_inner_log", "slope_convex_log", "at_share_delta", "near_share_delta",
    "reprice_away_share_rest", "pull_add_log_rest", "pull_intensity_log_rest", "add_intensity_log",
    "at_pull_share_rest", "near_pull_share_rest", "bbo_dist_ticks", "fill_intensity_log", "rest_share",
)  # fmt: skip
"""The first numbers of a vector, of the last window: these of the side ahead, then of the one behind."""

SMALLEST_SIGMA_TICKS: Final = 0.5
TOLERANCE: Final = 1e-5


@check(VECTOR, MEASURE, suite=Suite.DATA, blocking=True)
def look_back_is_valid(session: Session) -> Finding:
    """Every second of the look-back of a vector is a valid one of the measures; candidates lie in regular hours."""
    rows = collect(scan(session, VECTOR, ["family", "kind", "ts_cutoff", "valid"]).filter("valid"))
    seconds = collect(scan(session, MEASURE, ["window_end", "valid"]).filter("valid").select("window_end"))
    counted = seconds.select(
        end=pl.col("window_end").to_physical() // SECOND_NS, upto=pl.int_range(1, pl.len() + 1)
    ).sort("end")
    cutoff = pl.col("ts_cutoff").to_physical() // SECOND_NS
    asked = rows.select(
        "family", "kind", "ts_cutoff", last=cutoff, first=cutoff - pl.col("family").replace_strict(LOOK_BACK_S)
    )
    for name in ("last", "first"):
        asked = asked.sort(name).join_asof(
            counted.rename({"upto": f"upto_{name}"}), left_on=name, right_on="end", strategy="backward"
        )
    valid = pl.col("upto_last") - pl.col("upto_first").fill_null(0) == pl.col("last") - pl.col("first")
    hours = rth_window(session.dt, session.symbol, session.lake.settings)
    inside = pl.lit(False) if hours is None else pl.col("last").is_between(hours[0] // SECOND_NS, hours[1] // SECOND_NS)
    bad = asked.filter(~(valid.fill_null(False) & (inside | (pl.col("kind") != "candidate")))).sort("ts_cutoff")
    return finding(bad.height, bad, "every second of the look-back is valid", vectors=rows.height)


@check(VECTOR, RADAR, suite=Suite.PHYSICS, blocking=True)
def last_window_of_radar(session: Session) -> Finding:
    """The last window of vectors of a second has the features of the radar row that ends with it."""
    columns = ["ts_cutoff", "direction", "sigma_60", "vector"]
    rows = collect(scan(session, VECTOR).filter((pl.col("family") == "s1") & pl.col("valid")).select(columns))
    features = [f"{side}_{name}" for side in ("ask", "bid") for name in OF_A_SIDE if name != "rest_share"]
    radar = collect(scan(session, RADAR, ["window_end", *features]))
    both = rows.with_columns(window_end=pl.col("ts_cutoff").cast(radar.schema["window_end"])).join(
        radar, on="window_end", how="left"
    )
    sigma = pl.max_horizontal(pl.col("sigma_60"), pl.lit(SMALLEST_SIGMA_TICKS))
    off = []
    for position, (near, name) in enumerate((near, name) for near in range(2) for name in OF_A_SIDE):
        if name == "rest_share":
            continue
        ahead = pl.col("direction") == (1 if near == 0 else -1)
        value = pl.when(ahead).then(f"ask_{name}").otherwise(f"bid_{name}").cast(pl.Float64)
        expected = value / sigma if name == "bbo_dist_ticks" else value
        difference = (pl.col("vector").list.get(position, null_on_oob=True).cast(pl.Float64) - expected).abs()
        off.append((difference > TOLERANCE).fill_null(True))
    bad = both.filter(pl.any_horizontal(off)).select("ts_cutoff", "direction").sort("ts_cutoff")
    return finding(bad.height, bad, "the last window is that of radar", vectors=rows.height)


@check(SCALER, suite=Suite.PHYSICS, blocking=True)
def sessions_are_earlier(session: Session) -> Finding:
    """The pool of every scaler is of sessions before the date, by its rows and by the manifest."""
    rows = collect(scan(session, SCALER, ["family", "sessions_used"]))
    inputs = [one for one in session.partition(SCALER).manifest.inputs if one.kind == "partition"]
    read = {date.fromisoformat(one.name.rsplit(" ", 1)[1]) for one in inputs}
    faults = [f"input of {day} is not earlier than {session.dt}" for day in sorted(read) if day >= session.dt]
    for family, used in rows.iter_rows():
        faults += [f"{family}: session {day} is not earlier than {session.dt}" for day in used if day >= session.dt]
        faults += [f"{family}: session {day} is no input of the manifest" for day in used if day not in read]
    message = faults[0] if faults else f"from {len(read)} sessions before {session.dt}"
    return Finding(len(faults), message, {"sessions": len(read)}, tuple(faults))


@check(SCALER, suite=Suite.DATA)
def dead_dims_never_vary(session: Session) -> Finding:
    """dead_dims names exactly the numbers whose deviation is 0."""
    rows = collect(scan(session, SCALER, ["family", "mad", "dead_dims"]))
    faults = []
    for family, mad, dead in rows.iter_rows():
        still = [index for index, value in enumerate(mad or ()) if value == 0.0]
        faults += [f"{family}: number {index}" for index in sorted(set(still) ^ set(dead))]
    message = f"{len(faults)} numbers are dead on one side only" if faults else "dead_dims are those with mad 0"
    return Finding(len(faults), message, {"families": rows.height}, tuple(faults))
