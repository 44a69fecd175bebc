"""What an integrity check is: a name, the tables it reads, and a function that looks for violations.

A check is written as a function over a `Session` (one lake, one symbol, one date) that returns a `Finding`, and is made
a `Check` by the `check` decorator. Dagster's asset checks and `spymaster check` both run `Check.run`.

What does not belong here: the contracts of single rows. They are part of the table models and hold before a partition
is committed; checks are for what only whole partitions, several tables, or the manifest can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spymaster.lake.lake import Lake
    from spymaster.lake.partition import Partition
    from spymaster.market.instruments import Instrument

MAX_EXAMPLES = 20
"""Violations quoted in a finding; the count is always complete."""

Value = bool | int | float | str | None


class Suite(StrEnum):
    """The integrity suites of the command line."""

    DATA = "data"
    PHYSICS = "physics"
    SERVICE = "service"


class Severity(StrEnum):
    """How bad a failure is: `warn` is shown and counted, `error` fails the command and the asset check."""

    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What a check function saw.

    `violations` is the number of rows (or values) that break the rule: 0 passes. `severity` replaces the check's own
    where the size of the breach decides it.
    """

    violations: int
    message: str
    metadata: Mapping[str, Value] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    severity: Severity | None = None


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check on one partition; `metadata` holds plain scalars only, ready for JSON and for Dagster."""

    passed: bool
    severity: Severity
    metadata: dict[str, Value]
    message: str


@dataclass(frozen=True)
class Session:
    """The partitions of one symbol and date as a check sees them."""

    lake: Lake
    symbol: str
    dt: date

    def partition(self, table: str) -> Partition:
        """The complete partition of `table`; raises `MissingPartitionError` where there is none."""
        return self.lake.partition(table, self.symbol, self.dt)

    @cached_property
    def instrument(self) -> Instrument:
        """Tick size and parameters of the root."""
        from spymaster.market.instruments import instrument

        return instrument(self.symbol, self.lake.settings)

    @cached_property
    def tick_size_int(self) -> int:
        """Tick of the surfaces, 1e-9: that of the selected contract's definition, else of the configuration."""
        selection, definition = "bronze.contract_day_selection", "bronze.future_definition"
        if self.lake.has(selection, self.symbol, self.dt) and self.lake.has(definition, self.symbol, self.dt):
            chosen = self.partition(selection).scan(["contract", "is_selected"]).filter("is_selected").collect()
            known = self.partition(definition).scan(["contract", "tick_size_int"]).collect()
            ticks = known.filter(known["contract"].is_in(chosen["contract"].to_list()))["tick_size_int"]
            if len(ticks):
                return int(ticks[0])
        return self.instrument.tick_size_int


@dataclass(frozen=True)
class Check:
    """One integrity check.

    `tables[0]` is the table that the check is about (where Dagster shows it); the others are read too and have to be
    complete. `blocking` means that consumers of the table would be misled, so Dagster holds them back on failure.
    """

    name: str
    suite: Suite
    tables: tuple[str, ...]
    blocking: bool
    severity: Severity
    description: str
    function: Callable[[Session], Finding] = field(repr=False)

    @property
    def key(self) -> str:
        """Unique name among all checks, e.g. `silver.wall_surface_1s:conservation`."""
        return f"{self.tables[0]}:{self.name}"

    def missing(self, lake: Lake, symbol: str, dt: date) -> tuple[str, ...]:
        """Tables that the check needs and that have no complete partition."""
        return tuple(table for table in self.tables if not lake.has(table, symbol, dt))

    def run(self, lake: Lake, symbol: str, dt: date) -> CheckResult:
        """Run on one partition.

        Raises `MissingPartitionError` where a table it reads is absent (see `missing`), `CorruptPartitionError` where
        one cannot be read.
        """
        import polars as pl
        import pyarrow as pa

        from spymaster.lake.errors import CorruptPartitionError

        labels = [lake.partition(table, symbol, dt).label for table in self.tables]
        try:
            finding = self.function(Session(lake, symbol, dt))
        except (pl.exceptions.ComputeError, pa.ArrowException, OSError) as error:
            raise CorruptPartitionError(
                f"{self.name}: {' or '.join(labels)} cannot be read: {error}", hint="Materialise the partition again."
            ) from error
        metadata: dict[str, Value] = {"violations": finding.violations, **finding.metadata}
        if finding.examples:
            metadata["examples"] = "; ".join(finding.examples[:MAX_EXAMPLES])
        passed = finding.violations == 0
        return CheckResult(
            passed=passed,
            severity=self.severity if passed else finding.severity or self.severity,
            metadata=metadata,
            message=finding.message,
        )


def check(
    *tables: str,
    suite: Suite,
    blocking: bool = False,
    severity: Severity = Severity.ERROR,
    name: str | None = None,
) -> Callable[[Callable[[Session], Finding]], Check]:
    """Make a check of a function; its name is the function's, its description the first paragraph of the docstring."""

    def decorate(function: Callable[[Session], Finding]) -> Check:
        description = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        return Check(name or function.__name__, suite, tables, blocking, severity, description, function)

    return decorate
