"""Checks of ledger and report pass on a lake that the code made, and each fails on a violation of its own."""

from __future__ import annotations

from collections.abc import Callable
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
