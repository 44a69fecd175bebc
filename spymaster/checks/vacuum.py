"""Physics integrity of `vacuum_surface_1s`: scores follow from the stored metrics and the date's calibration."""

from __future__ import annotations

import polars as pl

from spymaster.checks.base import MAX_EXAMPLES, Finding, Session, Severity, Suite, check
from spymaster.checks.frames import CALIBRATION, VACUUM, WALL, collect, finding, scan, violations

SIGNED_METRICS = ("pull_add_log", "net_withdrawal", "wall_erosion", "d2_pull_add_log")
"""The four of design 20 §4; kept apart from the code that computes the table, so that both would have to be wrong."""

TOLERANCE = 1e-5
"""Of a float32 score recomputed from float32 metrics."""

CLIPPED_LIMIT = 0.15
CLIPPED_LIMIT_FIRST_SESSION = 0.30
_KEY = ("window_end", "price_int", "side")
_FLOW = ("pull_add_log", "net_withdrawal", "wall_erosion", "fill_share")
"""Not all 0 where something was added, pulled or filled; the second difference also echoes earlier seconds."""


@check(VACUUM, suite=Suite.PHYSICS, blocking=True)
def scores_in_unit_interval(session: Session) -> Finding:
    """Every score lies in [0, 1], and exists exactly where the window is valid."""
    rows = scan(session, VACUUM, [*_KEY, "window_valid", "vacuum_score"])
    score = pl.col("vacuum_score")
    bad = rows.filter((score.is_not_null() != pl.col("window_valid")) | ~score.is_between(0, 1).fill_null(True))
    return violations(bad, "0 <= vacuum_score <= 1, null exactly where not window_valid")


@check(VACUUM, suite=Suite.PHYSICS)
def idle_is_half(session: Session) -> Finding:
    """A price where nothing happens scores exactly 0.5."""
    idle = pl.all_horizontal(pl.col(name) == 0 for name in SIGNED_METRICS) & pl.col("window_valid")
    rows = scan(session, VACUUM, [*_KEY, "window_valid", *SIGNED_METRICS, "vacuum_score"]).filter(idle)
    bad = rows.filter((pl.col("vacuum_score") != 0.5).fill_null(True)).select(*_KEY, "vacuum_score")
    return violations(bad, "idle rows have vacuum_score 0.5")


@check(VACUUM, WALL, suite=Suite.PHYSICS, blocking=True)
def rows_of_wall(session: Session) -> Finding:
    """The same rows as the wall: second by second, as many prices, the same ones, on the same sides."""

    def fingerprint(table: str, prefix: str) -> pl.LazyFrame:
        level = pl.col("price_int")
        is_bid = (pl.col("side") == "B").cast(pl.Int64)
        return (
            scan(session, table, list(_KEY))
            .group_by("window_end")
            .agg(
                pl.len().alias(f"{prefix}_rows"),
                level.sum().alias(f"{prefix}_prices"),
                (level * is_bid).sum().alias(f"{prefix}_bid_prices"),
            )
        )

    both = collect(
        fingerprint(WALL, "wall").join(fingerprint(VACUUM, "vacuum"), on="window_end", how="full", coalesce=True)
    )
    differs = pl.any_horizontal(
        pl.col(f"wall_{name}").ne_missing(pl.col(f"vacuum_{name}")) for name in ("rows", "prices", "bid_prices")
    )
    bad = both.filter(differs).sort("window_end")
    return finding(bad.height, bad, "one vacuum row per wall row", windows=both.height)


@check(VACUUM, CALIBRATION, suite=Suite.PHYSICS)
def calibration_applied(session: Session) -> Finding:
    """Scores recomputed from the stored metrics and the date's calibration rows equal the stored ones."""
    scales = _scales(session)
    missing = [name for name in SIGNED_METRICS if not scales.get(name, 0) > 0]
    if missing:
        return Finding(
            len(missing), f"the calibration has no usable row for {', '.join(missing)}", {"missing": len(missing)}
        )
    parts = [(0.5 + 0.5 * pl.col(name).cast(pl.Float64) / scales[name]).clip(0, 1) for name in SIGNED_METRICS]
    rows = scan(session, VACUUM, [*_KEY, "window_valid", *SIGNED_METRICS, "vacuum_score"]).filter("window_valid")
    recomputed = rows.with_columns(expected=pl.mean_horizontal(parts))
    off = (pl.col("vacuum_score").cast(pl.Float64) - pl.col("expected")).abs()
    wrong = (off > TOLERANCE).fill_null(True)
    count, worst = collect(recomputed.select(wrong.sum().alias("count"), off.max().alias("worst"))).row(0)
    first = collect(recomputed.filter(wrong).head(20)) if count else pl.DataFrame(schema=recomputed.collect_schema())
    shown = first.select(*_KEY, "vacuum_score", "expected")
    return finding(count, shown, "vacuum_score = mean N of the four metrics", worst_difference=worst)


@check(VACUUM, CALIBRATION, suite=Suite.PHYSICS, severity=Severity.WARN)
def share_clipped(session: Session) -> Finding:
    """Fewer than 15 % of the active rows near spot are beyond the scale of a metric, on a first session 30 %.

    At the limit it is a warning (a session may be wilder than those before it), at twice the limit an error.
    """
    scales = _scales(session)
    first_session = _basis(session) == "same_session"
    limit = CLIPPED_LIMIT_FIRST_SESSION if first_session else CLIPPED_LIMIT
    active = pl.any_horizontal(pl.col(name) != 0 for name in _FLOW)
    near = pl.col("rel_ticks").abs() <= session.lake.settings.calibration.max_rel_ticks
    rows = scan(session, VACUUM, ["rel_ticks", "window_valid", *SIGNED_METRICS, "fill_share"]).filter(
        pl.col("window_valid") & near & active
    )
    beyond = [
        (pl.col(name).cast(pl.Float64).abs() > scales.get(name, 0.0) * (1 + 1e-6)).sum().alias(name)
        for name in SIGNED_METRICS
    ]
    total, *clipped = collect(rows.select(pl.len(), *beyond)).row(0)
    if not total:
        return Finding(0, "no active row near spot", {"active_rows": 0})
    shares = {name: count / total for name, count in zip(SIGNED_METRICS, clipped, strict=True)}
    over = {name: share for name, share in shares.items() if share >= limit}
    worst = max(shares, key=lambda name: shares[name])
    return Finding(
        len(over),
        f"{worst} is clipped in {shares[worst]:.1%} of {total:,} active rows near spot (limit {limit:.0%})",
        {"active_rows": total, "limit": limit, **{f"clipped_{name}": share for name, share in shares.items()}},
        tuple(f"{name} {share:.1%}" for name, share in over.items())[:MAX_EXAMPLES],
        Severity.ERROR if shares[worst] >= 2 * limit else Severity.WARN,
    )


def _scales(session: Session) -> dict[str, float]:
    """Scale of each metric per wall row (band null)."""
    rows = collect(scan(session, CALIBRATION, ["metric_name", "band", "scale"]).filter(pl.col("band").is_null()))
    return dict(rows.select("metric_name", "scale").iter_rows())


def _basis(session: Session) -> str | None:
    rows = collect(scan(session, CALIBRATION, ["basis"]).head(1))
    return None if rows.is_empty() else str(rows["basis"][0])
