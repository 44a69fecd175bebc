"""`daily_materialisation` against fixed clocks: which date it means, and when it does nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from spymaster_assets.definitions import definitions
from spymaster_assets.resources import LakeResource
from spymaster_assets.schedules import CRON, TIMEZONE, daily_materialisation, session_date
from spymaster_tests.assets.conftest import AddRaw

CHICAGO = ZoneInfo(TIMEZONE)


def evaluate(resource: LakeResource, scheduled: datetime):
    context = dg.build_schedule_context(
        scheduled_execution_time=scheduled,
        resources={"lake": resource},
        repository_def=definitions(resource).get_repository_def(),
    )
    return daily_materialisation.evaluate_tick(context)


def ticks(first: datetime, count: int) -> list[datetime]:
    """The times Dagster's own scheduler computes for the schedule."""
    iterator = schedule_execution_time_iterator(first.timestamp(), CRON, TIMEZONE, ascending=True)
    return [next(iterator).astimezone(UTC) for _ in range(count)]


def test_the_schedule_is_the_documented_one():
    assert (daily_materialisation.cron_schedule, daily_materialisation.execution_timezone) == (
        "30 20 * * 1-5",
        "America/Chicago",
    )


def test_a_week_of_ticks_means_monday_to_friday():
    times = ticks(datetime(2024, 3, 4, 12, tzinfo=UTC), 6)
    assert [session_date(time) for time in times] == [date(2024, 3, day) for day in (4, 5, 6, 7, 8, 11)]
    assert times[4] == datetime(2024, 3, 9, 2, 30, tzinfo=UTC)  # Friday evening in Chicago is Saturday in UTC


@pytest.mark.parametrize(
    ("around", "utc_hours"),
    [
        pytest.param(datetime(2024, 3, 8, 12, tzinfo=UTC), (2, 1), id="clocks go forward"),
        pytest.param(datetime(2024, 11, 1, 12, tzinfo=UTC), (1, 2), id="clocks go back"),
    ],
)
def test_the_utc_date_is_over_on_both_sides_of_a_clock_change(around: datetime, utc_hours: tuple[int, int]):
    friday, monday = ticks(around, 2)
    assert (friday.hour, monday.hour) == utc_hours
    assert session_date(friday).weekday() == 4
    assert session_date(monday).weekday() == 0


def test_one_run_per_symbol_with_a_raw_file(resource: LakeResource, add_raw: AddRaw):
    add_raw("ES", date(2024, 3, 6), messages=10)
    add_raw("CL", date(2024, 3, 6), messages=10)
    add_raw("NQ", date(2024, 3, 5), messages=10)  # late: yesterday's only
    result = evaluate(resource, datetime(2024, 3, 6, 20, 30, tzinfo=CHICAGO))
    assert [(request.partition_key, request.run_key) for request in result.run_requests or ()] == [
        ("2024-03-06|ES", "2024-03-06|ES"),
        ("2024-03-06|CL", "2024-03-06|CL"),
    ]
    assert [request.tags["spymaster/symbol"] for request in result.run_requests or ()] == ["ES", "CL"]


def test_a_holiday_without_files_is_skipped_with_the_reason(resource: LakeResource, add_raw: AddRaw):
    add_raw("ES", date(2024, 3, 28), messages=10)
    result = evaluate(resource, datetime(2024, 3, 29, 20, 30, tzinfo=CHICAGO))  # Good Friday: the exchange was closed
    assert not result.run_requests
    assert "no raw file of market_by_order_dbn for 2024-03-29|ES" in (result.skip_message or "")


def test_a_tick_that_runs_late_still_means_its_own_date(resource: LakeResource, add_raw: AddRaw):
    """The daemon was down over the weekend and catches up: the scheduled time counts, not the clock."""
    add_raw("ES", date(2024, 3, 8), messages=10)
    result = evaluate(resource, datetime(2024, 3, 8, 20, 30, tzinfo=CHICAGO))
    assert [request.partition_key for request in result.run_requests or ()] == ["2024-03-08|ES"]


def test_without_a_lake_the_schedule_skips(tmp_path):
    result = evaluate(LakeResource(root=str(tmp_path / "nowhere")), datetime(2024, 3, 8, 20, 30, tzinfo=CHICAGO))
    assert "is not a data lake" in (result.skip_message or "")
