"""What one test came to on a date: its rows with their verdicts, and those that found something."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from spymaster.evidence import periods
from spymaster.evidence.report import groups, reasons
from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.report.sentences import Row
from spymaster.evidence.verdicts import LINE_SHARE, Least


@dataclass(frozen=True)
class Results:
    """Rows of a test, with `plain` (the verdict, over dates where there is one), found_on and seen_on (dates)."""

    test: str
    rows: pl.DataFrame
    found: pl.DataFrame
    """Findings, one row per group, the best verdict and the largest effect first."""

    @property
    def tested(self) -> pl.DataFrame:
        """Rows of the family: without facts, and without groups that had nothing to test."""
        return self.rows.filter(pl.col("family_size") > 0)

    @property
    def n_groups(self) -> int:
        """Groups that were tested."""
        return self.tested.select(groups.GROUP).n_unique()

    @property
    def n_found(self) -> int:
        """Tested groups with a finding."""
        return self.found.filter(pl.col("plain") != "fact").height

    @property
    def nearest(self) -> Row | None:
        """The row with the smallest q."""
        rows = self.tested.filter(pl.col("q_bh").is_not_null()).sort("q_bh", "p_raw", "test_row_id")
        return rows.row(0, named=True) if rows.height else None

    def reasons(self, least: Least) -> dict[str, int]:
        """Of groups without a verdict whose q is small: how many there are by reason, the nearest one first."""
        without = self.tested.join(self.found.select(groups.GROUP), on=groups.GROUP, how="anti")
        return reasons.count(without.iter_rows(named=True), least)

    @property
    def is_underpowered(self) -> bool:
        """Whether no group alone could have had a small q."""
        rows = self.tested.filter(pl.col("q_bh").is_not_null())
        return bool(rows.height and rows["underpowered_family"].all())

    @property
    def findings(self) -> list[Row]:
        """One row of `found` for each stratum, with the other sub-tests that found it (`others`), then facts."""
        facts = self.found.filter(pl.col("plain") == "fact")
        tested = self.found.filter(pl.col("plain") != "fact").unique("stratum_json", keep="first", maintain_order=True)
        rows = [
            *tested.iter_rows(named=True),
            *facts.with_columns(others=pl.lit([], pl.List(pl.String))).iter_rows(named=True),
        ]
        return [row | {"others": [one for one in row["others"] if one != row["sub_id"]]} for row in rows]

    @property
    def verdict(self) -> str:
        """The best one of `groups.VERDICTS`."""
        held = set(self.found["plain"].to_list())
        return next((name for name in groups.VERDICTS if name in held), "none")


def results_of(data: ReportData, test: str) -> Results:
    """Of a test of the date."""
    over_dates = data.replication.select(
        *groups.GROUP, over=groups.plain(), found_on="days_replicated", seen_on="days_seen", line="peak_value"
    )
    rows = data.of_test(test).with_columns(plain=groups.plain()).join(over_dates, on=groups.GROUP, how="left")
    if test == periods.TEST:  # what is said over dates is of one line of the group, and says nothing of another
        same = ((pl.col("peak_value") / pl.col("line") - 1).abs() <= LINE_SHARE).fill_null(True)
        rows = rows.with_columns(pl.when(same).then(name).alias(name) for name in ("over", "found_on", "seen_on"))
    rows = rows.drop("line")
    # a group may be repeated over dates and absent on this one: the report of a date says what the date has
    repeated = (pl.col("plain") == "weak") & (pl.col("over") == "supported")
    rows = rows.with_columns(
        plain=pl.when(repeated).then(pl.lit("supported")).otherwise("plain"), verdict=pl.col("verdict").cast(pl.String)
    )
    found = rows.filter(groups.is_finding()).sort(
        groups.rank(pl.col("plain")), "effect_lo", "test_row_id", descending=[False, True, False], nulls_last=True
    )
    once = found.unique(["sub_id", "stratum_json"], keep="first", maintain_order=True)
    others = pl.col("sub_id").filter(pl.col("plain") != "fact").unique(maintain_order=True)
    of_group = once.group_by("stratum_json").agg(others=others)
    return Results(test, rows, once.join(of_group, on="stratum_json", how="left", maintain_order="left"))
