"""Questions about any second of a stored session, in the library and on the command line."""

from __future__ import annotations

import copy
import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from spymaster.cli.main import app
from spymaster.lake import Lake
from spymaster.lake.errors import MissingPartitionError
from spymaster.research import analogues as research
from spymaster.research.analogues import Filters, analogues, cutoff_of, date_of, neighbour_paths, panel_for
from spymaster.research.errors import NotCausalError, QueryError
from spymaster.research.kept import Kept
from spymaster.research.panels import Panel, load_library, panel_of
from spymaster.research.search import nearest
from spymaster.setups.session_vectors import wall_before
from spymaster.setups.vector_layout import layout
from spymaster.setups.vector_scaler import as_matrix, scaler_of
from spymaster.setups.vectors import Request
from spymaster.setups.zone_windows import WALL_COLUMNS
from spymaster.tables.retrieval_index import RetrievalIndex
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.types import TIMESTAMP
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.checks.sessions import DT, SYMBOL, copy_lake, spoil
from spymaster_tests.research.asked import asked_lake, latest, ns
from spymaster_tests.research.lakes import DATES
from spymaster_tests.setups.markets import TICK

TOLD = ("p_break", "median_mfe", "end_q10")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return asked_lake(tmp_path_factory.mktemp("asked") / "lake")


@pytest.fixture(scope="module")
def asked(lake: Lake) -> dict:
    return latest(lake)


def test_the_vector_asked_about_is_the_one_that_is_stored(lake: Lake, asked: dict):
    one = analogues(lake, SYMBOL, ns(asked) + 7, direction="up")[0]
    rows = panel_of(lake.partition(RetrievalIndex, SYMBOL, DT).read(), Panel("s1", "touch", 120))
    scaler = scaler_of(lake.partition(VectorScaler, SYMBOL, DT).read(), "s1")
    assert scaler is not None
    library = load_library(rows, {p.dt: p for p in lake.partitions(SetupVector, SYMBOL)}, scaler)
    point = scaler.apply(as_matrix(pl.Series([asked["vector"]], dtype=pl.List(pl.Float32)), 455))[0]
    found, distance = nearest(library.points, point, 1)
    assert one.result["d_1"] == distance[0]
    assert one.neighbours["episode_id"][0] == rows["episode_id"][int(found[0])]
    assert one.result["n_sessions"] == len(DATES)
    assert one.neighbours.height == one.result["k"] == 10
    assert one.result["provisional"]
    assert sum(one.result[f"p0_{name}"] for name in ("break", "reject", "chop")) == pytest.approx(1)
    assert one.result["p_break"] is not None
    assert one.result["provenance"] == "simulated"


def test_what_came_of_them_is_concealed_unless_asked_for(lake: Lake, asked: dict):
    one = analogues(lake, SYMBOL, ns(asked), direction="up")[0]
    hidden = one.concealed()
    assert all(name in one.result and name not in hidden.result for name in TOLD)
    # an answer that says "uninformative" says that p is p0
    assert "p0_break" in one.result
    assert "p0_break" not in hidden.result
    assert "outcome" in one.neighbours.columns
    assert not {"outcome", "mfe_ticks", "end_ticks", "t_hit_s"} & set(hidden.neighbours.columns)
    assert hidden.neighbours["distance"].equals(one.neighbours["distance"])


def test_without_a_clear_move_both_directions_are_answered(lake: Lake, asked: dict):
    ways = analogues(lake, SYMBOL, ns(asked))
    assert [one.result["direction"] for one in ways] in ([1], [-1], [1, -1])
    down = analogues(lake, SYMBOL, ns(asked), direction="down")[0]
    up = analogues(lake, SYMBOL, ns(asked), direction="up")[0]
    assert down.result["d_1"] != up.result["d_1"]


def test_a_second_without_a_vector_has_no_answer(lake: Lake, asked: dict):
    early = ns(asked) - 400 * 10**9
    one = analogues(lake, SYMBOL, early, direction="up")[0]
    assert one.result["abstain_reason"] == "invalid"
    assert one.neighbours.is_empty()
    slow = analogues(lake, SYMBOL, ns(asked), direction="up", family="c120")[0]
    assert (slow.result["abstain_reason"], slow.result["horizon_s"]) == ("invalid", 360)
    assert slow.result["ts_query"] % (120 * 10**9) == 0


