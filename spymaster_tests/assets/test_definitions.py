"""The definitions as a whole: complete, described, and quick to load."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import dagster as dg
import pytest
import yaml

from spymaster.checks import all_checks
from spymaster.tables import all_tables
from spymaster_assets.definitions import defs
from spymaster_assets.metadata import asset_key
from spymaster_assets.plan import Catalogue
from spymaster_tests.conftest import REPOSITORY

MODELS = list(all_tables().values())
GRAPH = defs.resolve_asset_graph()

LOAD = """
import time, sys
import dagster
started = time.process_time()
import spymaster_assets.definitions as d
d.defs.get_repository_def()
print(time.process_time() - started)
print(*[name for name in ("pandera", "numba", "databento", "databento_dbn", "exchange_calendars", "matplotlib",
                          "lightgbm") if name in sys.modules])
"""
"""CPU seconds, so that a busy machine does not fail the test; reading byte code from disk is the only other cost."""


def test_definitions_load_within_three_seconds_and_without_heavy_imports():
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    seconds, heavy = done.stdout.splitlines()
    assert heavy == ""
    assert float(seconds) < 3.0


def test_every_table_has_its_asset():
    assert {key for key in GRAPH.get_all_asset_keys() if key.path[0] != "raw"} == {asset_key(model) for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.full_name)
def test_an_asset_is_described_by_its_model(model):
    node = GRAPH.get(asset_key(model))
    assert node.description == model.description()
    assert node.group_name == model.layer
    assert node.owners == ["team:spymaster"]
    assert "parquet" in node.kinds
    assert node.code_version == model.code_version()
    schema = node.metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == list(model.columns)
    assert all(column.description for column in schema.columns)
    lineage = node.metadata["dagster/column_lineage"].deps_by_column
    assert list(lineage) == list(model.columns)


def test_columns_of_one_name_descend_from_each_other_and_declared_ones_from_what_is_declared():
    vacuum = GRAPH.get(dg.AssetKey(["silver", "vacuum_surface_1s"])).metadata["dagster/column_lineage"]
    wall = dg.AssetKey(["silver", "wall_surface_1s"])
    assert dg.TableColumnDep(wall, "price_int") in vacuum.deps_by_column["price_int"]
    assert dg.TableColumnDep(wall, "fill_qty") in vacuum.deps_by_column["fill_share"]
    assert dg.TableColumnDep(wall, "pull_qty_rest") in vacuum.deps_by_column["pull_add_log"]


def test_raw_files_are_external_and_described():
    for name in ("market_by_order_dbn", "definition", "statistics"):
        of_futures, of_options = (GRAPH.get(dg.AssetKey(["raw", f"{prefix}{name}"])) for prefix in ("", "option_"))
        for node in (of_futures, of_options):
            assert node.is_external
            assert (node.group_name, node.owners) == ("raw", ["team:spymaster"])
        assert of_futures.description != of_options.description
        assert "product_type=future_option/" in str(of_options.metadata["path"])


def test_tables_of_options_come_of_files_of_options():
    raw = {
        table: {key.path[1] for key in GRAPH.get(dg.AssetKey(["bronze", table])).parent_keys}
        for table in ("future_statistics", "option_statistics", "option_definition", "option_mbo")
    }
    assert raw == {
        "future_statistics": {"statistics"},
        "option_statistics": {"option_statistics"},
        "option_definition": {"option_definition", "definition", "option_market_by_order_dbn"},
        "option_mbo": {"option_market_by_order_dbn"},
    }


def test_all_assets_share_the_partitions_and_take_any_number_of_them_in_a_run():
    for model in MODELS:
        node = GRAPH.get(asset_key(model))
        assert isinstance(node.partitions_def, dg.MultiPartitionsDefinition)
        assert node.partitions_def.partition_dimension_names == ["date", "symbol"]
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


@pytest.mark.parametrize(
    ("table", "upstream", "offsets"),
    [
        ("gold.physics_norm_calibration", "silver.wall_surface_1s", (-30, 0)),
        ("gold.physics_norm_calibration", "silver.option_quote_1s", (-30, 0)),
        ("gold.physics_norm_calibration", "bronze.option_definition", (-30, 0)),
        ("bronze.contract_day_selection", "bronze.future_mbo", (-10, 0)),
    ],
)
def test_histories_reach_as_far_back_as_documented(table: str, upstream: str, offsets: tuple[int, int]):
    mapping = GRAPH.get_partition_mapping(dg.AssetKey(table.split(".")), dg.AssetKey(upstream.split(".")))
    assert isinstance(mapping, dg.MultiPartitionMapping)
    dates = mapping.downstream_mappings_by_upstream_dimension["date"].partition_mapping
    assert isinstance(dates, dg.TimeWindowPartitionMapping)
    assert (dates.start_offset, dates.end_offset) == offsets


def test_every_check_of_the_library_is_an_asset_check_of_its_table():
    expected = {(tuple(check.tables[0].split(".")), check.name): check.blocking for check in all_checks()}
    found = {
        (tuple(key.asset_key.path), key.name): GRAPH.get_check_spec(key).blocking
        for key in GRAPH.asset_check_keys
        if key.name != "freshness"
    }
    assert found == expected


def test_every_table_has_a_freshness_check_that_runs_of_tables_do_not_carry():
    tables = {asset_key(model) for model in MODELS}
    assert {key.asset_key for key in GRAPH.asset_check_keys if key.name == "freshness"} == tables
    steps = {node.name for node in defs.resolve_job_def("all_tables").nodes}
    assert "futures_pass" in steps
    assert "freshness_checks" not in steps


def test_a_table_that_reads_a_history_belongs_to_a_later_stage():
    catalogue = Catalogue(one for one in defs.assets or () if isinstance(one, dg.AssetsDefinition))
    stages = [sorted(stage.tables) for stage in catalogue.stages(catalogue.tables())]
    position = {table: number for number, stage in enumerate(stages) for table in stage}
    assert position["bronze.future_mbo"] < position["bronze.contract_day_selection"]
    assert position["silver.wall_surface_1s"] < position["gold.physics_norm_calibration"]
    assert position["silver.vacuum_surface_1s"] == position["gold.physics_norm_calibration"]


def test_a_layer_means_its_tables_and_what_is_upstream_of_them():
    catalogue = Catalogue(one for one in defs.assets or () if isinstance(one, dg.AssetsDefinition))
    silver = catalogue.with_upstream(catalogue.tables("silver"))
    assert "gold.physics_norm_calibration" in silver
    assert "bronze.future_mbo" in silver
    assert catalogue.with_upstream(catalogue.tables("bronze")) == catalogue.tables("bronze")
    options = {"bronze.option_definition", "bronze.option_mbo", "bronze.option_statistics"}
    assert catalogue.tables("bronze", "future_option") == options
    assert catalogue.tables("all", "future") == catalogue.tables() - catalogue.tables("all", "future_option")
    assert "bronze.future_statistics" in catalogue.tables("all", "future")


def test_a_request_for_futures_leaves_options_alone_though_some_tables_take_them_along():
    catalogue = Catalogue(one for one in defs.assets or () if isinstance(one, dg.AssetsDefinition))
    futures, options = (catalogue.tables("all", product_type) for product_type in ("future", "future_option"))
    assert futures | options == catalogue.tables()
    assert not futures & options
    assert {"gold.physics_norm_calibration", "silver.vacuum_surface_1s", "silver.pressure_surface_1s"} <= futures
    assert {"silver.option_quote_1s", "silver.gex_surface_1s"} <= options
    assert catalogue.with_upstream(futures, "future") == futures
    assert {"silver.option_quote_1s", "bronze.option_definition"} <= catalogue.with_upstream(futures)


def test_the_jobs_schedule_and_sensor_are_there():
    names = {job.name for job in defs.resolve_all_job_defs()}
    assert {"all_tables", "bronze_tables", "silver_tables", "gold_tables", "freshness"} <= names
    assert defs.resolve_schedule_def("daily_freshness").job_name == "freshness"
    assert defs.resolve_schedule_def("daily_materialisation").job_name == "all_tables"
    assert defs.resolve_sensor_def("raw_arrival").job_name == "all_tables"


def test_workspace_and_pyproject_name_the_same_code_location():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]
    location = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    assert "dagster" not in project  # it would override workspace.yaml
    assert project["dg"]["project"]["code_location_name"] == location["location_name"]
    assert project["dg"]["project"]["code_location_target_module"] == location["module_name"]


def test_the_instance_keeps_its_storage_in_the_default_root():
    from spymaster.cli.home import DEFAULT_STORAGE

    config = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    folders = [
        config["storage"]["custom"]["config"]["base_dir"],
        config["local_artifact_storage"]["config"]["base_dir"],
        config["compute_logs"]["config"]["base_dir"],
    ]
    assert all(folder.startswith(f"{DEFAULT_STORAGE}/") for folder in folders)
    assert config["telemetry"] == {"enabled": False}


@pytest.mark.slow
def test_dg_finds_nothing_wrong():
    done = subprocess.run(["dg", "check", "defs"], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
