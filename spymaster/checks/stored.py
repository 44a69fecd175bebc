"""Data integrity of any stored partition, whatever its table: contract, bytes, manifest, inputs, and no NaN."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from spymaster.checks.base import Check, Finding, Session, Severity, Suite, check
from spymaster.checks.frames import collect, describe, scan
from spymaster.lake.layout import MANIFEST_FILE, SUCCESS_FILE
from spymaster.lake.partition import Partition
from spymaster.lake.status import partition_status
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


def _contract_check(model: type[TableModel]) -> Check:
    rules = [rule for rule in model.rules() if rule.name != "finite"]

    def contract(session: Session) -> Finding:
        """The stored rows keep the contract of the table: columns, nulls, ranges, invariants, order, unique keys."""
        bad: Counter[str] = Counter()
        examples: tuple[str, ...] = ()
        for rows, carried in _overlapping_batches(session.partition(model.full_name)):
            kept = [rule.rows.fill_null(True).alias(rule.label) for rule in rules]
            counts = rows.select(kept).slice(carried).select((~pl.all()).sum()).row(0, named=True)
            broken = [rule for rule in rules if counts[rule.label]]
            bad.update({rule.label: int(counts[rule.label]) for rule in broken})
            if broken and not examples:
                at = ~broken[0].rows.fill_null(True)
                examples = describe(rows.with_columns(__at=at).slice(carried).filter("__at").select(broken[0].shown))
        if not bad:
            return Finding(0, f"all {len(rules)} rules of the table hold", {"rules": len(rules)})
        (worst, count), *_ = bad.most_common(1)
        sentence = next(rule.sentence for rule in rules if rule.label == worst)
        message = f"{count:,} rows break '{sentence}' ({len(bad)} of {len(rules)} rules broken)"
        return Finding(sum(bad.values()), message, {"rules": len(rules), "broken": ", ".join(bad)}, examples)

    return check(model.full_name, suite=Suite.DATA, blocking=True)(contract)


def _overlapping_batches(partition: Partition) -> Iterator[tuple[pl.DataFrame, int]]:
    """Batches of rows, each begun with the last row of the one before (1, else 0), so that neighbours meet once."""
    last: pl.DataFrame | None = None
    for batch in partition.batches():
        yield (batch, 0) if last is None else (pl.concat([last, batch]), 1)
        last = batch.tail(1)


def _provenance_check(model: type[TableModel]) -> Check:
    def manifest_true(session: Session) -> Finding:
        """The manifest tells the truth about identity, rows, columns, bytes, provenance and inputs.

        What makes the partition stale (changed inputs, settings, code) is a warning; anything else is an error.
        """
        partition = session.partition(model.full_name)
        lies = [*_identity(session, partition, model), *_copy(partition), *_look_ahead(partition)]
        stale = partition_status(session.lake, model, session.symbol, session.dt).reasons
        faults = [*lies, *stale]
        manifest = partition.manifest
        return Finding(
            len(faults),
            "; ".join(faults[:3])
            if faults
            else f"{manifest.rows:,} rows from {manifest.inputs_read} inputs, as recorded",
            {
                "rows": manifest.rows,
                "inputs": manifest.inputs_read,
                "provenance": manifest.provenance,
                "dataset": manifest.dataset,
                "empty_reason": manifest.empty_reason,
                "reasons_stale": len(stale),
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


def _label_date(label: str) -> date:
    return date.fromisoformat(label.rsplit(" ", 1)[1])


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


FINITE_CHECKS = [
    _finite_check(model) for model in all_tables().values() if any(column.is_float for column in model.columns.values())
]
CONTRACT_CHECKS = [_contract_check(model) for model in all_tables().values()]
MANIFEST_CHECKS = [_provenance_check(model) for model in all_tables().values()]
