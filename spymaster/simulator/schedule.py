"""The day of a market: when it is closed, open for orders only, or trading, and how busy it is meant to be.

Everything follows from the exchange calendar and New York wall time; no offset from UTC is assumed anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spymaster.market.calendar import CONTINUOUS, PRE_OPEN, phases, wall_time_ns
from spymaster.simulator.profile import ActivitySection

SECOND_NS = 1_000_000_000
DAY_SECONDS = 86_400
PRE_OPEN_SECONDS = 900
"""Orders are accepted from a quarter of an hour before the open (assumption)."""
_PRE_OPEN_SHAPE = 0.1
_LUMP_SECONDS = 60


@dataclass(frozen=True)
class Segment:
    """A stretch of one phase (`calendar.CLOSED`, `PRE_OPEN`, `CONTINUOUS`), [start, end) in ns UTC."""

    phase: int
    start_ns: int
    end_ns: int


def midnight_ns(dt: date) -> int:
    """Start of a UTC date, ns."""
    return int(np.datetime64(dt, "ns").astype(np.int64))


def segments(dt: date, root: str, span: tuple[time, time] | None) -> list[Segment]:
    """Phases of a UTC date in order, cut to `span` (New York wall times); None takes the whole date."""
    start = midnight_ns(dt)
    ends = start + np.arange(1, DAY_SECONDS + 1, dtype=np.int64) * SECOND_NS
    phase = phases(ends, root)
    opening = np.flatnonzero((phase[1:] == CONTINUOUS) & (phase[:-1] == PRE_OPEN)) + 1
    quiet = np.flatnonzero(phase == PRE_OPEN)
    following = np.append(opening, 2 * DAY_SECONDS)[np.searchsorted(opening, quiet, side="right")]
    phase[quiet[following - quiet > PRE_OPEN_SECONDS]] = 0
    first, last = 0, DAY_SECONDS
    if span is not None:
        first, last = (int((wall_time_ns(dt, wall) - start) // SECOND_NS) for wall in span)
    edges = [first, *(int(edge) for edge in np.flatnonzero(np.diff(phase)) + 1 if first < edge < last), last]
    return [
        Segment(int(phase[low]), start + low * SECOND_NS, start + high * SECOND_NS) for low, high in pairwise(edges)
    ]


def intraday_shape(dt: date, activity: ActivitySection) -> NDArray[np.float64]:
    """Relative activity of each second of a UTC date (86400 values): piecewise linear in New York wall time."""
    start = midnight_ns(dt)
    points = [_point(text, value) for text, value in activity.shape]
    noon_offset = (wall_time_ns(dt, time(12)) - start) // SECOND_NS - 12 * 3600
    wall = (np.arange(DAY_SECONDS) - noon_offset) % DAY_SECONDS
    # a repeated time is a jump: the second value holds from it on
    times = np.array([at for at, _ in points]) - np.arange(len(points), 0, -1) * 1e-6
    shape = np.interp(wall, times, np.array([value for _, value in points]))
    return shape * np.where(wall % 300 < _LUMP_SECONDS, 1 + activity.lump, 1.0)


def message_plan(
    shape: NDArray[np.float64], slow: NDArray[np.float64], parts: list[Segment], day_ns: int, messages: int
) -> NDArray[np.float64]:
    """Messages per second meant for each second of the day, `messages` in all; zero while the market is closed."""
    weight = np.zeros(DAY_SECONDS)
    for part in parts:
        low, high = (int((edge - day_ns) // SECOND_NS) for edge in (part.start_ns, part.end_ns))
        if part.phase == CONTINUOUS:
            weight[low:high] = shape[low:high]
        elif part.phase == PRE_OPEN:
            weight[low:high] = _PRE_OPEN_SHAPE
    weight *= slow
    total = weight.sum()
    return np.round(weight / total * messages, 6) if total > 0 else weight


def _point(text: str, value: float) -> tuple[int, float]:
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60, value
