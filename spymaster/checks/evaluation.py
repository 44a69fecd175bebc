"""Integrity of the evaluation: no trial goes missing, and nothing is said that the numbers do not carry."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import SECOND_NS, collect, finding, scan
from spymaster.market.calendar import session_bounds, session_dates

LEDGER, REPORT = "gold.trials_ledger", "gold.evaluation_report"
TOO_GOOD = 0.12
"""AUC beyond chance, or for `resolve` beyond the bar's, from which a leak is suspected until gates are passed."""
_PLACE = ["kind", "horizon_s", "lead_s", "head", "algo"]
_NUMBERS = {
    "gain_low": ("gain", "log_loss_gain", "real", "ci_lo"),
    "weak_low": ("gain", "log_loss_gain_90", "real", "ci_lo"),
    "over_bar": ("gain", "auc_over_bar", "real", "value"),
    "placebo_low": ("gain", "log_loss_gain", "real-placebo", "ci_lo"),
    "held_low": ("holdout", "log_loss_gain", "real", "ci_lo"),
    "auc": ("score", "auc", "real", "value"),
    "placebo_over_bar": ("gain", "auc_over_bar", "placebo", "value"),
    "placebo_auc": ("score", "auc", "placebo", "value"),
    "shifted_over_bar_low": ("leak", "shifted_auc_over_bar", "real", "ci_lo"),
    "shifted_auc_low": ("leak", "shifted_auc", "real", "ci_lo"),
    "p": ("score", "auc", "real", "p_perm"),
    "sessions": ("score", "auc", "real", "n_sessions"),
}
"""Where the report has what a verdict goes by: section, metric, subset, column."""


@check(LEDGER, suite=Suite.DATA, blocking=True)
def entries_in_order(session: Session) -> Finding:
    """Entries count from 1, no trial is entered twice, and nothing in it is later than the date: no session that opens
    after it (that of its evening belongs to the next trade date), no label that ends after it.
    """
    rows = collect(scan(session, LEDGER, ["entry", "trial_id", "sessions", "ts"]))
    told = rows.with_columns(
        due=pl.int_range(1, pl.len() + 1), again=~pl.col("trial_id").is_first_distinct(),
        late=(pl.col("sessions").list.max() > _last_session(session)).fill_null(False)
        | (pl.col("ts").dt.date() > session.dt),
    )  # fmt: skip
    bad = told.filter((pl.col("entry") != pl.col("due")) | pl.col("again") | pl.col("late"))
    return finding(bad.height, bad.drop("sessions"), f"{rows.height} trials", trials=rows.height)


def _last_session(session: Session) -> date:
    """Trade date of the last session that is open at some time of the date (UTC)."""
    midnight = np.datetime64(session.dt, "ns").astype(np.int64)
    end = midnight + 86_400 * SECOND_NS
    labels = session_dates(np.array([midnight, end - 1]), session.instrument).tolist()
    bounds = [(label, session_bounds(label, session.instrument)) for label in labels]
    return max((label for label, bound in bounds if bound is not None and bound[0] < end), default=session.dt)


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
    """Every verdict is the one that the numbers of the report come to, no better and no worse, and repeats them.

    supported: gain over the bar above 0 at 95 % by walk-forward and on the hold-out, chance at most 0.01, after all
    trials at most 0.05, a comparison with placebos, 40 sessions; weak: above 0 at 90 %, chance at most 0.05; but
    leak_suspected where the AUC is too high, unless nothing is left with labels of another session and placebos are not
    foretold as well; insufficient exactly where nothing was scored.
    """
    rows = collect(scan(session, REPORT)).with_columns(pl.col("section", "subset", "kind").cast(pl.String))
    told = rows.filter(pl.col("section") == "verdict")
    both = told
    for name, (section, metric, subset, column) in _NUMBERS.items():
        found = rows.filter(section=section, metric=metric, subset=subset).select(*_PLACE, pl.col(column).alias(name))
        both = both.join(found, on=_PLACE, how="left")
    scored = rows.filter(pl.col("section") == "score").select(*_PLACE[:3], scored=pl.lit(True)).unique()
    both = both.join(scored, on=_PLACE[:3], how="left")
    over_bar = pl.col("head") == "resolve"
    beyond, placebo, shifted_low = (
        pl.when(over_bar).then(f"{name}over_bar{end}").otherwise(pl.col(f"{name}auc{end}") - 0.5)
        for name, end in (("", ""), ("placebo_", ""), ("shifted_", "_low"))
    )
    honest = (shifted_low <= 0).fill_null(False) & (placebo <= TOO_GOOD).fill_null(False)
    leak = (beyond > TOO_GOOD) & ~honest
    supported = pl.all_horizontal(
        (pl.col(name) > 0).fill_null(False) for name in ("gain_low", "held_low")
    ) & pl.all_horizontal(
        (pl.col("p") <= 0.01).fill_null(False), (pl.col("p_deflated") <= 0.05).fill_null(False),
        pl.col("placebo_low").is_not_null(), (pl.col("sessions") >= 40).fill_null(False),
    )  # fmt: skip
    weak = ((pl.col("weak_low") > 0) & (pl.col("p") <= 0.05)).fill_null(False)
    due = (
        pl.when(pl.col("head") == "all").then(pl.lit("insufficient"))
        .when(leak.fill_null(False)).then(pl.lit("leak_suspected"))
        .when(supported).then(pl.lit("supported"))
        .when(weak).then(pl.lit("weak"))
        .otherwise(pl.lit("none"))
    )  # fmt: skip
    repeated = (
        pl.col("ci_lo").eq_missing(pl.col("gain_low")) & pl.col("p_perm").eq_missing(pl.col("p"))
        & (pl.col("n_sessions") == pl.col("sessions")).fill_null(False)
    )  # fmt: skip
    # where nothing was scored there is no number to repeat, and where something was there is a verdict on it
    whole = pl.when(pl.col("head") == "all").then(pl.col("scored").is_null()).otherwise(repeated)
    bad = both.with_columns(due=due).filter(
        (pl.col("verdict").str.strip_prefix("simulated:") != pl.col("due")) | ~whole
    )
    return finding(
        bad.height, bad.select(*_PLACE, "verdict", "due", "value", "p_perm"), f"{told.height} verdicts",
        verdicts=told.height,
    )  # fmt: skip


@check(REPORT, suite=Suite.DATA)
def every_panel_has_an_answer(session: Session) -> Finding:
    """No panel goes without a verdict: nothing found is told like a find."""
    panel = ["kind", "horizon_s", "lead_s"]
    rows = scan(session, REPORT)
    answered = rows.filter(pl.col("section").cast(pl.String) == "verdict").select(panel).unique()
    described = rows.filter(pl.col("section").cast(pl.String) == "sample").select(panel).unique()
    bad = collect(described.join(answered, on=panel, how="anti")).sort(panel)
    return finding(bad.height, bad, "every panel has a verdict", panels=collect(described).height)
