"""Physics integrity of `physics_bands_1s`: in range, and equal to a recomputation from the wall.

The recomputation is written from the formulas of the table's description, in Polars, one window at a time; it shares no
code with `spymaster.surfaces`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import BANDS, CALIBRATION, SNAPSHOT, WALL, collect, finding, scan, violations

SAMPLE_WINDOWS = 120
TOLERANCE = 2e-5
"""Of float32 scores, through one logarithm of exact integers."""

_BANDS = pl.DataFrame({"distance": range(21), "band": ["AT"] * 3 + ["NEAR"] * 3 + ["MID"] * 9 + ["FAR"] * 6})
_SIGNED = ("pull_add_log", "net_withdrawal", "wall_erosion", "d2_pull_add_log")
_QUANTITIES = (
    "depth_qty_start",
    "depth_qty_end",
    "depth_qty_rest",
    "add_qty",
    "pull_qty_total",
    "pull_qty_rest",
)
_NORMS = ("wall_strength_norm", "wall_erosion_norm", "vacuum_norm", "ease")


def _score_columns(names: Sequence[str]) -> list[str]:
    """Every column of the table that is a score: all but the key, the validity and the derivatives."""
    return [
        name for name in names if name.endswith(("_norm", "_ease", "_score")) and name[:3] not in ("d1_", "d2_", "d3_")
    ]


@check(BANDS, suite=Suite.PHYSICS, blocking=True)
def scores_in_unit_interval(session: Session) -> Finding:
    """Every band score and every total lies in [0, 1], and exists exactly where the window is valid and has a spot."""
    table = scan(session, BANDS)
    scores = _score_columns(table.collect_schema().names())
    expected = pl.col("window_valid") & pl.col("spot_ref_price_int").is_not_null()
    outside = pl.any_horizontal(
        (pl.col(name).is_not_null() != expected) | ~pl.col(name).is_between(0, 1).fill_null(True) for name in scores
    )
    low, high = pl.min_horizontal(scores).alias("lowest"), pl.max_horizontal(scores).alias("highest")
    bad = table.filter(outside).select("window_end", "window_valid", low, high)
    return violations(bad, "0 <= every score <= 1, null exactly where not valid", columns=len(scores))


@check(BANDS, WALL, SNAPSHOT, CALIBRATION, suite=Suite.PHYSICS, blocking=True)
def equal_recomputation(session: Session) -> Finding:
    """Bands and scores of a sample of windows equal those recomputed from wall and calibration by other code."""
    sample = _sample(session)
    if sample.is_empty():
        return Finding(0, "no valid window to recompute", {"windows": 0})
    norms = _norms(session)
    missing = [f"{metric}/{band}" for metric, band in _needed() if norms.get((metric, band), (0, 0, ""))[1] <= 0]
    if missing:
        return Finding(len(missing), f"the calibration has no usable row for {missing[0]}", {"missing": len(missing)})
    expected = _scores(session, _bands(_grid(session, sample), norms, session))
    stored = collect(scan(session, BANDS).filter(pl.col("window_end").is_in(sample["window_end"].implode())))
    names = [name for name in expected.columns if name != "window_end"]
    long = [
        frame.select("window_end", *names).unpivot(index="window_end", variable_name="column", value_name=value)
        for frame, value in ((expected, "expected"), (stored.cast(dict.fromkeys(names, pl.Float64)), "stored"))
    ]
    both = long[0].join(long[1], on=["window_end", "column"], how="left")
    off = (pl.col("stored") - pl.col("expected")).abs()
    bad = both.filter((off > TOLERANCE).fill_null(True)).sort("window_end", "column")
    worst = both.select(off.max()).item()
    return finding(
        bad.height,
        bad,
        "bands = recomputation from the wall",
        windows=sample.height,
        values=both.height,
        worst_difference=worst,
    )


def _sample(session: Session) -> pl.DataFrame:
    """Up to `SAMPLE_WINDOWS` valid windows with a spot, evenly spread, the first and the last among them."""
    windows = collect(
        scan(session, SNAPSHOT, ["window_end", "window_valid", "spot_ref_price_int"])
        .filter(pl.col("window_valid") & pl.col("spot_ref_price_int").is_not_null())
        .select("window_end")
    )
    count = min(SAMPLE_WINDOWS, windows.height)
    if count < 2:
        return windows
    return windows[[round(i * (windows.height - 1) / (count - 1)) for i in range(count)]]


def _needed() -> list[tuple[str, str]]:
    return [(metric, band) for metric in (*_SIGNED, "wall_strength_log") for band in ("AT", "NEAR", "MID", "FAR")]


def _norms(session: Session) -> dict[tuple[str, str], tuple[float, float, str]]:
    """(origin q05, scale, kind) of every calibration row of a band."""
    rows = collect(scan(session, CALIBRATION).filter(pl.col("band").is_not_null()))
    return {
        (metric, str(band)): (q05, scale, str(kind))
        for metric, band, q05, scale, kind in rows.select("metric_name", "band", "q05", "scale", "kind").iter_rows()
    }


def _grid(session: Session, sample: pl.DataFrame) -> pl.DataFrame:
    """One row per sampled window, lag 0 to 2, direction and distance 0 to 20: quantities there, 0 where nothing is."""
    lags = pl.DataFrame({"lag": [0, 1, 2]})
    wanted = sample.join(lags, how="cross").with_columns(
        at=pl.col("window_end") - pl.col("lag") * pl.lit(timedelta(seconds=1)).cast(pl.Duration("ns"))
    )
    ends: list[datetime] = wanted["at"].unique().sort().to_list()
    distance = pl.col("rel_ticks").abs()
    rows = collect(
        scan(session, WALL, ["window_end", "side", "rel_ticks", *_QUANTITIES])
        .filter(
            pl.col("window_end").is_between(ends[0], ends[-1])
            & pl.col("window_end").is_in(pl.Series(ends, dtype=wanted.schema["at"]).implode())
            & (distance <= 20)
            & (
                ((pl.col("side") == "A") & (pl.col("rel_ticks") >= 0))
                | ((pl.col("side") == "B") & (pl.col("rel_ticks") <= 0))
            )
        )
        .select(
            pl.col("window_end").alias("at"),
            pl.when(pl.col("side") == "A").then(pl.lit("above")).otherwise(pl.lit("below")).alias("direction"),
            distance.cast(pl.Int64).alias("distance"),
            *_QUANTITIES,
        )
    )
    directions = pl.DataFrame({"direction": ["above", "below"]})
    return (
        wanted.join(directions, how="cross")
        .join(_BANDS, how="cross")
        .join(rows, on=["at", "direction", "distance"], how="left")
        .with_columns(pl.col(_QUANTITIES).fill_null(0).cast(pl.Int64))
    )


def _bands(
    grid: pl.DataFrame, norms: dict[tuple[str, str], tuple[float, float, str]], session: Session
) -> pl.DataFrame:
    """Norms of every sampled window, direction and band."""
    eps = session.instrument.eps_qty
    keys = ["window_end", "direction", "band"]
    pull_add = ((pl.col("pull_qty_rest") + eps) / (pl.col("add_qty") + eps)).log()
    sums = grid.group_by(*keys, "lag").agg(pl.col(_QUANTITIES).sum(), pl.len().alias("ticks"))
    lagged = sums.select(*keys, "lag", x=pull_add)
    curvature = lagged.group_by(keys).agg(
        (pl.col("x") * pl.col("lag").replace_strict({0: 1.0, 1: -2.0, 2: 1.0})).sum().alias("d2_pull_add_log")
    )
    median = (
        grid.filter(pl.col("lag") == 0)
        .group_by("window_end", "direction")
        .agg(pl.col("depth_qty_rest").median().alias("median"))
    )
    metrics = (
        sums.filter(pl.col("lag") == 0)
        .join(curvature, on=keys)
        .join(median, on=["window_end", "direction"])
        .with_columns(
            pull_add_log=pull_add,
            net_withdrawal=(pl.col("pull_qty_total") - pl.col("add_qty")) / (pl.col("depth_qty_start") + eps),
            wall_erosion=-((pl.col("depth_qty_end") + eps) / (pl.col("depth_qty_start") + eps)).log(),
            wall_strength_log=((pl.col("depth_qty_rest") / pl.col("ticks") + eps) / (pl.col("median") + eps)).log(),
        )
    )
    scaled = metrics.with_columns(
        _norm(metric, norms).alias(f"n_{metric}") for metric in (*_SIGNED, "wall_strength_log")
    )
    empty = (pl.col("depth_qty_start") == 0) & (pl.col("depth_qty_end") == 0)
    weights = session.lake.settings.bands
    return scaled.with_columns(
        wall_strength_norm=pl.when(empty).then(0.0).otherwise(pl.col("n_wall_strength_log")),
        wall_erosion_norm=pl.col("n_wall_erosion"),
        vacuum_norm=pl.mean_horizontal(f"n_{metric}" for metric in _SIGNED),
    ).with_columns(
        ease=weights.ease_vacuum * pl.col("vacuum_norm")
        + weights.ease_erosion * pl.col("wall_erosion_norm")
        + weights.ease_strength * (1 - pl.col("wall_strength_norm"))
    )


def _norm(metric: str, norms: dict[tuple[str, str], tuple[float, float, str]]) -> pl.Expr:
    """N of a metric, by the calibration row of each row's band."""

    def field(index: int) -> pl.Expr:
        return pl.col("band").replace_strict(
            {band: norms[metric, band][index] for band in ("AT", "NEAR", "MID", "FAR")}
        )

    share = pl.col(metric) / field(1)
    if norms[metric, "AT"][2] == "signed":
        return (0.5 + 0.5 * share).clip(0, 1)
    return ((pl.col(metric) - field(0)) / field(1)).clip(0, 1)


def _scores(session: Session, bands: pl.DataFrame) -> pl.DataFrame:
    """The columns of the table: one row per sampled window."""
    named = bands.with_columns(prefix=pl.col("direction") + "_" + pl.col("band").str.to_lowercase())
    long = named.unpivot(index=["window_end", "prefix"], on=_NORMS).with_columns(
        column=pl.col("prefix") + "_" + pl.col("variable")
    )
    wide = long.pivot(on="column", index="window_end", values="value")
    weights = session.lake.settings.bands
    return wide.with_columns(
        (weights.score_at * pl.col(f"{way}_at_ease") + weights.score_near * pl.col(f"{way}_near_ease")).alias(
            f"{way}_score"
        )
        for way in ("above", "below")
    ).with_columns(vacuum_total_score=pl.mean_horizontal("above_score", "below_score"))
