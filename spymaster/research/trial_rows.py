"""Rows of `gold.evaluation_report` while they come together: one number with its place, interval and sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from spymaster.research.day_blocks import Interval
from spymaster.tables.evaluation_report import EvaluationReport


@dataclass(frozen=True)
class Place:
    """Which setups, and what is foretold by what; see the columns of the table."""

    kind: str
    horizon_s: int
    lead_s: int
    head: str = "all"
    algo: str = "none"
    subset: str = "real"

    def of(self, **changes: Any) -> Place:
        """The place with other entries."""
        return replace(self, **changes)


@dataclass
class Rows:
    """Numbers of a report, in any order."""

    found: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, section: str, place: Place, metric: str, value: float | Interval, *, size: tuple[int, int],
        note: str = "", **more: float | int | str | None,
    ) -> None:  # fmt: skip
        """One number, and how many setups and sessions are behind it; what is not finite is stored as null."""
        told = value if isinstance(value, Interval) else Interval(value, *[float("nan")] * 3)
        self.found.append(
            {
                "section": section,
                **vars(place),
                "metric": metric,
                "value": finite(told.value),
                "ci_lo": finite(told.low),
                "ci_hi": finite(told.high),
                "n_episodes": size[0],
                "n_sessions": size[1],
                "note": note,
                **{name: finite(one) if isinstance(one, float) else one for name, one in more.items()},
            }
        )

    def of(self, section: str) -> Iterator[dict[str, Any]]:
        """The numbers of a section."""
        return (row for row in self.found if row["section"] == section)

    def frame(self, report_id: str, provenance: str) -> pl.DataFrame:
        """The table, sorted."""
        schema = EvaluationReport.schema()
        rows = [{**row, "report_id": report_id, "provenance": provenance} for row in self.found]
        made = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
        return made.sort(EvaluationReport.key)


def finite(value: float) -> float | None:
    """None for what is not a number."""
    return float(value) if np.isfinite(value) else None
