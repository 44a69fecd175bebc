"""What the factory promises about runs, on three toy assets: any number of partitions, skips, failures, reruns, checks.

The toys make tiny frames of real tables, so that the lake's contracts, manifests and staleness are the real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from spymaster.checks import Check, Finding, Severity, Suite
from spymaster.errors import SpymasterError
from spymaster.lake import Lake, Partition, RawFile
from spymaster.lake.status import partition_status
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.trade import Trade
from spymaster_assets import checks, factory
from spymaster_assets.assets.raw import raw_files
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, Raw, Same
from spymaster_assets.io_manager import LakeIOManager
from spymaster_assets.recipe import Session
from spymaster_assets.resources import OVERWRITE_TAG, LakeResource
from spymaster_tests.assets.conftest import AddRaw

D4, D5, D6, D7 = (date(2024, 3, day) for day in (4, 5, 6, 7))
DEFINITION, TRADE, BBO, CALIBRATION = (
    dg.AssetKey(path)
    for path in (
        ["bronze", "future_definition"],
        ["silver", "trade"],
        ["silver", "bbo_change"],
        ["gold", "physics_norm_calibration"],
    )
)


class BadDataError(SpymasterError):
    """What a library function raises about a file."""


@dataclass
class Toys:
    """The toy assets, what they were called with, and what they should do wrong."""

    calls: list[tuple[str, date, frozenset[str]]] = field(default_factory=list)
    histories: dict[date, list[date]] = field(default_factory=dict)
    errors: dict[date, Exception] = field(default_factory=dict)
    exports: int = 0
    first_id: int = 0
    """Added to instrument ids: changes what the definitions hold."""

    def assets(self) -> list[dg.AssetsDefinition]:
        def export(lake: Lake) -> None:
            self.exports += 1

        @lake_assets(FutureDefinition, raw=Raw("market_by_order_dbn"), after=export)
        def toy_definition(session: Session, raw: RawFile):
            self.calls.append(("definition", session.dt, session.tables))
            if session.dt in self.errors:
                raise self.errors.pop(session.dt)
            session.counters["bytes_of_raw"] = raw.path.stat().st_size
            return definition_frame(session.dt.day + self.first_id)

        @lake_assets(Trade, BboChange, definition=Same(FutureDefinition))
        def toy_pass(session: Session, definition: Partition):
            self.calls.append(("pass", session.dt, session.tables))
            yield {name: model.empty() for name, model in (("trade", Trade), ("bbo_change", BboChange))}

        @lake_assets(PhysicsNormCalibration, trades=History(Trade, -3, 0))
        def toy_calibration(session: Session, trades: Sequence[Partition]):
            self.calls.append(("calibration", session.dt, session.tables))
            self.histories[session.dt] = [partition.dt for partition in trades]
            return PhysicsNormCalibration.empty()

        return [toy_definition, toy_pass, toy_calibration]

    def called(self, name: str) -> list[date]:
        return [dt for call, dt, _ in self.calls if call == name]


def definition_frame(instrument_id: int) -> pl.DataFrame:
    row = {
        "contract": "ESH4",
        "instrument_id": instrument_id,
        "expiration": None,
        "tick_size_int": 250_000_000,
        "multiplier": 50.0,
        "currency": "USD",
        "exchange": "XCME",
        "instrument_class": "F",
        "ts_recv": None,
        "origin": "fallback",
    }
    return pl.DataFrame([row], schema=FutureDefinition.schema())


class Harness:
    """Runs of the toy assets in one instance and one lake."""

    def __init__(
        self, toys: Toys, resource: LakeResource, instance: dg.DagsterInstance, *more: dg.AssetsDefinition
    ) -> None:
        self.definitions = dg.Definitions(
            assets=[*toys.assets(), *more, *raw_files],
            resources={"lake": resource, "lake_io": LakeIOManager(lake=resource)},
        )
        self.instance = instance

    def run(
        self, first: date, last: date | None = None, *, tags: dict[str, str] | None = None, **options: Any
    ) -> dg.ExecuteInProcessResult:
        """Materialise ES over a range (one date: as a single partition)."""
        keys = {"partition_key": f"{first}|ES"} if last is None else {}
        ranged = {
            "dagster/asset_partition_range_start": f"{first}|ES",
            "dagster/asset_partition_range_end": f"{last}|ES",
        }
        return self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            tags={**(ranged if last else {}), **(tags or {})},
            raise_on_error=False,
            **keys,
            **options,
        )

    def materialized(self, key: dg.AssetKey) -> list[str]:
        return sorted(self.instance.get_materialized_partitions(key))

    def stale(self, dt: date, *keys: dg.AssetKey) -> list[str]:
        """What Dagster shows about partitions: FRESH, STALE or MISSING."""
        graph = self.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        return [resolver.get_status(key, f"{dt}|ES").value for key in keys]

    def latest(self, key: dg.AssetKey, dt: date) -> dg.AssetMaterialization:
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[f"{dt}|ES"]), limit=1
        ).records
        materialization = records[0].asset_materialization
        assert materialization is not None
        return materialization


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Toys:
    """Toys without the library's checks, which would find their empty tables wanting."""
    monkeypatch.setattr(checks, "checks_of", lambda table: ())
    return Toys()


