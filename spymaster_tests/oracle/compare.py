"""Comparing two frames so that the first difference can be read."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_SHOWN = 5


def compare_frames(
    actual: pl.DataFrame,
    expected: pl.DataFrame,
    keys: Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    tolerance: float = 1e-9,
) -> None:
    """Raise AssertionError with the first differing rows, unless both frames hold the same rows and values.

    `keys` identify a row; both frames may be in any order. `columns` (default: all of `expected`'s) are compared:
    integers, strings and times exactly, floats to a relative and absolute `tolerance`, null equal to null. A column of
    `expected` that `actual` lacks, a duplicate key, a missing and a surplus row are differences too.
    """
    compared = [name for name in (columns or expected.columns) if name not in keys]
    missing = [name for name in (*keys, *compared) if name not in actual.columns]
    assert not missing, f"columns missing from the actual frame: {missing}; it has {actual.columns}"
    for name, frame in (("actual", actual), ("expected", expected)):
        repeated = frame.filter(frame.select(keys).is_duplicated()).head(2)
        assert repeated.is_empty(), f"duplicate key in the {name} frame: {repeated.select(keys).rows(named=True)}"

    def keyed(frame: pl.DataFrame) -> pl.DataFrame:
        # Enums as strings: the two frames may declare them apart.
        return frame.select(*keys, *compared).with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))

    left, right = keyed(actual), keyed(expected)
    surplus = left.join(right, on=keys, how="anti", nulls_equal=True)
    absent = right.join(left, on=keys, how="anti", nulls_equal=True)
    assert absent.is_empty(), _listed(f"{absent.height} expected rows are missing", absent, keys)
    assert surplus.is_empty(), _listed(f"{surplus.height} rows are not expected", surplus, keys)
    both = right.join(left, on=keys, how="left", suffix=" actual", nulls_equal=True)
    for name in compared:
        wrong = both.filter(_differs(name, left.schema[name], right.schema[name], tolerance)).sort(keys)
        if not wrong.is_empty():
            shown = [
                f"  {dict(zip(keys, row, strict=False))}: expected {row[-2]!r}, actual {row[-1]!r}"
                for row in wrong.select(*keys, name, f"{name} actual").head(_SHOWN).rows()
            ]
            first = wrong.head(1)
            lines = [
                f"column {name!r} differs in {wrong.height} of {both.height} rows; first ones:",
                *shown,
                "whole first row expected:",
                f"  {first.select(right.columns).row(0, named=True)}",
                "whole first row actual:",
                f"  {_actual_row(first, keys, compared)}",
            ]
            raise AssertionError("\n".join(lines))


def _differs(name: str, actual: pl.DataType, expected: pl.DataType, tolerance: float) -> pl.Expr:
    left, right = pl.col(f"{name} actual"), pl.col(name)
    if actual.is_float() or expected.is_float():
        close = (left - right).abs() <= tolerance * pl.max_horizontal(1.0, right.abs())
        same = close | (left.is_nan() & right.is_nan()) | (left == right)
        return (left.is_null() != right.is_null()) | ~same.fill_null(True)
    return left.ne_missing(right)


def _actual_row(first: pl.DataFrame, keys: Sequence[str], compared: Sequence[str]) -> dict[str, object]:
    return first.select(*keys, *(pl.col(f"{name} actual").alias(name) for name in compared)).row(0, named=True)


def _listed(what: str, rows: pl.DataFrame, keys: Sequence[str]) -> str:
    return "\n".join([f"{what}; first ones:", *(f"  {row}" for row in rows.sort(keys).head(_SHOWN).rows(named=True))])
