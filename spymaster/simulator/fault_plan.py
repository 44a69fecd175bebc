"""What can be made wrong with a file on purpose: files of faults, and the faults of a date.

A file has one list of tables per kind, `[[sequence_gap]]` for example; `at` is New York wall time, a whole second while
the market trades, and `dt` one date (all by default). Unknown keys are errors. Kinds are about the future's file of
orders, those whose name starts with `option_` about the files of the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from spymaster.market.calendar import CONTINUOUS, wall_time_ns
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.profile import Count, read_config
from spymaster.simulator.schedule import SECOND_NS, Segment

Few = Annotated[int, Field(ge=1, le=500)]
Seconds = Annotated[int, Field(ge=1, le=3_600)]


class FaultSection(BaseModel):
    """What every kind has. `of_options` says that it is about the files of the chain."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: ClassVar[str]
    of_options: ClassVar[bool] = False
    dt: date | None = None

    @property
    def lasts(self) -> int:
        """Seconds from the fault's beginning to its end; 0 for one that is over at once, or never."""
        return 0


class TimedFault(FaultSection):
    """A fault that begins at a time."""

    at: time

    @field_validator("at")
    @classmethod
    def _is_a_whole_second(cls, at: time) -> time:
        if at.microsecond or at.tzinfo:
            raise ValueError("a whole second of New York wall time, such as 10:00:30")
        return at


class LastingFault(TimedFault):
    """A fault of some seconds."""

    seconds: Seconds

    @property
    def lasts(self) -> int:
        """Its seconds."""
        return self.seconds


class SequenceGap(TimedFault):
    """Records are missing."""

    kind = "sequence_gap"
    records: Few = 100


class DuplicateEvents(TimedFault):
    """Events are told twice, each right after itself."""

    kind = "duplicate_events"
    events: Few = 20


class MidDaySnapshot(TimedFault):
    """The feed starts anew: a clear and a snapshot of every book."""

    kind = "mid_day_snapshot"


class MaybeBadBook(LastingFault):
    """The publisher doubts the book: all records are flagged F_MAYBE_BAD_BOOK."""

    kind = "maybe_bad_book"
    seconds: Seconds = 5


class BadReceiveTime(LastingFault):
    """Capture times are a second early, and flagged F_BAD_TS_RECV."""

    kind = "bad_ts_recv"
    seconds: Seconds = 5


class ClockStep(LastingFault):
    """The capture clock is off by some milliseconds, unflagged."""

    kind = "clock_step"
    step_ms: Annotated[int, Field(ge=-60_000, le=60_000)] = -250
    seconds: Seconds = 5


class UndefinedPrice(TimedFault):
    """The next record of an action of the first contract has no price."""

    kind = "undefined_price"
    action: Literal["A", "C", "M", "T"] = "C"


class UnknownId(TimedFault):
    """A cancel or modify of an order that nobody has seen."""

    kind = "unknown_id"
    action: Literal["C", "M"] = "C"


class ReusedId(TimedFault):
    """An add under the id of an order that rests."""

    kind = "reused_id"


class PartialCancel(TimedFault):
    """A cancel of one contract of a larger order."""

    kind = "partial_cancel"


class CrossedBook(LastingFault):
    """A bid above the best ask that does not trade."""

    kind = "crossed_book"
    ticks: Count = 5
    seconds: Seconds = 2


class NoSnapshot(TimedFault):
    """The file starts in the middle of the session, without a snapshot."""

    kind = "no_snapshot"


class TruncatedFile(TimedFault):
    """The file ends in the middle of a record."""

    kind = "truncated_file"


class OptionNoSnapshot(TimedFault):
    """The file of the options' orders starts in the middle of the session, without a snapshot."""

    kind = "option_no_snapshot"
    of_options = True


class OptionTruncatedFile(TimedFault):
    """The file of the options' orders ends in the middle of a record."""

    kind = "option_truncated_file"
    of_options = True


class OptionFileMissing(FaultSection):
    """One of the options' files is not there."""

    kind = "option_file_missing"
    of_options = True
    table: Literal["definition", "statistics", "market_by_order_dbn"]


class FaultFile(BaseModel):
    """A file of faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sequence_gap: list[SequenceGap] = []
    duplicate_events: list[DuplicateEvents] = []
    mid_day_snapshot: list[MidDaySnapshot] = []
    maybe_bad_book: list[MaybeBadBook] = []
    bad_ts_recv: list[BadReceiveTime] = []
    clock_step: list[ClockStep] = []
    undefined_price: list[UndefinedPrice] = []
    unknown_id: list[UnknownId] = []
    reused_id: list[ReusedId] = []
    partial_cancel: list[PartialCancel] = []
    crossed_book: list[CrossedBook] = []
    no_snapshot: list[NoSnapshot] = []
    truncated_file: list[TruncatedFile] = []
    option_no_snapshot: list[OptionNoSnapshot] = []
    option_truncated_file: list[OptionTruncatedFile] = []
    option_file_missing: list[OptionFileMissing] = []

    def sections(self) -> list[FaultSection]:
        """All faults in the order of their kinds."""
        return [section for name in type(self).model_fields for section in getattr(self, name)]


@dataclass(frozen=True)
class PlannedFault:
    """One fault of a date, from `start_ns` to `end_ns` (equal for one that is over at once, or never)."""

    fault_id: int
    section: FaultSection
    start_ns: int
    end_ns: int


def load_faults(name: str) -> FaultFile:
    """`none` or the path of a TOML file. Raises SimulatorConfigError."""
    if name == "none":
        return FaultFile()
    if Path(name).suffix != ".toml":
        raise SimulatorConfigError(f"unknown faults {name!r}", hint="`none`, or the path of a file that ends in .toml.")
    return read_config(Path(name), FaultFile)


def plan_faults(file: FaultFile, dt: date, parts: list[Segment]) -> tuple[PlannedFault, ...]:
    """The faults of a date in order of time, numbered from 1.

    Raises SimulatorConfigError for one that does not lie inside the hours in which the market trades.
    """
    found = []
    for section in file.sections():
        if section.dt not in (None, dt):
            continue
        if not isinstance(section, TimedFault):
            found.append((parts[0].start_ns, parts[0].start_ns, section))
            continue
        start = wall_time_ns(dt, section.at)
        end = start + section.lasts * SECOND_NS
        if not any(part.phase == CONTINUOUS and part.start_ns < start and end < part.end_ns for part in parts):
            raise SimulatorConfigError(
                f"fault {section.kind} at {section.at}: the market does not trade then on {dt}",
                hint="Choose a New York time inside the span of the preset, or name the date with `dt`.",
            )
        found.append((start, end, section))
    found.sort(key=lambda one: one[0])
    return tuple(PlannedFault(number, section, start, end) for number, (start, end, section) in enumerate(found, 1))


def pauses_of(faults: tuple[PlannedFault, ...]) -> tuple[int, ...]:
    """The times at which the market must stop for the faults, ns UTC in order."""
    return tuple(sorted({at for fault in faults for at in (fault.start_ns, fault.end_ns)}))
