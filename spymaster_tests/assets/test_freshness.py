"""Freshness of tables against their raw files, with a fixed clock and through Dagster."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from spymaster.lake import Lake
from spymaster.settings import get_settings
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.outcome_model import OutcomeModel
from spymaster_assets.definitions import definitions
from spymaster_assets.freshness import DATES, Freshness, freshness
from spymaster_assets.progress import lines
from spymaster_assets.resources import LakeResource
from spymaster_assets.worker import Share, execute
from spymaster_tests.assets.conftest import AddRaw

SETTINGS = get_settings(symbols=["ES"], start_date=date(2024, 1, 1))
TODAY = date(2024, 3, 7)


def materialise(lake: Lake, dt: date) -> None:
    with lake.writer(FutureMbo, "ES", dt) as writer:
        writer.commit(provenance="simulated")


def test_a_table_is_late_for_dates_that_have_a_file_and_are_over(lake: Lake, add_raw: AddRaw):
    for day in (4, 6, 7):  # the 5th has no file, the 7th is not over
        add_raw("ES", date(2024, 3, day), messages=10)
    materialise(lake, date(2024, 3, 4))
    found = freshness(lake, FutureMbo, SETTINGS, TODAY)
    assert found == Freshness({"ES": "2024-03-04"}, ("2024-03-06|ES missing",))
    materialise(lake, date(2024, 3, 6))
    assert freshness(lake, FutureMbo, SETTINGS, TODAY) == Freshness({"ES": "2024-03-06"}, ())


def test_weekend_files_and_old_dates_are_not_asked_for(lake: Lake, add_raw: AddRaw):
    add_raw("ES", date(2024, 3, 3), messages=10)  # a Sunday
    for day in range(1, DATES + 6):
        if date(2024, 2, day).weekday() < 5:
            add_raw("ES", date(2024, 2, day), messages=10)
    late = freshness(lake, FutureMbo, SETTINGS, TODAY).late
    assert len(late) == DATES
    assert late[-1].startswith("2024-02-15")


def test_a_table_of_last_dates_is_late_for_the_last_one_only(lake: Lake, add_raw: AddRaw):
    for day in (4, 5, 6):
        add_raw("ES", date(2024, 3, day), messages=10)
    assert freshness(lake, OutcomeModel, SETTINGS, TODAY).late == ("2024-03-06|ES missing",)
    assert len(freshness(lake, FutureMbo, SETTINGS, TODAY).late) == 3


def test_a_changed_setting_makes_it_stale(lake: Lake, add_raw: AddRaw):
    add_raw("ES", date(2024, 3, 6), messages=10)
    materialise(lake, date(2024, 3, 6))
    other = Lake(lake.root, get_settings(symbols=["ES"], parameter_profile="demo"))
    (late,) = freshness(other, FutureMbo, SETTINGS, TODAY).late
    assert late.startswith("2024-03-06|ES stale: parameter profile")


def test_the_job_warns_and_does_not_fail(resource: LakeResource, add_raw: AddRaw, instance: dg.DagsterInstance):
    add_raw("ES", date(2024, 3, 6), messages=10)
    result = definitions(resource).resolve_job_def("freshness").execute_in_process(instance=instance)
    assert result.success
    verdicts = {verdict.asset_key.path[-1]: verdict for verdict in result.get_asset_check_evaluations()}
    verdict = verdicts["future_mbo"]
    assert not verdict.passed
    assert verdict.severity is dg.AssetCheckSeverity.WARN
    assert verdict.metadata["late"].value == ["2024-03-06|ES missing"]


def test_tables_chosen_for_a_run_are_not_judged_in_it(
    resource: LakeResource, add_raw: AddRaw, instance: dg.DagsterInstance
):
    """The UI and backfills name assets only, and Dagster adds every check of them."""
    add_raw("ES", date(2024, 3, 6), messages=10)
    add_raw("ES", date(2024, 3, 5), messages=10)  # late, but nobody asked
    job = definitions(resource).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(["bronze", "future_mbo"])], partition_key="2024-03-06|ES"
    )
    assert result.success
    names = {verdict.check_name for verdict in result.get_asset_check_evaluations()}
    assert "contract" in names
    assert "freshness" not in names


def test_a_run_of_the_runner_has_no_step_for_it(monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance):
    plans: list[dg.DagsterRun] = []
    monkeypatch.setattr("spymaster_assets.worker.execute_run_iterator", lambda job, run, _: plans.append(run) or ())
    day = date(2024, 3, 6)
    execute(Share("ES", day, day, ("bronze.future_mbo",)), instance, lambda line: None)
    snapshot = instance.get_execution_plan_snapshot(plans[0].execution_plan_snapshot_id or "")
    assert [step.key for step in snapshot.steps] == ["future_mbo"]


def test_a_failed_check_of_a_whole_table_is_no_progress(
    resource: LakeResource, add_raw: AddRaw, instance: dg.DagsterInstance
):
    add_raw("ES", date(2024, 3, 6), messages=10)
    result = definitions(resource).resolve_job_def("freshness").execute_in_process(instance=instance)
    assert any(not verdict.passed for verdict in result.get_asset_check_evaluations())
    assert [line for event in result.all_events for line in lines(event)] == []
