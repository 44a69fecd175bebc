"""Writing one partition: validated frame by frame, streamed, and put in place by one atomic step.

    with lake.writer(Trade, "ES", dt) as writer:
        for frame in frames:
            writer.write(frame)
        writer.commit(inputs=[mbo_partition], counters=engine.counters)

Rows are regrouped into row groups of a fixed size, so that the file does not depend on how the caller cut its frames.
A group is validated against the table's model before a byte of it is stored, and its first row against the last one of
the group before (by group, not by frame: a Pandera schema has a fixed cost, which small frames would pay thousands of
times a day). Until `commit` the data lies in `_staging`; leaving the block without it removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from spymaster import __version__
from spymaster.lake import files, layout
from spymaster.lake.encoding import Encoding
from spymaster.lake.errors import LakeKindError, ManifestValueError, WriterStateError, full_disk_named
from spymaster.lake.manifest import (
    METADATA_KEY,
    InputRecord,
    Manifest,
    Provenance,
    json_data,
    one_provenance,
    provenance_of,
)
from spymaster.tables import TableModel
from spymaster.tables.validation import check_continuity, check_schema

if TYPE_CHECKING:
    from spymaster.lake.lake import Lake

NO_ROWS = "the inputs hold no rows for this table"


class Input(Protocol):
    """What `commit` takes as an input: a `Partition` or a `RawFile`."""

    def as_input(self) -> InputRecord:
        """The input's record in the manifest."""
        ...


