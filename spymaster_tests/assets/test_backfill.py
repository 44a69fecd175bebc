"""Backfills through a real daemon, as the UI launches them, leave the bytes that `spymaster run` leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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
from spymaster_assets.plan import Catalogue
from spymaster_assets.resources import load_settings
from spymaster_tests.assets.processes import Site, last_only_tables
from spymaster_tests.conftest import REPOSITORY

MONDAY = date(2024, 3, 4)
GRAPH = defs.resolve_asset_graph()
TABLES = [key for key in GRAPH.get_all_asset_keys() if key.path[0] != "raw"]
CATALOGUE = Catalogue(one for one in defs.assets or () if isinstance(one, dg.AssetsDefinition))
SURFACES = [
    dg.AssetKey(name.split("."))
    for name in sorted(CATALOGUE.with_upstream(CATALOGUE.tables("silver", "future"), "future"))
]
"""Of futures, and what they are made from: calibrations read histories like everything after them does."""
HUNG = 10 * 60
"""Seconds in which no run tells anything, after which what is waited for counts as hung."""
BOTH = ("ES", "CL")

WORKSPACE = """
load_from:
  - python_module:
      module_name: spymaster_tests.assets.location
      attribute: {attribute}
      location_name: spymaster_assets
"""


def days(count: int) -> list[date]:
    return list(partition_dates(MONDAY, MONDAY + timedelta(days=20)))[:count]


def site(folder: Path, dates: list[date], symbols: tuple[str, ...] = BOTH) -> Site:
    """A lake whose processes see the same partitions as this one."""
    settings = load_settings()
    seen = {
        "SPYMASTER_START_DATE": settings.start_date.isoformat(),
        "SPYMASTER_SYMBOLS": ",".join(settings.symbols),
    }
    made = Site(folder, symbols=symbols, variables=seen)
    made.add_raw(dates, messages=1000)
    return made


@contextmanager
def daemon(site: Site, *, sensors: bool = True) -> Iterator[dg.DagsterInstance]:
    """A daemon on the site's home, and its instance. It leads a session of its own and dies with its children."""
    log = (site.root.parent / "daemon.log").open("wb")
    workspace = site.root.parent / "workspace.yaml"
    workspace.write_text(WORKSPACE.format(attribute="defs" if sensors else "unsensed"))
    command = [sys.executable, "-m", "spymaster_tests.assets.daemon", "run", "--workspace", str(workspace)]
    # On a busy machine the code's server takes longer to start a run than the minute it has by itself.
    variables = {**site.environment(), "DAGSTER_GRPC_TIMEOUT_SECONDS": "300"}
    process = subprocess.Popen(command, env=variables, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True)
    try:
        with dg.DagsterInstance.from_config(str(site.home())) as instance:
            yield instance
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def backfill(
    instance: dg.DagsterInstance,
    dates: list[date],
    name: str,
    symbols: tuple[str, ...] = BOTH,
    tables: Sequence[dg.AssetKey] = TABLES,
) -> PartitionBackfill:
    """Request a backfill, and wait for its end."""
    keys = [str(SessionKey(dt, symbol)) for dt in dates for symbol in symbols]
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=name,
            asset_graph=GRAPH,
            partition_names=keys,
            asset_selection=list(tables),
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

    return waited_for(instance, over)


def assert_made(
    instance: dg.DagsterInstance, dates: list[date], symbols: tuple[str, ...], tables: Sequence[dg.AssetKey] = TABLES
) -> None:
    """Every table of the dates is there, or at least of the last one where a request makes no others."""
    every = {str(SessionKey(dt, one)) for dt in dates for one in symbols}
    for key in tables:
        made = instance.get_materialized_partitions(key)
        assert made <= every if ".".join(key.path) in last_only_tables() else made == every
        assert {str(SessionKey(dates[-1], one)) for one in symbols} <= made


T = TypeVar("T")


def waited_for(instance: dg.DagsterInstance, what: Callable[[], T | None]) -> T:
    """The first answer of `what` that is true. Raises TimeoutError where nothing happens any more."""
    seen, since = None, time.monotonic()
    while time.monotonic() - since < HUNG:
        if found := what():
            return found
        latest = instance.event_log_storage.get_maximum_record_id()
        if latest != seen:
            seen, since = latest, time.monotonic()
        time.sleep(1)
    raise TimeoutError(f"no event for {HUNG} s after number {seen}")


@pytest.mark.slow
def test_a_backfill_of_six_dates_and_two_symbols_equals_the_runner(tmp_path: Path):
    """Nothing is sensed here, so that the backfill makes everything; below, sensed runs meet those of a backfill."""
    dates = days(6)
    reference = site(tmp_path / "reference" / "lake", dates)
    code, _, log = reference.run(dates[0], dates[-1])
    assert code == 0, log
    ours = site(tmp_path / "daemon" / "lake", dates)
    with daemon(ours, sensors=False) as instance:
        done = backfill(instance, dates, "six-by-two")
        assert done.status is BulkActionStatus.COMPLETED_SUCCESS
        runs = instance.get_runs(dg.RunsFilter(tags={BACKFILL_ID_TAG: "six-by-two"}))
        assert all(run.is_success for run in runs)
        # ranges of dates, and tables that go together: on average a run makes four partitions or more
        assert 4 * len(runs) <= len(TABLES) * len(dates) * len(BOTH)
        assert_made(instance, dates, BOTH)
    assert ours.files() == reference.files()
    assert ours.leftovers() == []


@pytest.mark.slow
def test_a_date_without_a_file_stays_unmaterialised_and_later_dates_are_made(tmp_path: Path):
    dates = days(5)
    holiday = dates[2]
    there = [dt for dt in dates if dt != holiday]
    ours = site(tmp_path / "lake", there, symbols=("ES",))
    with daemon(ours, sensors=False) as instance:
        done = backfill(instance, dates, "holiday", ("ES",), SURFACES)
        assert done.status is BulkActionStatus.COMPLETED_SUCCESS
        runs = instance.get_runs(dg.RunsFilter(tags={BACKFILL_ID_TAG: "holiday"}))
        assert all(run.is_success for run in runs)
        assert_made(instance, there, ("ES",), SURFACES)


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

        waited_for(instance, over)
        runs = instance.get_runs()
        assert sorted(run.tags["spymaster/symbol"] for run in runs) == ["CL", "ES"]  # a range each, and only once
        assert {run.tags["dagster/sensor_name"] for run in runs} == {"raw_arrival"}
