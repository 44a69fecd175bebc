"""Backfills through a real daemon, as the UI launches them, leave the bytes that `spymaster run` leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.tags import BACKFILL_ID_TAG

from spymaster.market.calendar import partition_dates
from spymaster_assets.definitions import defs
from spymaster_assets.partitions import SessionKey
from spymaster_assets.resources import load_settings
from spymaster_tests.assets.processes import Site, last_only_tables
from spymaster_tests.conftest import REPOSITORY

MONDAY = date(2024, 3, 4)
GRAPH = defs.resolve_asset_graph()
TABLES = [key for key in GRAPH.get_all_asset_keys() if key.path[0] != "raw"]
MINUTES = 15 * 60

WORKSPACE = """
load_from:
  - python_module:
      module_name: spymaster_tests.assets.location
      location_name: spymaster_assets
"""


def days(count: int) -> list[date]:
    return list(partition_dates(MONDAY, MONDAY + timedelta(days=20)))[:count]


def site(folder: Path, dates: list[date]) -> Site:
    """A lake whose processes see the same partitions as this one."""
    settings = load_settings()
    seen = {
        "SPYMASTER_START_DATE": settings.start_date.isoformat(),
        "SPYMASTER_SYMBOLS": ",".join(settings.symbols),
    }
    made = Site(folder, symbols=("ES", "CL"), variables=seen)
    made.add_raw(dates)
    return made


@contextmanager
def daemon(site: Site) -> Iterator[dg.DagsterInstance]:
    """A daemon on the site's home, and its instance. It leads a session of its own and dies with its children."""
    log = (site.root.parent / "daemon.log").open("wb")
    workspace = site.root.parent / "workspace.yaml"
    workspace.write_text(WORKSPACE)
    command = [sys.executable, "-m", "spymaster_tests.assets.daemon", "run", "--workspace", str(workspace)]
    process = subprocess.Popen(
        command, env=site.environment(), cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
    )
    try:
        with dg.DagsterInstance.from_config(str(site.home())) as instance:
            yield instance
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def backfill(instance: dg.DagsterInstance, dates: list[date], name: str) -> PartitionBackfill:
    """Request a backfill of all tables over ES and CL, and wait for its end."""
    keys = [str(SessionKey(dt, symbol)) for dt in dates for symbol in ("ES", "CL")]
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=name,
            asset_graph=GRAPH,
            partition_names=keys,
            asset_selection=TABLES,
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )

    def over() -> PartitionBackfill | None:
        found = instance.get_backfill(name)
        return found if found and found.status not in (BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING) else None

    return waited_for(over)


T = TypeVar("T")


def waited_for(what: Callable[[], T | None]) -> T:
    """The first answer of `what` that is true."""
    deadline = time.monotonic() + MINUTES
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(1)
    raise TimeoutError


@pytest.mark.slow
def test_a_backfill_of_two_symbols_equals_the_runner_around_a_date_without_a_file(tmp_path: Path):
    """The date stays unmaterialised, and those after it, which have it in their histories, are made all the same."""
    dates = days(6)
    there = [dt for dt in dates if dt != dates[2]]
    reference = site(tmp_path / "reference" / "lake", there)
    code, _, log = reference.run(dates[0], dates[-1])
    assert code == 0, log
    ours = site(tmp_path / "daemon" / "lake", there)
    with daemon(ours) as instance:
        done = backfill(instance, dates, "six-by-two")
        assert done.status is BulkActionStatus.COMPLETED_SUCCESS
        runs = instance.get_runs(dg.RunsFilter(tags={BACKFILL_ID_TAG: "six-by-two"}))
        assert all(run.is_success for run in runs)
        assert len(runs) <= 12  # ranges of dates per symbol and stage, not partitions
        for key in TABLES:
            every = {str(SessionKey(dt, one)) for dt in there for one in ("ES", "CL")}
            made = instance.get_materialized_partitions(key)
            assert made <= every if ".".join(key.path) in last_only_tables() else made == every
            assert {str(SessionKey(there[-1], one)) for one in ("ES", "CL")} <= made
    assert ours.files() == reference.files()
    assert ours.leftovers() == []


@pytest.mark.slow
def test_few_dates_that_dagster_splits_by_date_still_wait_for_each_other(tmp_path: Path):
    """With no more dates than symbols Dagster makes one run per date: the later one must not read half a history."""
    dates = days(2)
    reference = site(tmp_path / "reference" / "lake", dates)
    assert reference.run(dates[0], dates[-1])[0] == 0
    ours = site(tmp_path / "daemon" / "lake", dates)
    with daemon(ours) as instance:
        done = backfill(instance, dates, "two-by-two")
        assert done.status is BulkActionStatus.COMPLETED_SUCCESS
        runs = instance.get_runs(dg.RunsFilter(tags={BACKFILL_ID_TAG: "two-by-two"}))
        ranges = {
            (run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"])
            for run in runs
        }
        assert {(first.split("|")[0], last.split("|")[0]) for first, last in ranges} >= {
            (str(dt), str(dt)) for dt in dates
        }
    assert ours.files() == reference.files()


@pytest.mark.slow
def test_new_raw_files_are_materialised_by_themselves(tmp_path: Path):
    dates = days(2)
    ours = site(tmp_path / "lake", dates)
    wanted = {str(SessionKey(dt, symbol)) for dt in dates for symbol in ("ES", "CL")}
    with daemon(ours) as instance:

        def over() -> bool:
            return instance.get_materialized_partitions(dg.AssetKey(["silver", "vacuum_surface_1s"])) == wanted

        waited_for(over)
        runs = instance.get_runs()
        assert sorted(run.tags["spymaster/symbol"] for run in runs) == ["CL", "ES"]  # a range each, and only once
        assert {run.tags["dagster/sensor_name"] for run in runs} == {"raw_arrival"}
