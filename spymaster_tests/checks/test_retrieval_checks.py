"""Checks of retrieval pass on a lake that the code made, and each fails on a violation of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.lake import Lake
from spymaster.research.session_retrieval import session_retrieval
from spymaster.surfaces.pictures import picture
from spymaster.tables.retrieval_index import RetrievalIndex
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor
from spymaster.tables.retrieval_result import RetrievalResult
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.checks.sessions import copy_lake, spoil
from spymaster_tests.research.lakes import DATES, SYMBOL, build, store
from spymaster_tests.research.test_panels import index

INDEX, RESULT, NEIGHBOR = (model.full_name for model in (RetrievalIndex, RetrievalResult, RetrievalNeighbor))
OF_MODELS = {"contract", "finite", "manifest_true"}
DT = DATES[-1]
FIRST = pl.int_range(pl.len()) == 0
CHECKS = {check.key: check for check in all_checks() if check.tables[0] in (INDEX, RESULT, NEIGHBOR)}


def put(table: str, **values: object) -> Callable[[Lake], None]:
    """Set columns of the first row."""
    new = [
        pl.when(FIRST).then(value if isinstance(value, pl.Expr) else pl.lit(value)).otherwise(name).alias(name)
        for name, value in values.items()
    ]
    return lambda lake: spoil(lake, table, lambda frame: frame.with_columns(new).cast(frame.schema), dt=DT)


SPOILERS: dict[str, Callable[[Lake], None]] = {
    f"{INDEX}:rows_are_earlier": put(INDEX, vector_dt=DT),
    f"{RESULT}:shares_of_neighbours": put(RESULT, p_break=pl.col("p_break") + 0.001),
    f"{RESULT}:base_rates_of_earlier": put(RESULT, p0_break=pl.col("p0_break") + 0.001),
    f"{RESULT}:weights_of_distances": put(NEIGHBOR, weight=pl.col("weight") * 0.999),
    f"{NEIGHBOR}:neighbours_had_ended": put(NEIGHBOR, ts_decision=pl.col("ts_decision").dt.offset_by("20d")),
    f"{NEIGHBOR}:nearest_first": put(NEIGHBOR, distance=1000.0),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = build(tmp_path_factory.mktemp("retrieval") / "lake")
    store(made, RetrievalIndex, DT, index(made, DT))
    frames = next(
        session_retrieval(
            made.partition(RetrievalIndex, SYMBOL, DT), made.partitions(SetupVector, SYMBOL),
            made.partition(SetupEpisode, SYMBOL, DT), made.partition(VectorScaler, SYMBOL, DT),
            settings=made.settings.retrieval, profile=made.profile,
        )
    )  # fmt: skip
    for model in (RetrievalResult, RetrievalNeighbor):
        store(made, model, DT, frames[model.name])
    return made


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


@pytest.mark.parametrize(
    "spoiler",
    [
        put(RESULT, n_sessions=99),
        put(RESULT, **{f"p0_{name}": None for name in ("break", "reject", "chop")}),
        put(INDEX, outcome=pl.col("outcome").cast(pl.String).replace({"chop": "break", "break": "chop"})),
        put(INDEX, session_date=DT),
    ],
    ids=["sessions", "null", "outcome", "session"],
)
def test_base_rates_and_sessions_follow_from_the_index(lake: Lake, tmp_path: Path, spoiler: Callable[[Lake], None]):
    spoilt = copy_lake(lake, tmp_path / "lake")
    spoiler(spoilt)
    result = CHECKS[f"{RESULT}:base_rates_of_earlier"].run(spoilt, SYMBOL, DT)
    assert not result.passed
    assert "due_break=" in str(result.metadata["examples"])


def test_an_answer_is_about_a_setup_of_the_date(lake: Lake, tmp_path: Path):
    spoilt = copy_lake(lake, tmp_path / "lake")
    put(RESULT, episode_id="touch:of:another:date")(spoilt)
    result = CHECKS[f"{RESULT}:base_rates_of_earlier"].run(spoilt, SYMBOL, DT)
    assert result.metadata["violations"] == 1
    assert "due=an episode" in str(result.metadata["examples"])


@pytest.mark.parametrize("name", ["d_1", "d_k", "n_eff"])
@pytest.mark.parametrize("value", [pl.lit(None), 0.999], ids=["null", "less"])
def test_an_answer_tells_what_its_neighbours_say(lake: Lake, tmp_path: Path, name: str, value: pl.Expr | float):
    spoilt = copy_lake(lake, tmp_path / "lake")
    new = value if isinstance(value, pl.Expr) else pl.col(name) * value
    first = (pl.int_range(pl.len()).over("said") == 0) & pl.col("said")
    spoil(
        spoilt,
        RESULT,
        lambda frame: (
            frame.with_columns(said=pl.col("p_break").is_not_null())
            .with_columns(pl.when(first).then(new).otherwise(name).alias(name))
            .drop("said")
            .cast(frame.schema)
        ),
        dt=DT,
    )
    result = CHECKS[f"{RESULT}:weights_of_distances"].run(spoilt, SYMBOL, DT)
    assert result.metadata["violations"] == 1


def test_a_wrong_weight_is_told_with_the_one_due(lake: Lake, tmp_path: Path):
    """By the distances of all neighbours of the question, of which only the wrong one is told."""
    spoilt = copy_lake(lake, tmp_path / "lake")
    first = lake.partition(NEIGHBOR, SYMBOL, DT).read().row(0, named=True)
    assert first["weight"] > 0.7  # not the furthest, whose weight is exp(-1/2)
    put(NEIGHBOR, weight=pl.col("weight") * 0.999)(spoilt)
    result = CHECKS[f"{RESULT}:weights_of_distances"].run(spoilt, SYMBOL, DT)
    examples = str(result.metadata["examples"])
    assert f"rank={first['rank']} weight={first['weight'] * 0.999:.9g} due={first['weight']:.9g}" in examples


@pytest.mark.parametrize("table", [INDEX, RESULT, NEIGHBOR])
def test_each_table_is_drawn(lake: Lake, table: str):
    assert (picture(lake.partition(table, SYMBOL, DT)) or b"").startswith(b"\x89PNG")
