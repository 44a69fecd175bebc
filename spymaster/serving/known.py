"""What a session's context tables tell: read from disk, filtered by the gate, and as events in order of time."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, NamedTuple

import polars as pl

from spymaster.lake.errors import LakeError
from spymaster.serving import evidence as found
from spymaster.serving import gate
from spymaster.serving.control import EventKind
from spymaster.serving.session import Session
from spymaster.serving.surfaces import CURVE, INTENSITY, LATER_TABLES, OUTCOME_COLUMNS, OUTCOMES, REPLICATION

_LOG = logging.getLogger(__name__)


class Event(NamedTuple):
    """Something that became known at the end of a second."""

    sec: int
    kind: EventKind
    payload: dict[str, Any]


def candles(session: Session, as_of: int) -> list[dict[str, Any]]:
    """Bars that have closed; none where the table cannot be read. The panel's status says why."""
    frame = _frame(session, "candles")
    return [] if frame is None else gate.candles(frame, session.timeline, session.tick, as_of)


def levels(session: Session, as_of: int) -> list[dict[str, Any]]:
    """Levels that have become valid; none where the table cannot be read."""
    frame = _frame(session, "levels")
    return [] if frame is None else gate.levels(frame, session.timeline, session.tick, as_of)


def episodes(session: Session, as_of: int) -> list[dict[str, Any]]:
    """Episodes that were decided, with what had come of them; none where the table cannot be read."""
    frame = _frame(session, "episodes")
    if frame is None:
        return []
    has_outcomes = session.info.table_status(OUTCOMES, OUTCOME_COLUMNS).ok
    outcomes = _read(session, OUTCOMES) if has_outcomes else None
    return gate.episodes(frame, outcomes, session.timeline, session.tick, as_of)


def evidence(session: Session, as_of: int) -> dict[str, Any]:
    """Findings of earlier dates and of the date, tests that were tried, and intensity by minute, as far as known."""
    told: dict[str, Any] = {"evidence": [], "tests": [], "intensity": []}
    tests = _frame(session, "evidence")
    if tests is not None:
        own = _columns(session, REPLICATION, found.REPLICATION_COLUMNS)
        told |= found.evidence(tests, own, _earlier_findings(session), _curves(session), session.timeline, as_of)
    minutes = _columns(session, INTENSITY, found.INTENSITY_COLUMNS)
    if minutes is not None:
        told["intensity"] = found.intensity(minutes, session.timeline, as_of)
    return told


def _curves(session: Session) -> found.Curves:
    def read(tests: list[str]) -> pl.DataFrame:
        wanted = pl.col("test_row_id").is_in(tests)
        rows = _columns(session, CURVE, found.CURVE_COLUMNS, wanted)
        return pl.DataFrame(schema=dict.fromkeys(found.CURVE_COLUMNS, pl.Float64)) if rows is None else rows

    return read


def _earlier_findings(session: Session) -> pl.DataFrame | None:
    """`algo_replication` of the latest date before the session's."""
    before = session.key.dt - timedelta(days=1)
    try:
        partitions = session.info.lake.partitions(REPLICATION, session.key.symbol, end=before)
        return partitions[-1].read(found.REPLICATION_COLUMNS) if partitions else None
    except (LakeError, pl.exceptions.PolarsError, OSError) as error:
        _LOG.warning("%s before %s cannot be read: %s", REPLICATION, session.key, error)
        return None


def _columns(
    session: Session, table: str, columns: tuple[str, ...], rows: pl.Expr | None = None
) -> pl.DataFrame | None:
    """Some columns of a table, None where it is not there or cannot be read."""
    if not session.info.table_status(table, columns).ok:
        return None
    try:
        frame = session.info.partitions[table].scan(columns)
        return (frame if rows is None else frame.filter(rows)).collect()
    except (LakeError, pl.exceptions.PolarsError, OSError) as error:
        _LOG.warning("%s of %s cannot be read: %s", table, session.key, error)
        return None


def events(session: Session) -> list[Event]:
    """Everything that becomes known during the session, in order of time: each as it was known then."""
    last = session.seconds - 1
    told = [Event(bar["to"] - 1, "candle_closed", bar) for bar in candles(session, last)]
    seen: set[str] = set()
    frame = _frame(session, "levels")
    since = [] if frame is None else gate.levels_since(frame, session.timeline, session.tick, last)
    for second, level in sorted(since, key=lambda one: one[0]):
        kind: EventKind = "level_changed" if level["level_id"] in seen else "level_added"
        seen.add(level["level_id"])
        told.append(Event(second, kind, level | {"valid_to": None}))
    for episode in episodes(session, last):
        # That price is on its way to a level is not known before it is there: nothing is told of the approach.
        open_still = episode | {"outcome": None, "outcome_at": None, "outcomes": []}
        told.append(Event(episode["decision"], "episode_triggered", open_still))
        if episode["outcome_at"] is not None:
            told.append(Event(episode["outcome_at"], "episode_resolved", episode))
    counts: dict[int, int] = {}
    for row in evidence(session, last)["evidence"]:
        counts[row["available_from"]] = counts.get(row["available_from"], 0) + 1
    told += [Event(second, "evidence_added", {"rows": rows}) for second, rows in counts.items()]
    return sorted((event for event in told if 0 <= event.sec <= last), key=lambda event: event.sec)


def _frame(session: Session, panel: str) -> pl.DataFrame | None:
    """Rows of a panel's table; None where it is not there, or has gone or broken since the lake was looked at."""
    if not session.info.panel_status(panel).ok:
        return None
    return _read(session, LATER_TABLES[panel])


def _read(session: Session, table: str) -> pl.DataFrame | None:
    try:
        return session.info.partitions[table].read()
    except (LakeError, pl.exceptions.PolarsError, OSError) as error:
        _LOG.warning("%s of %s cannot be read: %s", table, session.key, error)
        return None
