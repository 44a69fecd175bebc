"""`python -m spymaster_assets`: what `spymaster run` launches. A range of dates through Dagster, in few runs.

One Dagster run per worker and stage holds a whole range of dates; with one worker that is one run per symbol. Runs are
recorded in the instance under `DAGSTER_HOME` like any other. Progress goes to stdout as one JSON object per line (see
`progress.py`), everything else to stderr. Exit codes: 0 done, 1 something failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, NoReturn, TextIO

import dagster as dg

from spymaster.errors import SpymasterError
from spymaster.lake.lake import Lake
from spymaster.market.calendar import partition_dates
from spymaster.settings import Settings
from spymaster.tables.model import LAYERS
from spymaster_assets import progress
from spymaster_assets.factory import NOT_LAST
from spymaster_assets.liveness import bury_dead_runs
from spymaster_assets.partitions import SessionKey, session_partitions
from spymaster_assets.plan import Catalogue, Stage, has_raw, shares
from spymaster_assets.pool import InProcess, Pool, spare_what_stays
from spymaster_assets.resources import load_settings
from spymaster_assets.worker import Emit, Share

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


class UsageError(SpymasterError):
    """The arguments make no sense together with the settings."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(argv)
    with _json_stream() as stream:

        def emit(line: progress.Line) -> None:
            stream.write(json.dumps(line) + "\n")
            stream.flush()

        signal.signal(signal.SIGTERM, _interrupt)
        try:
            runner = Runner(options, emit)
            spare_what_stays()
            return runner.run()
        except KeyboardInterrupt:
            emit({"event": "error", "message": "interrupted"})
            return INTERRUPTED
        except SpymasterError as error:
            emit({"event": "error", "message": str(error)})
            return USAGE if isinstance(error, UsageError) else FAILED


