"""Checks of models pass on a lake that the code made, and each fails on a violation of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.lake import Lake
from spymaster.research.model_rules import ModelRules
from spymaster.research.sample_tables import stored_dates
from spymaster.research.session_models import session_models
from spymaster.settings import OutcomeModelSettings
from spymaster.surfaces.pictures import picture
from spymaster.tables.outcome_model import OutcomeModel
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.checks.sessions import copy_lake, spoil
from spymaster_tests.research.lakes import DATES, SYMBOL
from spymaster_tests.research.model_lakes import build

MODEL = OutcomeModel.full_name
OF_MODELS = {"contract", "finite", "manifest_true"}
DT = DATES[-1]
CHECKS = {check.key: check for check in all_checks() if check.tables[0] == MODEL}


def put(**values: object) -> Callable[[Lake], None]:
    """Set columns of the rows that have a model."""
    new = [
        pl.when(pl.col("artifact").is_not_null())
        .then(value if isinstance(value, pl.Expr) else pl.lit(value))
        .otherwise(name)
        .alias(name)
        for name, value in values.items()
    ]
    return lambda lake: spoil(lake, MODEL, lambda frame: frame.with_columns(new).cast(frame.schema), dt=DT)  # type: ignore[arg-type]


SPOILERS: dict[str, Callable[[Lake], None]] = {
    f"{MODEL}:learned_before": put(last_label_end=pl.col("last_label_end").dt.offset_by("10d")),
    f"{MODEL}:artifacts_whole": put(artifact=pl.col("artifact").str.replace("intercept", "Intercept")),
    f"{MODEL}:calibrated": put(ece=pl.lit(0.5)),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = build(tmp_path_factory.mktemp("models") / "lake")
    dates = stored_dates(made, SYMBOL, None, DT - timedelta(days=1))
    scaler = made.partition(VectorScaler, SYMBOL, DT)
    frame = session_models(dates, scaler, ModelRules.of(OutcomeModelSettings(), made.profile), k_barrier=1.0)
    with made.writer(OutcomeModel, SYMBOL, DT) as writer:
        writer.write(frame)
        writer.commit(inputs=[*(one.vectors for one in dates), scaler], provenance="simulated")
    return made


def test_every_check_of_the_table_is_here():
    assert {key for key, check in CHECKS.items() if check.name not in OF_MODELS} == SPOILERS.keys()


@pytest.mark.parametrize("key", CHECKS)
def test_a_lake_that_the_code_made_passes(lake: Lake, key: str):
    result = CHECKS[key].run(lake, SYMBOL, DT)
    assert result.passed, result.message
    assert result.metadata.get("models", 1)


@pytest.mark.parametrize("key", SPOILERS)
def test_each_check_sees_its_violation(lake: Lake, tmp_path: Path, key: str):
    spoilt = copy_lake(lake, tmp_path / "lake")
    SPOILERS[key](spoilt)
    result = CHECKS[key].run(spoilt, SYMBOL, DT)
    assert not result.passed
    assert result.metadata["violations"]


def test_an_artifact_of_another_model_is_seen(lake: Lake, tmp_path: Path):
    """Hash and text agree, but they are those of another row."""
    spoilt = copy_lake(lake, tmp_path / "lake")
    first = [pl.col(name).drop_nulls().first() for name in ("artifact", "artifact_sha256")]
    put(artifact=first[0], artifact_sha256=first[1])(spoilt)
    result = CHECKS[f"{MODEL}:artifacts_whole"].run(spoilt, SYMBOL, DT)
    assert not result.passed
    assert "the artifact has other" in result.message


def test_an_input_of_the_date_itself_is_seen(lake: Lake, tmp_path: Path):
    spoilt = copy_lake(lake, tmp_path / "lake")
    frame = spoilt.partition(OutcomeModel, SYMBOL, DT).read()
    with spoilt.writer(OutcomeModel, SYMBOL, DT) as writer:
        writer.write(frame)
        writer.commit(inputs=[spoilt.partition("gold.setup_vector", SYMBOL, DT)], provenance="simulated")
    result = CHECKS[f"{MODEL}:learned_before"].run(spoilt, SYMBOL, DT)
    assert not result.passed
    assert f"gold.setup_vector {SYMBOL} {DT} is not earlier" in result.message


def test_the_table_is_drawn(lake: Lake):
    assert (picture(lake.partition(OutcomeModel, SYMBOL, DT)) or b"").startswith(b"\x89PNG")
