"""Partitions that no run will make do not belong into a backfill: they are taken out of its target.

A backfill names partitions, and Dagster adds every later date whose history they are part of. Some of those are
holidays, weekdays to come, or files nobody has. They are skipped and stay unmaterialised, and Dagster would hold back
every later date that has them in its history until it gives the backfill up as failed. So each step of a run that
belongs to a backfill makes sure that the target holds only sessions that have a raw file, and, of tables that are made
for the last date of a request, only that date of each symbol. (The daemon may store its own view of the backfill at the
same moment; then the next step repeats it.)"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from functools import cache

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.tags import BACKFILL_ID_TAG

from spymaster.lake.lake import Lake
from spymaster.lake.raw import raw_files
from spymaster_assets.partitions import SessionKey


@dataclass(frozen=True)
class LeftOut:
    """What was taken out of a backfill: how many partitions; and the last session of each symbol that it asks for."""

    partitions: int = 0
    last: dict[str, SessionKey] = field(default_factory=dict)
    """By symbol, of those that have a raw file; empty where a run belongs to no backfill."""


def leave_out_absent(context: dg.AssetExecutionContext, lake: Lake, last_only: Set[dg.AssetKey]) -> LeftOut:
    """Take partitions that no run will make out of the run's backfill, if it has one.

    last_only: tables that are made for the last date of a request only.
    """
    name = context.run.tags.get(BACKFILL_ID_TAG)
    backfill = context.instance.get_backfill(name) if name else None
    if backfill is None or not backfill.is_asset_backfill or backfill.status is not BulkActionStatus.REQUESTED:
        return LeftOut()
    graph = context.repository_def.asset_graph
    data = backfill.get_asset_backfill_data(graph)
    absent, last = _absent(data.target_subset, lake, graph, last_only)
    if not absent.num_partitions_and_non_partitioned_assets:
        return LeftOut(0, last)
    data = data._replace(target_subset=data.target_subset - absent, requested_subset=data.requested_subset - absent)
    context.instance.update_backfill(
        backfill.with_asset_backfill_data(data, dynamic_partitions_store=context.instance, asset_graph=graph)
    )
    return LeftOut(absent.num_partitions_and_non_partitioned_assets, last)


def _absent(
    target: AssetGraphSubset, lake: Lake, graph: AssetGraph, last_only: Set[dg.AssetKey]
) -> tuple[AssetGraphSubset, dict[str, SessionKey]]:
    """What no run will make of a target, and its last session by symbol that has a raw file."""

    @cache
    def has_raw(session: SessionKey) -> bool:
        return bool(raw_files(lake, session.symbol, "market_by_order_dbn", session.dt))

    sessions = {
        partition: SessionKey.parse(partition.partition_key)
        for partition in target.iterate_asset_partitions()
        if partition.partition_key
    }
    last = {session.symbol: session for session in sorted(set(sessions.values())) if has_raw(session)}
    partitions = {
        partition
        for partition, session in sessions.items()
        if not has_raw(session) or (partition.asset_key in last_only and session != last[session.symbol])
    }
    return AssetGraphSubset.from_asset_partition_set(set[AssetKeyPartitionKey](partitions), graph), last
