"""Scripts of one level that is met again and again, each time with an outcome: what history is made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.simulator import scenes
from spymaster.simulator.layout import ASK
from spymaster.simulator.script import Episode, Script, Step, Task, Waypoint, clock_ns, seconds_ns

EVERY_S = 13 * 60
"""From one meeting to the next."""
BARRIER_TICKS = 8
HORIZON_S = 120
OUTCOMES = ("reject", "chop", "break")
_VARIANT = {"reject": "full_reject", "chop": "none", "break": "full_break"}
_FIRST, _LAST_ROOM_S = "09:38:00", 240

_BEFORE = ((-200, -5.0, -3.0), (-45, -2.0, -1.0), (-6, -0.75, -0.25), (0, -0.25, 0.0))
_AFTER: dict[str, tuple[tuple[float, float, float], ...]] = {
    "reject": ((12, -0.75, 0.0), (45, -2.75, -1.75), (90, -4.5, -3.25), (240, -6.0, -3.5)),
    "chop": ((12, -0.5, 0.5), (150, -0.75, 0.75), (240, -1.0, 1.0), (330, -3.0, -1.5)),
    "break": ((12, 0.0, 0.5), (45, 1.75, 2.75), (90, 3.25, 4.5), (210, 3.0, 5.5), (330, -1.5, 1.0)),
}
"""(seconds from the touch, low, high) in points from the level, for approaches from below."""


def touches(
    dt: date, level: float, outcomes: Sequence[str], start_ns: int, end_ns: int, *,
    anchor: float | None = 0.0, timings: Sequence[str] = ("algo",), name: str = "touches", leave: float = -6.0,
) -> Script:  # fmt: skip
    """A date on which the high before the open is `level` and is met from 09:38 on, every 13 minutes.

    Outcomes and timings are taken in turn. Files that start after 09:12 have no high of before the open; the level is
    then just a price. After the last meeting the price is led to `level + leave`.
    """
    rth = clock_ns(dt, "09:30:00")
    waypoints: list[Waypoint] = []
    tasks: list[Task] = []
    steps: list[Step] = []
    high_at = clock_ns(dt, "09:12:00")
    if start_ns < high_at - seconds_ns(300):
        waypoints += _made_high(start_ns, high_at, level)
        tasks += [
            scenes.guard(ASK, level, start_ns, rth, shown=4),
            scenes.last_trade(level, high_at, high_at + seconds_ns(24)),
        ]
        steps.append(Step("pre_market_high", high_at, level))
        waypoints.append(Waypoint(clock_ns(dt, "09:28:00"), level - 7.0, level - 3.0))
    episodes: list[Episode] = []
    touch = max(clock_ns(dt, _FIRST), start_ns + seconds_ns(300))
    while touch + seconds_ns(_LAST_ROOM_S) <= end_ns:
        k = len(episodes)
        outcome, timing = outcomes[k % len(outcomes)], timings[k % len(timings)]
        for seconds, low, high in (*_BEFORE, *_AFTER[outcome]):
            waypoints.append(Waypoint(touch + seconds_ns(seconds), level + low, level + high))
        begins = touch - seconds_ns(scenes.WINDOW_S)
        tasks += scenes.conditions(_VARIANT[outcome], timing, level, 1, begins, touch)
        episodes.append(
            Episode(
                k + 1, _VARIANT[outcome], timing, level, 1, touch - seconds_ns(60), touch, BARRIER_TICKS,
                seconds_ns(HORIZON_S), outcome,
            )
        )  # fmt: skip
        steps.append(Step(f"touch_{k + 1}", touch, level))
        touch += seconds_ns(EVERY_S)
    if waypoints and waypoints[-1].ts < end_ns:
        waypoints.append(Waypoint(max(end_ns, waypoints[-1].ts + seconds_ns(60)), level + leave - 2, level + leave))
    return Script(name, anchor, tuple(waypoints), tuple(tasks), tuple(episodes), tuple(steps))


def _made_high(start_ns: int, high_at: int, level: float) -> list[Waypoint]:
    points = ((-240, -5.5, -1.75), (-60, -2.0, -1.0), (-10, -0.75, -0.375), (0, -0.25, -0.1), (25, -0.25, -0.1),
              (70, -2.5, -0.75))  # fmt: skip
    first = Waypoint(start_ns, level - 12.0, level - 2.0)
    return [first, *(Waypoint(high_at + seconds_ns(after), level + low, level + high) for after, low, high in points)]
