"""One Dagster run over one range of dates, executed in this process, with its events handed on as they happen."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run_iterator
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from spymaster_assets import progress
from spymaster_assets.jobs import ALL_TABLES
from spymaster_assets.partitions import SessionKey
from spymaster_assets.resources import OVERWRITE_TAG

RUNNER_TAG = "spymaster/runner"
"""Host, process and start of the process that executes a run: tells a run that is going on from one that died."""

Emit = Callable[[progress.Line], None]


@dataclass(frozen=True)
class Share:
    """A run to execute: tables of one stage (full names), one symbol, a range of dates."""

    symbol: str
    first: date
    last: date
    tables: tuple[str, ...]
    overwrite: tuple[str, ...] = ()


def execute(share: Share, instance: dg.DagsterInstance, emit: Emit) -> bool:
    """Execute a run and report its progress; whether everything went well."""
    job = ReconstructableRepository.for_module(
        "spymaster_assets.definitions", "defs", os.getcwd()
    ).get_reconstructable_job(ALL_TABLES.name)
    run = instance.create_run_for_job(
        job_def=job.get_definition(),
        asset_selection=frozenset(dg.AssetKey(table.split(".")) for table in share.tables),
        job_code_origin=job.get_python_origin(),
        run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        tags={
            ASSET_PARTITION_RANGE_START_TAG: str(SessionKey(share.first, share.symbol)),
            ASSET_PARTITION_RANGE_END_TAG: str(SessionKey(share.last, share.symbol)),
            OVERWRITE_TAG: ",".join(share.overwrite) or "-",
            RUNNER_TAG: this_process(),
        },
    )
    line = {
        "event": "run",
        "run_id": run.run_id,
        "symbol": share.symbol,
        "first": share.first.isoformat(),
        "last": share.last.isoformat(),
        "tables": list(share.tables),
    }
    emit(line | {"status": "started"})
    for event in execute_run_iterator(job, run, instance):
        for item in progress.lines(event):
            emit(item)
    finished = instance.get_run_by_id(run.run_id)
    good = finished is not None and finished.is_success
    emit(line | {"status": "finished" if good else "failed"})
    return good


def bury_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs failed whose process on this host is gone (killed, power loss); they would hold a slot for ever."""
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    buried = []
    for run in instance.get_runs(filters):
        owner = run.tags.get(RUNNER_TAG)
        if owner and not _alive(owner):
            instance.report_run_failed(run, f"its process ({owner}) is gone")
            buried.append(run.run_id)
    return buried


def this_process() -> str:
    """`host:pid:start`, where start tells a process from a later one with the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


def _alive(owner: str) -> bool:
    host, pid, start = owner.rsplit(":", 2)
    return host != socket.gethostname() or _start_of(int(pid)) == start


def _start_of(pid: int) -> str:
    """Start time of a process in clock ticks since boot; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
