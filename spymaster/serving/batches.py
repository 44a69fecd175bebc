"""Record batches of wire surfaces from NumPy arrays: explicit schemas, no nulls, missing as its own code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spymaster.serving.lod import NO_TICK
from spymaster.serving.surfaces import Geometry, WireColumn, WireSurface
from spymaster.serving.transfer import MISSING

NO_QTY = -1
"""A quantity that is not known."""

_DTYPES = {
    "i32": np.int32,
    "u8": np.uint8,
    "f32": np.float32,
    "cells_u8": np.uint8,
    "i32_list": np.int32,
    "f32_list": np.float32,
}

Arrays = dict[str, Any]
"""Column name -> array [rows] or [rows, length], or a list of texts."""


def record_batch(
    surface: WireSurface, geometry: Geometry, secs: NDArray[np.int32], columns: Mapping[str, Any]
) -> pa.RecordBatch:
    """The batch of a surface. `secs` [rows]; `columns` holds one array per column of the surface.

    Raises `KeyError` for a column that is not given, `ValueError` for one of another shape.
    """
    rows = len(secs)
    arrays = [pa.array(np.ascontiguousarray(secs, np.int32))]
    arrays += [_array(column, geometry, columns[column.name], rows) for column in surface.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=surface.schema(geometry))


def missing_columns(surface: WireSurface, geometry: Geometry, rows: int) -> Arrays:
    """Columns of `rows` seconds about which nothing is known."""
    return {column.name: missing_column(column, geometry, rows) for column in surface.columns}


def missing_column(column: WireColumn, geometry: Geometry, rows: int) -> Any:
    """One such column: code 0, NaN, no tick, quantity -1, or an empty text."""
    if column.type == "utf8":
        return [""] * rows
    length = column.length(geometry)
    shape = (rows,) if length is None else (rows, length)
    return np.full(shape, _missing_value(column), _DTYPES[column.type])


def columns_of(surface: WireSurface, batch: pa.RecordBatch) -> Arrays:
    """The arrays of a batch, the other way around; lists as [rows, length]."""
    return {column.name: _values(column, batch.column(column.name)) for column in surface.columns}


def exact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows over buffers that end where the rows end; no copies but of texts.

    A message pads a buffer to 64 bytes with whatever follows in memory: after a slice, that is later seconds.
    """
    return pa.RecordBatch.from_arrays([_exact(column) for column in batch.columns], schema=batch.schema)


def empty_batch(surface: WireSurface, geometry: Geometry) -> pa.RecordBatch:
    """A batch without rows and with all columns."""
    return record_batch(surface, geometry, np.empty(0, np.int32), missing_columns(surface, geometry, 0))


def _exact(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type):
        return pa.array(column.to_pylist(), type=column.type)
    if pa.types.is_fixed_size_list(column.type):
        return pa.FixedSizeListArray.from_arrays(pa.array(column.flatten().to_numpy()), type=column.type)
    return pa.array(column.to_numpy(zero_copy_only=False), type=column.type)


def _missing_value(column: WireColumn) -> float:
    match column.type:
        case "u8" | "cells_u8":
            return MISSING
        case "f32" | "f32_list":
            return float("nan")
        case _:
            return NO_TICK if column.unit == "ticks" else NO_QTY


def _array(column: WireColumn, geometry: Geometry, values: Any, rows: int) -> pa.Array:
    kind = column.arrow_type(geometry)
    if column.type == "utf8":
        texts: Sequence[str] = values
        _require(len(texts) == rows, column, (len(texts),))
        return pa.array(texts, type=kind)
    array = np.ascontiguousarray(values, _DTYPES[column.type])
    length = column.length(geometry)
    _require(array.shape == ((rows,) if length is None else (rows, length)), column, array.shape)
    if length is None:
        return pa.array(array, type=kind)
    return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), type=kind)


def _require(holds: bool, column: WireColumn, shape: tuple[int, ...]) -> None:
    if not holds:
        raise ValueError(f"column {column.name} has shape {shape}")


def _values(column: WireColumn, array: Any) -> Any:
    if column.type == "utf8":
        return array.to_pylist()
    if column.size is None:
        return array.to_numpy(zero_copy_only=False)
    return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), -1)
