"""Which contract a study should take of each date, and which dates it should leave out: the research rule.

It counts trades of the date itself, 09:30 to 12:30 in New York, and looks at the sessions around it, later ones too, so
that nothing that is live may use it (`is_lookahead`). A run are sessions that follow one another with the same dominant
contract; its first and last ones are around a roll.

    dominance   the dominant contract has less than 0.80 of the trades
    head_trim   one of the first two sessions of its run
    tail_trim   one of the last two
    liquidity   fewer than half of the trades that the dominant contract has in the median session of the whole run
    no_data     no trade in that time
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from spymaster.lake.partition import Partition
from spymaster.market.calendar import is_session_date, partition_dates

LEAST_DOMINANCE = 0.80
TRIMMED = 2
"""Sessions at either end of a run that are left out."""
LEAST_LIQUIDITY = 0.50
EXCLUDE_REASONS = ("dominance", "head_trim", "tail_trim", "liquidity", "no_data")


@dataclass(frozen=True)
class Dominant:
    """The contract with most trades of a date; contract and expiry are None without a trade, or a definition."""

    dt: date
    contract: str | None
    expiry: date | None
    trades: int
    total: int

    @classmethod
    def of(cls, partition: Partition) -> Dominant:
        """From the counts of a `bronze.contract_day_selection` partition."""
        rows = partition.read(["contract", "expiration", "trade_count_0930_1230"])
        total = int(rows["trade_count_0930_1230"].sum())
        if not total:
            return cls(partition.dt, None, None, 0, 0)
        order = ["trade_count_0930_1230", "expiration", "contract"]
        first = rows.sort(order, descending=[True, False, False], nulls_last=True).row(0, named=True)
        expiry = first["expiration"] and first["expiration"].date()
        return cls(partition.dt, first["contract"], expiry, first["trade_count_0930_1230"], total)


def research_rows(root: str, partitions: Sequence[Partition]) -> Iterator[dict[str, Any]]:
    """Rows of the export for all dates of a root that have counts, in order; absent columns are null.

    partitions: of `bronze.contract_day_selection`, in order of their dates.
    """
    days = [Dominant.of(one) for one in partitions if one.rows]
    previous: str | None = None
    for number, run in enumerate(_runs(root, days), 1):
        usual = median(day.trades for day in run)
        for place, day in enumerate(run, 1):
            reason = _reason(day, place, len(run), usual)
            chosen = day.contract if reason is None else None
            yield {
                "root": root, "session_date": day.dt, "rule": "research",
                "selected_symbol": chosen or "", "selected_exp_date": day.expiry if chosen else None,
                "roll_flag": chosen is not None and previous is not None and chosen != previous,
                "dominant_symbol": day.contract,
                "dominance_ratio": day.trades / day.total if day.total else None,
                "total_trade_count": day.total, "trade_count_dominant": day.trades,
                "run_id": number, "run_pos": place, "run_len": len(run),
                "median_trade_count_run": float(usual), "trade_count_ratio": day.trades / usual if usual else None,
                "include_flag": chosen is not None, "exclude_reason": reason, "is_lookahead": True,
            }  # fmt: skip
            previous = chosen or previous


def _runs(root: str, days: Sequence[Dominant]) -> Iterator[list[Dominant]]:
    """Sessions that follow one another with the same dominant contract; a session that is missing ends a run."""
    run = list(days[:1])
    for before, day in pairwise(days):
        between = partition_dates(before.dt + timedelta(days=1), day.dt - timedelta(days=1))
        if day.contract != before.contract or any(is_session_date(dt, root) for dt in between):
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def _reason(day: Dominant, place: int, length: int, usual: float) -> str | None:
    if day.contract is None:
        return "no_data"
    if day.trades < LEAST_DOMINANCE * day.total:
        return "dominance"
    if place <= TRIMMED:
        return "head_trim"
    if place > length - TRIMMED:
        return "tail_trim"
    return "liquidity" if day.trades < LEAST_LIQUIDITY * usual else None
