"""The search of a stored date: nothing later, and nothing of held-out dates, changes what is found on it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from spymaster.evidence import rows, session
from spymaster.evidence.controls import Extent
from spymaster.evidence.holdout import fraction, is_holdout
from spymaster.evidence.law import LARGEST_SIZE, Measured, favourites, pool
from spymaster.evidence.report.rerun import rerun
from spymaster.evidence.session import earlier_law, law_of, with_other_day
from spymaster.evidence.strata import MOST_STRATA, register
from spymaster.evidence.verdicts import is_explained
from spymaster.lake import Lake, layout
from spymaster.lake.errors import MissingPartitionError
from spymaster.settings import EvidenceSettings
from spymaster.simulator import request
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_law import AlgoLaw
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AGAINST, AlgoTest
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.trade import Trade
from spymaster_tests.checks.sessions import DT, EARLIER, SYMBOL, copy_lake, spoil
from spymaster_tests.evidence.lakes import SETTINGS as LAKE_SETTINGS
from spymaster_tests.evidence.lakes import build, other_of, searched
from spymaster_tests.evidence.report_days import report_data

SETTINGS = EvidenceSettings()
SUNDAY = date(2025, 1, 5)
"""A block of ten weekdays begins on it."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("evidence") / "lake")


def test_a_second_run_is_the_same_to_the_byte(lake: Lake) -> None:
    again = searched(lake, DT)
    for model in (AlgoRun, AlgoTest):
        assert again[model.name].equals(lake.partition(model, SYMBOL, DT).read())


def test_later_and_held_out_dates_do_not_change_an_earlier_one(lake: Lake, tmp_path: Path) -> None:
    """The second of two dates is held out: the first is searched with its own law, whatever the second says."""
    other = copy_lake(lake, tmp_path / "lake")
    spoil(other, AlgoLaw.full_name, lambda frame: frame.with_columns(layer_total=pl.lit(1, pl.Int64)))
    for model, frame in searched(other, EARLIER).items():
        assert frame.equals(lake.partition(f"gold.{model}", SYMBOL, EARLIER).read()), model


def test_the_first_date_is_for_discovery_and_uses_its_own_law(lake: Lake) -> None:
    first, second = (lake.partition(AlgoRun, SYMBOL, dt).read().row(0, named=True) for dt in (EARLIER, DT))
    assert (first["role"], first["law_dates"]) == ("discovery", [])
    assert (second["role"], second["law_dates"]) == ("holdout", [EARLIER])
    found = [lake.partition(AlgoTest, SYMBOL, dt).read() for dt in (EARLIER, DT)]
    assert found[0]["notes"].list.contains("own_law").all()
    assert not found[1]["notes"].list.contains("own_law").any()


def test_laws_of_held_out_dates_are_not_used(lake: Lake, tmp_path: Path) -> None:
    laws = lake.partitions(AlgoLaw, SYMBOL)
    assert law_of(laws, DT, SETTINGS).dates == (EARLIER,)
    assert law_of(laws, EARLIER, SETTINGS).dates == ()


@pytest.mark.parametrize("passed", [True, False])
def test_controls_are_rows_of_their_own_and_block_verdicts_if_they_fail(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, passed: bool
) -> None:
    monkeypatch.setattr(session, "passes", lambda controls: passed)
    monkeypatch.setattr(rows, "day_verdict", lambda *told: "none" if is_explained(told[-1]) else "weak")
    depth = EvidenceSettings(surrogates=19, surrogates_second=99, controls="full")
    frames = searched(lake, EARLIER, depth, "standard")
    run = AlgoRun.validate(frames["algo_run"]).row(0, named=True)
    tests = AlgoTest.validate(frames["algo_test"])
    controls = tests.filter("is_negative_control")
    assert (run["controls"], run["controls_passed"], run["n_tests"]) == ("full", passed, tests.height)
    assert set(controls["control_kind"].to_list()) == {"jittered", "no_agents"}
    assert set(controls["provenance"].to_list()) == {"simulated"}
    assert set(controls["verdict"].to_list()) == {"simulated:none"}
    of_day = tests.filter(~pl.col("is_negative_control"))
    explained = pl.col("notes").list.set_intersection(list(AGAINST)).list.len() > 0
    assert set(of_day.filter(~explained)["verdict"].to_list()) == {"simulated:weak" if passed else "simulated:none"}
    assert set(of_day["blocked_by_control"].to_list()) == {not passed}


