"""Bronze of options through Dagster: absent files, files that come later, and bad ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from spymaster.feed.ingest import add_raw
from spymaster.lake import Lake, partition_status, raw_files
from spymaster.surfaces import pictures
from spymaster_assets.definitions import definitions
from spymaster_assets.resources import LakeResource
from spymaster_assets.sensors import arrivals, requests
from spymaster_tests.assets.processes import Site
from spymaster_tests.feed.test_definitions import FRONT, definition_file
from spymaster_tests.feed.test_option_definitions import CALL, PUT, SPREAD
from spymaster_tests.feed.test_option_mbo import several
from spymaster_tests.feed.test_statistics import statistic, statistics_file
from spymaster_tests.streams import DAY, day_ns, write_raw_day

KEY = f"{DAY}|ES"
OPTION_TABLES = ("bronze.option_definition", "bronze.option_mbo", "bronze.option_statistics")
OPTIONS = {CALL["raw_symbol"]: 11, PUT["raw_symbol"]: 12, SPREAD["raw_symbol"]: 4_000_000_000, "E2AH4 C9900": 5}
LATER = 2e10
"""A clock at which every file has been quiet for long."""

Materialise = Callable[[], dg.ExecuteInProcessResult]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(pictures, "DRAWINGS", {})
    return Site(tmp_path / "lake", symbols=("ES",))


@pytest.fixture
def materialise(site: Site, instance: dg.DagsterInstance) -> Materialise:
    """Make the Bronze tables of the date."""
    job = definitions(LakeResource(root=str(site.root))).resolve_job_def("bronze_tables")

    def run() -> dg.ExecuteInProcessResult:
        return job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            partition_key=KEY,
        )

    return run


def add_orders(lake: Lake) -> None:
    write_raw_day(lake.root, "ES", DAY, several(), contracts=OPTIONS, product_type="future_option")


def add_definitions(lake: Lake, folder: Path) -> None:
    defined = [{**CALL, "instrument_id": 11}, {**PUT, "instrument_id": 12}, SPREAD]
    add_raw(lake, definition_file(folder / "o-20240306.definition.dbn.zst", defined), "ES")


def add_statistics(lake: Lake, folder: Path) -> None:
    records = [statistic(day_ns(DAY) + 5, 11, 9, quantity=7), statistic(day_ns(DAY) + 6, 12, 9, quantity=8)]
    add_raw(lake, statistics_file(folder / "o-20240306.statistics.dbn.zst", records), "ES")


def add_options(lake: Lake, folder: Path) -> None:
    add_orders(lake)
    add_definitions(lake, folder)
    add_statistics(lake, folder)


def failures(result: dg.ExecuteInProcessResult) -> str:
    return " ".join(str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure)


def test_without_files_of_options_their_tables_are_empty_and_say_why(site: Site, materialise: Materialise):
    site.add_raw([DAY])
    assert materialise().success
    reasons = {}
    for table in (*OPTION_TABLES, "bronze.future_statistics"):
        manifest = site.lake.partition(table, "ES", DAY).manifest
        assert manifest.rows == 0
        assert manifest.provenance == "simulated"
        assert {record.kind for record in manifest.inputs} == {"absent"}
        assert partition_status(site.lake, table, "ES", DAY).is_fresh
        reasons[table] = manifest.empty_reason
    assert reasons == {
        "bronze.option_definition": "no raw definition file of options covers 2024-03-06",
        "bronze.option_mbo": "no raw file of options for 2024-03-06",
        "bronze.option_statistics": "no raw statistics file covers 2024-03-06",
        "bronze.future_statistics": "no raw statistics file covers 2024-03-06",
    }


def test_files_that_come_later_make_the_tables_stale_and_are_asked_for(
    site: Site, materialise: Materialise, tmp_path: Path, instance: dg.DagsterInstance
):
    site.add_raw([DAY])
    assert materialise().success
    lake = site.lake
    before = lake.partition("bronze.future_mbo", "ES", DAY).path.stat().st_mtime_ns
    assert not list(arrivals(lake, lake.settings, now=LATER))
    add_options(lake, tmp_path)
    for table in OPTION_TABLES:
        status = partition_status(lake, table, "ES", DAY)
        assert status.state == "stale"
        assert "has come since" in status.reasons[0]
    assert partition_status(lake, "bronze.future_mbo", "ES", DAY).is_fresh
    (orders,) = raw_files(lake, "ES", "market_by_order_dbn", product_type="future_option")
    os.utime(orders.path, (0, 0))  # copied with the times of the original
    found = list(arrivals(lake, lake.settings, now=LATER))
    assert {arrival.file.product_type for arrival in found} == {"future_option"}
    assert {arrival.file.table for arrival in found} == {"market_by_order_dbn", "definition", "statistics"}
    (request,) = requests(found)
    assert request.tags["dagster/asset_partition_range_start"] == KEY
    assert materialise().success
    assert {table: lake.partition(table, "ES", DAY).rows for table in OPTION_TABLES} == {
        "bronze.option_definition": 3,
        "bronze.option_mbo": len(several()),
        "bronze.option_statistics": 2,
    }
    manifest = lake.partition("bronze.option_definition", "ES", DAY).manifest
    assert manifest.counters["undefined_instruments"] == 1
    assert manifest.notes == {"undefined_instruments": ["E2AH4 C9900"]}
    assert not list(arrivals(lake, lake.settings, now=LATER))
    assert lake.partition("bronze.future_mbo", "ES", DAY).path.stat().st_mtime_ns == before
    for name in ("option_market_by_order_dbn", "option_definition", "option_statistics", "market_by_order_dbn"):
        assert instance.get_materialized_partitions(dg.AssetKey(["raw", name])) == {KEY}
    assert not instance.get_materialized_partitions(dg.AssetKey(["raw", "definition"]))


def test_a_definition_file_of_both_serves_both_until_options_have_their_own(
    site: Site, materialise: Materialise, tmp_path: Path
):
    site.add_raw([DAY])
    lake = site.lake
    both = add_raw(lake, definition_file(tmp_path / "both-20240306.dbn.zst", [FRONT, CALL]), "ES").file
    assert both.product_type == "future"
    assert materialise().success
    options = lake.partition("bronze.option_definition", "ES", DAY)
    assert options.read()["contract"].to_list() == [CALL["raw_symbol"]]
    assert both.as_input() in options.manifest.inputs
    assert lake.partition("bronze.future_definition", "ES", DAY).read()["contract"].to_list() == ["ESH4"]
    add_definitions(lake, tmp_path)
    assert partition_status(lake, "bronze.option_definition", "ES", DAY).state == "stale"
    assert partition_status(lake, "bronze.future_definition", "ES", DAY).is_fresh
    assert materialise().success
    assert lake.partition("bronze.option_definition", "ES", DAY).rows == 3
    assert partition_status(lake, "bronze.option_definition", "ES", DAY).is_fresh


def test_options_without_their_future_are_kept_and_nothing_else_is_made(site: Site, materialise: Materialise):
    add_orders(site.lake)
    assert materialise().success
    assert site.lake.partition("bronze.option_mbo", "ES", DAY).rows == len(several())
    assert not site.lake.has("bronze.option_statistics", "ES", DAY)
    assert not site.lake.has("bronze.future_mbo", "ES", DAY)


def test_a_bad_file_fails_its_own_table_by_name(site: Site, materialise: Materialise, tmp_path: Path):
    site.add_raw([DAY])
    lake = site.lake
    add_options(lake, tmp_path)
    (statistics,) = raw_files(lake, "ES", "statistics", product_type="future_option")
    statistics.path.write_bytes(statistics.path.read_bytes()[:-9])
    result = materialise()
    assert not result.success
    assert KEY in failures(result)
    assert statistics.path.name in failures(result)
    assert "truncated" in failures(result)
    assert not lake.has("bronze.option_statistics", "ES", DAY)
    assert lake.partition("bronze.option_mbo", "ES", DAY).rows
    assert lake.partition("bronze.option_definition", "ES", DAY).rows


def test_data_of_another_origin_is_refused(site: Site, materialise: Materialise, tmp_path: Path):
    """A simulated definition file that somebody put among the real ones."""
    site.add_raw([DAY])
    path = definition_file(tmp_path / "o-20240306.dbn.zst", [CALL])
    folder = site.root / "raw/source=databento/product_type=future_option/symbol=ES/table=definition"
    folder.mkdir(parents=True)
    path.rename(folder / path.name)
    result = materialise()
    assert not result.success
    assert "dataset is 'SIM.SPYMASTER', expected GLBX.MDP3" in failures(result)
