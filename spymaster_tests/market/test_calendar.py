"""Sessions, phases and RTH follow wall time and the exchange calendar, across daylight saving and holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import numpy as np
import pytest

from spymaster.market.calendar import (
    CLOSED,
    CONTINUOUS,
    PRE_OPEN,
    CalendarError,
    is_session_date,
    partition_dates,
    phase_at,
    phases,
    previous_session,
    rth_window,
    wall_time_ns,
)
from spymaster.settings import Settings

SECOND = 1_000_000_000


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2024, 3, 8), "2024-03-08T14:30", "2024-03-08T21:00"),  # standard time
        (date(2024, 3, 11), "2024-03-11T13:30", "2024-03-11T20:00"),  # the Monday after the clocks went forward
        (date(2024, 11, 1), "2024-11-01T13:30", "2024-11-01T20:00"),
        (date(2024, 11, 4), "2024-11-04T14:30", "2024-11-04T21:00"),  # ... and back
        (date(2023, 11, 24), "2023-11-24T14:30", "2023-11-24T18:00"),  # early close after Thanksgiving
        (date(2024, 7, 3), "2024-07-03T13:30", "2024-07-03T17:00"),
    ],
)
def test_rth_is_new_york_wall_time_with_early_closes(day: date, start: str, end: str) -> None:
    assert rth_window(day, "ES") == (utc(start), utc(end))
    assert rth_window(day, "CL") == (utc(start), utc(end))


@pytest.mark.parametrize("day", [date(2023, 12, 25), date(2024, 2, 19), date(2024, 3, 9), date(2024, 3, 10)])
def test_there_is_no_rth_on_holidays_and_weekends(day: date) -> None:
    assert rth_window(day, "ES") is None


@pytest.mark.parametrize(
    ("instant", "phase"),
    [
        # Christmas Monday: closed until an hour before the evening open at 17:00 Chicago = 23:00 UTC
        ("2023-12-25T00:00:00", CLOSED),
        ("2023-12-25T21:59:59", CLOSED),
        ("2023-12-25T22:00:00", PRE_OPEN),
        ("2023-12-25T22:59:59", PRE_OPEN),
        ("2023-12-25T23:00:00", CONTINUOUS),
        # an ordinary day halts 16:00-17:00 Chicago, although the library's session runs on to 17:00
        ("2023-12-27T21:59:59", CONTINUOUS),
        ("2023-12-27T22:00:00", PRE_OPEN),
        ("2023-12-27T23:00:00", CONTINUOUS),
        # daylight time: the same halt an hour earlier in UTC
        ("2024-06-12T20:59:59", CONTINUOUS),
        ("2024-06-12T21:00:00", PRE_OPEN),
        ("2024-06-12T22:00:00", CONTINUOUS),
        # Presidents' Day stops at noon Chicago and reopens in the evening
        ("2024-02-19T17:59:59", CONTINUOUS),
        ("2024-02-19T18:00:00", CLOSED),
        ("2024-02-19T22:00:00", PRE_OPEN),
        # the weekend, over the change to daylight time
        ("2024-03-08T22:00:00", CLOSED),
        ("2024-03-10T20:59:59", CLOSED),
        ("2024-03-10T21:00:00", PRE_OPEN),
        ("2024-03-10T22:00:00", CONTINUOUS),
        # over new year
        ("2023-12-31T23:59:59", CLOSED),
        ("2024-01-01T22:00:00", PRE_OPEN),
        ("2024-01-01T23:00:00", CONTINUOUS),
    ],
)
def test_phase_of_an_instant(instant: str, phase: int) -> None:
    assert phase_at(utc(instant), "ES") == phase


def test_a_window_has_the_phase_of_its_start() -> None:
    open_ns = utc("2023-12-25T23:00")
    ends = np.array([open_ns, open_ns + SECOND, open_ns - 3600 * SECOND, open_ns - 3599 * SECOND], np.int64)
    assert phases(ends, "ES").tolist() == [PRE_OPEN, CONTINUOUS, CLOSED, PRE_OPEN]
    assert phases(ends + 59 * SECOND, "ES", window_ns=60 * SECOND).tolist() == [PRE_OPEN, CONTINUOUS, CLOSED, PRE_OPEN]
    assert phases(np.empty(0, np.int64), "ES").tolist() == []


def test_phases_span_years() -> None:
    ends = np.array([utc("2022-12-28T12:00"), utc("2024-01-03T12:00"), utc("2023-07-04T18:00")], np.int64)
    assert phases(ends, "ES").tolist() == [CONTINUOUS, CONTINUOUS, CLOSED]


def test_session_dates() -> None:
    assert is_session_date(date(2023, 12, 22), "ES")
    assert not is_session_date(date(2023, 12, 25), "ES")
    assert is_session_date(date(2024, 2, 19), "ES")  # a shortened one
    assert previous_session(date(2023, 12, 26), "ES") == date(2023, 12, 22)
    assert previous_session(date(2024, 1, 2), "NQ") == date(2023, 12, 29)


def test_partitions_exist_on_weekdays_holidays_included() -> None:
    assert list(partition_dates(date(2023, 12, 22), date(2023, 12, 26))) == [
        date(2023, 12, 22),
        date(2023, 12, 25),
        date(2023, 12, 26),
    ]


def test_wall_time_at_both_sides_of_the_clock_change() -> None:
    assert wall_time_ns(date(2024, 3, 8), time(9, 30)) == utc("2024-03-08T14:30")
    assert wall_time_ns(date(2024, 3, 11), time(9, 30)) == utc("2024-03-11T13:30")


def test_an_unknown_calendar_code_is_reported(tmp_path) -> None:
    extension = tmp_path / "mine.toml"
    extension.write_text('[instruments.ES]\ncalendar = "NOPE"\n')
    with pytest.raises(CalendarError, match="NOPE"):
        phase_at(utc("2024-01-03T12:00"), "ES", Settings(instruments_file=extension))
