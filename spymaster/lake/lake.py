"""The lake: a root folder, what it holds, and the way in and out of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from spymaster.lake import files, layout
from spymaster.lake.errors import (
    CorruptLakeError,
    LakeKindError,
    LakeNotFoundError,
    MissingPartitionError,
    SchemaDriftError,
    UnknownColumnError,
    UnsupportedLakeRootError,
)
from spymaster.lake.manifest import Provenance, json_data
from spymaster.lake.partition import Partition
from spymaster.lake.writer import PartitionWriter
from spymaster.settings import ParameterProfile, Settings, get_settings
from spymaster.tables import TableModel
from spymaster.tables import table as table_model

TableName = str | type[TableModel]

FORMAT = 1


class Lake:
    """A lake root. Open it with `Lake.open`; it holds no state but its root and the settings."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings

    @classmethod
    def open(
        cls,
        root: str | Path | None = None,
        *,
        settings: Settings | None = None,
        create: bool = False,
        kind: Provenance | None = None,
    ) -> Lake:
        """Open the lake at `root` (default: the setting `lake_root`).

        With `create`, a root that is not a lake yet becomes one; `kind` fixes at once what it may hold.
        Raises `LakeNotFoundError`, `CorruptLakeError`, `UnsupportedLakeRootError`, or `LakeKindError` if `kind` is not
        what the lake holds.
        """
        settings = settings or get_settings()
        root = root if root is not None else settings.lake_root
        if "://" in str(root):
            raise UnsupportedLakeRootError(
                f"lake root {root} is a URI", hint="Mount the bucket and give the path of the mount."
            )
        lake = cls(Path(root).expanduser().absolute(), settings)
        if not lake._file.exists():
            if not create:
                raise LakeNotFoundError(
                    f"{lake.root} is not a data lake (it has no {layout.LAKE_FILE})",
                    hint="Add raw data or run `spymaster demo` to create one, or name another with --lake.",
                )
            with files.locked(lake.root, "lake", wait=True):
                if not lake._file.exists():
                    lake._store(None, settings.parameter_profile or "standard")
        lake._record()
        if kind is not None:
            lake.claim_kind(kind)
        return lake

    @property
    def kind(self) -> Provenance | None:
        """What the root holds: real or simulated data; None until the first data arrives."""
        return self._record()["kind"]

    @property
    def profile(self) -> ParameterProfile:
        """Parameter profile: that of the settings, else the one the lake was made with."""
        return self.settings.parameter_profile or self._record()["parameter_profile"]

    def claim_kind(self, kind: Provenance) -> None:
        """Make this a lake of `kind` data, or raise `LakeKindError` if it already is one of the other."""
        if self.kind == kind:
            return
        with files.locked(self.root, "lake", wait=True):
            record = self._record()
            if record["kind"] not in (None, kind):
                raise LakeKindError(
                    f"{self.root} holds {record['kind']} data; {kind} data must not enter it",
                    hint="Use another lake root: real and simulated data never share one.",
                )
            self._store(kind, record["parameter_profile"])

    def set_profile(self, profile: ParameterProfile) -> None:
        """Record the parameter profile of the root; partitions made with another one become stale."""
        if self._record()["parameter_profile"] != profile:
            with files.locked(self.root, "lake", wait=True):
                self._store(self._record()["kind"], profile)

    def partition(self, table: TableName, symbol: str, dt: date) -> Partition:
        """The complete partition of `table`, or `MissingPartitionError`."""
        partition = self._partition(table, symbol, dt)
        if not partition.path.is_file():
            raise MissingPartitionError(
                f"{partition.label} is not in {self.root}",
                hint=f"Materialise it: spymaster run --symbol {symbol} --dates {dt}:{dt}",
            )
        return partition

    def has(self, table: TableName, symbol: str, dt: date) -> bool:
        """Whether the partition is there (it is then whole)."""
        return self._partition(table, symbol, dt).path.is_file()

    def partitions(
        self, table: TableName, symbol: str | None = None, start: date | None = None, end: date | None = None
    ) -> list[Partition]:
        """Complete partitions of `table`, by symbol and date; `start` and `end` are inclusive."""
        name = _model(table).full_name
        folder = layout.table_dir(self.root, name)
        symbols = [symbol] if symbol is not None else _symbols(folder)
        keys = [(one, dt) for one in symbols for dt in _dates(layout.symbol_dir(self.root, name, one))]
        found = [
            Partition.at(self.root, name, one, dt)
            for one, dt in keys
            if (start is None or dt >= start) and (end is None or dt <= end)
        ]
        return [partition for partition in found if partition.path.is_file()]

    def scan(
        self,
        table: TableName,
        symbol: str | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Rows of all matching partitions, lazily, with `symbol` and `dt` as the last columns.

        Only `columns` are read from disk. No matching partition gives an empty frame of the table's schema.
        Raises `UnknownColumnError`, and `SchemaDriftError` naming a partition that an older version wrote.
        """
        model = _model(table)
        wanted = list(columns) if columns is not None else list(model.columns)
        stored = [name for name in wanted if name not in ("symbol", "dt")]
        unknown = [name for name in stored if name not in model.columns]
        if unknown:
            raise UnknownColumnError(
                f"{model.full_name} has no columns {unknown}", hint=f"It has {', '.join(model.columns)}, symbol, dt."
            )
        partitions = self.partitions(model, symbol, start, end)
        if not partitions:
            return model.empty().lazy().select(stored).with_columns(_hive_columns("", date(1970, 1, 1)))
        for partition in partitions:
            if partition.manifest.schema_fingerprint != model.schema_fingerprint():
                raise SchemaDriftError(
                    f"{partition.label} was written with other columns than {model.full_name} has today",
                    hint="Materialise it again, or read it alone with partition.scan().",
                )
        return pl.concat(
            [
                partition.scan().select(stored).with_columns(_hive_columns(partition.symbol, partition.dt))
                for partition in partitions
            ]
        )

    def read(
        self,
        table: TableName,
        symbol: str | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """`scan`, collected."""
        return self.scan(table, symbol, start, end, columns).collect()

    def writer(self, table: TableName, symbol: str, dt: date) -> PartitionWriter:
        """A writer for one partition, to be used in a `with` block."""
        return PartitionWriter(self, _model(table), symbol, dt)

    def parameters(self, table: TableName, symbol: str) -> dict[str, Any]:
        """The settings a table's values depend on, as its manifest records them.

        Sections of the settings by name, and `instrument` for what the configuration says about `symbol`.
        """
        return {name: self._parameter(name, symbol) for name in _model(table).parameters}

    def _parameter(self, name: str, symbol: str) -> dict[str, Any]:
        if name == "instrument":
            from dataclasses import asdict

            from spymaster.market.instruments import instrument

            return json_data(asdict(instrument(symbol, self.settings)), name)
        return getattr(self.settings, name).model_dump(mode="json")

    def _partition(self, table: TableName, symbol: str, dt: date) -> Partition:
        return Partition.at(self.root, _model(table).full_name, symbol, dt)

    @cached_property
    def _file(self) -> Path:
        return self.root / layout.LAKE_FILE

    def _record(self) -> dict[str, Any]:
        try:
            record = json.loads(self._file.read_text())
            if record["format"] != FORMAT or record["kind"] not in (None, "real", "simulated"):
                raise ValueError(f"format {record['format']}, kind {record['kind']}")
            if record["parameter_profile"] not in ("standard", "demo"):
                raise ValueError(f"parameter profile {record['parameter_profile']}")
        except FileNotFoundError:
            raise LakeNotFoundError(f"{self.root} is no longer a data lake: {layout.LAKE_FILE} is gone") from None
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptLakeError(
                f"{self._file} cannot be read: {error}",
                hint='Restore it, e.g. {"format": 1, "kind": "real", "parameter_profile": "standard"}.',
            ) from error
        return record

    def _store(self, kind: Provenance | None, profile: str) -> None:
        record = {"format": FORMAT, "kind": kind, "parameter_profile": profile}
        files.write_durably(self.root, self._file, json.dumps(record).encode() + b"\n")


def _model(table: TableName) -> type[TableModel]:
    return table_model(table) if isinstance(table, str) else table


def _symbols(folder: Path) -> list[str]:
    """Symbols that have a folder in a table's folder; anything that is not one of ours is passed over."""
    names = [path.name.removeprefix("symbol=") for path in folder.glob("symbol=*")]
    return sorted(name for name in names if layout.is_symbol(name))


def _dates(folder: Path) -> list[date]:
    """Dates that have a folder in a symbol's folder, likewise."""
    dates = []
    for path in folder.glob("dt=????-??-??"):
        with suppress(ValueError):
            dates.append(date.fromisoformat(path.name.removeprefix("dt=")))
    return sorted(dates)


def _hive_columns(symbol: str, dt: date) -> list[pl.Expr]:
    return [pl.lit(symbol).alias("symbol"), pl.lit(dt, dtype=pl.Date).alias("dt")]
