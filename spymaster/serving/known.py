"""What a session's context tables tell: read from disk, filtered by the gate, and as events in order of time."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from spymaster.serving import gate
from spymaster.serving.control import EventKind
from spymaster.serving.session import Session
from spymaster.serving.surfaces import LATER_TABLES, OUTCOME_COLUMNS, OUTCOMES


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
    outcomes = session.info.partitions[OUTCOMES].read() if has_outcomes else None
    return gate.episodes(frame, outcomes, session.timeline, session.tick, as_of)


def events(session: Session) -> list[Event]:
    """Everything that becomes known during the session, in order of time: each as it was known then."""
    last = session.seconds - 1
    found = [Event(bar["to"] - 1, "candle_closed", bar) for bar in candles(session, last)]
    seen: set[str] = set()
    for level in sorted(levels(session, last), key=lambda one: one["valid_from"]):
        kind: EventKind = "level_changed" if level["level_id"] in seen else "level_added"
        seen.add(level["level_id"])
        found.append(Event(level["valid_from"] - 1, kind, level | {"valid_to": None}))
    for episode in episodes(session, last):
        # That price is on its way to a level is not known before it is there: nothing is told of the approach.
        open_still = episode | {"outcome": None, "outcome_at": None, "outcomes": []}
        found.append(Event(episode["decision"], "episode_triggered", open_still))
        if episode["outcome_at"] is not None:
            found.append(Event(episode["outcome_at"], "episode_resolved", episode))
    return sorted((event for event in found if 0 <= event.sec <= last), key=lambda event: event.sec)


def _frame(session: Session, panel: str) -> pl.DataFrame | None:
    return session.info.partitions[LATER_TABLES[panel]].read() if session.info.panel_status(panel).ok else None
