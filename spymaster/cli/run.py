"""`spymaster run`: materialises a range of dates through Dagster.

The work is done by `python -m spymaster_assets` in a process of its own (this package knows nothing of Dagster).
It reports one JSON object per line on stdout, shown here as progress and a summary; its log goes to a file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from spymaster.cli.options import JsonOption, LakeOption, lake_root, parse_date, parse_dates
from spymaster.errors import SpymasterError

RUNNER = "spymaster_assets"
SHOWN = 20


class Layer(StrEnum):
    """Layers that can be asked for."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    ALL = "all"


class ProductType(StrEnum):
    """Product types that can be asked for."""

    FUTURE = "future"
    FUTURE_OPTION = "future_option"
    ALL = "all"


class RunnerError(SpymasterError):
    """The runner ended without saying what happened."""


@dataclass
class Outcome:
    """What the runner reported."""

    partitions: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)
    summary: dict[str, Any] | None = None

    def take(self, event: dict[str, Any]) -> None:
        """Keep an event."""
        match event.get("event"):
            case "partition":
                self.partitions.append(event)
            case "check":
                self.checks.append(event)
            case "error":
                self.errors.append(event["message"])
            case "run":
                self.runs[event["run_id"]] = event["status"]
            case "summary":
                self.summary = event

    def failures(self) -> list[tuple[str, str]]:
        """Where and what, for each thing that failed. Partitions that fail by a blocking check are told once."""
        checks = [
            (f"{one['table']} {one['symbol']} {one['date']} check {one['check']}", one["message"])
            for one in self.checks
            if one["severity"] == "error"
        ]
        blocked = {
            (one["table"], one["symbol"], one["date"])
            for one in self.checks
            if one["blocking"] and one["severity"] == "error"
        }
        partitions = [
            (f"{one['table']} {one['symbol']} {one['date']}", one["error"])
            for one in self.partitions
            if one["status"] == "failed" and (one["table"], one["symbol"], one["date"]) not in blocked
        ]
        return [("runner", message) for message in self.errors] + partitions + checks


