"""Is a partition complete, stale or missing? Answered from manifests alone, without reading rows.

A partition is stale if the code version or schema of its table changed, if a setting it depends on changed, if an input
it was made from changed or is gone, or, where the caller knows what the inputs are today, if an input has come since.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from spymaster.lake.errors import CorruptPartitionError
from spymaster.lake.lake import Lake, TableName
from spymaster.lake.manifest import InputRecord, Manifest
from spymaster.lake.partition import Partition
from spymaster.lake.raw import arrived, cached_sha256
from spymaster.lake.writer import Input
from spymaster.tables import TableModel, all_tables
from spymaster.tables import table as table_model

State = Literal["complete", "stale", "missing"]


@dataclass(frozen=True)
class PartitionStatus:
    """State of one partition; `reasons` says in words why it is stale."""

    table: str
    symbol: str
    dt: date
    state: State
    reasons: tuple[str, ...] = ()

    @property
    def is_fresh(self) -> bool:
        """Complete, and nothing it depends on has changed."""
        return self.state == "complete"


def partition_status(
    lake: Lake, table: TableName, symbol: str, dt: date, expected_inputs: Sequence[Input] | None = None
) -> PartitionStatus:
    """State of one partition; with `expected_inputs`, an input that is new since it was written makes it stale too."""
    model = table_model(table) if isinstance(table, str) else table
    if not lake.has(model, symbol, dt):
        return PartitionStatus(model.full_name, symbol, dt, "missing")
    try:
        manifest = lake.partition(model, symbol, dt).manifest
    except CorruptPartitionError as error:
        return PartitionStatus(model.full_name, symbol, dt, "stale", (str(error),))
    reasons = (
        *_code_reasons(manifest, model),
        *_setting_reasons(manifest, lake, model),
        *_input_reasons(manifest, lake),
        *_new_inputs(manifest, expected_inputs),
    )
    return PartitionStatus(model.full_name, symbol, dt, "stale" if reasons else "complete", reasons)


def lake_status(
    lake: Lake, symbols: Iterable[str], dates: Sequence[date], tables: Iterable[TableName] | None = None
) -> list[PartitionStatus]:
    """States of all partitions of `tables` (default: all) for `symbols` and `dates`."""
    wanted = list(tables) if tables is not None else list(all_tables())
    return [partition_status(lake, table, symbol, dt) for table in wanted for symbol in symbols for dt in sorted(dates)]


def due(states: Sequence[PartitionStatus]) -> list[PartitionStatus]:
    """States less what is missing because a request for several dates makes it for the last one only (`last_only`).

    The last date of a symbol is that of its states.
    """
    last: dict[str, date] = {}
    for one in states:
        last[one.symbol] = max(last.get(one.symbol, one.dt), one.dt)
    return [
        one
        for one in states
        if one.state != "missing" or one.dt == last[one.symbol] or not table_model(one.table).last_only
    ]


def _code_reasons(manifest: Manifest, model: type[TableModel]) -> list[str]:
    if manifest.schema_fingerprint != model.schema_fingerprint():
        return ["the table has other columns today"]
    if manifest.code_version != model.code_version():
        return [f"written by code version {manifest.code_version}, today {model.code_version()}"]
    return []


def _setting_reasons(manifest: Manifest, lake: Lake, model: type[TableModel]) -> list[str]:
    reasons = []
    if manifest.profile != lake.profile:
        reasons.append(f"parameter profile was {manifest.profile}, is {lake.profile}")
    for name, today in lake.parameters(model, manifest.symbol).items():
        then = manifest.parameters.get(name, {})
        reasons += [
            f"{name}.{key} was {then.get(key)}, is {today.get(key)}"
            for key in sorted({*then, *today})
            if then.get(key) != today.get(key)
        ]
    return reasons


def _input_reasons(manifest: Manifest, lake: Lake) -> list[str]:
    reasons = []
    for record in manifest.inputs:
        if record.kind == "absent":
            file = arrived(lake, record.name)
            reasons += [f"input {file.name} has come since"] if file is not None else []
            continue
        found = current_hash(lake, record)
        if found is None:
            reasons.append(f"input {record.name} is gone")
        elif found != record.content_hash:
            reasons.append(f"input {record.name} has changed")
    return reasons


def _new_inputs(manifest: Manifest, expected: Sequence[Input] | None) -> list[str]:
    known = {record.name for record in manifest.inputs}
    records = [item.as_input() for item in expected or ()]
    return [
        f"input {record.name} has come since"
        for record in records
        if record.kind != "absent" and record.name not in known
    ]


def current_hash(lake: Lake, record: InputRecord) -> str | None:
    """Content hash that an input has today; None if it is gone or unreadable."""
    if record.kind == "raw":
        path = lake.root / record.name
        return cached_sha256(lake.root, path) if path.is_file() else None
    table, symbol, dt = record.name.split(" ")
    partition = Partition.at(lake.root, table, symbol, date.fromisoformat(dt))
    try:
        return partition.content_hash if partition.path.is_file() else None
    except CorruptPartitionError:
        return None
