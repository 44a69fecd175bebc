"""Which groups of messages a test found something in: one rule for the report, its table, and the page.

A group is a test, its sub-test and a stratum. It may have several rows (E5 has one per line) and counts once, by the
best of their verdicts. A fact is neither tried nor found by a test, and is a finding where its effect is above 0. A
group that had nothing to test (`evidence.few`) is not tried.
"""

from __future__ import annotations

import polars as pl

GROUP = ("test_id", "sub_id", "stratum_json")
VERDICTS = ("supported", "weak", "fact", "none")
"""The best first."""
_RANK = {name: place for place, name in enumerate(VERDICTS)}


def plain(column: str = "verdict") -> pl.Expr:
    """A verdict without what it says about simulated data."""
    return pl.col(column).cast(pl.String).str.split(":").list.last()


def rank(verdict: pl.Expr) -> pl.Expr:
    """Place of a plain verdict among `VERDICTS`."""
    return verdict.replace_strict(_RANK, default=len(_RANK), return_dtype=pl.Int8)


def is_finding() -> pl.Expr:
    """Of rows with their plain verdict (`plain`) and effect."""
    is_there = (pl.col("plain") == "fact") & (pl.col("effect") > 0).fill_null(False)
    return pl.col("plain").is_in(("supported", "weak")) | is_there


def best_verdicts(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per group: `GROUP`, is_fact, is_tried, and best (one of `VERDICTS`).

    rows: as `is_finding` takes them, with family_size.
    """
    told = pl.when(is_finding()).then("plain").otherwise(pl.lit("none"))
    found = rows.group_by(GROUP, maintain_order=True).agg(
        is_fact=(pl.col("plain") == "fact").any(),
        is_tried=(pl.col("family_size") > 0).any(),
        place=rank(told).min(),
    )
    name = pl.col("place").replace_strict(dict(enumerate(VERDICTS)), return_dtype=pl.String)
    return found.select(*GROUP, "is_fact", "is_tried", best=name)


def counts(rows: pl.DataFrame) -> dict[str, int]:
    """Tested groups by their best verdict, and facts with an effect, of all tests."""
    found = best_verdicts(rows)
    tested, facts = found.filter("is_tried")["best"], found.filter("is_fact")["best"]
    return {name: int(((facts if name == "fact" else tested) == name).sum()) for name in VERDICTS}


def tried(rows: pl.DataFrame) -> pl.DataFrame:
    """By test_id: groups that were tested, none where all had too little to count; found, in how many something was."""
    return (
        best_verdicts(rows)
        .group_by("test_id")
        .agg(groups=pl.col("is_tried").sum(), found=(pl.col("is_tried") & (pl.col("best") != "none")).sum())
        .sort("test_id")
    )
