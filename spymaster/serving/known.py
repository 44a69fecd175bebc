"""What a session's context tables tell: read from disk, filtered by the gate, and as events in order of time.

A table that is not there tells nothing. One that is there and cannot be read is an error (`UnavailableError`), never an
empty list; only `events` goes on without it, and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import polars as pl

from spymaster.lake.errors import LakeError
from spymaster.lake.partition import Partition
from spymaster.serving import evidence as found
from spymaster.serving import gate
from spymaster.serving.control import EventKind
from spymaster.serving.describe import UNREADABLE
from spymaster.serving.errors import UnavailableError
from spymaster.serving.session import Session
from spymaster.serving.surfaces import (
    CURVE,
    INTENSITY,
    LATER_TABLES,
    OUTCOME_COLUMNS,
    OUTCOMES,
    PANEL_COLUMNS,
    REPLICATION,
)
from spymaster.tables import table as table_model

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


class Event(NamedTuple):
    """Something that became known at the end of a second."""

    sec: int
    kind: EventKind
    payload: dict[str, Any]


def candles(session: Session, as_of: int) -> list[dict[str, Any]]:
    """Bars that have closed; none where the table is not there. The panel's status says why."""
    frame = _frame(session, "candles")
    return [] if frame is None else gate.candles(frame, session.timeline, session.tick, as_of)


def levels(session: Session, as_of: int) -> list[dict[str, Any]]:
    """Levels that have become valid; none where the table is not there."""
    frame = _frame(session, "levels")
    return [] if frame is None else gate.levels(frame, session.timeline, session.tick, as_of)


def episodes(session: Session, as_of: int) -> list[dict[str, Any]]:
    """Episodes that were decided, with what had come of them; none where the table is not there."""
    frame = _frame(session, "episodes")
    if frame is None:
        return []
    outcomes = _table(session, OUTCOMES, OUTCOME_COLUMNS)
    return gate.episodes(frame, outcomes, session.timeline, session.tick, as_of)


def evidence(session: Session, as_of: int) -> dict[str, Any]:
    """Findings of earlier dates and of the date, tests that were tried, and intensity by minute, as far as known."""
    told: dict[str, Any] = {"evidence": [], "tests": [], "intensity": []}
    tests = _table(session, LATER_TABLES["evidence"], PANEL_COLUMNS["evidence"])
    before = session.info.earlier(REPLICATION)
    earlier = None if before is None else read(before, found.REPLICATION_COLUMNS)
    if tests is not None or earlier is not None:
        tests = table_model(LATER_TABLES["evidence"]).empty() if tests is None else tests
        own = _table(session, REPLICATION, found.REPLICATION_COLUMNS)
        told |= found.evidence(tests, own, earlier, _curves(session), session.timeline, as_of)
    minutes = _table(session, INTENSITY, found.INTENSITY_COLUMNS)
    if minutes is not None:
        told["intensity"] = found.intensity(minutes, session.timeline, as_of)
    return told


def _curves(session: Session) -> found.Curves:
    def of(tests: list[str]) -> pl.DataFrame:
        wanted = pl.col("test_row_id").is_in(tests)
        rows = _table(session, CURVE, found.CURVE_COLUMNS, wanted)
        return pl.DataFrame(schema=dict.fromkeys(found.CURVE_COLUMNS, pl.Float64)) if rows is None else rows

    return of


def events(session: Session, lost: list[str] | None = None) -> list[Event]:
    """Everything that becomes known during the session, in order of time: each as it was known then.

    A kind whose tables cannot be read is left out and named in `lost`.
    """

    def tolerated(name: str, get: Callable[[], list[T]]) -> list[T]:
        try:
            return get()
        except UnavailableError:  # what went wrong has been logged where it did
            if lost is not None:
                lost.append(name)
            return []

    last = session.seconds - 1
    told = [Event(bar["to"] - 1, "candle_closed", bar) for bar in tolerated("candles", lambda: candles(session, last))]
    seen: set[str] = set()
    for second, level in sorted(tolerated("levels", lambda: _levels_since(session, last)), key=lambda one: one[0]):
        kind: EventKind = "level_changed" if level["level_id"] in seen else "level_added"
        seen.add(level["level_id"])
        told.append(Event(second, kind, level | {"valid_to": None}))
    for episode in tolerated("episodes", lambda: episodes(session, last)):
        # That price is on its way to a level is not known before it is there: nothing is told of the approach.
        open_still = episode | {"outcome": None, "outcome_at": None, "outcomes": []}
        told.append(Event(episode["decision"], "episode_triggered", open_still))
        if episode["outcome_at"] is not None:
            told.append(Event(episode["outcome_at"], "episode_resolved", episode))
    counts: dict[int, int] = {}
    for row in tolerated("evidence", lambda: evidence(session, last)["evidence"]):
        counts[row["available_from"]] = counts.get(row["available_from"], 0) + 1
    told += [Event(second, "evidence_added", {"rows": rows}) for second, rows in counts.items()]
    return sorted((event for event in told if 0 <= event.sec <= last), key=lambda event: event.sec)


def read(partition: Partition, columns: tuple[str, ...] | None = None, rows: pl.Expr | None = None) -> pl.DataFrame:
    """Columns (all, if none are named) of a partition, those rows that `rows` takes. Raises `UnavailableError`."""
    try:
        frame = partition.scan(columns)
        return (frame if rows is None else frame.filter(rows)).collect()
    except (LakeError, pl.exceptions.PolarsError, OSError) as error:
        _LOG.warning("%s cannot be read: %s", partition.label, error)
        raise UnavailableError(f"{partition.table}: {UNREADABLE}") from error


def _levels_since(session: Session, last: int) -> list[tuple[int, dict[str, Any]]]:
    frame = _frame(session, "levels")
    return [] if frame is None else gate.levels_since(frame, session.timeline, session.tick, last)


def _frame(session: Session, panel: str) -> pl.DataFrame | None:
    """Rows of a panel's table; None where it is not there or empty, which its status says."""
    status = session.info.panel_status(panel)
    if status.status == "broken":
        raise UnavailableError(f"{panel}: {status.reason}")
    return read(session.info.partitions[LATER_TABLES[panel]]) if status.ok else None


def _table(session: Session, table: str, columns: tuple[str, ...], rows: pl.Expr | None = None) -> pl.DataFrame | None:
    """Some columns of a table, None where it is not there."""
    status = session.info.table_status(table, columns)
    if status.status == "broken":
        raise UnavailableError(f"{table}: {status.reason}")
    return read(session.info.partitions[table], columns, rows) if status.ok else None
