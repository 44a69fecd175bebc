"""One Dagster run over one range of dates, executed in this process, with its events handed on as they happen."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run_iterator
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from spymaster_assets import progress
from spymaster_assets.jobs import ALL_TABLES
from spymaster_assets.liveness import PROCESS_TAG, this_process
from spymaster_assets.partitions import SessionKey
from spymaster_assets.resources import OVERWRITE_TAG

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
            PROCESS_TAG: this_process(),
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
