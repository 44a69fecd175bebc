"""Asset checks: the integrity checks of `spymaster.checks`, evaluated partition by partition.

Nothing is registered by hand: a check, written for one table or generated from the models, appears on the table it
is about. They run right after their partition was made, in the same step, so that a failed blocking check
holds back exactly that partition: assets below skip it, in this run and in later ones, until it passes. A partition
that was left as it is keeps the verdict it had.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from spymaster.checks import Check, Severity, all_checks
from spymaster.lake.lake import Lake
from spymaster.tables.model import TableModel
from spymaster_assets.metadata import asset_key
from spymaster_assets.partitions import SessionKey, session_partitions
from spymaster_assets.recipe import Made
from spymaster_assets.resources import load_settings

CONTENT_HASH = "content_hash"
"""Metadata of a verdict: the rows it was passed on."""

_EVALUATED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
_SEVERITY = {Severity.WARN: dg.AssetCheckSeverity.WARN, Severity.ERROR: dg.AssetCheckSeverity.ERROR}


@cache
def checks_of(table: str) -> tuple[Check, ...]:
    """The library's checks about one table."""
    return tuple(check for check in all_checks() if check.tables[0] == table)


def specs(model: type[TableModel]) -> list[dg.AssetCheckSpec]:
    """The checks of a table as Dagster lists them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # of partitioned checks
        return [
            dg.AssetCheckSpec(
                check.name,
                asset=asset_key(model),
                description=check.description,
                blocking=check.blocking,
                metadata={"suite": check.suite.value, "reads": ", ".join(check.tables)},
                partitions_def=session_partitions(load_settings()),
            )
            for check in checks_of(model.full_name)
        ]


def evaluations(
    context: dg.AssetExecutionContext, lake: Lake, session: SessionKey, made: Made
) -> Iterator[dg.AssetCheckEvaluation]:
    """Evaluate the selected checks of one table on one partition.

    A check that reads tables which are not there yet says so in the log and passes no judgement.
    """
    selected = context.selected_asset_check_keys
    table = asset_key(made.model)
    wanted = [check for check in checks_of(made.model.full_name) if dg.AssetCheckKey(table, check.name) in selected]
    if not wanted:
        return
    target = _target(context.instance, table, session)
    for check in wanted:
        missing = check.missing(lake, session.symbol, session.dt)
        if missing:
            context.log.info(f"{session} check {check.name} not run: no {', '.join(missing)}")
            continue
        known = _verdict(context.instance, dg.AssetCheckKey(table, check.name), session, made) if made.reused else None
        yield known or _evaluate(check, lake, session, made, target)


def withheld(instance: dg.DagsterInstance, model: type[TableModel]) -> dict[SessionKey, str]:
    """Partitions of a table whose latest verdict in a blocking check is an error, with the reason."""
    keys = [dg.AssetCheckKey(asset_key(model), check.name) for check in checks_of(model.full_name) if check.blocking]
    reasons: dict[SessionKey, str] = {}
    for info in instance.event_log_storage.get_asset_check_partition_info(keys) if keys else ():
        if info.partition_key and info.latest_execution_status is AssetCheckExecutionRecordStatus.FAILED:
            session = SessionKey.parse(info.partition_key)
            evaluation = _latest(instance, info.check_key, session)
            if evaluation and not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR:
                reasons[session] = f"blocking check {info.check_key.name} failed: {evaluation.description}"
    return reasons


def is_blocking_failure(event: object) -> bool:
    """Whether an event is the verdict that holds a partition back."""
    return (
        isinstance(event, dg.AssetCheckEvaluation)
        and event.blocking is True
        and not event.passed
        and event.severity is dg.AssetCheckSeverity.ERROR
    )


def _evaluate(
    check: Check,
    lake: Lake,
    session: SessionKey,
    made: Made,
    target: AssetCheckEvaluationTargetMaterializationData | None,
) -> dg.AssetCheckEvaluation:
    result = check.run(lake, session.symbol, session.dt)
    metadata: dict[str, Any] = {CONTENT_HASH: made.partition.content_hash, **result.metadata}
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(made.model),
        check_name=check.name,
        passed=result.passed,
        severity=_SEVERITY[result.severity],
        description=result.message,
        blocking=check.blocking,
        metadata={name: value for name, value in metadata.items() if value is not None},
        partition=str(session),
        target_materialization_data=target,
    )


def _verdict(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, session: SessionKey, made: Made
) -> dg.AssetCheckEvaluation | None:
    """The verdict that these very rows have passed before, or None: failures are always looked at again."""
    evaluation = _latest(instance, key, session)
    if evaluation is None or not evaluation.passed:
        return None
    known = evaluation.metadata.get(CONTENT_HASH)
    return evaluation if known is not None and known.value == made.partition.content_hash else None


def _latest(instance: dg.DagsterInstance, key: dg.AssetCheckKey, session: SessionKey) -> dg.AssetCheckEvaluation | None:
    records = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=1, status=_EVALUATED, partition_filter=PartitionKeyFilter(key=str(session))
    )
    return records[0].evaluation if records else None


def _target(
    instance: dg.DagsterInstance, key: dg.AssetKey, session: SessionKey
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """The materialisation that a verdict is about."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[str(session)]), limit=1
    ).records
    if not found:
        return None
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=found[0].storage_id, run_id=found[0].run_id, timestamp=found[0].timestamp
    )