def test_paths_are_mids_from_the_decision_on_along_the_direction(lake: Lake, asked: dict):
    at = ns(asked) - 60 * 10**9
    near = pl.DataFrame(
        {"rank": [1, 2], "episode_id": ["a", "b"], "direction": [1, -1], "ts_decision": [at + 500, at + 500]}
    )
    near = near.with_columns(pl.col("ts_decision").cast(TIMESTAMP))
    rows = pl.DataFrame({"episode_id": ["a", "b", "c"], "vector_dt": [DT, DT, DATES[0]]})
    paths = neighbour_paths(Kept(lake), SYMBOL, near, rows)
    mids = lake.partition("silver.move_measure_1s", SYMBOL, DT).read(["window_end", "mid2_int"])
    second = mids.with_columns(offset_s=mids["window_end"].dt.epoch("s") - at // 10**9)
    start = second.filter(offset_s=0)["mid2_int"].item()
    expected = second.filter(pl.col("offset_s").is_between(-300, 300)).drop_nulls("mid2_int")
    up = paths.filter(rank=1)
    assert up["offset_s"].to_list() == expected["offset_s"].to_list()
    assert up["ticks"].to_list() == pytest.approx(((expected["mid2_int"] - start) / (2 * TICK)).to_list())
    assert paths.filter(rank=2)["ticks"].to_list() == pytest.approx((-up["ticks"]).to_list())
    assert up["ticks"].n_unique() > 1


def test_filters_and_k_are_kept(lake: Lake, asked: dict):
    one = analogues(lake, SYMBOL, ns(asked), direction="up", k=5, filters=Filters(frozenset({"PMH"})))[0]
    assert one.neighbours.height == 5
    assert set(one.neighbours["level_types"].explode()) == {"PMH"}


def test_neighbours_have_the_columns_of_the_table_and_may_be_put_together(
    lake: Lake, asked: dict, monkeypatch: pytest.MonkeyPatch
):
    columns = {k: v for k, v in RetrievalNeighbor.schema().items() if k not in ("query_id", "provenance")}
    monkeypatch.setattr(research, "_directions", lambda *_: [1, -1])
    ways = analogues(lake, SYMBOL, ns(asked))
    silent = analogues(lake, SYMBOL, ns(asked) - 400 * 10**9, direction="up")[0]
    frames = [one.neighbours for one in (*ways, silent)]
    assert [frame.schema for frame in frames] == [columns | {"touch_index": pl.Int32}] * 3
    assert pl.concat(frames).height == 20
    assert silent.concealed().neighbours.columns == ways[0].concealed().neighbours.columns


def test_neighbours_say_which_touch_of_their_level_they_were(lake: Lake, asked: dict, tmp_path: Path):
    """As far as the lake still holds them; it is no outcome, so it is not concealed."""
    own, numbers = copy_lake(lake, tmp_path / "lake"), {}
    for dt in DATES:
        spoil(
            own,
            SetupEpisode.full_name,
            lambda f: f.with_columns(touch_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int32)),
            dt=dt,
        )
        numbers |= dict(own.partition(SetupEpisode, SYMBOL, dt).read(["episode_id", "touch_index"]).iter_rows())
    one = analogues(own, SYMBOL, ns(asked), direction="up")[0]
    near = one.concealed().neighbours
    assert near["touch_index"].to_list() == [numbers[name] for name in near["episode_id"]]
    assert near["touch_index"].n_unique() > 3
    (gone, *_), dates = near["session_date"].to_list(), near["session_date"]
    shutil.rmtree(own.partition(SetupEpisode, SYMBOL, gone).path.parent)
    after = analogues(own, SYMBOL, ns(asked), direction="up")[0].neighbours
    assert after["episode_id"].equals(near["episode_id"])
    assert after["touch_index"].is_null().to_list() == (dates == gone).to_list()


def test_that_an_answer_says_no_more_than_the_base_rate_is_concealed(lake: Lake, asked: dict):
    """It is about how the neighbours ended; the other reasons to abstain are not."""
    own = lake.settings.model_copy(
        update={"retrieval": lake.settings.retrieval.model_copy(update={"uninformative": 1.0})}
    )
    lake = Lake.open(lake.root, settings=own)
    flat = analogues(lake, SYMBOL, ns(asked), direction="up")[0]
    assert (flat.result["abstain"], flat.result["abstain_reason"]) == (True, "uninformative")
    hidden = flat.concealed().result
    assert (hidden["abstain"], hidden["abstain_reason"]) == (False, None)
    silent = analogues(lake, SYMBOL, ns(asked) - 400 * 10**9, direction="up")[0].concealed().result
    assert (silent["abstain"], silent["abstain_reason"]) == (True, "invalid")


def test_midnight_belongs_to_the_date_before():
    """A second is named by its end: that of 24:00 is the last of its date."""
    midnight = 1_704_153_600
    assert date_of(midnight) == date(2024, 1, 1)
    assert date_of(midnight + 1) == date(2024, 1, 2)
    at = midnight * 10**9
    assert (cutoff_of(at, "s1"), cutoff_of(at + 10**9 - 1, "s1")) == (midnight, midnight)
    assert cutoff_of(at + 119 * 10**9, "c120") == midnight


