"""Sunday evenings: the hour or two of a UTC date in which the week's first session opens.

Partitions exist from Monday to Friday, so nothing reads these files unless it is told to; they are for those who want
every file that a vendor has.
"""

from __future__ import annotations

from datetime import date, time, timedelta

from spymaster.market.calendar import CONTINUOUS
from spymaster.simulator.profile import ActivitySection
from spymaster.simulator.schedule import SECOND_NS, intraday_shape, midnight_ns, segments

_LEAST_MESSAGES = 1_000


def is_evening(dt: date) -> bool:
    """Whether a date is a Sunday."""
    return dt.weekday() == 6


def evenings(first: date, last: date, root: str) -> list[date]:
    """Sundays from `first` to `last` on whose evening a session opens."""
    days = (first + timedelta(days=step) for step in range((last - first).days + 1))
    return [
        dt for dt in days
        if is_evening(dt) and any(part.phase == CONTINUOUS for part in segments(dt, root, None))
    ]  # fmt: skip


def evening_messages(
    dt: date, root: str, span: tuple[time, time] | None, messages: int, activity: ActivitySection
) -> int:
    """Messages of a Sunday evening that is as busy as it should be beside a Monday with `messages` in `span`."""
    usual = _busyness(dt + timedelta(days=1), root, span, activity)
    wanted = messages * _busyness(dt, root, None, activity) / usual if usual > 0 else 0.0
    return max(round(wanted), _LEAST_MESSAGES)


def _busyness(dt: date, root: str, span: tuple[time, time] | None, activity: ActivitySection) -> float:
    shape, start = intraday_shape(dt, activity), midnight_ns(dt)
    return sum(
        float(shape[(part.start_ns - start) // SECOND_NS : (part.end_ns - start) // SECOND_NS].sum())
        for part in segments(dt, root, span)
        if part.phase == CONTINUOUS
    )