def test_the_other_day_is_the_last_earlier_discovery_date_with_rows(lake: Lake, tmp_path: Path) -> None:
    assert [is_holdout(dt, SETTINGS) for dt in (EARLIER, DT)] == [False, True]
    found = other_of(lake, DT)
    assert found is not None
    assert [one.dt for one in found.all()] == [EARLIER] * 3
    assert other_of(lake, EARLIER) is None  # the later date is never the other day of an earlier one
    quotes = lake.partitions(BboChange, SYMBOL)
    assert [one.dt for one in with_other_day(quotes, DT, lake.settings)] == [EARLIER, DT]
    assert [one.dt for one in with_other_day(quotes, DT + timedelta(days=1), lake.settings)] == [
        EARLIER
    ]  # DT: held out
    other = copy_lake(lake, tmp_path / "lake")
    spoil(other, Trade.full_name, lambda frame: frame[:0], dt=EARLIER)
    assert other_of(other, DT) is None


def test_a_date_with_an_earlier_one_has_all_controls(lake: Lake) -> None:
    depth = EvidenceSettings(surrogates=19, surrogates_second=99, controls="full")
    frames = searched(lake, DT, depth, "standard")
    tests = AlgoTest.validate(frames["algo_test"]).filter("is_negative_control")
    kinds = tests.group_by("control_kind").agg(pl.col("test_id").unique().sort()).sort("control_kind").rows()
    assert [str(kind) for kind, _ in kinds] == ["no_agents", "jittered", "shuffled_days"]
    assert "E7" not in kinds[1][1]
    assert "E7" in kinds[2][1]
    assert set(kinds[2][1]) <= {"E2", "E3", "E7"}
    demo = searched(lake, DT)
    assert not demo["algo_test"]["is_negative_control"].any()
    assert frames["algo_run"]["data_hash"][0] != demo["algo_run"]["data_hash"][0]  # the other day was read


def test_of_a_real_date_only_the_market_without_agents_is_simulated(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "Context", lambda **about: replace(rows.Context(**about), provenance="real"))
    depth = EvidenceSettings(surrogates=19, surrogates_second=99, controls="full")
    tests = AlgoTest.validate(searched(lake, EARLIER, depth, "standard")["algo_test"])
    found = tests.group_by("control_kind").agg(pl.col("provenance").cast(pl.String).unique())
    assert {str(kind): names for kind, names in found.iter_rows()} == {
        "none": ["real"], "jittered": ["real"], "no_agents": ["simulated"],
    }  # fmt: skip
    simulated = pl.col("verdict").cast(pl.String).str.starts_with("simulated:")
    assert tests.select((simulated == (pl.col("control_kind") == "no_agents")).all()).item()


@pytest.mark.parametrize("controls", ["none", "full"])
def test_a_date_is_tested_anew_for_a_report_with_other_controls(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, controls: Extent
) -> None:
    """Tests of the date are the stored ones; controls are made even in the demo's profile; nothing is written."""
    monkeypatch.setattr(lake, "settings", lake.settings.model_copy(update={"evidence": LAKE_SETTINGS}))
    before = {path: path.stat().st_mtime_ns for path in lake.root.rglob("*") if path.is_file()}
    data = rerun(replace(report_data(), symbol=SYMBOL, dt=EARLIER), lake, controls)
    stored = lake.partition(AlgoTest, SYMBOL, EARLIER).read()
    about = ("run_id", "blocked_by_control", "verdict")
    assert data.tests.drop(about).equals(stored.drop(about))
    assert data.curves.equals(lake.partition(AlgoCurve, SYMBOL, EARLIER).read())
    assert data.run["controls"] == controls
    assert data.run["run_id"] != stored["run_id"][0]
    assert (data.run["controls_passed"] is None) == (controls == "none") == data.controls.is_empty()
    assert set(data.controls["control_kind"].to_list()) == ({"jittered", "no_agents"} if controls == "full" else set())
    assert {path: path.stat().st_mtime_ns for path in lake.root.rglob("*") if path.is_file()} == before


