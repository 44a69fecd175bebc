"""The two dimensions every table is partitioned by, `date` and `symbol`, and how a table reads earlier dates.

Keys read `2026-01-06|ES`. Dates are UTC dates from Monday to Friday, holidays included; a day without a raw file
simply stays unmaterialised. Dagster hands keys over unsorted and cuts a history that starts before the first
partition without a word, so everything here that returns sessions returns them in date order, and `history_dates`
says what a full history would have been.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import dagster as dg

from spymaster.settings import Settings

DATE, SYMBOL = "date", "symbol"
WEEKEND = ["0 0 * * 6", "0 0 * * 0"]


class SessionKey(NamedTuple):
    """One partition: a UTC date and an instrument root. Sorts by date, then root."""

    dt: date
    symbol: str

    @classmethod
    def parse(cls, key: str) -> SessionKey:
        """Read `2026-01-06|ES`."""
        day, _, symbol = key.partition("|")
        return cls(date.fromisoformat(day), symbol)

    def __str__(self) -> str:
        return f"{self.dt.isoformat()}|{self.symbol}"

    @property
    def partition_key(self) -> dg.MultiPartitionKey:
        """The key as Dagster writes it into run tags."""
        return dg.MultiPartitionKey({DATE: self.dt.isoformat(), SYMBOL: self.symbol})


def session_keys(keys: Iterable[str]) -> list[SessionKey]:
    """Partition keys as sessions, in date order (Dagster's own order is that of a set)."""
    return sorted(SessionKey.parse(key) for key in keys)


def session_partitions(settings: Settings) -> dg.MultiPartitionsDefinition:
    """Dates from the configured start up to and including today (UTC), times the configured symbols.

    `end_offset=1` makes today's key exist while the day runs; before a weekend it shows the coming Monday.
    """
    dates = dg.DailyPartitionsDefinition(
        start_date=settings.start_date.isoformat(), timezone="UTC", exclusions=WEEKEND, end_offset=1
    )
    return dg.MultiPartitionsDefinition({DATE: dates, SYMBOL: dg.StaticPartitionsDefinition(settings.symbols)})


def history_mapping(start: int, end: int) -> dg.MultiPartitionMapping:
    """Upstream partitions of the same symbol from `start` to `end` dates away (both <= 0, in partitions)."""
    if not start <= end <= 0:
        raise ValueError(f"a history runs from an earlier to a later date, never ahead: {start}..{end}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # pinned by spymaster_tests/assets/test_partitions.py
        return dg.MultiPartitionMapping(
            {
                DATE: dg.DimensionPartitionMapping(
                    DATE, dg.TimeWindowPartitionMapping(start_offset=start, end_offset=end)
                ),
                SYMBOL: dg.DimensionPartitionMapping(SYMBOL, dg.IdentityPartitionMapping()),
            }
        )


def history_dates(dt: date, start: int, end: int) -> list[date]:
    """The dates `history_mapping(start, end)` means for `dt`, in order, whether or not a partition exists for them."""
    return [step_dates(dt, offset) for offset in range(start, end + 1)]


def step_dates(dt: date, offset: int) -> date:
    """The weekday `offset` partitions from `dt` (which is a weekday)."""
    weeks, days = divmod(dt.weekday() + offset, 5)
    return dt + timedelta(days=7 * weeks + days - dt.weekday())
