"""History in SQLite with connections that stay open: nothing is lost, and Dagster's own storage reads it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster import DagsterEventType
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._core.utils import make_new_run_id

from spymaster_assets import storage
from spymaster_assets.storage import KeptEventLogStorage, LakeHistoryStorage
from spymaster_tests.conftest import REPOSITORY

KEY = dg.AssetKey(["silver", "trade"])

WRITE_AND_DIE = """
import os, signal, sys
import dagster as dg
with dg.DagsterInstance.get() as instance:
    for number in range(20):
        event = dg.AssetMaterialization(dg.AssetKey(["silver", "trade"]), partition=str(number))
        instance.report_runless_asset_event(event)
    print("written", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Dagster home that is configured like ours."""
    ours = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())["storage"]["custom"]
    folder = tmp_path / "home"
    folder.mkdir()
    config = {"storage": {"custom": {**ours, "config": {"base_dir": str(tmp_path / "storage")}}}}
    (folder / "dagster.yaml").write_text(yaml.dump(config))
    return folder


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def said(run_id: str, text: str) -> EventLogEntry:
    event = DagsterEvent(
        DagsterEventType.ENGINE_EVENT.value, "job", message=text, event_specific_data=EngineEventData()
    )
    return EventLogEntry(None, "debug", text, run_id, time.time(), dagster_event=event)


def test_the_configuration_makes_it(instance: dg.DagsterInstance):
    assert isinstance(instance.event_log_storage, KeptEventLogStorage)


def test_events_survive_a_killed_process_and_dagsters_own_storage_reads_them(home: Path, tmp_path: Path):
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    command = [sys.executable, "-c", WRITE_AND_DIE]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "written\n"), done.stderr
    own = DagsterSqliteStorage(str(tmp_path / "storage"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        own.register_instance(instance)
        assert own.event_log_storage.get_materialized_partitions(KEY) == {str(number) for number in range(20)}
        assert instance.get_materialized_partitions(KEY) == {str(number) for number in range(20)}


def test_no_more_databases_are_held_open_than_said(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storage, "KEPT", 2)
    events = instance.event_log_storage
    assert isinstance(events, KeptEventLogStorage)
    runs = [make_new_run_id() for _ in range(5)]
    for _ in range(2):  # the second time round every one has been closed in between
        for run in runs:
            events.store_event(said(run, "hello"))
    assert [len(events.get_records_for_run(run).records) for run in runs] == [2] * 5
    open_files = {os.path.basename(path) for path in map(os.path.realpath, Path("/proc/self/fd").iterdir())}
    assert {f"{run}.db" for run in runs} & open_files == {f"{run}.db" for run in runs[-2:]}


def test_a_run_is_followed_while_it_is_written(instance: dg.DagsterInstance):
    events, run = instance.event_log_storage, make_new_run_id()
    seen: list[str] = []

    def follow(entry: EventLogEntry, cursor: str) -> None:
        seen.append(entry.user_message)

    events.watch(run, None, follow)
    events.store_event(said(run, "first"))
    events.store_event(said(run, "second"))
    deadline = time.monotonic() + 20
    while len(seen) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    events.end_watch(run, follow)
    assert seen == ["first", "second"]


def test_wiped_history_is_gone(instance: dg.DagsterInstance):
    run = make_new_run_id()
    instance.event_log_storage.store_event(said(run, "hello"))
    instance.event_log_storage.wipe()
    assert instance.event_log_storage.get_records_for_run(run).records == []


def test_processes_that_start_at_once_on_a_new_home_make_it_once(tmp_path: Path):
    folder = tmp_path / "storage"
    with ThreadPoolExecutor(6) as together:
        list(together.map(lambda _: LakeHistoryStorage(str(folder)), range(6)))
    databases = list(folder.rglob("*.db"))
    assert {path.stem for path in databases} == {"runs", "index", "schedules"}
    for path in databases:
        with sqlite3.connect(path) as connection:
            assert connection.execute("select count(*) from alembic_version").fetchone() == (1,)
