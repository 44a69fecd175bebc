"""Sessions, phases and New York windows, from `exchange_calendars`; nothing here assumes a fixed offset from UTC.

A calendar date (`dt`) is a UTC date, the date of a raw file and of a partition. A *session* is an exchange-calendar
trading session, labelled by its trade date; for CME it opens at 17:00 Chicago on the day before. RTH is 09:30 to 16:00
New York wall time, shortened where the stock exchange closes early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from spymaster.errors import SpymasterError
from spymaster.market.instruments import Instrument, instrument
from spymaster.settings import Settings

CLOSED, PRE_OPEN, CONTINUOUS = 0, 1, 2
"""Codes that `phases` returns, in the order of the `phase` enumeration of the tables."""

NEW_YORK = "America/New_York"
RTH_OPEN, RTH_CLOSE = time(9, 30), time(16, 0)
PRE_OPEN_NS = 3_600_000_000_000
SECOND_NS = 1_000_000_000
_MARGIN = timedelta(days=12)


class CalendarError(SpymasterError):
    """A calendar code `exchange_calendars` does not have, or a date outside what it covers."""


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Sessions of one calendar year and a few days around it: labels as dates, opens and closes in ns UTC."""

    labels: tuple[date, ...]
    opens: NDArray[np.int64]
    closes: NDArray[np.int64]


def wall_time_ns(dt: date, wall: time, zone: str = NEW_YORK) -> int:
    """The instant at which clocks of `zone` show `wall` on `dt`, in ns UTC."""
    instant = datetime.combine(dt, wall, ZoneInfo(zone)).astimezone(UTC)
    return round(instant.timestamp()) * SECOND_NS


def rth_window(dt: date, root: str, settings: Settings | None = None) -> tuple[int, int] | None:
    """Regular trading hours of a date: [start, end) in ns UTC; None where the stock exchange has no session."""
    code = instrument(root, settings).rth_calendar
    sessions = _sessions(code, None, dt.year)
    if dt not in sessions.labels:
        return None
    close = int(sessions.closes[sessions.labels.index(dt)])
    return wall_time_ns(dt, RTH_OPEN), min(close, wall_time_ns(dt, RTH_CLOSE))


def phases(
    window_ends_ns: NDArray[np.int64], root: str, *, window_ns: int = SECOND_NS, settings: Settings | None = None
) -> NDArray[np.int8]:
    """Phase of each window: CONTINUOUS inside a session, PRE_OPEN in the hour before an open, else CLOSED.

    A window belongs to the phase of its start, `window_end - window_ns`. The ends need not be sorted.
    """
    return instrument_phases(window_ends_ns, instrument(root, settings), window_ns=window_ns)


def instrument_phases(
    window_ends_ns: NDArray[np.int64], item: Instrument, *, window_ns: int = SECOND_NS
) -> NDArray[np.int8]:
    """`phases` of an instrument that the caller has looked up already."""
    starts = np.asarray(window_ends_ns, np.int64) - window_ns
    if not len(starts):
        return np.empty(0, np.int8)
    first, last = (_utc_date(int(bound)).year for bound in (starts.min(), starts.max()))
    parts = [_sessions(item.calendar, item.session_close, year) for year in range(first, last + 1)]
    opens, index = np.unique(np.concatenate([part.opens for part in parts]), return_index=True)
    closes = np.concatenate([part.closes for part in parts])[index]
    following = np.searchsorted(opens, starts, side="right")
    inside = (following > 0) & (starts < closes[following - 1])
    next_open = np.append(opens, np.iinfo(np.int64).max)[following]
    before_open = next_open - starts <= PRE_OPEN_NS
    return np.select([inside, before_open], [CONTINUOUS, PRE_OPEN], CLOSED).astype(np.int8)


def phase_at(ns: int, root: str, settings: Settings | None = None) -> int:
    """Phase of one instant (ns UTC)."""
    return int(phases(np.array([ns], np.int64), root, window_ns=0, settings=settings)[0])


def session_dates(times_ns: NDArray[np.int64], item: Instrument) -> NDArray[np.datetime64]:
    """Trade date of each instant (ns UTC): the session that it lies in, or between two sessions the next one.

    datetime64[D] of the shape of `times_ns`.
    """
    times = np.asarray(times_ns, np.int64)
    if not len(times):
        return np.empty(0, "datetime64[D]")
    first, last = (_utc_date(int(bound)).year for bound in (times.min(), times.max()))
    parts = [_sessions(item.calendar, item.session_close, year) for year in range(first, last + 1)]
    closes, index = np.unique(np.concatenate([part.closes for part in parts]), return_index=True)
    labels = np.concatenate([np.array(part.labels, "datetime64[D]") for part in parts])[index]
    return labels[np.searchsorted(closes, times, side="right")]


def session_bounds(label: date, item: Instrument) -> tuple[int, int] | None:
    """Open and close (ns UTC) of the session of a trade date; None where the exchange has none."""
    sessions = _sessions(item.calendar, item.session_close, label.year)
    if label not in sessions.labels:
        return None
    index = sessions.labels.index(label)
    return int(sessions.opens[index]), int(sessions.closes[index])


def is_session_date(dt: date, root: str, settings: Settings | None = None) -> bool:
    """Whether the exchange has a trading session labelled `dt`."""
    item = instrument(root, settings)
    return dt in _sessions(item.calendar, item.session_close, dt.year).labels


def previous_session(dt: date, root: str, settings: Settings | None = None) -> date:
    """The latest session label before `dt`."""
    item = instrument(root, settings)
    return max(label for label in _sessions(item.calendar, item.session_close, dt.year).labels if label < dt)


def partition_dates(start: date, end: date) -> Iterator[date]:
    """Dates that have partitions: Monday to Friday from `start` to `end`, both included, holidays too."""
    day = start
    while day <= end:
        if day.weekday() < 5:
            yield day
        day += timedelta(days=1)


@lru_cache(maxsize=256)
def _sessions(code: str, session_close: time | None, year: int) -> _Sessions:
    """Sessions labelled in `year` or within 12 days of it; `session_close` cuts what the library runs longer."""
    import exchange_calendars
    import exchange_calendars.errors as errors

    first, last = date(year, 1, 1) - _MARGIN, date(year, 12, 31) + _MARGIN
    try:
        calendar = exchange_calendars.get_calendar(code, start=first.isoformat(), end=last.isoformat())
    except errors.InvalidCalendarName as error:
        raise CalendarError(
            f"exchange_calendars has no calendar {code!r}",
            hint="Correct `calendar` or `rth_calendar` of the instrument in the instrument file.",
        ) from error
    except ValueError as error:
        raise CalendarError(f"calendar {code!r} does not cover {year}: {error}") from error
    labels = tuple(stamp.date() for stamp in calendar.sessions)
    opens = calendar.opens.to_numpy("datetime64[ns]").astype(np.int64)
    closes = calendar.closes.to_numpy("datetime64[ns]").astype(np.int64)
    if session_close is not None:
        zone = str(calendar.tz)
        closes = np.minimum(closes, [wall_time_ns(label, session_close, zone) for label in labels])
    return _Sessions(labels, opens, closes)


def _utc_date(ns: int) -> date:
    return datetime.fromtimestamp(ns // SECOND_NS, UTC).date()
