"""Exact rows of stored tables in four formats, page by page: what the download endpoint streams. No web framework here.

Rows come from the Parquet partition, row group by row group, never from the codes of the pictures.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from spymaster.lake.partition import Partition
from spymaster.serving.errors import BadRequestError
from spymaster.serving.tiles import Sink
from spymaster.tables import TableModel

Format = Literal["arrow", "parquet", "csv", "json"]
MEDIA: dict[str, str] = {
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
CELL_TABLE_S = 3_600
MAX_RANGE_S = 86_400
JSON_ROWS = 100_000
_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Page:
    """Rows of one answer: `begin` to `end` (ns UTC, end excluded) of the time column, `offset` rows skipped."""

    partition: Partition
    model: type[TableModel]
    columns: tuple[str, ...]
    begin: int | None = None
    end: int | None = None
    offset: int = 0
    limit: int | None = None

    def frames(self) -> Iterator[pl.DataFrame]:
        """The rows in stored order, in bounded memory."""
        skip, left = self.offset, self.limit
        for frame in self._filtered():
            if skip:
                skip, frame = max(0, skip - frame.height), frame.slice(min(skip, frame.height))
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            if frame.height:
                yield frame.select(self.columns)
            if left == 0:
                return

    def rows(self) -> int:
        """Rows of the range, the offset and the limit left aside."""
        return sum(frame.height for frame in self._filtered(count_only=True))

    def _filtered(self, *, count_only: bool = False) -> Iterator[pl.DataFrame]:
        time = self.model.time_column
        ranged = time is not None and self.begin is not None
        wanted = [time] if count_only and time is not None else list(self.columns)
        if ranged and time not in wanted:
            wanted.append(cast(str, time))
        with pq.ParquetFile(self.partition.path, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                if ranged and not self._may_hold(file, group):
                    continue
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], columns=wanted):
                    frame = cast(pl.DataFrame, pl.from_arrow(batch))
                    if ranged:
                        at = pl.col(cast(str, time)).to_physical()
                        frame = frame.filter((at >= self.begin) & (at < self.end))
                    yield frame

    def _may_hold(self, file: pq.ParquetFile, group: int) -> bool:
        metadata = file.metadata.row_group(group)
        position = file.schema_arrow.names.index(cast(str, self.model.time_column))
        statistics = metadata.column(position).statistics
        if statistics is None or not statistics.has_min_max:
            return True
        low, high = (pa.scalar(bound, pa.timestamp("ns", "UTC")).value if not isinstance(bound, int) else bound
                     for bound in (statistics.min, statistics.max))  # fmt: skip
        return not (high < cast(int, self.begin) or low >= cast(int, self.end))


def cap_seconds(model: type[TableModel]) -> int:
    """Longest range of one answer: tables with many rows per second are paged by the hour."""
    return MAX_RANGE_S if model.key == ("window_end",) else CELL_TABLE_S


def select_columns(model: type[TableModel], wanted: str | None) -> tuple[str, ...]:
    """The columns of a request, comma-separated, in the table's order. Raises `BadRequestError`."""
    if not wanted:
        return tuple(model.columns)
    names = [name.strip() for name in wanted.split(",")]
    unknown = [name for name in names if name not in model.columns]
    if unknown:
        raise BadRequestError("the table has no such column", hint=f"It has {', '.join(model.columns)}.")
    return tuple(name for name in model.columns if name in names)


def render(page: Page, form: Format) -> Iterator[bytes]:
    """The answer's body, piece by piece. An answer without rows keeps all columns."""
    empty = page.model.empty().select(page.columns)
    match form:
        case "arrow":
            yield from _arrow(page, _arrow_schema(empty))
        case "parquet":
            yield from _parquet(page, _arrow_schema(empty))
        case "csv":
            yield from _csv(page)
        case "json":
            yield from _json(page)


def json_value(value: Any) -> Any:
    """A value of a plain frame as JSON data: NaN and infinity become null."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as ns in decimal text, enumerations as text, unsigned 64-bit numbers as text: fit for JSON and CSV."""
    return frame.with_columns(
        pl.selectors.datetime().to_physical().cast(pl.String),
        pl.selectors.by_dtype(pl.UInt64).cast(pl.String),
        pl.selectors.enum().cast(pl.String),
        pl.selectors.date().dt.to_string("iso"),
    )


def _arrow_schema(empty: pl.DataFrame) -> pa.Schema:
    return empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _tables(page: Page, schema: pa.Schema) -> Iterator[pa.Table]:
    types = page.model.schema()
    for frame in page.frames():
        cast_frame = frame.cast({name: types[name] for name in page.columns})  # type: ignore[arg-type]
        yield cast_frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)


def _arrow(page: Page, schema: pa.Schema) -> Iterator[bytes]:
    sink = Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
        yield sink.take()
        for table in _tables(page, schema):
            writer.write_table(table)
            yield sink.take()
    yield sink.take()


def _parquet(page: Page, schema: pa.Schema) -> Iterator[bytes]:
    sink = Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for table in _tables(page, schema):
            writer.write_table(table)
            yield sink.take()
    yield sink.take()


def _csv(page: Page) -> Iterator[bytes]:
    yield _csv_line(page.columns)
    for frame in page.frames():
        lines = (_csv_line([_csv_cell(value) for value in row]) for row in plain(frame).iter_rows())
        yield b"".join(lines)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _csv_line(cells: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _json(page: Page) -> Iterator[bytes]:
    yield b'{"rows":['
    first = True
    for frame in page.frames():
        for row in plain(frame).iter_rows(named=True):
            record = {name: json_value(value) for name, value in row.items()}
            text = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
            yield text if first else b"," + text
            first = False
    yield b"]}\n"