def test_a_date_without_its_law_is_not_tested_anew(lake: Lake, tmp_path: Path) -> None:
    other = copy_lake(lake, tmp_path / "lake")
    shutil.rmtree(layout.symbol_dir(other.root, AlgoLaw.full_name, SYMBOL))
    with pytest.raises(MissingPartitionError, match="algo_law"):
        rerun(replace(report_data(), symbol=SYMBOL, dt=EARLIER), other, "none")


@pytest.mark.parametrize(("share", "held"), [(0.0, 0), (0.25, 3), (0.3, 3), (0.7, 7), (0.9, 9)])
def test_of_each_ten_weekdays_those_with_the_smallest_hashes_are_held_out(share: float, held: int) -> None:
    """Whatever the salt: by chance alone a lone salt would hold out a tenth or a half of a year."""
    for salt in ("a", "b", SETTINGS.holdout_salt):
        chosen = SETTINGS.model_copy(update={"holdout_share": share, "holdout_salt": salt})
        for block in range(26):
            days = [SUNDAY + timedelta(days=14 * block + day) for day in range(14)]
            weekdays = sorted((day for day in days if day.isoweekday() <= 5), key=lambda day: fraction(day, salt))
            assert [is_holdout(day, chosen) for day in weekdays] == [True] * held + [False] * (10 - held)


def test_a_weekend_has_the_role_of_the_monday_whose_session_it_begins() -> None:
    mondays = [SUNDAY + timedelta(days=7 * week + 1) for week in range(30)]
    roles = [is_holdout(day, SETTINGS) for day in mondays]
    assert set(roles) == {True, False}
    assert [is_holdout(day - timedelta(days=1), SETTINGS) for day in mondays] == roles
    assert [is_holdout(day - timedelta(days=2), SETTINGS) for day in mondays] == roles


def test_the_dates_of_the_demo_are_of_both_roles() -> None:
    planned = request.plan(request.Request(preset="demo"))
    assert [is_holdout(one.dt, SETTINGS) for one in planned.days] == [False, False, True, True]


def test_run_tests_and_replication_of_a_date_have_its_role(lake: Lake) -> None:
    held: list[bool] = []
    for dt in (EARLIER, DT):
        held.append(is_holdout(dt, SETTINGS))
        run, tests, over = (lake.partition(model, SYMBOL, dt).read() for model in (AlgoRun, AlgoTest, AlgoReplication))
        assert run["role"].to_list() == [("discovery", "holdout")[held[-1]]]
        assert set(tests["holdout_flag"].to_list()) == {held[-1]}
        assert over["days_holdout"].max() == sum(held)


def test_a_date_without_messages_has_no_law_and_stops_no_other(lake: Lake, tmp_path: Path) -> None:
    other = copy_lake(lake, tmp_path / "lake")
    spoil(other, AlgoLaw.full_name, lambda frame: frame[:0], dt=EARLIER)
    laws = other.partitions(AlgoLaw, SYMBOL)
    assert [one.rows for one in laws] == [0, 1]
    assert earlier_law(laws, DT, SETTINGS) is None
    assert law_of(laws, DT, SETTINGS) == law_of(laws[1:], DT, SETTINGS)
    assert law_of(laws, DT, SETTINGS).dates == ()
    with pytest.raises(ValueError, match="2024-03-05 has no row"):
        law_of(laws, EARLIER, SETTINGS)


def test_sizes_far_above_their_neighbours_are_favourites() -> None:
    sizes = list(range(1, 41))
    counts = [int(4000 / size**1.5) + 60 for size in sizes]
    counts[6] = counts[29] = 900  # 7 and 30
    law = pool([Measured(tuple(sizes), tuple(counts), 7, 100), Measured((1, 3000 // 3), (10, 1), 9, 140)])
    assert {7, 30} <= set(law.favourites)
    assert all(size >= 6 for size in law.favourites)
    assert (law.large_behind, law.layer_total) == (8, 120)
    assert favourites(pl.Series([0] * (LARGEST_SIZE + 1)).to_numpy()) == ()


def test_favourites_are_strata_of_their_own_within_the_most_there_may_be() -> None:
    ten = tuple(range(7, 17))
    assert all(len(strata) <= MOST_STRATA for strata in register(ten).values())
    sizes = {stratum.size for stratum in register(ten)["E1"]} - {stratum.size for stratum in register()["E1"]}
    assert sizes == {f"={size}" for size in ten}
