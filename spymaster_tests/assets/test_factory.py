"""What the factory promises about runs, on three toy assets: any number of partitions, skips, failures, checks."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from spymaster.checks import Check, Finding, Severity, Suite
from spymaster.lake import Lake
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.trade import Trade
from spymaster_assets import checks, factory
from spymaster_assets.resources import LakeResource
from spymaster_tests.assets.toys import (
    BBO,
    D4,
    D5,
    D6,
    D7,
    DEFINITION,
    TRADE,
    BadDataError,
    Harness,
    Toys,
    metadata,
)


def remove_and_report(report: Any) -> Any:
    def removed(context: Any, session: Any, made: Any) -> dg.AssetMaterialization:
        event = report(context, session, made)
        made.partition.path.unlink()
        return event

    return removed


def test_a_single_partition_run_makes_commits_and_reports(harness: Harness, week: None, lake: Lake):
    assert harness.run(D4).success
    assert lake.partition(FutureDefinition, "ES", D4).read()["instrument_id"].to_list() == [4]
    told = metadata(harness.latest(DEFINITION, D4))
    assert told["rows"] == told["dagster/partition_row_count"] == 1
    assert told["bytes_of_raw"] > 0
    assert told["seconds"] >= 0
    assert told["provenance"] == "simulated"
    assert told["reused"] is False


def test_a_range_run_makes_dates_in_order_with_figures_of_their_own(harness: Harness, week: None, toys: Toys):
    assert harness.run(D4, D5).success
    assert toys.called("definition") == [D4, D5]
    assert toys.exports == 1
    told = [metadata(harness.latest(DEFINITION, dt)) for dt in (D4, D5)]
    assert told[0]["content_hash"] != told[1]["content_hash"]
    assert harness.materialized(TRADE) == ["2024-03-04|ES", "2024-03-05|ES"]


def test_a_date_without_a_raw_file_is_skipped_with_a_reason_and_the_others_go_on(
    harness: Harness, week: None, toys: Toys, lake: Lake
):
    result = harness.run(D4, D7)
    assert result.success
    assert harness.materialized(DEFINITION) == ["2024-03-04|ES", "2024-03-05|ES", "2024-03-07|ES"]
    assert toys.called("calibration") == [D4, D5, D7]
    assert not lake.has(FutureDefinition, "ES", D6)
    reasons = {
        str(event.asset_observation_data.asset_observation.asset_key.path[-1]): event.partition
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        and event.asset_observation_data.asset_observation.asset_key.path[0] != "raw"
    }
    assert set(reasons.values()) == {"2024-03-06|ES"}
    assert set(reasons) == {"future_definition", "trade", "bbo_change", "physics_norm_calibration"}


def test_nothing_below_runs_when_every_date_was_skipped(harness: Harness, lake: Lake, toys: Toys):
    result = harness.run(D4, D5)
    assert result.success
    assert [event.step_key for event in result.all_events if event.is_step_skipped] == ["toy_pass", "toy_calibration"]
    assert toys.calls == []


def test_a_broken_date_fails_the_run_by_name_and_leaves_the_others(harness: Harness, week: None, toys: Toys):
    toys.errors[D5] = BadDataError("file x.dbn, record 17: price -1")
    result = harness.run(D4, D7)
    assert not result.success
    failure = next(event for event in result.all_events if event.is_step_failure)
    text = str(failure.step_failure_data.error)
    assert "1 of 4 partitions failed" in text
    assert "2024-03-05|ES: file x.dbn, record 17: price -1" in text
    assert harness.materialized(DEFINITION) == ["2024-03-04|ES", "2024-03-07|ES"]
    assert toys.called("definition") == [D4, D5, D7]  # tried once: a data error is not retried


def test_what_heals_by_itself_is_tried_again(
    toys: Toys, week: None, resource: LakeResource, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(factory, "RETRY", dg.RetryPolicy(max_retries=1))
    toys.errors[D5] = ConnectionError("the line went dead")
    assert Harness(toys, resource, instance).run(D4, D5).success
    assert toys.called("definition") == [D4, D5, D5]  # the first date was fresh the second time


def test_a_partition_that_another_run_is_writing_is_waited_for(
    harness: Harness, week: None, toys: Toys, lake: Lake, monkeypatch: pytest.MonkeyPatch
):
    """However often and long: the other run makes the same dates, one after the other."""
    polls: list[float] = []
    other = lake.writer(FutureDefinition, "ES", D5)
    other.__enter__()

    def sleep(seconds: float) -> None:
        polls.append(seconds)
        if len(polls) == 5:
            other.__exit__(None, None, None)

    monkeypatch.setattr(factory.time, "sleep", sleep)
    assert harness.run(D4, D5).success
    assert len(polls) == 5
    assert toys.called("definition") == [D4, D5]
    assert harness.materialized(DEFINITION) == ["2024-03-04|ES", "2024-03-05|ES"]


def test_an_output_that_is_not_there_fails_at_once(
    toys: Toys, week: None, resource: LakeResource, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    """As if somebody removed the partition before the step was over."""
    monkeypatch.setattr(factory, "RETRY", dg.RetryPolicy(max_retries=1))
    monkeypatch.setattr(factory.provenance, "materialization", remove_and_report(factory.provenance.materialization))
    result = Harness(toys, resource, instance).run(D4, asset_selection=[DEFINITION])
    assert not result.success
    assert toys.called("definition") == [D4]


def test_a_selection_of_one_output_computes_only_that(harness: Harness, week: None, toys: Toys, lake: Lake):
    harness.run(D4, asset_selection=[DEFINITION, TRADE])
    assert toys.calls[-1] == ("pass", D4, frozenset({"trade"}))
    assert lake.has(Trade, "ES", D4)
    assert not lake.has(BboChange, "ES", D4)


def test_a_history_comes_sorted_with_its_gaps_noted(harness: Harness, week: None, toys: Toys, lake: Lake):
    harness.run(D4, D7)
    assert toys.histories == {D4: [D4], D5: [D4, D5], D7: [D4, D5, D7]}
    manifest = lake.partition(PhysicsNormCalibration, "ES", D7).manifest
    assert manifest.notes["trades_history"] == {"read": 3, "gaps": ["2024-03-06"]}
    assert [record.name for record in manifest.inputs] == [f"silver.trade ES {dt}" for dt in (D4, D5, D7)]
    earliest = lake.partition(PhysicsNormCalibration, "ES", D4).manifest
    assert earliest.notes["trades_history"]["gaps"] == ["2024-02-28", "2024-02-29", "2024-03-01"]


@pytest.mark.parametrize(
    ("severity", "blocking", "held_back"),
    [(Severity.ERROR, True, True), (Severity.WARN, True, False), (Severity.ERROR, False, False)],
)
def test_a_failed_blocking_check_holds_back_that_partition_only(
    harness: Harness,
    week: None,
    toys: Toys,
    monkeypatch: pytest.MonkeyPatch,
    severity: Severity,
    blocking: bool,
    held_back: bool,
    resource: LakeResource,
):
    bad = {D4}
    check = Check(
        "never_on_monday",
        Suite.DATA,
        ("bronze.future_definition",),
        blocking,
        severity,
        "No data on Mondays.",
        lambda session: Finding(int(session.dt in bad), "seen on a Monday", {"weekday": session.dt.weekday()}),
    )
    monkeypatch.setattr(checks, "checks_of", lambda table: (check,) if table in check.tables else ())
    harness = Harness(toys, resource, harness.instance)
    assert harness.run(D4, D5).success is not held_back
    assert harness.materialized(DEFINITION) == ["2024-03-04|ES", "2024-03-05|ES"]
    assert toys.called("pass") == ([D5] if held_back else [D4, D5]) or held_back
    if held_back:
        toys.calls.clear()
        assert harness.run(D4, D5, asset_selection=[TRADE, BBO]).success  # a later run: still held back
        assert toys.called("pass") == [D5]
        bad.clear()
        assert harness.run(D4, D5).success  # looked at again, and good now
        assert D4 in toys.called("pass")


def test_raw_files_appear_as_materialised_once_seen(harness: Harness, week: None):
    harness.run(D4, D7)
    raw = dg.AssetKey(["raw", "market_by_order_dbn"])
    assert harness.materialized(raw) == ["2024-03-04|ES", "2024-03-05|ES", "2024-03-07|ES"]
    version = (harness.latest(raw, D4).tags or {})["dagster/data_version"]
    assert (harness.latest(DEFINITION, D4).tags or {})["dagster/input_data_version/raw/market_by_order_dbn"] == version
