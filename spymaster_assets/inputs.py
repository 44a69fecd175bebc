"""What an asset reads, declared by four small types, and how a declaration becomes lake handles for one session.

- `Raw("definition", optional=True)`: the raw file of the same date and symbol;
- `Same(WallSurface1s)`: the partition of the same date and symbol;
- `History(WallSurface1s, -30, 0)`: the complete partitions from 30 dates before to the date itself, in date order;
- `OwnHistory(WallSurface1s, -30)`: those of the table itself before the date.

A declaration gives Dagster its dependency (`partition_mapping`) and the loop its handles (`resolve`). A missing `Raw`
or `Same` is a reason to skip the session, never an error; a gap in a `History` is noted in the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, ClassVar

import dagster as dg

from spymaster.errors import SpymasterError
from spymaster.lake.lake import Lake
from spymaster.lake.manifest import Provenance
from spymaster.lake.partition import Partition
from spymaster.lake.raw import AbsentRaw, RawFile, raw_files
from spymaster.settings import Settings
from spymaster.tables.model import TableModel
from spymaster_assets.partitions import SessionKey, history_dates, history_mapping


class AmbiguousRawError(SpymasterError):
    """More than one raw file claims to be a date's file."""


class SkipSession(Exception):  # noqa: N818 - an outcome, not an error
    """The session cannot be materialised from what the lake holds; the message is the reason people read."""


@dataclass(frozen=True)
class TableInput:
    """Handles of one upstream table, as the I/O manager hands them to an asset.

    `sessions` are the partitions that the partition mapping allows the run to see: nothing else can be read through it
    (None, outside Dagster, allows all). `withheld` are those whose blocking check failed, with the reason.
    """

    lake: Lake
    model: type[TableModel]
    sessions: frozenset[SessionKey] | None
    withheld: dict[SessionKey, str] = field(default_factory=dict)

    def get(self, session: SessionKey) -> Partition | None:
        """The complete partition of a session, or None; looked up now, so that a run sees what it has just written."""
        if session in self.withheld or (self.sessions is not None and session not in self.sessions):
            return None
        if not self.lake.has(self.model, session.symbol, session.dt):
            return None
        return self.lake.partition(self.model, session.symbol, session.dt)


@dataclass
class Resolved:
    """What one session reads: `values` by parameter name, the same as manifest `inputs`, and `notes` on gaps."""

    values: dict[str, Any] = field(default_factory=dict)
    inputs: list[Partition | RawFile | AbsentRaw] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    provenance: Provenance | None = None
    dataset: str | None = None
    """Both are set where no input says whether the data are real or simulated."""

    def require_session(self, lake: Lake, session: SessionKey) -> None:
        """Where nothing of what is read is there, the date has to have the future's order file, or `SkipSession`.

        Every table then exists for the same dates: without its own files, empty.
        """
        if any(not isinstance(item, AbsentRaw) for item in self.inputs):
            return
        orders = raw_files(lake, session.symbol, "market_by_order_dbn", session.dt)
        if not orders:
            raise SkipSession(f"no raw file of market_by_order_dbn for {session} in {lake.root / 'raw'}")
        from spymaster.feed.metadata import read_metadata

        self.provenance, self.dataset = orders[0].provenance, read_metadata(orders[0].path).dataset


@dataclass(frozen=True)
class Same:
    """The partition of `model` for the same date and symbol.

    Without it the session is skipped, unless `optional`: then the table is made without it (the value is None), and is
    stale when it comes.
    """

    model: type[TableModel]
    optional: bool = False

    def partition_mapping(self) -> dg.PartitionMapping:
        """The same key upstream and downstream."""
        return dg.IdentityPartitionMapping()

    def resolve(self, name: str, source: TableInput, session: SessionKey, into: Resolved) -> None:
        """Add the partition (None where an optional one is absent or held back), or raise `SkipSession`."""
        partition = source.get(session)
        into.values[name] = partition
        if partition is not None:
            into.inputs.append(partition)
        elif session in source.withheld and not self.optional:
            raise SkipSession(f"{self.model.full_name} of {session} is held back: {source.withheld[session]}")
        elif not self.optional:
            raise SkipSession(f"no partition of {self.model.full_name} for {session}")


MOST_MAPPED, NEAR = 30, 5
"""Dates of a history that Dagster is told of, at most, and of one that is longer."""

Select = Callable[[Sequence[Partition], date, Settings], Sequence[Partition]]
"""Which of the complete partitions of a history a table reads: (in date order, own date, settings) -> those."""