@pytest.fixture
def harness(toys: Toys, resource: LakeResource, instance: dg.DagsterInstance) -> Harness:
    return Harness(toys, resource, instance)


@pytest.fixture
def week(add_raw: AddRaw) -> None:
    """Raw files for Monday, Tuesday and Thursday."""
    for dt in (D4, D5, D7):
        add_raw("ES", dt, messages=10)


def remove_and_report(report: Any) -> Any:
    def removed(context: Any, session: Any, made: Any) -> dg.AssetMaterialization:
        event = report(context, session, made)
        made.partition.path.unlink()
        return event

    return removed


def metadata(materialization: dg.AssetMaterialization) -> dict[str, Any]:
    return {name: value.value for name, value in materialization.metadata.items()}


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


def test_a_rerun_leaves_fresh_partitions_alone_and_still_reports_them(harness: Harness, week: None, toys: Toys):
    harness.run(D4, D5)
    before = harness.latest(DEFINITION, D4)
    toys.calls.clear()
    assert harness.run(D4, D5).success
    assert toys.calls == []
    after = harness.latest(DEFINITION, D4)
    assert metadata(after) == metadata(before) | {"reused": True}
    assert (after.tags or {})["dagster/data_version"] == (before.tags or {})["dagster/data_version"]


def test_overwrite_makes_the_named_tables_again(harness: Harness, week: None, toys: Toys):
    harness.run(D4)
    toys.calls.clear()
    assert harness.run(D4, tags={OVERWRITE_TAG: "silver.trade"}).success
    assert toys.calls == [("pass", D4, frozenset({"trade"}))]


def test_a_changed_input_makes_what_is_below_stale(harness: Harness, week: None, toys: Toys, add_raw: AddRaw):
    harness.run(D4, D5)
    toys.calls.clear()
    add_raw("ES", D4, seed=99, messages=20)
    assert harness.run(D4, D5).success
    assert toys.called("definition") == [D4]
    assert toys.called("pass") == []  # the definitions came out the same: equal hashes, nothing to do


def test_dagster_shows_as_stale_what_the_lake_calls_stale(harness: Harness, week: None, toys: Toys, lake: Lake):
    harness.run(D4, D5)
    assert harness.stale(D5, DEFINITION, TRADE, CALIBRATION) == ["FRESH", "FRESH", "FRESH"]
    toys.first_id = 100
    harness.run(D4, asset_selection=[DEFINITION], tags={OVERWRITE_TAG: "*"})
    assert harness.stale(D4, DEFINITION, TRADE, BBO) == ["FRESH", "STALE", "STALE"]
    assert harness.stale(D5, DEFINITION, TRADE) == ["FRESH", "FRESH"]
    assert [partition_status(lake, Trade, "ES", dt).state for dt in (D4, D5)] == ["stale", "complete"]
    assert harness.run(D4, D5).success
    assert harness.stale(D4, DEFINITION, TRADE, BBO, CALIBRATION) == ["FRESH"] * 4


def test_a_replaced_raw_file_seen_by_one_table_makes_the_others_that_read_it_stale(
    resource: LakeResource, instance: dg.DagsterInstance, week: None, add_raw: AddRaw, toys: Toys
):
    @lake_assets(ContractDaySelection, raw=Raw("market_by_order_dbn"))
    def toy_selection(session: Session, raw: RawFile):
        return ContractDaySelection.empty()

    harness = Harness(toys, resource, instance, toy_selection)
    selection = dg.AssetKey(["bronze", "contract_day_selection"])
    harness.run(D4)
    add_raw("ES", D4, seed=2, messages=11)
    harness.run(D4, asset_selection=[selection])
    assert harness.stale(D4, DEFINITION, selection) == ["STALE", "FRESH"]


def test_an_earlier_date_that_comes_later_is_shown_as_stale(harness: Harness, week: None, add_raw: AddRaw):
    harness.run(D4, D7)
    add_raw("ES", D6, messages=10)
    harness.run(D6, asset_selection=[DEFINITION, TRADE, BBO])
    assert harness.stale(D7, CALIBRATION) == ["STALE"]
    assert harness.stale(D5, CALIBRATION) == ["FRESH"]


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


def test_an_earlier_date_that_comes_later_renews_the_tables_that_read_it(
    harness: Harness, week: None, toys: Toys, add_raw: AddRaw
):
    harness.run(D4, D7)
    add_raw("ES", D6, messages=10)
    toys.calls.clear()
    toys.histories.clear()
    harness.run(D4, D7)
    assert toys.called("definition") == [D6]
    assert toys.histories == {D6: [D4, D5, D6], D7: [D4, D5, D6, D7]}


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
