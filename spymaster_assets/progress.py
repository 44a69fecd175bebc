"""Dagster's events as progress: one small dictionary per thing that a person watching a run wants to know.

| event | further keys |
|---|---|
| `plan` | `sessions`, `tables`, `partitions`, `workers`, `symbols`, `first`, `last` |
| `run` | `status` started, finished or failed; `run_id`, `symbol`, `first`, `last`, `tables` |
| `partition` | `status` made, reused, skipped or failed; `table`, `symbol`, `date`; `done` of `total` |
| | if made `rows`, `records`, `seconds`, `picture_seconds`; `reason` if skipped, `error` if failed |
| `check` | failed checks only: `table`, `check`, `symbol`, `date`, `severity`, `blocking`, `message` |
| `error` | `message`: the runner cannot go on |
| `summary` | counts, `seconds`, `records`, and `failures`; always the last one |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType

from spymaster_assets.factory import FAILED_PARTITIONS, SKIPPED, TABLES
from spymaster_assets.io_manager import full_name
from spymaster_assets.partitions import SessionKey

Line = dict[str, Any]

ORDER_TABLES = ("bronze.future_mbo", "bronze.option_mbo")
"""The tables whose records are the messages of a run: every other one counts them again."""


def lines(event: DagsterEvent) -> Iterator[Line]:
    """What one event of a run says about partitions, checks and failures."""
    kind = event.event_type
    if kind is DagsterEventType.ASSET_MATERIALIZATION:
        yield from _materialized(event)
    elif kind is DagsterEventType.ASSET_OBSERVATION:
        yield from _skipped(event)
    elif kind is DagsterEventType.ASSET_CHECK_EVALUATION:
        yield from _checked(event)
    elif kind is DagsterEventType.STEP_FAILURE:
        yield from _failed(event)


def _partition(status: str, key: dg.AssetKey, partition: str | None) -> Line:
    session = SessionKey.parse(str(partition))
    return {
        "event": "partition",
        "status": status,
        "table": full_name(key),
        "symbol": session.symbol,
        "date": session.dt.isoformat(),
    }


def _materialized(event: DagsterEvent) -> Iterator[Line]:
    materialization = event.step_materialization_data.materialization
    if materialization.asset_key.path[0] == "raw":
        return
    metadata = {name: value.value for name, value in materialization.metadata.items()}
    line = _partition("reused" if metadata["reused"] else "made", materialization.asset_key, materialization.partition)
    for name in ("rows", "records", "seconds", "picture_seconds"):
        if name in metadata:
            line[name] = metadata[name]
    yield line


def _skipped(event: DagsterEvent) -> Iterator[Line]:
    observation = event.asset_observation_data.asset_observation
    if SKIPPED in observation.metadata:
        line = _partition("skipped", observation.asset_key, observation.partition)
        yield line | {"reason": observation.metadata[SKIPPED].value}


def _checked(event: DagsterEvent) -> Iterator[Line]:
    """A failed check of a partition; one of a whole table has no place in the progress over partitions."""
    evaluation = event.asset_check_evaluation_data
    if not evaluation.passed and evaluation.partition is not None:
        session = SessionKey.parse(str(evaluation.partition))
        yield {
            "event": "check",
            "table": full_name(evaluation.asset_key),
            "check": evaluation.check_name,
            "symbol": session.symbol,
            "date": session.dt.isoformat(),
            "severity": evaluation.severity.value.lower(),
            "blocking": bool(evaluation.blocking),
            "message": evaluation.description or "",
        }


def _failed(event: DagsterEvent) -> Iterator[Line]:
    """One line per table and partition that failed; one line with the error where a step failed as a whole."""
    data = event.step_failure_data
    named = data.user_failure_data.metadata if data.user_failure_data else {}
    if FAILED_PARTITIONS not in named:
        message = data.error.to_string() if data.error else "the step failed"
        yield {"event": "error", "message": f"step {event.step_key}: {message}"}
        return
    tables: Any = named[TABLES].value
    failures: Any = named[FAILED_PARTITIONS].value
    for partition, message in failures.items():
        for table in tables:
            yield _partition("failed", dg.AssetKey(table.split(".")), partition) | {"error": message}


class Summary:
    """Counts lines, and numbers those of partitions (`done` of `total`)."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.counts: Counter[str] = Counter()
        self.records = 0
        self.failures: list[Line] = []

    def add(self, line: Line) -> Line:
        """The line as it is printed."""
        if line["event"] == "partition":
            self.counts[line["status"]] += 1
            if line["status"] == "failed":
                self.failures.append({name: line[name] for name in ("symbol", "date", "table", "error")})
            if line["status"] == "made" and line["table"] in ORDER_TABLES:
                self.records += line.get("records", 0)
            return line | {"done": sum(self.counts[name] for name in _STATES), "total": self.total}
        if line["event"] == "check" and line["severity"] == "error":
            self.counts["checks_failed"] += 1
        if line["event"] == "error":
            self.counts["errors"] += 1
            self.failures.append({"symbol": None, "date": None, "table": None, "error": line["message"]})
        return line

    @property
    def failed(self) -> bool:
        """Whether anything went wrong."""
        return bool(self.failures)

    def line(self, seconds: float) -> Line:
        """The last line."""
        return {
            "event": "summary",
            **{name: self.counts[name] for name in (*_STATES, "checks_failed")},
            "records": self.records,
            "seconds": round(seconds, 1),
            "failures": self.failures,
        }


_STATES = ("made", "reused", "skipped", "failed")
