"""Checks of the search for automation pass on a lake that the code made, and each fails on a violation of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.lake import Lake
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster_tests.checks.sessions import DT, SYMBOL, copy_lake, spoil
from spymaster_tests.evidence.lakes import build
from spymaster_tests.tables.samples import sample

OF_MODELS = {"contract", "finite", "manifest_true"}
FIRST = pl.int_range(pl.len()) == 0
RUN, TEST, CURVE, EXEMPLAR = "gold.algo_run", "gold.algo_test", "gold.algo_curve", "gold.algo_exemplar"
LAW, REPLICATION = "gold.algo_law", "gold.algo_replication"
CHECKS = {
    check.key: check for check in all_checks() if check.tables[0] in {RUN, TEST, CURVE, EXEMPLAR, LAW, REPLICATION}
}
LATER = date(2024, 3, 7)


def put(table: str, rows: pl.Expr = FIRST, **values: object) -> Callable[[Lake], None]:
    """Set columns of some rows, the first one by default."""
    new = [
        pl.when(rows).then(value if isinstance(value, pl.Expr) else pl.lit(value)).otherwise(name).alias(name)
        for name, value in values.items()
    ]
    return lambda lake: spoil(lake, table, lambda frame: frame.with_columns(new).cast(frame.schema))


def foreign(lake: Lake) -> None:
    """Exemplars of another date, and of another market."""
    spoil(lake, EXEMPLAR, lambda frame: pl.concat([frame, sample(AlgoExemplar)]))


SPOILERS: dict[str, Callable[[Lake], None]] = {
    f"{TEST}:families_are_whole": put(TEST, pl.col("q_bh").is_not_null(), q_bh=pl.col("q_bh") * 0.5),
    f"{TEST}:tests_of_the_run": put(TEST, run_id="another"),
    f"{TEST}:provenance_of_inputs": put(TEST, provenance=pl.lit("real")),
    f"{RUN}:laws_are_earlier": put(RUN, law_dates=pl.lit([DT])),
    f"{REPLICATION}:replicated_up_to_the_date": put(REPLICATION, last_dt=LATER),
    f"{CURVE}:curves_of_tests": put(CURVE, test_row_id="nobody"),
    f"{EXEMPLAR}:exemplars_of_tests": foreign,
    f"{EXEMPLAR}:exemplars_are_messages": foreign,
    f"{LAW}:law_of_the_partition": put(LAW, sizes=pl.col("sizes").list.reverse()),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("evidence") / "lake")


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
