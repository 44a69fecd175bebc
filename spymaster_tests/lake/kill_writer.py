"""Kill a writer again and again and look at what it left. Run as a script by `test_atomicity`, in a process of its own.

    python -m spymaster_tests.lake.kill_writer ROOT random TRIALS SEED
    python -m spymaster_tests.lake.kill_writer ROOT steps STRIDE

Every trial forks a writer that stores version after version of one partition; all rows of a version carry its number.
`random` kills it after a random time; `steps` kills it at its first system call that touches the disk, then at its
second, and so on through a whole commit (or at every STRIDE-th). After each kill the partition must be one whole
version, its manifest must agree with its rows, and the next writer must get through.

The forking process never uses Polars: its thread pools do not survive a fork. Whoever looks forks, too.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandera.polars
import pyarrow.parquet  # noqa: F401  (loaded once, before the forks)

from spymaster.lake import Lake
from spymaster.lake.files import clean_staging
from spymaster.tables import ParquetLayout
from spymaster_tests.lake.storing import DT, TRADE, leftovers, store, trades

assert pandera.polars is not None

ROWS = 600
ROW_GROUP = 200
DISK_CALLS = ("open", "write", "fsync", "replace", "unlink", "mkdir", "close", "link")


def main() -> None:
    root, mode = Path(sys.argv[1]), sys.argv[2]
    TRADE.parquet = ParquetLayout(row_group_rows=ROW_GROUP)
    lake = Lake.open(root)
    if mode == "random":
        chosen = random.Random(int(sys.argv[4]))
        kills = [kill_at_random(lake, number, chosen) for number in range(int(sys.argv[3]))]
        sys.stdout.write(f"killed {len(kills)} writers, {sum(kills)} of them with a staging file open")
    else:
        sys.stdout.write(f"{kill_at_every_step(lake, int(sys.argv[3]))}")


def kill_at_random(lake: Lake, trial: int, chosen: random.Random) -> bool:
    """Kill a writer in a loop of versions at a random moment; True if it was in the middle of one."""
    ready, started = os.pipe()

    def write_forever() -> None:
        version = 1 + trial * 1000
        while True:
            store_version(lake, version)
            os.write(started, b".")
            version += 1

    writer = fork(write_forever)
    os.read(ready, 1)
    time.sleep(chosen.uniform(0, 0.1))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    os.close(ready)
    os.close(started)
    interrupted = any(name for name in leftovers(lake))
    look(lake)
    return interrupted


def kill_at_every_step(lake: Lake, stride: int) -> int:
    """Kill a writer at its n-th step for every (or every `stride`-th) n that one commit has; returns the last n."""
    for step in itertools.count(1, stride):
        _, status = os.waitpid(fork(partial(die_at, step, partial(store_version, lake, step))), 0)
        look(lake)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return step
    raise AssertionError


def store_version(lake: Lake, version: int) -> None:
    store(lake, trades(ROWS, qty=version))


def die_at(step: int, work: Callable[[], Any]) -> None:
    """Run `work`, but end the process the hard way just before its n-th call that touches a file."""
    done = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    for name in DISK_CALLS:
        setattr(os, name, counted(getattr(os, name)))
    import spymaster.lake.files as files

    class CountedFile(files.FileIO):
        write = counted(files.FileIO.write)
        close = counted(files.FileIO.close)

    files.FileIO = CountedFile
    work()


def look(lake: Lake) -> None:
    """In a process of its own: is what is there one whole version, and does the next writer get through?"""

    def check() -> None:
        if lake.has(TRADE, "ES", DT):
            stored = lake.partition(TRADE, "ES", DT)
            rows = stored.read()
            (version,) = rows.get_column("qty").unique().to_list()
            assert rows.equals(trades(ROWS, qty=version)), "rows of two versions"
            assert stored.manifest.rows == ROWS
            before = stored.manifest
            clean_staging(lake.root)
            assert store(lake, trades(ROWS, qty=version)).content_hash == before.content_hash
        else:
            clean_staging(lake.root)
        assert not list((lake.root / "_staging").iterdir())

    _, status = os.waitpid(fork(check), 0)
    assert status == 0, "the partition is not whole"


def fork(work: Callable[[], Any]) -> int:
    """Run `work` in a child; its process id. The child ends without running this process's clean-up."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
