"""One Dagster run over one range of dates, executed in this process, with its events handed on as they happen."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.execution.api import create_execution_plan, execute_run_iterator
from dagster._core.snap import snapshot_from_execution_plan
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from spymaster_assets import progress
from spymaster_assets.checks import checks_of
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
    run = _create_run(share, instance, job)
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


def _create_run(share: Share, instance: dg.DagsterInstance, job: ReconstructableJob) -> dg.DagsterRun:
    """The run on record. `DagsterInstance.create_run_for_job` does the same but takes no selection of checks, which
    means all of these tables, also those that the job leaves out."""
    keys = {table: dg.AssetKey(table.split(".")) for table in share.tables}
    checks = {dg.AssetCheckKey(key, check.name) for table, key in keys.items() for check in checks_of(table)}
    subset = job.get_subset(asset_selection=frozenset(keys.values()), asset_check_selection=frozenset(checks))
    definition = subset.get_definition()
    config = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    tags = {
        ASSET_PARTITION_RANGE_START_TAG: str(SessionKey(share.first, share.symbol)),
        ASSET_PARTITION_RANGE_END_TAG: str(SessionKey(share.last, share.symbol)),
        OVERWRITE_TAG: ",".join(share.overwrite) or "-",
        PROCESS_TAG: this_process(),
    }
    reference = instance.get_ref() if instance.is_persistent else None
    plan = create_execution_plan(subset, config, instance_ref=reference, tags=tags)
    return instance.create_run(
        job_name=definition.name,
        run_id=None,
        run_config=config,
        status=None,
        tags=tags,
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=plan.step_keys_to_execute,
        execution_plan_snapshot=snapshot_from_execution_plan(plan, definition.get_job_snapshot_id()),
        job_snapshot=definition.get_job_snapshot(),
        parent_job_snapshot=definition.get_parent_job_snapshot(),
        asset_selection=subset.asset_selection,
        asset_check_selection=subset.asset_check_selection,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=None,
        job_code_origin=job.get_python_origin(),
        asset_graph=definition.asset_layer.asset_graph,
    )
