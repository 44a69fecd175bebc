"""Physics integrity of the move tables: sums are those of the wall, scales are causal, conditions follow from both."""

from __future__ import annotations

import math
from datetime import date, timedelta

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import (
    CONDITIONS,
    MEASURE,
    MOVE_SCALE,
    SNAPSHOT,
    WALL,
    collect,
    finding,
    scan,
)

SAMPLE_WINDOWS = 40
ZONE_TICKS = 20
TOLERANCE = 1e-4
"""Largest difference of a stored condition (float32) from its recomputation."""

_FLOWS = {
    "add": "add_qty",
    "pull": "pull_qty_total",
    "fill": "fill_qty",
    "away": "reprice_away_qty",
    "toward": "reprice_toward_qty",
}


@check(MEASURE, SNAPSHOT, suite=Suite.DATA, blocking=True)
def spot_and_mid_of_snapshot(session: Session) -> Finding:
    """Spot, and where valid the mid and the spread, are those of the snapshot, and only valid windows are valid."""
    names = [
        "window_end",
        "spot_ref_price_int",
        "best_bid_price_int",
        "best_ask_price_int",
        "spread_ticks",
        "window_valid",
    ]
    snapshot = scan(session, SNAPSHOT, names).rename({"spot_ref_price_int": "spot", "spread_ticks": "spread"})
    stored = scan(session, MEASURE, ["window_end", "spot_ref_price_int", "valid", "mid2_int", "spread_ticks"])
    mid2 = pl.col("best_bid_price_int") + pl.col("best_ask_price_int")
    same = (
        pl.col("spot_ref_price_int").eq_missing(pl.col("spot"))
        & (~pl.col("valid") | pl.col("window_valid"))
        & (
            ~pl.col("valid")
            | (pl.col("mid2_int").eq_missing(mid2) & pl.col("spread_ticks").eq_missing(pl.col("spread")))
        )
    )
    both = collect(stored.join(snapshot, on="window_end", how="left"))
    bad = both.filter(~same).sort("window_end")
    return finding(bad.height, bad, "spot, mid and validity are those of the snapshot", windows=both.height)


