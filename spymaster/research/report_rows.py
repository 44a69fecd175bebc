"""Rows of an evaluation report as words and numbers of its page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Report:
    """One report as it is rendered."""

    symbol: str
    date: str
    rows: pl.DataFrame
    ledger: pl.DataFrame

    @property
    def provenance(self) -> str:
        """real or simulated."""
        return str(self.rows["provenance"][0]) if self.rows.height else "unknown"


def rows_of(report: Report, section: str) -> list[dict[str, Any]]:
    """Rows of a section, in order."""
    kept = report.rows.filter(pl.col("section").cast(pl.String) == section)
    return kept.sort("kind", "horizon_s", "lead_s", "head", "algo", "subset", "metric").to_dicts()


def panel_name(row: Mapping[str, Any]) -> str:
    """Panel in words."""
    lead = f", {row['lead_s']} s ahead" if row["lead_s"] else ""
    return f"{row['kind']}, {row['horizon_s']} s{lead}"


def panel_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells panels apart."""
    return row["kind"], row["horizon_s"], row["lead_s"]


def interval(row: Mapping[str, Any] | None, digits: int, *, sign: bool = False) -> str:
    """Value with its interval; empty where it is not known."""
    if row is None or row["value"] is None:
        return ""
    text = number(row["value"], digits, sign=sign)
    if row["ci_lo"] is None:
        return text
    return f"{text} ({number(row['ci_lo'], digits, sign=sign)} to {number(row['ci_hi'], digits, sign=sign)})"


def number(value: float | None, digits: int, *, sign: bool = False) -> str:
    """With a true minus sign; empty where it is not known."""
    if value is None:
        return ""
    return (f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}").replace("-", "−")


def chance(value: float | None) -> str:
    """Of a p-value."""
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def grouped(rows: Iterable[dict[str, Any]], key: Any) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """Rows by key, in order of the first of each."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return iter(found.items())


def by_size(items: list[Any], size: int) -> Iterator[list[Any]]:
    """Items in parts of a size."""
    return (items[k : k + size] for k in range(0, len(items), size))
