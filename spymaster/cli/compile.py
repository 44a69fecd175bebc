"""Compiling the kernels of a run beside something else: the pipeline on a handful of records in a lake to throw away.

On a machine that has never run Spymaster, compilation takes longer than the work. Kernels that somebody has compiled
are on disk, so all that has to be done is to run every table once, early, in a process of its own. What it computes
is thrown away, and should it fail, the run that follows compiles for itself.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from spymaster.cli.home import environment, log_folder, open_log, prepare_home
from spymaster.cli.small_chain import write_option_files
from spymaster.jit import is_compiled
from spymaster.market import dbn

SYMBOL, CONTRACT, INSTRUMENT_ID = "ES", "ESH6", 1
DATE = dt.date(2026, 1, 6)
SECOND_NS = 1_000_000_000
TICK = 250_000_000
SPOT = 6_800 * SECOND_NS
SECONDS, LEVELS = 150, 20
OPTION_TABLES: tuple[str, ...] = ("definition", "statistics", "market_by_order_dbn")
PACKAGES = ("book", "book/lives", "feed", "surfaces", "checks/kernels", "options", "setups", "evidence")
"""Packages whose kernels a run compiles."""

STOP_SECONDS = 10
POLL_SECONDS = 0.1


@contextmanager
def compiled_aside(home: Path) -> Iterator[Callable[[str | None], None]]:
    """Compile what a run needs, in the order in which it needs it, while the body does something else.

    The body gets a function that waits: for the kernels up to those of a table (`layer.name`), or for all (None). What
    is not compiled when the body ends is given up. Does nothing where the kernels are on disk. The log lies with those
    of the runs of `home`.
    """
    if all(is_compiled(package) for package in PACKAGES):
        yield lambda table: None
        return
    with tempfile.TemporaryDirectory(prefix="spymaster-compile-") as folder:
        path = log_folder(home) / "compile.log"
        with open_log(path) as log:
            process = _start(Path(folder) / "lake", log.fileno())

        def wait(table: str | None) -> None:
            while process.poll() is None and (table is None or not _is_made(table, path)):
                time.sleep(POLL_SECONDS)

        try:
            yield wait
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _is_made(table: str, log: Path) -> bool:
    """Whether the runner has told of a partition of the table."""
    for line in log.read_bytes().splitlines():
        with suppress(ValueError):  # whatever else the process printed
            event = json.loads(line)
            if isinstance(event, dict) and event.get("event") == "partition" and event.get("table") == table:
                return True
    return False


def _start(root: Path, log: int) -> subprocess.Popen[bytes]:
    """Launch the runner on a lake with a small raw file of each kind that tables are made from."""
    from spymaster.cli.run import RUNNER
    from spymaster.lake import Lake
    from spymaster.lake.layout import raw_dir

    Lake.open(root, create=True, kind="simulated")

    def folder(product_type: str, table: str) -> Path:
        return raw_dir(root, source="simulated", product_type=product_type, symbol=SYMBOL, table=table)

    start = int(dt.datetime(DATE.year, DATE.month, DATE.day, 15, tzinfo=dt.UTC).timestamp()) * SECOND_NS
    end, stem = start + (SECONDS + 1) * SECOND_NS, f"sim-{DATE:%Y%m%d}"
    dbn.write_dbn(
        folder("future", "market_by_order_dbn") / f"{stem}.mbo.dbn.zst",
        records(start),
        dataset=dbn.SIM_DATASET,
        symbols={CONTRACT: INSTRUMENT_ID},
        start_ns=start,
        end_ns=end,
    )
    chain = {table: folder("future_option", table) for table in OPTION_TABLES}
    write_option_files(chain, stem, start, end, SPOT // SECOND_NS, CONTRACT, INSTRUMENT_ID)
    home = prepare_home(root, own=True)
    variables = {**environment(root, home), "SPYMASTER_PARAMETER_PROFILE": "demo", "SPYMASTER_PICTURES": "false"}
    return subprocess.Popen(
        [sys.executable, "-m", RUNNER, "--symbol", SYMBOL, "--dates", DATE.isoformat()],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=variables,
        start_new_session=True,
        preexec_fn=_be_polite if os.name == "posix" else None,
    )


def _be_polite() -> None:
    """What is done aside gives way to what is waited for."""
    os.nice(5)


def records(start: int) -> np.ndarray:
    """Some seconds of a small market: orders on both sides that come, change, move, trade and go.

    It begins with an empty snapshot, without which no window is valid, and orders of the next second come before those
    of the last one go, one by one: what tests for automation leave out (mass cancels) would leave them nothing to do.
    """
    listed = dbn.F_SNAPSHOT | dbn.F_LAST
    rows: list[tuple[int, int, int, int, int, int, int]] = [  # ts, order id, price, size, flags, action, side
        (start, 0, dbn.UNDEF_PRICE, 0, listed, dbn.ACTION_CLEAR, dbn.SIDE_NONE)
    ]
    for second in range(SECONDS):
        ts = start + second * SECOND_NS
        middle = SPOT + (second % 3 - 1) * TICK
        for distance in range(1, LEVELS + 1):
            for side, way in ((dbn.SIDE_BID, -1), (dbn.SIDE_ASK, 1)):
                order, price = 2 * (LEVELS * second + distance) + (way > 0), middle + way * (distance + 1) * TICK
                size = 9 + (second * second + distance) % 5
                at, last = ts + distance * 10_000_000 + (way > 0) * 1_000_000, dbn.F_LAST
                rows.append((at, order, price, size, last, dbn.ACTION_ADD, side))
                if distance == 1:
                    taker = dbn.SIDE_ASK if way < 0 else dbn.SIDE_BID
                    rows.append((at + 1_000, 0, price, 2, 0, dbn.ACTION_TRADE, taker))
                    rows.append((at + 1_000, order, price, 2, 0, dbn.ACTION_FILL, side))
                    rows.append((at + 1_000, order, price, size := size - 2, last, dbn.ACTION_MODIFY, side))
                elif distance % 3 == 0:
                    rows.append((at + 600_000_000, order, price, size := 5, last, dbn.ACTION_MODIFY, side))
                elif distance % 2 == 0:
                    price += way * TICK
                    rows.append((at + 600_000_000, order, price, size, last, dbn.ACTION_MODIFY, side))
                rows.append((at + SECOND_NS + 3_000_000, order, price, size, last, dbn.ACTION_CANCEL, side))
    rows.sort(key=lambda row: row[0])
    made = np.zeros(len(rows), dbn.MBO_DTYPE)
    for name, values in zip(
        ("ts_event", "order_id", "price", "size", "flags", "action", "side"), zip(*rows, strict=True), strict=True
    ):
        made[name] = values
    made["length"], made["rtype"] = dbn.MBO_LENGTH, dbn.RTYPE_MBO
    made["publisher_id"], made["instrument_id"] = dbn.SIM_PUBLISHER, INSTRUMENT_ID
    made["ts_recv"] = made["ts_event"] + 100_000
    made["sequence"] = np.arange(1, len(rows) + 1)
    return made
