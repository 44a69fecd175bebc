"""Is every table up to date? One check per table that knows partitions: it compares them with the raw files.

The last ten dates that have a raw file are looked at, for each symbol; of a table that is made for the last date of a
request only, the last one. A date without a file (a holiday) is not late, and a table is late only for a date that is
over. The check warns: old data are not wrong data.

It is about the state of a whole table and no part of materialising some of its partitions. But whoever selects assets
for a run without a word about checks (the UI, a backfill) gets every check of them, this one too: there it passes no
judgement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import dagster as dg

from spymaster.lake.errors import LakeNotFoundError
from spymaster.lake.lake import Lake
from spymaster.lake.raw import raw_files
from spymaster.lake.status import partition_status
from spymaster.settings import Settings
from spymaster.tables import all_tables
from spymaster.tables.model import TableModel
from spymaster_assets.metadata import asset_key
from spymaster_assets.resources import load_settings

NAME = "freshness"
DATES = 10
CRON, TIMEZONE = "0 23 * * 1-5", "America/Chicago"
"""Well after `daily_materialisation` has begun."""


@dataclass(frozen=True)
class Freshness:
    """State of one table: its newest date per symbol, and what is late."""

    newest: dict[str, str]
    late: tuple[str, ...]


def freshness(lake: Lake, model: type[TableModel], settings: Settings, today: date) -> Freshness:
    """Compare the partitions of a table with the raw files of the last dates before `today` (UTC)."""
    newest: dict[str, str] = {}
    late: list[str] = []
    for symbol in settings.symbols:
        dates = recent_dates(lake, symbol, settings, today)
        for dt in dates[-1:] if model.last_only else dates:
            status = partition_status(lake, model, symbol, dt)
            if status.state == "missing":
                late.append(f"{dt}|{symbol} missing")
            elif not status.is_fresh:
                late.append(f"{dt}|{symbol} stale: {status.reasons[0]}")
            else:
                newest[symbol] = dt.isoformat()
    return Freshness(newest, tuple(late))


def recent_dates(lake: Lake, symbol: str, settings: Settings, today: date) -> Sequence[date]:
    """The last dates before `today` that have a partition and a raw file, in order."""
    dates = {file.dt for file in raw_files(lake, symbol, "market_by_order_dbn")}
    return sorted(dt for dt in dates if settings.start_date <= dt < today and dt.weekday() < 5)[-DATES:]


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            NAME, asset=asset_key(model), description=f"The last {DATES} dates with a raw file are complete and fresh."
        )
        for model in all_tables().values()
    ],
    required_resource_keys={"lake"},
    can_subset=True,
)
def freshness_checks(context) -> Iterator[dg.AssetCheckResult]:
    """See the module."""
    if context.run.asset_selection:
        context.log.info(f"tables are being made in this run: the job {freshness_job.name} says whether they are fresh")
        return
    try:
        lake = context.resources.lake.open()
    except LakeNotFoundError as error:
        context.log.info(str(error))
        return
    today = datetime.now(UTC).date()
    for model in all_tables().values():
        if dg.AssetCheckKey(asset_key(model), NAME) in context.selected_asset_check_keys:
            found = freshness(lake, model, load_settings(), today)
            yield dg.AssetCheckResult(
                asset_key=asset_key(model),
                check_name=NAME,
                passed=not found.late,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{len(found.late)} of the last dates are missing or stale" if found.late else "up to date",
                metadata={"newest": dg.MetadataValue.json(found.newest), "late": dg.MetadataValue.json([*found.late])},
            )


freshness_job = dg.define_asset_job(
    "freshness",
    selection=dg.AssetSelection.checks(freshness_checks),
    description="The freshness checks of all tables.",
)

daily_freshness = dg.ScheduleDefinition(
    name="daily_freshness",
    job=freshness_job,
    cron_schedule=CRON,
    execution_timezone=TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks every weekday night whether the tables are up to date.",
)
