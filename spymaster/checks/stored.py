"""Data integrity of any stored partition, whatever its table: the bytes, the manifest, the inputs, and no NaN."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from spymaster.checks.base import Check, Finding, Session, Severity, Suite, check
from spymaster.checks.frames import collect, scan
from spymaster.lake.layout import MANIFEST_FILE, SUCCESS_FILE
from spymaster.lake.manifest import Manifest
from spymaster.lake.partition import Partition
from spymaster.tables import TableModel, all_tables


def _finite_check(model: type[TableModel]) -> Check:
    floats = [name for name, column in model.columns.items() if column.is_float]

    def finite(session: Session) -> Finding:
        """No NaN and no infinity in any floating-point column."""
        counts = collect(
            scan(session, model.full_name, floats).select((~pl.col(name).is_finite()).sum() for name in floats)
        ).row(0, named=True)
        bad = {name: int(count) for name, count in counts.items() if count}
        if not bad:
            return Finding(0, f"{len(floats)} columns hold finite numbers only", {"columns": len(floats)})
        worst = max(bad, key=lambda name: bad[name])
        return Finding(
            sum(bad.values()),
            f"{sum(bad.values()):,} values are NaN or infinite in {len(bad)} columns, most in {worst} ({bad[worst]:,})",
            {"columns": len(floats)},
            tuple(f"{name}: {count}" for name, count in bad.items()),
        )

    return check(model.full_name, suite=Suite.DATA, blocking=True)(finite)


def _provenance_check(model: type[TableModel]) -> Check:
    def manifest_true(session: Session) -> Finding:
        """The manifest tells the truth about identity, rows, columns, bytes, provenance and inputs.

        Inputs that changed or are gone since make the partition stale, which is a warning; anything else is an error.
        """
        partition = session.partition(model.full_name)
        lies = [*_identity(session, partition, model), *_copy(partition), *_look_ahead(partition)]
        stale = list(_stale_inputs(session, partition.manifest))
        faults = lies + stale
        manifest = partition.manifest
        return Finding(
            len(faults),
            "; ".join(faults[:3])
            if faults
            else f"{manifest.rows:,} rows from {len(manifest.inputs)} inputs, as recorded",
            {
                "rows": manifest.rows,
                "inputs": len(manifest.inputs),
                "provenance": manifest.provenance,
                "dataset": manifest.dataset,
                "empty_reason": manifest.empty_reason,
                "stale_inputs": len(stale),
            },
            tuple(faults),
            Severity.ERROR if lies else Severity.WARN,
        )

    return check(model.full_name, suite=Suite.DATA)(manifest_true)


def _identity(session: Session, partition: Partition, model: type[TableModel]):
    """What the manifest says about the partition against what the partition is."""
    manifest = partition.manifest
    rows = collect(partition.scan().select(pl.len())).item()
    columns = partition.scan().collect_schema()
    facts: list[tuple[str, Any, Any]] = [
        ("table", manifest.table, partition.table),
        ("symbol", manifest.symbol, partition.symbol),
        ("date", manifest.dt, partition.dt),
        ("rows", manifest.rows, rows),
        ("provenance (that of the lake)", manifest.provenance, session.lake.kind),
    ]
    yield from (f"{what}: manifest says {told}, is {found}" for what, told, found in facts if told != found)
    if columns != model.schema() or columns.names() != model.schema().names():
        yield f"columns are not those of {model.full_name}"
    if manifest.schema_fingerprint != model.schema_fingerprint():
        yield f"schema fingerprint {manifest.schema_fingerprint} is not today's {model.schema_fingerprint()}"
    if not manifest.rows and not manifest.empty_reason:
        yield "no rows, and no reason why"


def _copy(partition: Partition):
    """The copy of the manifest beside the file: equal to the one inside, with the SHA-256 of the file as it is."""
    folder = partition.path.parent
    copy = folder / MANIFEST_FILE
    if not copy.is_file() or not (folder / SUCCESS_FILE).is_file():
        yield f"{MANIFEST_FILE} or {SUCCESS_FILE} is missing beside {partition.path}"
        return
    record = json.loads(copy.read_text(encoding="utf-8"))
    inside = partition.manifest.as_dict()
    differing = sorted(name for name, value in inside.items() if record.get(name) != value)
    if differing:
        yield f"{MANIFEST_FILE} differs from the manifest inside the file in {', '.join(differing)}"
    if record.get("file_sha256") != _sha256(partition.path):
        yield f"{partition.path.name} does not have the SHA-256 of its {MANIFEST_FILE}: the file was changed"


def _look_ahead(partition: Partition):
    """Inputs of a later date than the partition's own."""
    for record in partition.manifest.inputs:
        if record.kind == "partition" and _label_date(record.name) > partition.dt:
            yield f"input {record.name} lies in the future"


def _stale_inputs(session: Session, manifest: Manifest):
    """Inputs that are gone or have other content than when the partition was made."""
    for record in manifest.inputs:
        if record.kind == "raw":
            if not (session.lake.root / record.name).is_file():
                yield f"raw input {record.name} is gone"
            continue
        table, symbol, _ = record.name.split()
        if not session.lake.has(table, symbol, _label_date(record.name)):
            yield f"input {record.name} is gone"
        elif session.lake.partition(table, symbol, _label_date(record.name)).content_hash != record.content_hash:
            yield f"input {record.name} has changed since"


def _label_date(label: str) -> date:
    return date.fromisoformat(label.rsplit(" ", 1)[1])


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


FINITE_CHECKS = [
    _finite_check(model) for model in all_tables().values() if any(column.is_float for column in model.columns.values())
]
MANIFEST_CHECKS = [_provenance_check(model) for model in all_tables().values()]
