"""`daily_materialisation`: every weekday evening in Chicago, all tables of the UTC date that is just over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from spymaster.lake.errors import LakeNotFoundError
from spymaster.lake.lake import Lake
from spymaster.lake.raw import raw_files
from spymaster_assets.jobs import ALL_TABLES
from spymaster_assets.partitions import SessionKey
from spymaster_assets.resources import SYMBOL_TAG, load_settings

CRON, TIMEZONE = "30 20 * * 1-5", "America/Chicago"
"""01:30 or 02:30 UTC: the UTC date of the file has to be over, in summer and in winter."""


def session_date(scheduled: datetime) -> date:
    """The UTC date before that of the scheduled time; never 'the last partition', which may be a day to come."""
    return scheduled.astimezone(UTC).date() - timedelta(days=1)


@dg.schedule(
    name="daily_materialisation",
    job=ALL_TABLES,
    cron_schedule=CRON,
    execution_timezone=TIMEZONE,
    required_resource_keys={"lake"},
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="All tables of the UTC date that ended before the tick, one run per symbol that has a raw file for it.",
)
def daily_materialisation(context: dg.ScheduleEvaluationContext):
    """One run per symbol; a symbol without a raw file is skipped with the reason."""
    dt = session_date(context.scheduled_execution_time)
    try:
        lake = context.resources.lake.open()
    except LakeNotFoundError as error:
        return dg.SkipReason(str(error))
    symbols = load_settings().symbols
    absent = {symbol: reason for symbol in symbols if (reason := missing_raw(lake, SessionKey(dt, symbol)))}
    for reason in absent.values():
        context.log.info(reason)
    if len(absent) == len(symbols):
        return dg.SkipReason("; ".join(absent.values()))
    return [run_request(SessionKey(dt, symbol)) for symbol in symbols if symbol not in absent]


def missing_raw(lake: Lake, session: SessionKey) -> str | None:
    """Why a session cannot be materialised, or None if its market-by-order file is there."""
    if raw_files(lake, session.symbol, "market_by_order_dbn", session.dt):
        return None
    return f"no raw file of market_by_order_dbn for {session}"


def run_request(session: SessionKey) -> dg.RunRequest:
    """All tables of one session; asked for again, it is the same run."""
    return dg.RunRequest(run_key=f"{session}", partition_key=session.partition_key, tags={SYMBOL_TAG: session.symbol})
