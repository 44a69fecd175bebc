"""Checks of ledger and report pass on a lake that the code made, and each fails on a violation of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.lake import Lake
from spymaster.tables.evaluation_report import EvaluationReport
from spymaster.tables.trials_ledger import TrialsLedger
from spymaster_tests.checks.sessions import copy_lake, spoil
from spymaster_tests.research.evaluated import DT, SYMBOL, evaluated_lake

LEDGER, REPORT = TrialsLedger.full_name, EvaluationReport.full_name
OF_MODELS = {"contract", "finite", "manifest_true"}
CHECKS = {check.key: check for check in all_checks() if check.tables[0] in (LEDGER, REPORT)}
VERDICT = pl.col("section").cast(pl.String) == "verdict"
EVENING, LATER = DT + timedelta(days=1), DT + timedelta(days=2)
"""Trade date of the evening of DT, and one that it knows nothing of."""


def put(table: str, where: pl.Expr, **values: object) -> Callable[[Lake], None]:
    """Set columns of some rows."""
    new = [
        pl.when(where).then(value if isinstance(value, pl.Expr) else pl.lit(value)).otherwise(name).alias(name)
        for name, value in values.items()
    ]
    return lambda lake: spoil(lake, table, lambda frame: frame.with_columns(new).cast(frame.schema), dt=DT)  # type: ignore[arg-type]


SPOILERS: dict[str, Callable[[Lake], None]] = {
    f"{LEDGER}:entries_in_order": put(LEDGER, pl.col("entry") == 2, trial_id=pl.col("trial_id").first()),
    f"{REPORT}:scores_are_entered": put(REPORT, pl.col("metric") == "auc", value=pl.col("value") + 0.125),
    f"{REPORT}:verdicts_are_earned": put(REPORT, VERDICT, verdict="simulated:supported"),
    f"{REPORT}:every_panel_has_an_answer": lambda lake: spoil(
        lake, REPORT, lambda frame: frame.filter(~VERDICT), dt=DT
    ),
}


DISORDER = {
    "an entry is missing": {"entry": pl.lit(9)},
    "a trial is there twice": {"trial_id": pl.col("trial_id").first()},
    "a session of the day after the next": {"sessions": pl.col("sessions").list.concat(pl.lit([LATER]))},
    "a label that ends tomorrow": {"ts": pl.lit(EVENING).cast(pl.Datetime("ns", "UTC"))},
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return evaluated_lake(tmp_path_factory.mktemp("evaluation") / "lake")


def test_every_check_of_the_tables_is_here():
    assert {key for key, check in CHECKS.items() if check.name not in OF_MODELS} == SPOILERS.keys()


@pytest.mark.parametrize("key", CHECKS)
def test_a_lake_that_the_code_made_passes(lake: Lake, key: str):
    result = CHECKS[key].run(lake, SYMBOL, DT)
    assert result.passed, result.message


@pytest.mark.parametrize("key", SPOILERS)
def test_each_check_sees_its_violation(lake: Lake, tmp_path: Path, key: str):
    spoilt = copy_lake(lake, tmp_path / "lake")
    SPOILERS[key](spoilt)
    result = CHECKS[key].run(spoilt, SYMBOL, DT)
    assert not result.passed
    assert result.metadata["violations"]


@pytest.mark.parametrize("what", DISORDER)
def test_entries_in_order_bites_on_each_disorder(lake: Lake, tmp_path: Path, what: str):
    spoilt = copy_lake(lake, tmp_path / "lake")
    put(LEDGER, pl.col("entry") == 2, **DISORDER[what])(spoilt)
    assert CHECKS[f"{LEDGER}:entries_in_order"].run(spoilt, SYMBOL, DT).metadata["violations"] == 1


def test_the_evening_belongs_to_the_next_session(lake: Lake, tmp_path: Path):
    late = copy_lake(lake, tmp_path / "lake")
    put(LEDGER, pl.col("entry") == 2, sessions=pl.col("sessions").list.concat(pl.lit([EVENING])))(late)
    assert CHECKS[f"{LEDGER}:entries_in_order"].run(late, SYMBOL, DT).passed


PLACE = {"kind": "touch", "horizon_s": 120, "lead_s": 0, "head": "side", "algo": "logit"}
EARNED = {
    ("gain", "log_loss_gain", "real"): {"value": 0.02, "ci_lo": 0.01, "ci_hi": 0.03},
    ("gain", "log_loss_gain_90", "real"): {"value": 0.02, "ci_lo": 0.012, "ci_hi": 0.028},
    ("gain", "log_loss_gain", "real-placebo"): {"value": 0.01, "ci_lo": -0.01, "ci_hi": 0.03},
    ("holdout", "log_loss_gain", "real"): {"value": 0.02, "ci_lo": 0.005, "ci_hi": 0.04},
    ("score", "auc", "real"): {"value": 0.6, "ci_lo": 0.55, "ci_hi": 0.62, "p_perm": 0.005, "n_sessions": 41},
    ("gain", "auc_over_bar", "real"): {"value": 0.05, "ci_lo": 0.01, "ci_hi": 0.08},
    ("verdict", "log_loss_gain", "real"): {"value": 0.02, "ci_lo": 0.01, "ci_hi": 0.03, "p_perm": 0.005,
                                           "p_deflated": 0.04, "n_sessions": 41, "verdict": "simulated:supported"},
}  # fmt: skip
"""Numbers of a verdict that is earned to the last condition."""


def with_numbers(lake: Lake, numbers: dict) -> None:
    """Put numbers of `PLACE` into the report; None takes the row away."""

    def changed(frame: pl.DataFrame) -> pl.DataFrame:
        there = pl.all_horizontal(pl.col(name).cast(frame.schema[name]) == value for name, value in PLACE.items())
        old, rest = frame.filter(there), frame.filter(~there)
        rows = [
            {**old.row(0, named=True), **dict.fromkeys(("ci_lo", "ci_hi", "p_perm", "p_deflated", "verdict")),
             "section": section, "metric": metric, "subset": subset, **values}
            for (section, metric, subset), values in numbers.items() if values is not None
        ]  # fmt: skip
        return pl.concat([rest, pl.DataFrame(rows, schema=frame.schema)]).sort(EvaluationReport.key)

    spoil(lake, REPORT, changed, dt=DT)


SHIFTED, FALSE = ("leak", "shifted_auc", "real"), ("score", "auc", "placebo")
GAIN, GAIN_90, PLACEBO, HELD, AUC, OVER, SAID = EARNED
UNEARNED = {
    "no gain": {GAIN: {"ci_lo": -0.001}, SAID: {"ci_lo": -0.001}},
    "nothing on the hold-out": {HELD: {"ci_lo": -0.001}},
    "no hold-out": {HELD: None},
    "no interval on the hold-out": {HELD: {"ci_lo": None}},
    "chance": {AUC: {"p_perm": 0.02}, SAID: {"p_perm": 0.02}},
    "chance unknown": {AUC: {"p_perm": None}, SAID: {"p_perm": None}},
    "chance of trials": {SAID: {"p_deflated": 0.06}},
    "chance of trials unknown": {SAID: {"p_deflated": None}},
    "no placebos": {PLACEBO: {"ci_lo": None, "ci_hi": None}},
    "too few sessions": {AUC: {"n_sessions": 39}, SAID: {"n_sessions": 39}},
    "a leak": {AUC: {"value": 0.63}},
    "weak is too little": {SAID: {"verdict": "simulated:weak"}},
    "none is too little": {SAID: {"verdict": "simulated:none"}},
    "a leak at placebos": {AUC: {"value": 0.63}, SHIFTED: {"ci_lo": 0.4}, FALSE: {"value": 0.63}},
    "a leak of labels": {AUC: {"value": 0.63}, SHIFTED: {"ci_lo": 0.51}, FALSE: {"value": 0.55}},
    "no leak": {SAID: {"verdict": "simulated:leak_suspected"}},
    "something was tried": {SAID: {"verdict": "simulated:insufficient"}},
    "weak without a gain": {GAIN: {"ci_lo": -1.0}, GAIN_90: {"ci_lo": -0.001}, SAID: {"ci_lo": -1.0,
                            "verdict": "simulated:weak"}},
    "weak by chance": {AUC: {"p_perm": 0.06}, SAID: {"p_perm": 0.06, "verdict": "simulated:weak"}},
    "another gain than the score": {SAID: {"ci_lo": 0.02}},
    "another chance than the score": {AUC: {"p_perm": 0.004}},
    "more sessions than the score": {SAID: {"n_sessions": 60}},
}  # fmt: skip


@pytest.mark.parametrize("what", ["earned", "weak", "honest", *UNEARNED])
def test_verdicts_are_earned_bites_on_each_condition(lake: Lake, tmp_path: Path, what: str):
    changes: dict = UNEARNED.get(what, {})
    if what == "weak":
        changes = {AUC: {"p_perm": 0.05}, SAID: {"p_perm": 0.05, "verdict": "simulated:weak"}, HELD: None}
    if what == "honest":
        changes = {AUC: {"value": 0.63}, SHIFTED: {"value": 0.5, "ci_lo": 0.4}, FALSE: {"value": 0.55}}
    numbers = {
        key: None if key in changes and changes[key] is None else {**EARNED.get(key, {}), **changes.get(key, {})}
        for key in EARNED | changes
    }
    copy = copy_lake(lake, tmp_path / "lake")
    with_numbers(copy, numbers)
    result = CHECKS[f"{REPORT}:verdicts_are_earned"].run(copy, SYMBOL, DT)
    assert result.metadata.get("violations", 0) == (1 if what in UNEARNED else 0), result.message