@pytest.mark.parametrize("family", ["s1", "s5"])
def test_a_part_of_the_wall_makes_the_vectors_that_all_of_it_does(lake: Lake, family: str):
    day = Kept(lake).day(SYMBOL, DT)
    tape = day.builder.tape
    needed = layout(family).history * layout(family).family.window_s + 1
    known = parts = 0
    for row in np.flatnonzero(tape.valid_run >= needed).tolist():
        asked = Request.of(family, [int(tape.end[row])] * 2, [1, -1])
        rows = list(wall_before(day.wall, tape, asked))
        one, every = (day.builder.vectors(given, [asked])[0] for given in (rows, day.wall.batches(WALL_COLUMNS)))
        assert one.vectors.tobytes() == every.vectors.tobytes()
        ends = pl.concat(rows)["window_end"].to_physical() // 10**9
        assert ends[-1] <= tape.end[row]
        known += int(every.known.sum())
        parts += int(every.known.sum()) if ends[0] > tape.end[0] else 0
    assert known >= parts > 10, (known, parts)


def test_where_spot_leaves_the_grid_all_of_the_wall_is_read(lake: Lake):
    day = Kept(lake).day(SYMBOL, DT)
    tape, asked = day.builder.tape, Request.of("s1", [int(day.builder.tape.end[-1])], 1)
    near = sum(rows.height for rows in wall_before(day.wall, tape, asked))
    spot = tape.spot.copy()
    spot[-80] += 581
    far = copy.copy(tape)
    far.spot = spot
    assert sum(rows.height for rows in wall_before(day.wall, far, asked)) == day.wall.rows > near
    spot[-80] = 0
    assert sum(rows.height for rows in wall_before(day.wall, far, asked)) == day.wall.rows


def test_what_cannot_be_asked_is_refused(lake: Lake, asked: dict):
    with pytest.raises(NotCausalError, match="cannot be asked as of"):
        analogues(lake, SYMBOL, ns(asked), asof=ns(asked) - 1)
    with pytest.raises(QueryError, match="no family 's9'"):
        analogues(lake, SYMBOL, ns(asked), family="s9")
    with pytest.raises(QueryError, match="no horizon of 45 s"):
        analogues(lake, SYMBOL, ns(asked), horizon_s=45)
    with pytest.raises(QueryError, match="no direction 'left'"):
        analogues(lake, SYMBOL, ns(asked), direction="left")
    with pytest.raises(QueryError, match="no time zone"):
        analogues(lake, SYMBOL, asked["ts_cutoff"].replace(tzinfo=None))
    with pytest.raises(MissingPartitionError):
        analogues(lake, SYMBOL, asked["ts_cutoff"] + timedelta(days=30))
    assert panel_for("auto", None) == Panel("s1", "touch", 120)
    assert panel_for("s5", 30) == Panel("s5", "touch", 30)


def test_the_command_answers_in_json_and_in_words(lake: Lake, asked: dict):
    command = ["analogues", "--symbol", SYMBOL, "--lake", str(lake.root), "--direction", "up"]
    plain = CliRunner().invoke(app, [*command, "--ts", asked["ts_cutoff"].isoformat(), "--json"])
    told = json.loads(plain.stdout)
    assert told[0]["result"]["ts_query"] == str(ns(asked))
    assert "p_break" not in told[0]["result"]
    assert len(told[0]["neighbours"]) == 10
    decided = analogues(lake, SYMBOL, ns(asked), direction="up")[0].neighbours["ts_decision"].to_physical().to_list()
    assert [row["ts_decision"] for row in told[0]["neighbours"]] == [str(one) for one in decided]
    assert any(one % 1000 for one in decided)
    assert plain.exit_code == (3 if told[0]["result"]["abstain"] else 0)
    words = CliRunner().invoke(app, [*command, "--ts", str(ns(asked)), "--reveal"])
    assert "base rate" in words.stdout
    assert "8 earlier sessions, provisional" in words.stdout


def test_neither_words_nor_exit_code_of_the_command_tell_that_an_answer_is_the_base_rate(lake: Lake, asked: dict):
    command = ["analogues", "--symbol", SYMBOL, "--lake", str(lake.root), "--direction", "up", "--ts", str(ns(asked))]
    flat = {"SPYMASTER_RETRIEVAL__UNINFORMATIVE": "1"}
    told = CliRunner().invoke(app, [*command, "--reveal"], env=flat)
    assert (told.exit_code, "no answer: uninformative" in told.stdout) == (3, True)
    hidden = CliRunner().invoke(app, command, env=flat)
    assert (hidden.exit_code, "no answer" in hidden.stdout) == (0, False)
    assert hidden.stdout == CliRunner().invoke(app, command).stdout


def test_the_command_tells_failures_by_its_exit_code(lake: Lake, asked: dict):
    command = ["analogues", "--symbol", SYMBOL, "--lake", str(lake.root)]
    early = CliRunner().invoke(app, [*command, "--ts", str(ns(asked) - 400 * 10**9)])
    assert (early.exit_code, "no answer: invalid" in early.stdout) == (3, True)
    assert CliRunner().invoke(app, [*command, "--ts", "yesterday"]).exit_code == 2
    assert CliRunner().invoke(app, [*command, "--ts", str(ns(asked)), "--horizon", "45"]).exit_code == 2
    assert CliRunner().invoke(app, [*command, "--ts", "2024-04-05T15:00:00Z"]).exit_code == 4
