"""What is known of automation at a second: findings of earlier dates, then those of the date, and the intensity so far.

A row may be told from its `available_from` on. Findings of earlier dates are known from the start; tests of the date
itself when they are over, which is when the date is. Pure: frames in, plain rows out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from spymaster.evidence import lines
from spymaster.evidence.report import groups
from spymaster.evidence.report import sentences as say
from spymaster.serving.fill import SECOND_NS, Timeline

MOST_ROWS, MOST_BINS, MINUTE_S = 40, 48, 60

REPLICATION_COLUMNS = (
    "test_id", "sub_id", "stratum_json", "available_from", "days_seen", "days_replicated", "effect", "effect_unit",
    "effect_lo", "effect_hi", "peak_value", "peak_unit", "verdict",
)  # fmt: skip
CURVE_COLUMNS = ("test_row_id", "bin", "observed", "hi", "z")
INTENSITY_COLUMNS = ("window_end", "side", "band", "n_msgs", "n_attr", "share_msgs", "expected_share")

Curves = Callable[[list[str]], pl.DataFrame]
"""Rows of `algo_curve` with `CURVE_COLUMNS` of some tests."""


def evidence(
    tests: pl.DataFrame,
    replication: pl.DataFrame | None,
    earlier: pl.DataFrame | None,
    curves: Curves,
    timeline: Timeline,
    as_of: int,
) -> dict[str, list[dict[str, Any]]]:
    """`evidence`: rows as the page shows them; `tests`: by test, how many groups were tried, and in how many it found.

    tests: `algo_test` of the date; replication: `algo_replication` of it, None without; earlier: that of the latest
    earlier date. Listed are findings, and of each test without one the group that came nearest.
    """
    end = timeline.end_ns(as_of)
    known = tests.filter(pl.col("available_from").to_physical() <= end).with_columns(plain=groups.plain())
    over = None if replication is None else replication.filter(pl.col("available_from").to_physical() <= end)
    before = None if earlier is None else earlier.filter(pl.col("available_from").to_physical() <= end)
    own = known.filter(~pl.col("is_negative_control"))
    chosen = pl.concat([_listed(own), _nearest(known.filter("is_negative_control"))])
    listed = () if before is None else _findings(before.with_columns(plain=groups.plain())).iter_rows(named=True)
    rows = [_earlier(row, timeline) for row in listed]
    if chosen.height:
        days = _days(over)
        drawn = curves(chosen["test_row_id"].to_list())
        rows += [_own(row, days, drawn, timeline) for row in chosen.iter_rows(named=True)]
    return {"evidence": rows, "tests": groups.tried(own).to_dicts()}


def intensity(rows: pl.DataFrame, timeline: Timeline, as_of: int) -> list[dict[str, Any]]:
    """By minute: messages, and share owed to listed habits with what is usual; a minute is told once it is over."""
    whole = (pl.col("side").cast(pl.String) == "all") & (pl.col("band").cast(pl.String) == "all")
    sec = (pl.col("window_end").to_physical() - timeline.t0_ns) // SECOND_NS - 1
    over = (as_of + 1) // MINUTE_S * MINUTE_S
    minutes = (
        rows.filter(whole)
        .with_columns(sec=sec)
        .filter((pl.col("sec") >= 0) & (pl.col("sec") < over))
        .group_by(start=pl.col("sec") // MINUTE_S * MINUTE_S)
        .agg(
            pl.col("n_msgs").cast(pl.Int64).sum(),
            attributed=pl.when(pl.col("n_attr").is_not_null().any()).then(pl.col("n_attr").cast(pl.Float64).sum()),
            usual=pl.col("expected_share").cast(pl.Float64).mean(),
        )
        .sort("start")
    )
    share = pl.when(pl.col("n_msgs") > 0).then(pl.col("attributed") / pl.col("n_msgs")).round(5)
    told = minutes.select(pl.col("start").alias("from"), n="n_msgs", share=share, usual=pl.col("usual").round(5))
    return told.to_dicts()


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    order = (groups.rank(pl.col("plain")), "effect_lo", *groups.GROUP)
    return rows.sort(*order, descending=[False, True, False, False, False], nulls_last=True)


def _findings(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per group, the best verdict and the largest effect first."""
    found = _ranked(rows.filter(groups.is_finding() & pl.col("effect").is_not_null()))
    return found.unique(groups.GROUP, keep="first", maintain_order=True).head(MOST_ROWS)


