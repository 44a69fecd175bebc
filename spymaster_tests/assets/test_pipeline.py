"""The real assets on two small generated days: one run over the range, and the same bytes from single runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from spymaster.lake import Lake
from spymaster.settings import Settings
from spymaster.surfaces import pictures
from spymaster.tables import all_tables
from spymaster.tables.wall_surface_1s import WallSurface1s
from spymaster_assets import checks, metadata
from spymaster_assets.definitions import definitions
from spymaster_assets.metadata import asset_key
from spymaster_assets.recipe import Made
from spymaster_assets.resources import LakeResource
from spymaster_tests.assets.processes import Site, last_only_tables

WALL = "silver.wall_surface_1s"
FIRST, MISSING, LAST = date(2024, 3, 5), date(2024, 3, 6), date(2024, 3, 7)
MODELS = list(all_tables().values())


def materialise(site: Site, instance: dg.DagsterInstance, first: date, last: date) -> dg.ExecuteInProcessResult:
    job = definitions(LakeResource(root=str(site.root))).resolve_job_def("all_tables")
    tags = {
        "dagster/asset_partition_range_start": f"{first}|ES",
        "dagster/asset_partition_range_end": f"{last}|ES",
    }
    return job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        partition_key=f"{first}|ES" if first == last else None,
        tags=tags if first != last else None,
    )


@pytest.fixture(scope="module")
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, instance: dg.DagsterInstance) -> Site:
    """A lake on which a range of three dates, one of them without a file, was materialised in one run."""
    site = Site(tmp_path_factory.mktemp("range") / "lake", symbols=("ES",))
    site.add_raw([FIRST, LAST])
    with pytest.MonkeyPatch.context() as patch:  # pictures have tests of their own, and take their time
        patch.setattr(pictures, "DRAWINGS", {WALL: pictures.DRAWINGS[WALL]})
        assert materialise(site, instance, FIRST, LAST).success
    return site


def latest(instance: dg.DagsterInstance, key: dg.AssetKey, dt: date) -> dict:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[f"{dt}|ES"]), limit=1
    ).records
    materialization = records[0].asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.full_name)
def test_every_table_is_there_for_the_dates_with_a_file(site: Site, instance: dg.DagsterInstance, model):
    due = [LAST] if model.full_name in last_only_tables() else [FIRST, LAST]
    assert [partition.dt for partition in site.lake.partitions(model)] == due
    assert sorted(instance.get_materialized_partitions(asset_key(model))) == [f"{dt}|ES" for dt in due]


def test_the_wall_is_reported_with_figures_and_a_picture(site: Site, instance: dg.DagsterInstance):
    told = latest(instance, dg.AssetKey(WALL.split(".")), FIRST)
    assert told["rows"] > 100
    assert told["messages_per_second"] > 0
    assert 0 < told["valid_share"] <= 1
    assert 4000 < told["spot_low"] <= told["spot_high"] < 5500
    assert told["fifo_known_fills"] >= told["fifo_front_fills"]
    assert told["picture"].startswith("![silver.wall_surface_1s ES 2024-03-05](data:image/png;base64,")
    assert 0 < told["picture_seconds"] < 60


@pytest.mark.parametrize("wanted", [True, False])
def test_pictures_are_a_setting(site: Site, wanted: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metadata, "load_settings", lambda: Settings(pictures=wanted))
    partition = site.lake.partition(WALL, "ES", FIRST)
    told = metadata.partition_metadata(Made(WallSurface1s, partition, reused=True, seconds=0.0))
    assert ("picture" in told) == wanted
    assert told["rows"] == partition.rows


def test_only_surfaces_that_are_scored_claim_a_calibration(site: Site):
    manifest = site.lake.partition("silver.vacuum_surface_1s", "ES", LAST).manifest
    assert [record.name for record in manifest.inputs] == [
        f"silver.wall_surface_1s ES {LAST}",
        f"gold.physics_norm_calibration ES {LAST}",
    ]
    calibration = site.lake.partition("gold.physics_norm_calibration", "ES", LAST)
    assert [record.name for record in calibration.manifest.inputs] == [
        f"silver.wall_surface_1s ES {FIRST}",
        f"silver.option_quote_1s ES {FIRST}",
        f"bronze.option_definition ES {FIRST}",
    ]
    assert calibration.read()["basis"].unique().to_list() == ["prior_sessions"]


def test_pressure_without_option_files_has_no_options(site: Site):
    pressure = site.lake.partition("silver.pressure_surface_1s", "ES", LAST)
    assert pressure.rows == 81 * site.lake.partition(WALL.replace("wall_surface", "book_snapshot"), "ES", LAST).rows
    assert not pressure.read(["has_options"])["has_options"].any()
    assert [record.name for record in pressure.manifest.inputs] == [
        f"silver.wall_surface_1s ES {LAST}",
        f"silver.book_snapshot_1s ES {LAST}",
        f"gold.physics_norm_calibration ES {LAST}",
        f"silver.option_quote_1s ES {LAST}",
        f"bronze.option_definition ES {LAST}",
    ]
    assert pressure.manifest.counters["options_without_usual"] == 0


def test_the_selection_is_exported(site: Site):
    assert (site.root / "selection" / "mbo_contract_day_selection.parquet").is_file()


def test_checks_have_a_verdict_per_partition(site: Site, instance: dg.DagsterInstance):
    key = dg.AssetCheckKey(dg.AssetKey(WALL.split(".")), "manifest_true")
    infos = instance.event_log_storage.get_asset_check_partition_info([key])
    verdicts = {info.partition_key: info.latest_execution_status.value for info in infos}
    assert verdicts[f"{FIRST}|ES"] == verdicts[f"{LAST}|ES"] == "SUCCEEDED"


def test_single_partition_runs_leave_the_same_bytes(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pictures, "DRAWINGS", {})
    monkeypatch.setattr(checks, "checks_of", lambda table: ())
    other = Site(tmp_path / "lake", symbols=("ES",))
    other.add_raw([FIRST, LAST])
    with dg.DagsterInstance.ephemeral() as instance:
        for dt in (FIRST, LAST):
            assert materialise(other, instance, dt, dt).success
    assert other.files() == site.files()


def test_nothing_is_left_over(site: Site):
    assert site.leftovers() == []


def test_a_lake_is_told_apart_from_a_missing_one(tmp_path: Path, instance: dg.DagsterInstance):
    site = Site(tmp_path / "lake", symbols=("ES",))
    (site.root / "_LAKE.json").unlink()
    result = materialise(site, instance, FIRST, FIRST)
    assert not result.success
    failure = next(event for event in result.all_events if event.is_step_failure)
    assert "is not a data lake" in str(failure.step_failure_data.error)


def test_an_unreadable_file_names_partition_and_file(tmp_path: Path, instance: dg.DagsterInstance):
    site = Site(tmp_path / "lake", symbols=("ES",))
    site.add_raw([FIRST], messages=50)
    path = next((site.root / "raw").rglob("*.dbn.zst"))
    path.write_bytes(path.read_bytes()[:-40])
    result = materialise(site, instance, FIRST, FIRST)
    assert not result.success
    texts = " ".join(str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure)
    assert "2024-03-05|ES" in texts
    assert path.name in texts
    assert not Lake.open(site.root).has("bronze.future_mbo", "ES", FIRST)
