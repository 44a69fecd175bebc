"""`spymaster check`: runs the integrity suites on stored partitions, without Dagster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spymaster.cli.options import DATES_HELP, JsonOption, LakeOption, SymbolsOption, lake_root, parse_dates
from spymaster.errors import SpymasterError

if TYPE_CHECKING:
    from spymaster.checks import Check
    from spymaster.lake import Lake


class SuiteName(StrEnum):
    """Suites of the command line."""

    DATA = "data"
    PHYSICS = "physics"
    SERVICE = "service"
    ALL = "all"


class NothingToCheckError(SpymasterError):
    """No partition, or no check, matches what was asked for."""


@dataclass(frozen=True)
class Report:
    """What became of one check on one partition."""

    table: str
    check: str
    suite: str
    symbol: str
    dt: date
    state: str
    """passed, warning, failed, or skipped (a table that it reads is not there)."""
    message: str
    metadata: dict[str, Any]


def check(
    suite: Annotated[SuiteName, typer.Argument(help="Which suite.")] = SuiteName.ALL,
    dates: Annotated[str | None, typer.Option("--dt", "--dates", help=DATES_HELP)] = None,
    symbols: SymbolsOption = None,
    table: Annotated[str | None, typer.Option("--table", help="Only the checks of one table.")] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the integrity of stored partitions; fails if any check of severity error does.

    Without --dt and --symbol every partition of the lake is checked. Warnings are shown and do not fail.
    """
    from spymaster.checks import Suite, checks_for
    from spymaster.cli import output
    from spymaster.lake import Lake
    from spymaster.tables import table as table_model

    first, last = parse_dates(dates, option="--dt")
    opened = Lake.open(lake_root(lake))
    suites = tuple(Suite) if suite is SuiteName.ALL else (Suite(suite.value),)
    chosen = checks_for(table=None if table is None else table_model(table).full_name, suites=suites)
    if not chosen:
        raise NothingToCheckError(f"no check in suite {suite.value}" + (f" is about {table}" if table else ""))
    work = [
        (item, partition.symbol, partition.dt)
        for item in chosen
        for partition in opened.partitions(item.tables[0], start=first, end=last)
        if not symbols or partition.symbol in symbols
    ]
    if not work:
        asked = ", ".join(filter(None, (" ".join(symbols or ()), dates, table))) or "anything"
        raise NothingToCheckError(
            f"no complete partition in {opened.root} matches {asked}", hint="`spymaster status` shows what there is"
        )
    reports: list[Report] = []
    with output.progress(unit="check", quiet=as_json) as display:
        task = display.add_task("checks", total=len(work))
        for item, symbol, dt in sorted(work, key=lambda entry: (entry[1], entry[2], entry[0].key)):
            display.update(task, description=f"{symbol} {dt} {item.tables[0].split('.')[1]}.{item.name}")
            reports.append(run_one(item, opened, symbol, dt))
            display.advance(task)
    _print(reports, as_json=as_json)
    failed = [report for report in reports if report.state == "failed"]
    if failed:
        one = failed[0]
        raise output.CommandFailedError(
            f"{len(failed)} of {len(reports)} checks failed; first: {one.table} {one.symbol} {one.dt} {one.check}: "
            f"{one.message}"
        )


def run_one(item: Check, lake: Lake, symbol: str, dt: date) -> Report:
    """Run one check; a partition that cannot be read is a failed check, a defect in a check keeps its traceback."""

    def report(state: str, message: str, metadata: dict[str, Any] | None = None) -> Report:
        return Report(item.tables[0], item.name, item.suite.value, symbol, dt, state, message, metadata or {})

    missing = item.missing(lake, symbol, dt)
    if missing:
        return report("skipped", f"no partition of {', '.join(missing)}")
    try:
        result = item.run(lake, symbol, dt)
    except SpymasterError as error:
        return report("failed", str(error).replace("\n", " "))
    state = "passed" if result.passed else "warning" if result.severity == "warn" else "failed"
    return report(state, result.message, result.metadata)


def _print(reports: list[Report], *, as_json: bool) -> None:
    from spymaster.cli import output

    counts = Counter(report.state for report in reports)
    if as_json:
        output.print_json({"counts": dict(counts), "checks": [vars(report) for report in reports]})
        return
    from rich.text import Text

    styles = {"failed": "bold red", "warning": "yellow", "skipped": "dim"}
    rows = [
        (Text(one.state, styles[one.state]), one.symbol, one.dt, one.table, one.check, one.message)
        for state in ("failed", "warning", "skipped")
        for one in reports
        if one.state == state
    ]
    if rows:
        output.print_table("not passed", ("state", "symbol", "date", "table", "check", "what"), rows)
    words = {"passed": "passed", "warning": "warnings", "failed": "failed", "skipped": "skipped"}
    output.stdout().print(", ".join(f"{counts[state]:,} {word}" for state, word in words.items() if counts[state]))