def _listed(own: pl.DataFrame) -> pl.DataFrame:
    """Findings, then the nearest group of each test that found nothing beside facts."""
    found = _findings(own)
    tested = found.filter(pl.col("plain") != "fact")
    empty = own.filter(~pl.col("test_id").is_in(tested["test_id"].to_list()))
    return pl.concat([found, _nearest(empty)])


def _nearest(rows: pl.DataFrame) -> pl.DataFrame:
    """The row of each test with the smallest p."""
    tested = rows.filter(pl.col("p_raw").is_not_null()).sort("p_raw", "test_row_id")
    return tested.unique("test_id", keep="first", maintain_order=True).sort("test_id")


def _days(over: pl.DataFrame | None) -> dict[tuple[str, str, str], dict[str, Any]]:
    if over is None:
        return {}
    rows = over.with_columns(plain=groups.plain()).iter_rows(named=True)
    return {(row["test_id"], row["sub_id"], row["stratum_json"]): row for row in rows}


def _said(row: dict[str, Any], timeline: Timeline) -> dict[str, Any]:
    """What rows of both tables say alike."""
    return {
        **{name: row[name] for name in ("test_id", "sub_id", "effect", "effect_unit", "effect_lo", "effect_hi")},
        "stratum": say.group(row["stratum_json"]),
        "peak": None if row["peak_value"] is None else say.peak(row),
        # rounded up to the second at whose end it is known
        "available_from": -((timeline.t0_ns - _ns(row["available_from"])) // SECOND_NS) - 1,
    }


def _ns(moment: Any) -> int:
    return int(pl.Series([moment]).cast(pl.Datetime("ns", "UTC")).to_physical()[0])


def _repeated(row: dict[str, Any], over: dict[str, Any]) -> tuple[int | None, int | None]:
    """Dates that tested a group, and found it; unknown for facts, which none tests, and where one date stands alone."""
    if row["plain"] == "fact" or over.get("days_seen", 1) < 2:
        return None, None
    return over["days_seen"], over["days_replicated"]


def _own(row: dict[str, Any], days: dict, drawn: pl.DataFrame, timeline: Timeline) -> dict[str, Any]:
    over = days.get((row["test_id"], row["sub_id"], row["stratum_json"]), {})
    line = over.get("peak_value")
    if row["peak_unit"] == "Hz" and line is not None and not lines.is_one(row["peak_value"], line):
        over = {}  # of the group over dates another line is told
    seen, found = _repeated(row, over)
    supported = over.get("plain") == "supported" and row["plain"] == "weak"
    curve = _cut(drawn.filter(pl.col("test_row_id") == row["test_row_id"]).sort("bin"))
    return _said(row, timeline) | {
        **{name: row[name] for name in ("test_row_id", "p_floor", "q_bh", "is_negative_control", "blocked_by_control")},
        "null_method": say.null_words(row),
        "days_seen": seen,
        "days_replicated": found,
        "verdict": "supported" if supported else row["plain"],
        "earlier": False,
        "histogram": curve["observed"].cast(pl.Float64).round(3).to_list(),
        "null_hi": curve["hi"].cast(pl.Float64).round(3).to_list(),
    }


def _cut(curve: pl.DataFrame) -> pl.DataFrame:
    """The bins around the largest z."""
    if curve.height <= MOST_BINS:
        return curve
    best = int(curve["z"].arg_max() or 0)
    return curve.slice(min(max(best - MOST_BINS // 2, 0), curve.height - MOST_BINS), MOST_BINS)


def _earlier(row: dict[str, Any], timeline: Timeline) -> dict[str, Any]:
    seen, found = _repeated(row, row)
    return _said(row, timeline) | {
        "test_row_id": f"earlier:{row['test_id']}:{row['sub_id']}:{row['stratum_json']}",
        "p_floor": None,
        "q_bh": None,
        "is_negative_control": False,
        "blocked_by_control": False,
        "null_method": "",
        "days_seen": seen,
        "days_replicated": found,
        "verdict": row["plain"],
        "earlier": True,
        "histogram": [],
        "null_hi": [],
    }
