"""Index, answers and neighbours of a date: from stored tables, causal, the same bytes every time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.research.errors import QueryError
from spymaster.research.panels import (
    EPISODE_COLUMNS,
    OUTCOME_COLUMNS,
    PANELS,
    VECTOR_COLUMNS,
    Panel,
    date_rows,
    earlier,
    load_library,
    panel_of,
    session_index,
)
from spymaster.research.session_retrieval import session_retrieval
from spymaster.settings import SetupSettings
from spymaster.setups.vector_scaler import as_matrix, scaler_of
from spymaster.tables.retrieval_index import RetrievalIndex
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor
from spymaster.tables.retrieval_result import RetrievalResult
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.research.lakes import CANDLES, DATES, SYMBOL, TOUCHES, build, store

LAST = DATES[-1]
TOUCH = Panel("s1", "touch", 120)
K = SetupSettings().k_barrier


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = build(tmp_path_factory.mktemp("setups") / "lake")
    for dt in DATES:
        store(made, RetrievalIndex, dt, index(made, dt))
    return made


def index(lake: Lake, dt: date) -> pl.DataFrame:
    vectors, episodes, outcomes = (
        earlier(lake.partitions(model, SYMBOL), dt) for model in (SetupVector, SetupEpisode, SetupOutcome)
    )
    scaler = lake.partition(VectorScaler, SYMBOL, dt).read()
    return RetrievalIndex.validate(session_index(vectors, episodes, outcomes, scaler, dt, k_barrier=K))


def answers(lake: Lake, dt: date) -> dict[str, pl.DataFrame]:
    made = session_retrieval(
        lake.partition(RetrievalIndex, SYMBOL, dt), lake.partitions(SetupVector, SYMBOL),
        lake.partition(SetupEpisode, SYMBOL, dt), lake.partition(VectorScaler, SYMBOL, dt),
        settings=lake.settings.retrieval, profile=lake.profile,
    )  # fmt: skip
    frames = next(iter(made))
    RetrievalResult.validate(frames["retrieval_result"])
    RetrievalNeighbor.validate(frames["retrieval_neighbor"])
    return frames


def test_the_index_holds_the_real_setups_of_earlier_dates(lake: Lake):
    rows = index(lake, LAST)
    assert rows["vector_dt"].unique().sort().to_list() == DATES[:-1]
    for panel in PANELS:
        part = panel_of(rows, panel)
        of_kind = TOUCHES if panel.kind == "touch" else CANDLES
        assert part.height == of_kind * (len(DATES) - 1), panel
        assert part["panel_row"].to_list() == list(range(part.height))
        assert part["ts_decision"].is_sorted()
        assert part["index_id"].n_unique() == 1
    assert not rows["episode_id"].str.contains(":+15:", literal=True).any()
    assert rows["index_id"].n_unique() == len(PANELS)
    assert index(lake, DATES[0]).is_empty()


@pytest.mark.parametrize("k", [1.0, 2.0])
def test_compared_are_outcomes_at_the_barriers_of_the_settings(lake: Lake, k: float):
    day = DATES[0]
    vectors, episodes, outcomes = (
        lake.partition(model, SYMBOL, day).read(columns)
        for model, columns in (
            (SetupVector, (*VECTOR_COLUMNS, "provenance")), (SetupEpisode, EPISODE_COLUMNS),
            (SetupOutcome, OUTCOME_COLUMNS),
        )
    )  # fmt: skip
    both = pl.concat([outcomes, outcomes.with_columns(k_barrier=pl.lit(2.0), mfe_ticks=pl.lit(77.0))])
    rows = date_rows(vectors, episodes, both, day, k_barrier=k)
    assert (rows["mfe_ticks"] == 77.0).to_list() == [k == 2.0] * rows.height
    assert rows.height == sum(TOUCHES if one.kind == "touch" else CANDLES for one in PANELS)
    assert date_rows(vectors, episodes, outcomes, day, k_barrier=2.0).is_empty()


def test_a_library_holds_the_scaled_vectors_in_order_of_the_rows(lake: Lake):
    rows = panel_of(index(lake, LAST), TOUCH)
    scaler = scaler_of(lake.partition(VectorScaler, SYMBOL, LAST).read(), "s1")
    assert scaler is not None
    held = load_library(rows, {one.dt: one for one in lake.partitions(SetupVector, SYMBOL)}, scaler)
    vectors = pl.concat([one.read() for one in lake.partitions(SetupVector, SYMBOL)]).filter(family="s1")
    for k in (0, 17, rows.height - 1):
        raw = vectors.filter(episode_id=rows["episode_id"][k])["vector"]
        assert (held.points[k] == scaler.apply(as_matrix(raw, scaler.layout.n))[0]).all()
    assert held.ts.tolist() == rows["ts_decision"].to_physical().to_list()
    assert (np.diff(held.session) >= 0).all()


def test_a_vector_that_is_gone_is_named(lake: Lake):
    rows = panel_of(index(lake, LAST), TOUCH).with_columns(episode_id=pl.lit("touch:nowhere:1"))
    scaler = scaler_of(lake.partition(VectorScaler, SYMBOL, LAST).read(), "s1")
    assert scaler is not None
    with pytest.raises(QueryError, match="no vector for touch:nowhere:1"):
        load_library(rows, {one.dt: one for one in lake.partitions(SetupVector, SYMBOL)}, scaler)


def test_a_panel_of_another_scaler_is_refused(lake: Lake):
    rows = panel_of(index(lake, LAST), TOUCH)
    scaler = scaler_of(lake.partition(VectorScaler, SYMBOL, LAST).read(), "s1")
    assert scaler is not None
    held = {one.dt: one for one in lake.partitions(SetupVector, SYMBOL)}
    with pytest.raises(
        QueryError, match=f"{rows['index_id'][0]} was made with scaler {scaler.sha256[:16]}.*now holds 00"
    ):
        load_library(rows, held, replace(scaler, sha256="00" * 32))


@pytest.mark.parametrize("day", [DATES[2], LAST])
def test_vectors_that_are_gone_are_named(lake: Lake, day: date):
    made = session_retrieval(
        lake.partition(RetrievalIndex, SYMBOL, LAST),
        [one for one in lake.partitions(SetupVector, SYMBOL) if one.dt != day],
        lake.partition(SetupEpisode, SYMBOL, LAST), lake.partition(VectorScaler, SYMBOL, LAST),
        settings=lake.settings.retrieval, profile=lake.profile,
    )  # fmt: skip
    with pytest.raises(QueryError, match=f"gold.setup_vector {SYMBOL} {day} is gone"):
        next(iter(made))


def test_every_real_setup_has_an_answer_and_planted_clouds_are_found(lake: Lake):
    made = answers(lake, LAST)
    results, found = made["retrieval_result"], made["retrieval_neighbor"]
    assert results.height == TOUCHES + CANDLES
    assert not results["abstain"].any()
    assert results["provisional"].all()
    assert results["n_sessions"].unique().to_list() == [len(DATES) - 1]
    truth = lake.partition(SetupOutcome, SYMBOL, LAST).read().select("episode_id", "horizon_s", truth="outcome")
    both = results.join(truth, on=["episode_id", "horizon_s"])
    shares = both.select(p=pl.concat_list("p_break", "p_reject", "p_chop"), truth=pl.col("truth").to_physical())
    right = [row["p"].index(max(row["p"])) == row["truth"] for row in shares.iter_rows(named=True)]
    assert np.mean(right) > 0.8
    counts = found.group_by("query_id").len()
    assert set(counts["len"]) == {10}
    nearest = found.filter(pl.col("rank") == 1).sort("query_id")
    assert nearest["distance"].to_list() == results.sort("query_id")["d_1"].to_list()
    assert (found["ts_decision"] < results["ts_query"].min()).all()
    per_session = found.group_by("query_id", "session_date").len()
    assert per_session["len"].to_numpy().max() <= 5
    assert set(found["alike_dims"].list.len()) == set(found["unlike_dims"].list.len()) == {5}


def test_what_stands_beside_an_answer_is_that_of_its_neighbours(lake: Lake):
    made = answers(lake, LAST)
    for row in made["retrieval_result"].iter_rows(named=True):
        near = made["retrieval_neighbor"].filter(query_id=row["query_id"])
        weight = near["weight"].to_numpy()
        assert row["median_mfe"] == near["mfe_ticks"].median()
        assert row["end_q10"] == pytest.approx(near["end_ticks"].quantile(0.1, "linear"))
        assert row["n_eff"] == pytest.approx(np.sum(weight) ** 2 / np.sum(weight**2))


def test_without_earlier_sessions_every_answer_is_that_there_is_none(lake: Lake):
    made = answers(lake, DATES[0])
    assert made["retrieval_result"]["abstain_reason"].unique().to_list() == ["few_sessions"]
    assert made["retrieval_result"]["p_break"].null_count() == TOUCHES + CANDLES
    assert made["retrieval_neighbor"].is_empty()
    second = answers(lake, DATES[1])["retrieval_result"]
    assert second["abstain_reason"].unique().to_list() == ["few_sessions"]
    assert second["p0_break"].null_count() == 0


def test_later_dates_change_no_byte(lake: Lake, tmp_path: Path):
    """Gate G3: other vectors and outcomes on the date itself and after it; of the date, only questions change."""
    middle = DATES[4]
    other = build(tmp_path / "lake", changed=middle)
    assert index(other, middle).equals(index(lake, middle))
    before = DATES[3]
    store(other, RetrievalIndex, before, index(other, before))
    for name, frame in answers(other, before).items():
        assert frame.equals(answers(lake, before)[name])
    assert not index(other, DATES[5]).equals(index(lake, DATES[5]))


def test_the_same_tables_give_the_same_answers(lake: Lake):
    one, two = answers(lake, LAST), answers(lake, LAST)
    assert all(one[name].equals(two[name]) for name in one)


def test_a_partition_that_is_not_earlier_is_refused(lake: Lake):
    vectors, episodes, outcomes = (
        lake.partitions(model, SYMBOL) for model in (SetupVector, SetupEpisode, SetupOutcome)
    )
    scaler = lake.partition(VectorScaler, SYMBOL, LAST).read()
    with pytest.raises(QueryError, match=f"not earlier: gold\\.setup_vector ES {LAST}"):
        session_index(vectors, episodes, outcomes, scaler, LAST, k_barrier=K)
