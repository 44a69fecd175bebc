"""Data integrity across surfaces: every one of them speaks of the snapshot's windows, spot and validity."""

from __future__ import annotations

import polars as pl

from spymaster.checks.base import Check, Finding, Session, Suite, check
from spymaster.checks.frames import (
    BANDS,
    CONDITIONS,
    MEASURE,
    PRESSURE,
    RADAR,
    SNAPSHOT,
    VACUUM,
    WALL,
    collect,
    finding,
    scan,
)

ONE_ROW_PER_WINDOW = (RADAR, BANDS, MEASURE, CONDITIONS)
_SHOWN = ("window_end", "spot_min", "spot_max", "snapshot_spot", "valid_min", "valid_max", "snapshot_valid")


def _spot_check(table: str) -> Check:
    def spot_of_snapshot(session: Session) -> Finding:
        """Spot and validity of every window equal the snapshot's, and no window is one that the snapshot lacks."""
        snapshot = scan(session, SNAPSHOT, ["window_end", "spot_ref_price_int", "window_valid"]).rename(
            {"spot_ref_price_int": "snapshot_spot", "window_valid": "snapshot_valid"}
        )
        windows = (
            scan(session, table, ["window_end", "spot_ref_price_int", "window_valid"])
            .group_by("window_end")
            .agg(
                pl.col("spot_ref_price_int").min().alias("spot_min"),
                pl.col("spot_ref_price_int").max().alias("spot_max"),
                pl.col("spot_ref_price_int").null_count().alias("nulls"),
                pl.len().alias("rows"),
                pl.col("window_valid").min().alias("valid_min"),
                pl.col("window_valid").max().alias("valid_max"),
            )
            .join(snapshot, on="window_end", how="left", maintain_order="none")
        )
        spot, valid = pl.col("snapshot_spot"), pl.col("snapshot_valid")
        agrees = (
            pl.col("spot_min").eq_missing(spot)
            & pl.col("spot_max").eq_missing(spot)
            & ((pl.col("nulls") == 0) | (pl.col("nulls") == pl.col("rows")))
            & pl.col("valid_min").eq_missing(valid)
            & pl.col("valid_max").eq_missing(valid)
        )
        seen = collect(windows)
        bad = seen.filter(~agrees).sort("window_end").select(_SHOWN)
        return finding(bad.height, bad, "spot and validity are those of the snapshot", windows=seen.height)

    return check(table, SNAPSHOT, suite=Suite.DATA, blocking=True)(spot_of_snapshot)


def _windows_check(table: str) -> Check:
    def windows_of_snapshot(session: Session) -> Finding:
        """One row per window of the snapshot: none missing, none twice."""
        counts = scan(session, table, ["window_end"]).group_by("window_end").agg(pl.len().alias("rows"))
        expected = scan(session, SNAPSHOT, ["window_end"]).with_columns(expected=pl.lit(1, pl.UInt32))
        both = collect(expected.join(counts, on="window_end", how="full", coalesce=True))
        bad = both.filter(~pl.col("rows").eq_missing(pl.col("expected"))).sort("window_end")
        return finding(bad.height, bad, "one row per window of the snapshot", windows=both.height)

    return check(table, SNAPSHOT, suite=Suite.DATA, blocking=True)(windows_of_snapshot)


SPOT_CHECKS = [_spot_check(table) for table in (WALL, RADAR, VACUUM, BANDS, PRESSURE)]
WINDOW_CHECKS = [_windows_check(table) for table in ONE_ROW_PER_WINDOW]
