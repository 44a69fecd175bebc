"""The committed reference of tables is what the models say today."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from spymaster.tables import Column, Invariant, TableModel
from spymaster.tables.reference import markdown, range_text, type_text
from spymaster.tables.types import SIDE, TIMESTAMP

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "tables.md"


def test_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), (
        "run: uv run python -m spymaster.tables.reference docs/reference/tables.md"
    )


def test_types_and_ranges_read_like_prose() -> None:
    assert type_text(SIDE) == "enum(B, A)"
    assert type_text(TIMESTAMP) == "timestamp(ns, UTC)"
    assert type_text(pl.Int64) == "Int64"
    assert range_text(Column(pl.Int32, "", ge=0)) == "[0, )"
    assert range_text(Column(pl.Int32, "", gt=-1, le=1.5)) == "(-1, 1.5]"
    assert range_text(Column(pl.String, "", isin=("x", "y"))) == "x, y"
    assert range_text(Column(pl.Int32, "")) == ""


def test_page_names_columns_units_nulls_and_invariants() -> None:
    class Toy(TableModel):
        """A table for this test.

        Second paragraph.
        """

        layer = "silver"
        name = "toy"
        key = ("at",)
        at = Column(pl.Int64, "when | where", unit="ns")
        share = Column(pl.Float32, "of something; null before it", nullable=True, ge=0, le=1)
        invariants = (Invariant("half", "share is at most a half", lambda pl: pl.col("share") <= 0.5),)

    page = markdown({"silver.toy": Toy})
    assert "- [silver.toy](#silvertoy): A table for this test\n" in page
    assert "\n## silver.toy\n\nA table for this test.\n\nSecond paragraph.\n" in page
    assert "| `at` | Int64 | ns |  |  | when \\| where |" in page
    assert "| `share` | Float32 |  | yes | [0, 1] | of something; null before it |" in page
    assert "- `half`: share is at most a half\n" in page
