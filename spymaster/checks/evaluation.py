"""Integrity of the evaluation: no trial goes missing, and nothing is said that the numbers do not carry."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import collect, finding, scan

LEDGER, REPORT = "gold.trials_ledger", "gold.evaluation_report"
LONGEST_GAP = timedelta(days=4)
"""From a date to the trade date of its evening."""


@check(LEDGER, suite=Suite.DATA, blocking=True)
def entries_in_order(session: Session) -> Finding:
    """Entries count from 1, no trial is entered twice, and no session is later than the date's evening, which
    belongs to the next trade date, after a weekend perhaps.
    """
    rows = collect(scan(session, LEDGER, ["entry", "trial_id", "sessions"]))
    told = rows.with_columns(
        due=pl.int_range(1, pl.len() + 1), again=~pl.col("trial_id").is_first_distinct(),
        late=pl.col("sessions").list.max() > session.dt + LONGEST_GAP,
    )  # fmt: skip
    bad = told.filter((pl.col("entry") != pl.col("due")) | pl.col("again") | pl.col("late").fill_null(False))
    return finding(bad.height, bad.drop("sessions"), f"{rows.height} trials", trials=rows.height)


@check(REPORT, LEDGER, suite=Suite.DATA, blocking=True)
def scores_are_entered(session: Session) -> Finding:
    """Every score of the report by which trials are compared was entered in the ledger, with as many sessions."""
    due = pl.when(pl.col("head") == "side").then(pl.lit("auc")).otherwise(pl.lit("auc_over_bar"))
    scored = scan(session, REPORT).filter(
        (pl.col("metric") == due)
        & pl.col("section").cast(pl.String).is_in(["score", "gain", "holdout"])
        & (pl.col("subset").cast(pl.String) != "real-placebo")
    )
    place = ["kind", "horizon_s", "lead_s", "head", "algo", "subset"]
    entered = scan(session, LEDGER).filter(pl.col("stage").cast(pl.String) != "holdout_opened")
    stage = pl.when(pl.col("section").cast(pl.String) == "holdout").then(pl.lit("holdout")).otherwise(pl.lit("outer"))

    def words(frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame.with_columns(pl.col("kind", "subset").cast(pl.String))

    known = words(entered).select(*place, "value", "n_sessions", pl.col("stage").cast(pl.String))
    both = collect(
        words(scored.with_columns(stage=stage)).join(
            known, on=[*place, "stage", "value", "n_sessions"], how="anti", nulls_equal=True
        )
    )
    bad = both.select(*place, "value").sort(place)
    return finding(bad.height, bad, "every score is in the ledger", scores=collect(scored).height)


@check(REPORT, suite=Suite.DATA, blocking=True)
def verdicts_are_earned(session: Session) -> Finding:
    """A verdict is no better than its numbers: 40 sessions, a gain that is not luck, and real data for `supported`."""
    rows = collect(scan(session, REPORT).filter(pl.col("section").cast(pl.String) == "verdict"))
    word = pl.col("verdict").str.strip_prefix("simulated:")
    luck = (pl.col("p_perm") <= 0.05).fill_null(False)
    earned = (
        pl.when(word == "supported")
        .then((pl.col("n_sessions") >= 40) & (pl.col("ci_lo") > 0).fill_null(False)
              & (pl.col("p_perm") <= 0.01).fill_null(False) & (pl.col("p_deflated") <= 0.05).fill_null(False))
        .when(word == "weak")
        .then(luck & (pl.col("value") > 0).fill_null(False))
        .when(word == "insufficient")
        .then(pl.col("n_sessions") == 0)
        .otherwise(pl.lit(True))
    )  # fmt: skip
    bad = rows.filter(~earned).select("kind", "horizon_s", "lead_s", "head", "algo", "verdict", "value", "p_perm")
    return finding(bad.height, bad, f"{rows.height} verdicts", verdicts=rows.height)


@check(REPORT, suite=Suite.DATA)
def every_panel_has_an_answer(session: Session) -> Finding:
    """No panel goes without a verdict: nothing found is told like a find."""
    panel = ["kind", "horizon_s", "lead_s"]
    rows = scan(session, REPORT)
    answered = rows.filter(pl.col("section").cast(pl.String) == "verdict").select(panel).unique()
    described = rows.filter(pl.col("section").cast(pl.String) == "sample").select(panel).unique()
    bad = collect(described.join(answered, on=panel, how="anti")).sort(panel)
    return finding(bad.height, bad, "every panel has a verdict", panels=collect(described).height)
