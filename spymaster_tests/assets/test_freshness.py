"""Freshness of tables against their raw files, with a fixed clock and through Dagster."""

from __future__ import annotations

from datetime import date

import dagster as dg

from spymaster.lake import Lake
from spymaster.settings import get_settings
from spymaster.tables.future_mbo import FutureMbo
from spymaster_assets.definitions import definitions
from spymaster_assets.freshness import DATES, Freshness, freshness
from spymaster_assets.resources import LakeResource
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