class _HashingFile:
    """A file that hashes what is written through it; pyarrow writes strictly forward."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.size = 0
        self.closed = False
        self.discarding = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self.discarding:
            return len(view)
        files.write_all(self._file, view)
        self.hash.update(view)
        self.size += len(view)
        return len(view)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing is buffered."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


class PartitionWriter:
    """Context manager; see the module. One writer per partition at a time, or `LakeLockedError` on entry."""

    def __init__(self, lake: Lake, model: type[TableModel], symbol: str, dt: date) -> None:
        self._lake = lake
        self._model = model
        self._symbol = symbol
        self._dt = dt
        self._encoding = Encoding(model)
        self._target = layout.partition_dir(lake.root, model.full_name, symbol, dt)
        self.label = layout.partition_label(model.full_name, symbol, dt)
        self.rows = 0
        self._written = 0
        self._resources = ExitStack()
        self._state = "new"
        self._pending: list[pl.DataFrame] = []
        self._pending_rows = 0
        self._last: pl.DataFrame | None = None
        self._span: tuple[int, int] | None = None

    def __enter__(self) -> PartitionWriter:
        try:
            with full_disk_named(self.label):
                self._resources.enter_context(files.locked(self._lake.root, self.label))
                self._staged, self._file = files.open_staging(self._lake.root, self.label.replace(" ", "."))
                self._resources.callback(self._staged.unlink, missing_ok=True)
                self._resources.callback(self._file.close)
                self._sink = _HashingFile(self._file)
                self._parquet = self._encoding.open(self._sink)
                self._resources.callback(self._abandon)
        except BaseException:
            self._resources.close()
            raise
        self._state = "open"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._state = "closed"
        self._pending.clear()
        self._resources.close()

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows. Columns are checked here, values when a row group is full, the rest at `commit`.

        Raises `ContractError` (naming table, partition, rule, row and value) or `LakeFullError`; the partition then
        stays as it was.
        """
        self._require_open()
        check_schema(self._model, frame, f"{self._symbol} {self._dt}")
        if not frame.height:
            return
        self.rows += frame.height
        for run in self._runs(frame):
            self._append(run)

    def commit(
        self,
        inputs: Sequence[Input] = (),
        parameters: Mapping[str, Any] | None = None,
        counters: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        empty_reason: str | None = None,
        dataset: str | None = None,
        provenance: Provenance | None = None,
    ) -> Manifest:
        """Put the partition in place, whole, and return its manifest.

        The settings that the table declares are recorded by themselves; `parameters` adds to them. Dataset and
        provenance come from the inputs unless given. Raises `LakeKindError` if real and simulated data would meet, or
        nobody knows which it is; `LakeFullError`, with the old partition untouched, if there is no space.
        """
        self._require_open()
        records = tuple(item.as_input() for item in inputs)
        dataset = dataset or _shared_dataset(inputs)
        kind = self._provenance(inputs, dataset, provenance)
        self._flush(self._pending_rows)
        manifest = Manifest(
            table=self._model.full_name,
            symbol=self._symbol,
            dt=self._dt,
            schema_fingerprint=self._model.schema_fingerprint(),
            rows=self.rows,
            content_hash=hashlib.sha256(
                self._model.schema_fingerprint().encode() + self._sink.hash.digest()
            ).hexdigest(),
            code_version=self._model.code_version(),
            profile=self._lake.profile,
            provenance=kind,
            dataset=dataset,
            time_span=_readable_span(self._span),
            empty_reason=(empty_reason or NO_ROWS) if not self.rows else None,
            inputs=records,
            parameters=self._parameters(parameters or {}),
            counters=json_data(counters or {}, "counters"),
            notes=json_data(notes or {}, "notes"),
            software=f"spymaster {__version__}",
        )
        self._lake.claim_kind(kind)
        self._finish(manifest)
        self._state = "committed"
        return manifest

    def _finish(self, manifest: Manifest) -> None:
        """Close the file with its manifest, make it durable, swap it in, and refresh the copies beside it."""
        with full_disk_named(self.label):
            self._parquet.add_key_value_metadata({METADATA_KEY: manifest.to_json(), **self._encoding.metadata()})
            self._parquet.close()
            os.fsync(self._file.fileno())
            files.replace_durably(self._staged, self._target / layout.PART_FILE)
        write_copies(self._lake.root, self._target, manifest, self._sink.hash.hexdigest(), self._sink.size)

    def _parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        recorded = self._lake.parameters(self._model, self._symbol)
        taken = sorted(set(given) & set(recorded))
        if taken:
            raise ManifestValueError(
                f"{self.label}: the parameters {taken} are recorded from the settings by themselves"
            )
        return {**recorded, **json_data(given, "parameters")}

    def _abandon(self) -> None:
        """Let pyarrow end a file that nobody will see (it insists on writing a footer, also to a full disk)."""
        self._sink.discarding = True
        self._parquet.close()

    def _provenance(self, inputs: Sequence[Input], dataset: str | None, provenance: Provenance | None) -> Provenance:
        claims: dict[str, Provenance | None] = {"the caller": provenance}
        if dataset:
            claims[f"dataset {dataset}"] = provenance_of(dataset)
        for item in inputs:
            claims[item.as_input().name] = _provenance_of_input(item)
        claims[f"the lake {self._lake.root}"] = self._lake.kind
        kind = one_provenance(self.label, claims)
        if kind is None:
            raise LakeKindError(
                f"{self.label}: nothing says whether this is real or simulated data",
                hint="Pass the inputs, the DBN dataset name, or the provenance to commit().",
            )
        return kind

    def _runs(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Cut `frame` where a row group must end (one contract per row group)."""
        column = self._model.parquet.row_group_by
        if column is None:
            yield frame
            return
        # Rows come in the order of this column first, or their row group is refused: equal ends, equal rows.
        starts = [0]
        if frame.item(0, column) != frame.item(-1, column):
            differs = pl.col(column).ne_missing(pl.col(column).shift(1))
            starts = sorted({0, *frame.select(pl.arg_where(differs)).to_series().to_list()})
        for start, end in zip(starts, [*starts[1:], frame.height], strict=True):
            run = frame.slice(start, end - start)
            if self._pending and run.item(0, column) != self._pending[-1].item(0, column):
                self._flush(self._pending_rows)
            yield run

    def _append(self, frame: pl.DataFrame) -> None:
        self._pending.append(frame)
        self._pending_rows += frame.height
        while self._pending_rows >= self._model.parquet.row_group_rows:
            self._flush(self._model.parquet.row_group_rows)

    def _flush(self, rows: int) -> None:
        """Validate the next `rows` pending rows and write them as one row group."""
        if not rows:
            return
        pending = pl.concat(self._pending, rechunk=False)
        group, rest = pending.slice(0, rows), pending.slice(rows)
        self._pending = [rest] if rest.height else []
        self._pending_rows = rest.height
        # One chunk per column: where pages end must not depend on how the caller cut the frames.
        group = group.rechunk()
        self._validate(group)
        with full_disk_named(self.label):
            self._parquet.write_table(self._encoding.table(group), row_group_size=rows)
        self._widen_span(group)
        self._written += rows

    def _validate(self, group: pl.DataFrame) -> None:
        where = f"{self._symbol} {self._dt}, rows from {self._written}"
        self._model.validate(group, where=where)
        names = list(dict.fromkeys((*self._model.sort_by, *self._model.constant)))
        if self._last is not None:
            check_continuity(self._model, self._last, group.head(1).select(names), where)
        self._last = group.tail(1).select(names)

    def _widen_span(self, frame: pl.DataFrame) -> None:
        if self._model.time_column is None:
            return
        times = frame.get_column(self._model.time_column).to_physical()
        low, high = times.min(), times.max()
        if isinstance(low, int) and isinstance(high, int):
            self._span = (min(low, self._span[0]), max(high, self._span[1])) if self._span else (low, high)

    def _require_open(self) -> None:
        if self._state != "open":
            raise WriterStateError(
                f"the writer of {self.label} is {self._state}: use it inside its with block, commit once"
            )


def write_copies(root: Path, folder: Path, manifest: Manifest, file_sha256: str, size: int) -> None:
    """Write `_MANIFEST.json` and `_SUCCESS` beside a partition, for people and other tools."""
    record = manifest.as_dict()
    record["file_sha256"] = file_sha256
    record["file_bytes"] = size
    record["created_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    files.write_durably(root, folder / layout.MANIFEST_FILE, json.dumps(record, indent=1).encode() + b"\n")
    files.write_durably(root, folder / layout.SUCCESS_FILE, b"")


def _shared_dataset(inputs: Sequence[Input]) -> str | None:
    """The dataset that all inputs come from, if they say so and agree."""
    datasets = {getattr(getattr(item, "manifest", None), "dataset", None) for item in inputs} - {None}
    return datasets.pop() if len(datasets) == 1 else None


def _provenance_of_input(item: Input) -> Provenance | None:
    manifest = getattr(item, "manifest", None)
    return manifest.provenance if manifest is not None else getattr(item, "provenance", None)


def _readable_span(span: tuple[int, int] | None) -> tuple[str, str] | None:
    if span is None:
        return None
    first, last = pl.Series(span, dtype=pl.Int64).cast(pl.Datetime("ns")).dt.to_string("%Y-%m-%dT%H:%M:%S%.9fZ")
    return first, last
