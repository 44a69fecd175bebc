"""`compare_frames` tells what differs, where, and what else that row says."""

from __future__ import annotations

import polars as pl
import pytest

from spymaster_tests.oracle.compare import compare_frames

FRAME = pl.DataFrame({"k": [1, 2, 3], "x": [10, None, 30], "f": [0.1, 0.2, None]})


def test_equal_frames_in_any_order_pass_and_surplus_columns_are_ignored() -> None:
    compare_frames(FRAME.reverse().with_columns(more=pl.lit(1)), FRAME, ["k"])


def test_enums_declared_apart_are_compared_by_their_words() -> None:
    one = pl.DataFrame({"k": [1], "side": ["A"]}, schema={"k": pl.Int64, "side": pl.Enum(["B", "A"])})
    other = pl.DataFrame({"k": [1], "side": ["A"]}, schema={"k": pl.Int64, "side": pl.Enum(["A", "B", "N"])})
    compare_frames(one, other, ["k"])


def test_floats_are_compared_with_a_tolerance_and_integers_are_not() -> None:
    compare_frames(FRAME.with_columns(pl.col("f") + 1e-12), FRAME, ["k"])
    with pytest.raises(AssertionError, match="column 'f' differs in 2 of 3 rows"):
        compare_frames(FRAME.with_columns(pl.col("f") + 1e-6), FRAME, ["k"])


def test_the_first_difference_is_shown_with_its_key_and_both_rows() -> None:
    actual = FRAME.with_columns(x=pl.Series([10, 20, 31]))
    with pytest.raises(AssertionError) as caught:
        compare_frames(actual, FRAME, ["k"])
    text = str(caught.value)
    assert "column 'x' differs in 2 of 3 rows" in text
    assert "{'k': 2}: expected None, actual 20" in text
    assert "{'k': 3}: expected 30, actual 31" in text
    assert "whole first row actual:\n  {'k': 2, 'x': 20, 'f': 0.2}" in text


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        (FRAME.head(2), "1 expected rows are missing"),
        (pl.concat([FRAME, FRAME.with_columns(pl.col("k") + 10)]), "3 rows are not expected"),
        (pl.concat([FRAME, FRAME.head(1)]), "duplicate key in the actual frame"),
        (FRAME.drop("x"), "columns missing from the actual frame"),
    ],
)
def test_missing_surplus_and_duplicate_rows_and_columns_are_differences(actual: pl.DataFrame, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        compare_frames(actual, FRAME, ["k"])
