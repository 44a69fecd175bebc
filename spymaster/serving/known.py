"""What a session's context tables tell: read from disk, filtered by the gate, and as events in order of time."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import polars as pl

from spymaster.lake.errors import LakeError
from spymaster.serving import gate
from spymaster.serving.control import EventKind
from spymaster.serving.session import Session
from spymaster.serving.surfaces import LATER_TABLES, OUTCOME_COLUMNS, OUTCOMES

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


def events(session: Session) -> list[Event]:
    """Everything that becomes known during the session, in order of time: each as it was known then."""
    last = session.seconds - 1
    found = [Event(bar["to"] - 1, "candle_closed", bar) for bar in candles(session, last)]
    seen: set[str] = set()
    frame = _frame(session, "levels")
    since = [] if frame is None else gate.levels_since(frame, session.timeline, session.tick, last)
    for second, level in sorted(since, key=lambda one: one[0]):
        kind: EventKind = "level_changed" if level["level_id"] in seen else "level_added"
        seen.add(level["level_id"])
        found.append(Event(second, kind, level | {"valid_to": None}))
    for episode in episodes(session, last):
        # That price is on its way to a level is not known before it is there: nothing is told of the approach.
        open_still = episode | {"outcome": None, "outcome_at": None, "outcomes": []}
        found.append(Event(episode["decision"], "episode_triggered", open_still))
        if episode["outcome_at"] is not None:
            found.append(Event(episode["outcome_at"], "episode_resolved", episode))
    return sorted((event for event in found if 0 <= event.sec <= last), key=lambda event: event.sec)


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
