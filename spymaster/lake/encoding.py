"""How the rows of a table lie in its Parquet file.

Columns that are never null are stored as *required*: without a validity level per value they take half the time to
write and to read. A text that is the same in all rows of a row group (the contract) is stored as a dictionary of one
word and handed to the encoder as such, not as a million copies of it. Neither shows to readers: the file tells them
the table's own types.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from spymaster.tables import TableModel

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS_PER_PAGE = 131_072
"""Pages of 20,000 rows, pyarrow's default, cost a tenth more time and bytes (measured on a real hour)."""
_ROWS_PER_BATCH = 65_536
"""Values that the encoder takes at once; pyarrow's 1,024 cost a tenth more time."""
_SCHEMA_KEY = "ARROW:schema"
"""Where Arrow's readers, Polars among them, look for the types that a file's columns had before they were encoded."""


class Encoding:
    """Encoder of one table: opens a Parquet file for it and turns frames into what the file takes."""

    def __init__(self, model: type[TableModel]) -> None:
        import pyarrow as pa

        self._model = model
        held = {*model.constant, model.parquet.row_group_by}
        self._repeated = {name for name, column in model.columns.items() if name in held and column.dtype == pl.String}
        self._types = pa.schema(
            [item.with_nullable(model.columns[item.name].nullable) for item in model.empty().to_arrow().schema]
        )
        self._stored = pa.schema(
            [
                item.with_type(pa.dictionary(pa.int8(), pa.string())) if item.name in self._repeated else item
                for item in self._types
            ]
        )

    def open(self, sink: Any) -> pq.ParquetWriter:
        """A Parquet writer of the table into a file object."""
        import pyarrow.parquet as pq

        model, layout = self._model, self._model.parquet
        encodings = {
            **dict.fromkeys(layout.delta, "DELTA_BINARY_PACKED"),
            **dict.fromkeys(layout.split, "BYTE_STREAM_SPLIT"),
        }
        dictionary = layout.dictionary
        if dictionary is None:
            dictionary = tuple(name for name in model.columns if name not in encodings)
        return pq.ParquetWriter(
            sink,
            self._stored,
            compression="zstd",
            compression_level=layout.level,
            use_dictionary=list(dict.fromkeys((*dictionary, *self._repeated))),  # pyright: ignore[reportArgumentType]
            column_encoding=encodings or None,
            write_statistics=list(model.pruning_columns()),  # pyright: ignore[reportArgumentType]
            max_rows_per_page=ROWS_PER_PAGE,
            write_batch_size=_ROWS_PER_BATCH,
            store_schema=False,
        )

    def metadata(self) -> dict[str, str]:
        """What the file must say about its types, to be added to its key-value metadata."""
        return {_SCHEMA_KEY: base64.b64encode(self._types.serialize().to_pybytes()).decode()}

    def table(self, group: pl.DataFrame) -> pa.Table:
        """A validated frame, one chunk per column, as the table that the Parquet writer takes.

        Raises `ValueError` for a null in a column that is never null: the file would hold a 0 in its place.
        """
        import pyarrow as pa

        columns = group.drop(self._repeated).to_arrow()
        for item in self._stored:
            if not item.nullable and group.get_column(item.name).null_count():
                raise ValueError(f"{self._model.full_name}: a null in {item.name} was not refused by the contract")
        return pa.Table.from_arrays(
            [
                self._one_word(group, item.name) if item.name in self._repeated else columns.column(item.name)
                for item in self._stored
            ],
            schema=self._stored,
        )

    @staticmethod
    def _one_word(group: pl.DataFrame, name: str) -> pa.DictionaryArray:
        import pyarrow as pa

        codes = pa.array(np.zeros(group.height, np.int8))
        return pa.DictionaryArray.from_arrays(codes, pa.array([group.item(0, name)], pa.string()))