@check(MEASURE, WALL, suite=Suite.PHYSICS, blocking=True)
def flows_of_wall(session: Session) -> Finding:
    """Flows of a sample of seconds are the sums of the wall's rows in the zone, over 1, 5 and 15 seconds."""
    measures = collect(scan(session, MEASURE).filter("valid"))
    every = max(1, measures.height // SAMPLE_WINDOWS)
    sample = measures.gather_every(every)
    rows: list[dict[str, object]] = []
    width = ZONE_TICKS * session.tick_size_int
    for end, spot in sample.select("window_end", "spot_ref_price_int").iter_rows():
        zone = collect(
            scan(session, WALL, ["window_end", "price_int", "side", *_FLOWS.values()])
            .filter(pl.col("window_end").is_between(end - timedelta(seconds=14), end))
            .filter(
                ((pl.col("side") == "A") & pl.col("price_int").is_between(spot, spot + width))
                | ((pl.col("side") == "B") & pl.col("price_int").is_between(spot - width, spot))
            )
        )
        row: dict[str, object] = {"window_end": end}
        for horizon in (1, 5, 15):
            for side, code in (("ask", "A"), ("bid", "B")):
                late = pl.col("window_end") > end - timedelta(seconds=horizon)
                part = zone.filter(late & (pl.col("side") == code))
                row |= {
                    f"{name}_{side}_w{horizon}": part[column].cast(pl.Int64).sum() for name, column in _FLOWS.items()
                }
        rows.append(row)
    if not rows:
        return Finding(0, "no valid second", {"windows": 0})
    expected = pl.DataFrame(rows).with_columns(pl.col("window_end").cast(sample.schema["window_end"]))
    names = [name for name in expected.columns if name != "window_end"]
    long = [
        frame.select("window_end", pl.col(names).cast(pl.Int64)).unpivot(index="window_end", value_name=value)
        for frame, value in ((expected, "expected"), (sample, "stored"))
    ]
    both = long[0].join(long[1], on=["window_end", "variable"])
    bad = both.filter(pl.col("stored").ne_missing(pl.col("expected"))).sort("window_end", "variable")
    return finding(bad.height, bad, "flows are the sums of the wall", windows=sample.height, values=both.height)


@check(MOVE_SCALE, suite=Suite.PHYSICS, blocking=True)
def causal(session: Session) -> Finding:
    """Scales come from sessions before the date only, by their rows and by the manifest."""
    rows = collect(scan(session, MOVE_SCALE))
    late = rows.filter((pl.col("last_dt_used") >= session.dt).fill_null(False))
    inputs = [one for one in session.partition(MOVE_SCALE).manifest.inputs if one.kind == "partition"]
    read = sorted(date.fromisoformat(one.name.rsplit(" ", 1)[1]) for one in inputs)
    faults = [f"input of {day} is not earlier than {session.dt}" for day in read if day >= session.dt]
    faults += [
        f"{name}/{bucket}: last_dt_used {last} is not earlier than {session.dt}"
        for bucket, name, last in late.select("tod_bucket", "measure", "last_dt_used").iter_rows()
    ]
    message = faults[0] if faults else f"from {len(read)} sessions before {session.dt}"
    return Finding(len(faults), message, {"sessions": len(read)}, tuple(faults))


@check(CONDITIONS, MEASURE, MOVE_SCALE, suite=Suite.PHYSICS, blocking=True)
def conditions_of_measures(session: Session) -> Finding:
    """Retreat, net pull, their z and the soft AND of a sample of seconds follow from measures and scale (5 s)."""
    stored = collect(scan(session, CONDITIONS).filter(pl.col("soft_and_w5").is_not_null()))
    if stored.is_empty():
        return Finding(0, "no second with a scale", {"windows": 0})
    sample = stored.gather_every(max(1, stored.height // SAMPLE_WINDOWS))
    scale = {
        (bucket, name): (median, mad)
        for bucket, name, median, mad in collect(scan(session, MOVE_SCALE).filter(pl.col("horizon_s") == 5))
        .select("tod_bucket", "measure", "median", "mad")
        .iter_rows()
    }
    measures = scan(session, MEASURE).filter("valid")
    both = sample.join(collect(measures), on="window_end", suffix="_measure")
    kappa = session.lake.settings.setups.kappa
    rows = []
    for row in both.iter_rows(named=True):
        local = (row["window_end"] - timedelta(seconds=1)).astimezone(_new_york())
        bucket = (local.hour * 60 + local.minute) // 30
        e = max(0.01 * scale[bucket, "add"][0], 0.5)
        z = []
        for side in ("ask", "bid"):
            r = (row[f"c1_{side}_w5"] - row[f"c0_{side}_w5"]) / 5
            n = math.log((row[f"pull_{side}_w5"] + e) / (row[f"add_{side}_w5"] + e))
            for name, value in ((f"r_{side}", r), (f"n_{side}", n)):
                median, mad = scale[bucket, name]
                z.append(min(max((value - median) / (1.4826 * mad), -8.0), 8.0))
                rows.append((row["window_end"], f"{name}_w5", row[f"{name}_w5"], value))
                rows.append((row["window_end"], f"z_{name}_w5", row[f"z_{name}_w5"], z[-1]))
        soft = -math.log(sum(math.exp(-kappa * one) for one in z) / 4) / kappa
        rows.append((row["window_end"], "soft_and_w5", row["soft_and_w5"], soft))
    compared = pl.DataFrame(rows, schema=["window_end", "column", "stored", "expected"], orient="row")
    off = (pl.col("stored") - pl.col("expected")).abs() > TOLERANCE * pl.max_horizontal(pl.col("expected").abs(), 1.0)
    bad = compared.filter(off.fill_null(True) | (pl.lit(both.height) != sample.height))
    return finding(bad.height, bad, "conditions follow from measures and scale", windows=sample.height)


def _new_york():
    from zoneinfo import ZoneInfo

    return ZoneInfo("America/New_York")