def run(
    symbols: Annotated[
        list[str], typer.Option("--symbol", "-s", metavar="ROOT", help="Root symbol such as ES; may be repeated.")
    ],
    dates: Annotated[
        str | None, typer.Option("--dates", metavar="FIRST:LAST", help="Inclusive range of dates, or one date.")
    ] = None,
    start_date: Annotated[str | None, typer.Option("--start-date", metavar="DATE", help="First date.")] = None,
    end_date: Annotated[str | None, typer.Option("--end-date", metavar="DATE", help="Last date, inclusive.")] = None,
    layer: Annotated[Layer, typer.Option(help="Tables wanted; what they need upstream is made too.")] = Layer.ALL,
    product_type: Annotated[ProductType, typer.Option(help="Futures, options on futures, or both.")] = ProductType.ALL,
    workers: Annotated[int, typer.Option("--workers", "-j", min=1, help="Runs at the same time.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Make again what is complete and fresh.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Materialise tables for a range of dates, through Dagster.

    Idempotent: what is complete and fresh is skipped unless --overwrite is given. Ctrl-C ends the runs; what they have
    completed stays.
    """
    from spymaster.cli import output
    from spymaster.cli.home import environment, prepare_home
    from spymaster.market.instruments import instrument
    from spymaster.settings import LAKE_FILE, get_settings

    first, last = _range(dates, start_date, end_date)
    root, settings = lake_root(lake), get_settings()
    for symbol in symbols:
        instrument(symbol, settings)
    if not (root / LAKE_FILE).is_file():  # to say so; a lake is opened by the runner, whose start Polars would delay
        from spymaster.lake import Lake

        Lake.open(root)
    home = prepare_home(root)
    arguments = ["--layer", layer.value, "--product-type", product_type.value, "--workers", str(workers)]
    outcome, log = materialise(
        symbols,
        first,
        last,
        [*arguments, "--overwrite"] if overwrite else arguments,
        home=home,
        environment=environment(root, home),
        quiet=as_json,
    )
    if as_json:
        output.print_json(document(outcome, log))
    else:
        print_outcome(outcome)
    require_success(outcome, log)


def materialise(
    symbols: list[str],
    first: date,
    last: date,
    arguments: Sequence[str] = (),
    *,
    home: Path,
    environment: dict[str, str],
    quiet: bool,
    watch: Callable[[dict[str, Any]], object] | None = None,
) -> tuple[Outcome, Path]:
    """Launch the runner on the lake of `environment` and show its progress; what it reported, and its log.

    watch: called with each event.
    """
    from spymaster.cli import output
    from spymaster.cli.home import log_folder

    log = log_folder(home) / f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    command = [sys.executable, "-m", RUNNER]
    for symbol in symbols:
        command += ["--symbol", symbol]
    command += ["--dates", f"{first}:{last}", *arguments]
    outcome = Outcome()
    with output.progress(unit="table", quiet=quiet) as display:
        task = display.add_task(f"{' '.join(symbols)} {first}..{last}", total=None)
        for event in _events(command, environment, log):
            outcome.take(event)
            if watch:
                watch(event)
            if event.get("event") == "plan":
                display.update(task, total=event["partitions"])
            elif event.get("event") == "partition":
                name = event["table"].split(".")[-1]
                text = f"{event['symbol']} {event['date']} {name}"
                display.update(task, completed=event["done"], total=event["total"], description=text)
    return outcome, log


def require_success(outcome: Outcome, log: Path) -> None:
    """Raise `CommandFailedError` if anything failed."""
    from spymaster.cli import output

    failures = outcome.failures()
    if failures:
        where, what = failures[0]
        raise output.CommandFailedError(
            f"{len(failures)} failed; first: {where}: {what.strip().splitlines()[0]}", hint=f"the log of the run: {log}"
        )


def _range(dates: str | None, start: str | None, end: str | None) -> tuple[date, date]:
    """The inclusive range, from --dates or from --start-date and --end-date."""
    if dates is not None and (start is not None or end is not None):
        raise typer.BadParameter("give --dates, or --start-date and --end-date, not both", param_hint="--dates")
    if dates is not None:
        first, last = parse_dates(dates, option="--dates")
    elif start is not None and end is not None:
        first, last = parse_date(start, option="--start-date"), parse_date(end, option="--end-date")
        if last < first:
            raise typer.BadParameter(f"the range ends ({last}) before it starts ({first})", param_hint="--end-date")
    else:
        first = last = None
    if first is None or last is None:
        raise typer.BadParameter("a range needs both ends: --dates FIRST:LAST", param_hint="--dates")
    return first, last


def _events(command: list[str], environment: dict[str, str], log: Path) -> Iterator[dict[str, Any]]:
    """The runner's events as they come; raises `RunnerError` if it ends without having told its end.

    The runner has a session of its own: an interrupt of this command is passed on once, as SIGTERM, and waited for.
    """
    from spymaster.cli.home import open_log, tail
    from spymaster.cli.supervisor import default_signals

    with open_log(log) as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            env=environment,
            text=True,
            start_new_session=True,
            preexec_fn=default_signals,
        )
    ended = False
    assert process.stdout is not None
    try:
        with _interruptible():
            for line in process.stdout:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    ended |= event.get("event") in ("summary", "error")
                    yield event
            code = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if not ended:
        raise RunnerError(f"the runner ended with exit code {code}\n{tail(log)}", hint=f"its log: {log}")


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM raise at once, also in a blocking read.

    Polars puts a handler of its own in front of Python's, which restarts the read: without this, Ctrl-C would wait for
    the runner's next line.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def document(outcome: Outcome, log: Path) -> dict[str, Any]:
    """The outcome for machines."""
    failures = [{"where": where, "what": what} for where, what in outcome.failures()]
    return {**vars(outcome), "failures": failures, "log": str(log)}


def print_outcome(outcome: Outcome) -> None:
    """The outcome as tables and a last line of counts."""
    from spymaster.cli import output

    per_table: dict[str, Counter[str]] = {}
    for one in outcome.partitions:
        count = per_table.setdefault(one["table"], Counter())
        count[one["status"]] += 1
        count["rows"] += (one.get("rows") or 0) if one["status"] == "made" else 0
        count["ms"] += int(1000 * (one.get("seconds") or 0)) if one["status"] == "made" else 0
    states = ("made", "reused", "skipped", "failed")
    rows = [
        (table, *(count[state] for state in states), count["rows"], count["ms"] / 1000)
        for table, count in per_table.items()
    ]
    columns = ("table", *states, "rows", "seconds")
    output.print_table("tables", columns, rows, right=columns[1:])
    reasons = Counter(one.get("reason", "") for one in outcome.partitions if one["status"] == "skipped")
    if reasons:
        output.print_table("skipped", ("because", "partitions"), reasons.most_common(SHOWN), right=("partitions",))
    failures = outcome.failures()
    if failures:
        output.print_table("failed", ("where", "what"), failures[:SHOWN])
    warnings = [one for one in outcome.checks if one["severity"] == "warn"]
    if warnings:
        output.print_table(
            "warnings",
            ("table", "symbol", "date", "check", "what"),
            [[one[name] for name in ("table", "symbol", "date", "check", "message")] for one in warnings[:SHOWN]],
        )
    if outcome.summary is not None:
        told = outcome.summary
        counts = ", ".join(f"{told[state]:,} {state}" for state in states)
        speed = told["records"] / told["seconds"] if told["seconds"] else 0.0
        records = f", {told['records']:,} messages ({speed:,.0f}/s)" if told["records"] else ""
        output.stdout().print(f"{counts} in {told['seconds']:,.1f} s{records}")
