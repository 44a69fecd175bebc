"""Materialisation events: data versions are content hashes, so Dagster shows as stale what the lake calls stale.

Dagster derives these tags for outputs it reports itself; partitions that the loop reports one by one carry the same
tags, with the hash of the stored rows as the data version, and for each upstream asset the hash of what was read and
the event that was the latest when it was read.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from spymaster.lake.raw import AbsentRaw, RawFile
from spymaster_assets.metadata import asset_key, partition_metadata, raw_key
from spymaster_assets.partitions import SessionKey
from spymaster_assets.recipe import Made


def materialization(context: dg.AssetExecutionContext, session: SessionKey, made: Made) -> dg.AssetMaterialization:
    """The event for one partition of one table. A partition left as it is keeps the figures it was made with."""
    key = asset_key(made.model)
    tags = {
        DATA_VERSION_TAG: made.partition.content_hash,
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
        CODE_VERSION_TAG: made.partition.manifest.code_version,
    }
    versions = _input_versions(made)
    for parent, pointer in _event_pointers(context, key).items():
        tags[get_input_data_version_tag(parent)] = versions.get(parent, "none")
        tags[get_input_event_pointer_tag(parent)] = pointer
    known = _latest(context.instance, key, session) if made.reused else None
    if known and (known.tags or {}).get(DATA_VERSION_TAG) == made.partition.content_hash:
        metadata = {**known.metadata, "reused": True}
    else:
        metadata = partition_metadata(made)
    return dg.AssetMaterialization(key, partition=session.partition_key, metadata=metadata, tags=tags)


def raw_files_seen(
    instance: dg.DagsterInstance, session: SessionKey, made: Sequence[Made]
) -> Iterator[dg.AssetObservation | dg.AssetMaterialization]:
    """Events of the external raw assets, for raw files that Dagster has not heard of or that were replaced.

    The observation carries the data version that Dagster compares; the materialisation shows that the file is there.
    """
    files = {item.name: item for one in made for item in one.inputs if isinstance(item, RawFile)}
    for file in files.values():
        key = raw_key(file.table, file.product_type)
        known = _latest(instance, key, session)
        if known is not None and (known.tags or {}).get(DATA_VERSION_TAG) == file.sha256:
            continue
        partition = SessionKey(file.dt, file.symbol).partition_key
        tags = {DATA_VERSION_TAG: file.sha256, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
        metadata = {
            "path": dg.MetadataValue.path(str(file.path)),
            "bytes": file.path.stat().st_size,
            "provenance": file.provenance,
        }
        yield dg.AssetObservation(key, partition=partition, metadata=metadata, tags=tags)
        yield dg.AssetMaterialization(key, partition=partition, metadata=metadata, tags=tags)


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey, session: SessionKey) -> dg.AssetMaterialization | None:
    """The latest event of one partition of an asset."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[str(session)]), limit=1
    ).records
    return found[0].asset_materialization if found else None


def _input_versions(made: Made) -> dict[dg.AssetKey, str]:
    """One version per upstream asset: the hash of a single input, or of the hashes of a history in date order."""
    hashes: dict[dg.AssetKey, list[str]] = defaultdict(list)
    for item in made.inputs:
        if isinstance(item, AbsentRaw):
            continue
        of_raw = isinstance(item, RawFile)
        parent = raw_key(item.table, item.product_type) if of_raw else dg.AssetKey(item.table.split("."))
        hashes[parent].append(item.as_input().content_hash)
    return {
        parent: values[0] if len(values) == 1 else hashlib.sha256("".join(values).encode()).hexdigest()
        for parent, values in hashes.items()
    }


def _event_pointers(context: dg.AssetExecutionContext, key: dg.AssetKey) -> dict[dg.AssetKey, str]:
    """The latest event of each upstream asset, as Dagster compares it with what comes later."""
    parents = context.assets_def.asset_deps[key]
    records = context.instance.get_asset_records(list(parents))
    latest = {record.asset_entry.asset_key: record.asset_entry.last_materialization_storage_id for record in records}
    return {parent: str(latest.get(parent) or NULL_EVENT_POINTER) for parent in sorted(parents)}
