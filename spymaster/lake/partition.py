"""One complete partition: its manifest and its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import polars as pl

from spymaster.lake import layout
from spymaster.lake.errors import CorruptPartitionError, MissingPartitionError, UnknownColumnError
from spymaster.lake.manifest import METADATA_KEY, InputRecord, Manifest

if TYPE_CHECKING:
    import pyarrow.parquet as pq


@dataclass(frozen=True)
class Partition:
    """A stored partition of `table` (`layer.name`): there completely or not at all."""

    table: str
    symbol: str
    dt: date
    path: Path

    @classmethod
    def at(cls, root: Path, table: str, symbol: str, dt: date) -> Partition:
        """The partition of a key under a lake root, whether or not it is there."""
        return cls(table, symbol, dt, layout.partition_dir(root, table, symbol, dt) / layout.PART_FILE)

    @property
    def label(self) -> str:
        """`silver.trade ES 2024-01-02`."""
        return layout.partition_label(self.table, self.symbol, self.dt)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest inside the file. Raises `MissingPartitionError` or `CorruptPartitionError`."""
        return read_manifest(self.path)

    @property
    def content_hash(self) -> str:
        """Hash of the stored rows; equal hashes mean equal data."""
        return self.manifest.content_hash

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.manifest.rows

    def sibling(self, table: str) -> Partition:
        """The partition of another table with the same symbol and date, in the same lake."""
        return Partition.at(self.path.parents[4], table, self.symbol, self.dt)

    def as_input(self) -> InputRecord:
        """This partition as an input of another, for its manifest."""
        return InputRecord("partition", self.label, self.content_hash)

    def scan(self, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """The rows, lazily; only `columns` are read from disk. Raises `MissingPartitionError`, `UnknownColumnError`."""
        self._require_present()
        frame = pl.scan_parquet(self.path, hive_partitioning=False, glob=False)
        if columns is None:
            return frame
        self._require(columns, frame.collect_schema().names())
        return frame.select(columns)

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows in memory. A day can be large: prefer `batches` for surfaces and Bronze."""
        return self.scan(columns).collect()

    def batches(
        self, columns: Sequence[str] | None = None, rows: int = 262_144, contract: str | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows in order, at most `rows` at a time, in bounded memory.

        With `contract`, only its rows; row groups that cannot hold it are not read.
        """
        import pyarrow.parquet as pq

        self._require_present()
        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            names = file.schema_arrow.names
            self._require(columns or (), names)
            if contract is not None:
                self._require(("contract",), names)
            wanted = list(columns) if columns is not None else names
            for group in range(file.num_row_groups):
                # Where all rows hold the same text (a contract, most of the time) it is known without reading it.
                words = _only_words(file, group, wanted if contract is None else [*wanted, "contract"])
                if contract is not None and words.get("contract", contract) != contract:
                    continue
                filtered = contract is not None and "contract" not in words
                fetched = [name for name in wanted if name not in words] or list(wanted)
                if filtered and "contract" not in fetched:
                    fetched.append("contract")
                for batch in file.iter_batches(batch_size=rows, row_groups=[group], columns=fetched):
                    frame = cast(pl.DataFrame, pl.from_arrow(batch))
                    if filtered:
                        frame = frame.filter(pl.col("contract") == contract)
                    if frame.height:
                        yield _with_words(frame, words, wanted)

    def _require_present(self) -> None:
        if not self.path.is_file():
            raise MissingPartitionError(f"{self.label} is not there ({self.path})", hint="Materialise it first.")

    def _require(self, columns: Sequence[str], known: Sequence[str]) -> None:
        unknown = [name for name in columns if name not in known]
        if unknown:
            raise UnknownColumnError(f"{self.label} has no columns {unknown}", hint=f"It has {', '.join(known)}.")


def read_manifest(path: Path) -> Manifest:
    """The manifest inside the Parquet file at `path`.

    Raises `MissingPartitionError` if there is no file, `CorruptPartitionError` if it cannot be read or has none.
    """
    try:
        metadata = pl.read_parquet_metadata(path)
    except FileNotFoundError:
        raise MissingPartitionError(f"no partition at {path}", hint="Materialise it first.") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CorruptPartitionError(
            f"{path} cannot be read as Parquet: {error}", hint="Delete it and materialise the partition again."
        ) from error
    if METADATA_KEY not in metadata:
        raise CorruptPartitionError(
            f"{path} carries no manifest: it was not written by Spymaster", hint="Materialise the partition again."
        )
    return Manifest.from_json(metadata[METADATA_KEY], path=path)


def _only_words(file: pq.ParquetFile, group: int, columns: Sequence[str]) -> dict[str, str]:
    """Texts among the columns that are the same in all rows of a row group, by the file's statistics."""
    names, types = file.schema_arrow.names, file.schema_arrow.types
    metadata = file.metadata.row_group(group)
    words = {}
    for name in columns:
        position = names.index(name)
        statistics = metadata.column(position).statistics
        if (
            str(types[position]) in ("string", "large_string")
            and statistics is not None
            and statistics.has_min_max
            and statistics.min == statistics.max
            and statistics.null_count == 0
        ):
            words[name] = statistics.min
    return words


def _with_words(frame: pl.DataFrame, words: dict[str, str], columns: Sequence[str]) -> pl.DataFrame:
    repeated = {name: pl.Series(name, [word]).new_from_index(0, frame.height) for name, word in words.items()}
    return pl.DataFrame([repeated[name] if name in repeated else frame.get_column(name) for name in columns])