class Runner:
    """A request: symbols, dates, a layer. `run` does it and says whether everything went well."""

    def __init__(self, options: argparse.Namespace, emit: Emit) -> None:
        from spymaster_assets.definitions import defs

        self.options = options
        self.settings: Settings = load_settings()
        self.lake = Lake.open(self.settings.lake_root, settings=self.settings)
        self.catalogue = Catalogue(one for one in defs.assets or () if isinstance(one, dg.AssetsDefinition))
        asked = self.catalogue.tables(options.layer, options.product_type)
        self.overwrite = tuple(sorted(asked)) if options.overwrite else ()
        self.tables = self.catalogue.with_upstream(asked, options.product_type)
        self.sessions = self._sessions()
        self._told: set[tuple[str, str, str]] = set()
        self.summary = progress.Summary(sum(map(len, self.sessions.values())) * len(self.tables))
        self._emit = emit

    def run(self) -> int:
        """Everything that is not complete and fresh, stage by stage."""
        started = time.monotonic()
        first, last = self.options.dates
        self._tell(
            {
                "event": "plan",
                "sessions": sum(map(len, self.sessions.values())),
                "tables": len(self.tables),
                "partitions": self.summary.total,
                "workers": self.options.workers,
                "symbols": self.options.symbol,
                "first": first.isoformat(),
                "last": last.isoformat(),
            }
        )
        with dg.DagsterInstance.get() as instance:
            bury_dead_runs(instance)
            todo = {symbol: self._todo(instance, sessions) for symbol, sessions in self.sessions.items()}
            if any(todo.values()):
                with self._executor(instance) as executor:
                    for shares_of_stage in self._stages(todo):
                        executor.execute(shares_of_stage, self._tell)
        for session in sorted(session for sessions in self.sessions.values() for session in sessions):
            self._tell_all("skipped", session, reason="not reached: a step before it failed")
        self._emit(self.summary.line(time.monotonic() - started))
        return FAILED if self.summary.failed else OK

    def _sessions(self) -> dict[str, list[SessionKey]]:
        """The sessions of the request per symbol, in date order, as far as there is a partition for them."""
        unknown = [symbol for symbol in self.options.symbol if symbol not in self.settings.symbols]
        if unknown:
            raise UsageError(
                f"no partitions for {', '.join(unknown)}",
                hint=f"Symbols are {', '.join(self.settings.symbols)}: add others to `symbols` in spymaster.toml.",
            )
        first, last = self.options.dates
        if first < self.settings.start_date:
            raise UsageError(
                f"{first} is before the first partition, {self.settings.start_date}",
                hint="Set an earlier `start_date` in spymaster.toml.",
            )
        latest = SessionKey.parse(str(session_partitions(self.settings).get_last_partition_key())).dt
        dates = list(partition_dates(first, min(last, latest)))
        return {symbol: [SessionKey(dt, symbol) for dt in dates] for symbol in dict.fromkeys(self.options.symbol)}

    def _todo(self, instance: dg.DagsterInstance, sessions: Sequence[SessionKey]) -> list[SessionKey]:
        """What has to be gone through: from the first session that is not fresh, those with a raw file."""
        present = [session for session in sessions if has_raw(self.lake, session)]
        for session in sorted(set(sessions) - set(present)):
            self._tell_all("skipped", session, reason=f"no raw file of market_by_order_dbn for {session}")
        known = {
            table: frozenset(instance.get_materialized_partitions(dg.AssetKey(table.split("."))))
            for table in self.tables
        }
        start = 0 if self.overwrite else self.catalogue.first_stale(self.lake, present, self.tables, known)
        done = present if start is None else present[:start]
        for session in done:
            last_only = self.catalogue.last_only() if session != present[-1] else frozenset()
            self._tell_all("reused", session, but=last_only)
            self._tell_all("skipped", session, but=self.tables - last_only, reason=NOT_LAST)
        return [] if start is None else present[start:]

    def _stages(self, todo: dict[str, list[SessionKey]]) -> Iterator[list[Share]]:
        """The runs of each stage. With one worker everything is one stage: steps of a run follow one another anyway."""
        stages = self.catalogue.stages(self.tables)
        workers = self.options.workers
        if workers == 1:
            stages = [Stage(tuple(self.catalogue.recipes), self.tables, sequential=True)]
        for stage in stages:
            each = 1 if stage.sequential else -(-workers // sum(map(bool, todo.values())))
            yield [
                Share(symbol, part[0].dt, part[-1].dt, tuple(sorted(stage.tables)), self.overwrite)
                for symbol, sessions in todo.items()
                if sessions
                for part in shares(self.lake, sessions, each)
            ]

    def _executor(self, instance: dg.DagsterInstance) -> InProcess | Pool:
        return InProcess(instance) if self.options.workers == 1 else Pool(self.options.workers)

    def _tell_all(self, status: str, session: SessionKey, *, but: frozenset[str] = frozenset(), **extra: Any) -> None:
        for table in sorted(self.tables - but):
            self._tell(
                {
                    "event": "partition",
                    "status": status,
                    "table": table,
                    "symbol": session.symbol,
                    "date": session.dt.isoformat(),
                    **extra,
                }
            )

    def _tell(self, line: progress.Line) -> None:
        """Count and print a line. A partition is told once: what was told before its run started is not told again."""
        if line["event"] == "partition":
            partition = line["table"], line["symbol"], line["date"]
            if partition in self._told:
                return
            self._told.add(partition)
        self._emit(self.summary.add(line))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spymaster_assets", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--symbol", action="append", required=True, metavar="ROOT", help="may be repeated")
    parser.add_argument("--dates", type=_dates, required=True, metavar="FIRST:LAST", help="both included; or one date")
    parser.add_argument("--layer", default="all", choices=[*LAYERS, "all"])
    parser.add_argument("--product-type", default="all", choices=["future", "future_option", "all"])
    parser.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes")
    parser.add_argument("--overwrite", action="store_true", help="compute again what is complete and fresh")
    parser.add_argument("--json-lines", action="store_true", help="accepted for clarity: there is no other output")
    return parser


def _dates(text: str) -> tuple[date, date]:
    first, _, last = text.partition(":")
    dates = date.fromisoformat(first), date.fromisoformat(last or first)
    if dates[1] < dates[0]:
        raise ValueError("the range ends before it starts")
    return dates


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError("at least one")
    return int(text)


@contextmanager
def _json_stream() -> Iterator[TextIO]:
    """Standard output for JSON lines alone: whatever else is written to it goes to standard error."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(ours, "w", encoding="utf-8", closefd=False) as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(ours, 1)
        os.close(ours)


def _interrupt(*_: object) -> NoReturn:
    """SIGTERM ends a run the way Ctrl-C does: Dagster records it, staged files are removed."""
    raise KeyboardInterrupt