@dataclass(frozen=True)
class History:
    """Complete partitions of `model` from `start` to `end` dates away (0 is the date itself), in date order.

    With `end` 0 the date itself has to be there, and with an earlier one the date's order file, which is not recorded:
    otherwise a session without data would get rows of its own making. `select`, a library function, may narrow the
    partitions; only what it returns is read and recorded. `dates_of` names a history declared before this one: of its
    dates are then the partitions read here, as far as they are complete, and the date itself need not be among them.
    A backfill by Dagster never reaches the first date of a history that ends before the date: let it end with 0.

    Of a history longer than `MOST_MAPPED` Dagster is told the last `NEAR` dates, so that it keeps their order, and the
    others are looked up in the lake: it counts dates one by one, for every date of a request and every such input.
    """

    model: type[TableModel]
    start: int
    end: int
    select: Select | None = None
    dates_of: str | None = None

    @property
    def mapped(self) -> bool:
        """Whether Dagster knows of all its dates."""
        return -self.start <= MOST_MAPPED

    def partition_mapping(self) -> dg.PartitionMapping:
        """The range of dates of the same symbol that Dagster is told of."""
        return history_mapping(self.start if self.mapped else min(-NEAR, self.end), self.end)

    def resolve(self, name: str, source: TableInput, session: SessionKey, into: Resolved) -> None:
        """Add the list of partitions, and a note on its gaps; dates before the first partition are gaps too."""
        if self.end == 0 and self.dates_of is None:
            Same(self.model).resolve(name, source, session, Resolved())
        elif self.dates_of is None and not raw_files(source.lake, session.symbol, "market_by_order_dbn", session.dt):
            raise SkipSession(f"no raw file of market_by_order_dbn for {session} in {source.lake.root / 'raw'}")
        dates = history_dates(session.dt, self.start, self.end)
        if self.dates_of is not None:
            read = {partition.dt for partition in into.values[self.dates_of]}
            dates = [dt for dt in dates if dt in read]
        wanted = [SessionKey(dt, session.symbol) for dt in dates]
        seen = source if self.mapped else replace(source, sessions=None)
        found = [partition for key in wanted if (partition := seen.get(key)) is not None]
        chosen = found if self.select is None else list(self.select(found, session.dt, source.lake.settings))
        into.values[name] = chosen
        into.inputs.extend(chosen)
        into.notes[f"{name}_history"] = _history_note([key.dt for key in wanted], found, chosen)


def _history_note(
    wanted: Sequence[date], found: Sequence[Partition], chosen: Sequence[Partition]
) -> dict[str, int | list[str]]:
    """How many sessions were read, and the dates without one.

    Where `select` left out early sessions, dates before the first one read say nothing about the table.
    """
    complete = {partition.dt for partition in found}
    narrowed = chosen and chosen[0].dt > found[0].dt
    since = chosen[0].dt if narrowed else next(iter(wanted), date.min)
    return {"read": len(chosen), "gaps": [dt.isoformat() for dt in wanted if dt >= since and dt not in complete]}


Find = Callable[[Lake, str, date], RawFile | None]
"""Which raw file serves a symbol and date, by a rule of its own."""


@dataclass(frozen=True)
class Raw:
    """The raw file of one kind for the same date and symbol.

    Without it the session is skipped, unless `optional`: then its absence is recorded, so that the partition is stale
    when it comes, and the table is made without it (with no rows, where there is nothing else). With `covering`, a file
    of several dates that includes this one serves too. `find` is for any other rule; what it would have taken for its
    file is not known to be absent.
    """

    table: str
    optional: bool = False
    product_type: str = "future"
    covering: bool = False
    find: Find | None = None

    def resolve(self, name: str, lake: Lake, session: SessionKey, into: Resolved) -> None:
        """Add the file (None where an optional one is absent), or raise `SkipSession`."""
        file = self._file(lake, session)
        if file is None and not self.optional:
            raise SkipSession(f"no raw file of {self.table} for {session} in {lake.root / 'raw'}")
        into.values[name] = file
        if file is not None:
            into.inputs.append(file)
        elif self.find is None:
            into.inputs.append(AbsentRaw(self.product_type, session.symbol, self.table, session.dt))

    def _file(self, lake: Lake, session: SessionKey) -> RawFile | None:
        if self.find is not None:
            return self.find(lake, session.symbol, session.dt)
        return self._of_date(lake, session) or (self._covering(lake, session) if self.covering else None)

    def _covering(self, lake: Lake, session: SessionKey) -> RawFile | None:
        from spymaster.feed.sources import covering_file

        return covering_file(lake, session.symbol, self.table, session.dt, self.product_type)

    def _of_date(self, lake: Lake, session: SessionKey) -> RawFile | None:
        files = raw_files(lake, session.symbol, self.table, session.dt, self.product_type)
        if len(files) > 1:
            raise AmbiguousRawError(
                f"{len(files)} raw files of {self.table} for {session}: {', '.join(file.name for file in files)}",
                hint="Keep the one to use under raw/ and move the others out of the lake.",
            )
        return files[0] if files else None


@dataclass(frozen=True)
class OwnHistory:
    """Complete partitions of the table itself, from `start` dates away to the date before, in date order.

    Dagster is not told: a backfill over an asset that depends on its own earlier partitions goes on to dates after
    those that were asked for. A run makes the dates of a range in order, which is all that is needed.
    """

    model: type[TableModel]
    start: int
    end: ClassVar[int] = -1

    def resolve(self, name: str, source: TableInput, session: SessionKey, into: Resolved) -> None:
        """Add the list of partitions, and a note on its gaps; what is held back is a gap."""
        dates = history_dates(session.dt, self.start, self.end)
        keys = [SessionKey(dt, session.symbol) for dt in dates]
        found = [partition for key in keys if (partition := source.get(key)) is not None]
        into.values[name] = found
        into.inputs.extend(found)
        into.notes[f"{name}_history"] = _history_note(dates, found, found)


FROM_LAKE = (Raw, OwnHistory)
"""What is no dependency between assets: Dagster hands over nothing for it."""
Declared = Raw | OwnHistory | Same | History
