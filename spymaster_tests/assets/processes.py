"""Lakes that real processes work on: the runner, the daemon, and what a killed one leaves behind."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from spymaster.cli.home import environment, prepare_home
from spymaster.lake import Lake
from spymaster.lake.files import clean_staging
from spymaster.lake.layout import MANIFEST_FILE, PART_FILE
from spymaster.market.instruments import instrument
from spymaster.tables import all_tables
from spymaster_assets.plan import Catalogue
from spymaster_tests.conftest import REPOSITORY
from spymaster_tests.streams import day_ns, random_stream, write_raw_day

_PRELOADED = (
    "dagster._core.execution.api",
    "numba",
    "pandera.polars",
    "pyarrow.parquet",
    "spymaster.checks",
    "spymaster.feed.bronze",
    "spymaster.surfaces.futures",
    "spymaster.surfaces.pictures",
)
"""What every runner process imports: done once, in the server that they are forked from."""

HOUR_NS = 3_600_000_000_000


def last_only_tables() -> frozenset[str]:
    """Tables that a request makes for its last date only."""
    from spymaster_assets.definitions import defs

    return Catalogue(one for one in defs.assets or () if isinstance(one, dg.AssetsDefinition)).last_only()


EVERYDAY = {"partial_cancel": 0.0, "crossing_add": 0.0, "unknown_cancel": 0.0, "unknown_modify": 0.0}
"""Weights without what integrity checks call an error."""


class RunnerProcess:
    """`python -m spymaster_assets` as a process in a session of its own, without its imports and pictures."""

    def __init__(self, folder: Path, environment: dict[str, str], arguments: list[str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_PRELOADED))
        number = next(_NUMBERS)
        self._out, self._err = folder / f"runner{number}.jsonl", folder / f"runner{number}.log"
        target = (environment, arguments, str(self._out), str(self._err))
        self._process = context.Process(target=_be_the_runner, args=target)
        self._process.start()

    @property
    def pid(self) -> int:
        """Number of the process, and of its group."""
        assert self._process.pid is not None
        return self._process.pid

    def wait(self, timeout: float | None = None) -> int:
        """Exit code; raises `TimeoutError` if it still runs then."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError
        return self._process.exitcode

    def kill(self) -> None:
        """Kill it and all its workers, as the kernel would: no time to say goodbye."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.join()

    def events(self) -> list[dict[str, Any]]:
        """What it has said so far."""
        text = self._out.read_text() if self._out.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def log(self) -> str:
        """What it has logged."""
        return self._err.read_text()


_NUMBERS = itertools.count()


def _be_the_runner(environment: dict[str, str], arguments: list[str], out: str, err: str) -> None:
    """Body of a `RunnerProcess`: as if the interpreter had just been started for it."""
    os.setsid()
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(REPOSITORY)
    from spymaster.surfaces import pictures
    from spymaster_assets.runner import main

    pictures.DRAWINGS.clear()
    sys.exit(main(arguments))


@dataclass
class Site:
    """A lake of generated raw files, its Dagster home, and the environment of processes that work on it."""

    root: Path
    symbols: tuple[str, ...] = ("ES", "CL")
    start_date: date = date(2024, 3, 1)
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Lake.open(self.root, create=True, kind="simulated")

    @property
    def lake(self) -> Lake:
        """The lake as it is now."""
        return Lake.open(self.root)

    def add_raw(self, dates: list[date], messages: int = 3000) -> None:
        """One small file per date and symbol; the same ones in every site."""
        for number, symbol in enumerate(self.symbols):
            for dt in dates:
                records = random_stream(
                    100 * number + dt.day,
                    messages,
                    tick=instrument(symbol).tick_size_int,
                    start_ns=day_ns(dt) + 15 * HOUR_NS,
                    weights=EVERYDAY,
                )
                write_raw_day(self.root, symbol, dt, records)

    def environment(self) -> dict[str, str]:
        """What a command of Spymaster would start a process with."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_", "SPYMASTER_"))}
        with_home = {
            name: value for name, value in environment(self.root, self.home()).items() if name not in os.environ
        }
        return {
            **clean,
            **with_home,
            "SPYMASTER_LAKE_ROOT": str(self.root),
            "DAGSTER_HOME": str(self.home()),
            "SPYMASTER_START_DATE": self.start_date.isoformat(),
            "SPYMASTER_SYMBOLS": ",".join(self.symbols),
            "NUMBA_NUM_THREADS": "1",
            **self.variables,
        }

    def home(self) -> Path:
        """The Dagster home, ready to use."""
        before = os.environ.pop("DAGSTER_HOME", None)
        try:
            return prepare_home(self.root)
        finally:
            if before is not None:
                os.environ["DAGSTER_HOME"] = before

    def command(self, first: date, last: date, *options: str) -> list[str]:
        """Arguments of the runner over a range for all symbols."""
        symbols = [part for symbol in self.symbols for part in ("--symbol", symbol)]
        return [*symbols, "--dates", f"{first}:{last}", *options]

    def start(self, first: date, last: date, *options: str) -> RunnerProcess:
        """Start the runner over a range for all symbols."""
        return RunnerProcess(self.root.parent, self.environment(), self.command(first, last, *options))

    def run(self, first: date, last: date, *options: str) -> tuple[int, list[dict[str, Any]], str]:
        """Run it to its end: exit code, events, log."""
        process = self.start(first, last, *options)
        return process.wait(), process.events(), process.log()

    def files(self) -> dict[str, bytes]:
        """Every partition's bytes, by path under the root; verifies that each is whole and what its copy says.

        Of tables that a request makes for its last date only, the last date of each symbol: which others there are
        depends on how requests were cut.
        """
        found, last_only = {}, last_only_tables()
        for model in all_tables().values():
            partitions = self.lake.partitions(model)
            for partition in partitions:
                assert partition.manifest.rows == partition.read().height
            if model.full_name in last_only:
                partitions = {partition.symbol: partition for partition in partitions}.values()
            for partition in partitions:
                found[str(partition.path.relative_to(self.root))] = partition.path.read_bytes()
        return found

    def leftovers(self) -> list[Path]:
        """Files of tables that are neither a partition nor one of its two copies, and staging that nobody holds."""
        expected = {PART_FILE, MANIFEST_FILE, "_SUCCESS"}
        strays = [
            path
            for layer in ("bronze", "silver", "gold")
            for path in (self.root / layer).rglob("*")
            if path.is_file() and path.name not in expected
        ]
        return strays + clean_staging(self.root)

    def wipe(self) -> None:
        """Remove everything but the raw files."""
        for path in self.root.iterdir():
            if path.name not in ("raw", "_LAKE.json"):
                shutil.rmtree(path)
