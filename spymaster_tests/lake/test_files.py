"""Locks that end with their process, staging that is cleaned but never under a running writer, and full disks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from spymaster.lake import Lake, LakeFullError, LakeLockedError
from spymaster.lake.files import clean_staging, locked, open_staging, write_durably
from spymaster_tests.lake.storing import DT, TRADE, leftovers, partition, store, trades


def hold(root: Path, label: str, ready: Connection) -> None:
    """Child process: take a lock and a staging file, say so, and wait to be killed."""
    with locked(root, label):
        _, file = open_staging(root, "held")
        with file:
            ready.send(True)
            signal.pause()


@pytest.fixture
def holder(lake: Lake) -> SpawnProcess:
    """Another process that holds the lock of the ES trade partition and a staging file."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(lake.root, f"silver.trade ES {DT}", there), daemon=True)
    process.start()
    assert here.poll(60)
    assert here.recv()
    return process


def kill(process: SpawnProcess) -> None:
    process.kill()
    process.join(60)


class TestLocks:
    def test_another_process_is_told_who_writes(self, lake: Lake, holder: SpawnProcess) -> None:
        try:
            with pytest.raises(LakeLockedError, match=rf"silver\.trade ES 2024-01-02 .* process {holder.pid}"):
                store(lake, trades(3))
            with lake.writer(TRADE, "NQ", DT) as other:  # other partitions are free
                other.commit(provenance="real")
        finally:
            kill(holder)
        store(lake, trades(3))  # the kernel released the lock of the killed process
        assert partition(lake).rows == 3

    def test_staging_of_a_running_writer_stays_and_of_a_killed_one_goes(self, lake: Lake, holder: SpawnProcess) -> None:
        try:
            assert clean_staging(lake.root) == []
        finally:
            kill(holder)
        (removed,) = clean_staging(lake.root)
        assert removed.name.startswith(f"held.{holder.pid}-")
        assert list((lake.root / "_staging").iterdir()) == []

    def test_two_writers_of_one_process_exclude_each_other(self, lake: Lake) -> None:
        with lake.writer(TRADE, "ES", DT) as first:
            with pytest.raises(LakeLockedError, match=f"process {os.getpid()}"), lake.writer(TRADE, "ES", DT):
                pass
            first.write(trades(3))
            first.commit(provenance="real")
        assert leftovers(lake) == []

    def test_of_many_threads_one_at_a_time_holds_the_lock(self, tmp_path: Path) -> None:
        """The lock file is removed by its holder; nobody may hold a removed one beside a new one."""
        inside, most, refused = 0, 0, 0
        guard = threading.Lock()

        def contend() -> None:
            nonlocal inside, most, refused
            for _ in range(150):
                try:
                    with locked(tmp_path, "one thing"):
                        with guard:
                            inside += 1
                            most = max(most, inside)
                        with guard:
                            inside -= 1
                except LakeLockedError:
                    refused += 1

        threads = [threading.Thread(target=contend) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == 1
        assert not list((tmp_path / "_locks").iterdir())

    def test_waiting_for_the_lock_instead(self, tmp_path: Path) -> None:
        order = []

        def second() -> None:
            with locked(tmp_path, "one thing", wait=True):
                order.append("second")

        with locked(tmp_path, "one thing"):
            thread = threading.Thread(target=second)
            thread.start()
            thread.join(0.1)
            order.append("first")
        thread.join(30)
        assert order == ["first", "second"]


class TestStaging:
    def test_a_leftover_disturbs_nobody_and_cleaning_touches_only_staging(self, lake: Lake) -> None:
        store(lake, trades(3))
        staging = lake.root / "_staging"
        (staging / "silver.trade.ES.2024-01-02.1-00000000").write_bytes(b"half a file")
        raw = lake.root / "raw" / "source=databento" / "x.dbn"
        raw.parent.mkdir(parents=True)
        raw.write_bytes(b"raw")
        before = {
            path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file() and staging not in path.parents
        }
        assert lake.read(TRADE).height == 3
        assert [path.name for path in clean_staging(lake.root)] == ["silver.trade.ES.2024-01-02.1-00000000"]
        assert clean_staging(lake.root) == []
        after = {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}
        assert after == before

    def test_a_lake_without_staging_is_clean(self, tmp_path: Path) -> None:
        assert clean_staging(tmp_path) == []

    def test_a_small_file_is_replaced_as_a_whole(self, tmp_path: Path) -> None:
        target = tmp_path / "folder" / "file.json"
        write_durably(tmp_path, target, b"one")
        write_durably(tmp_path, target, b"two, longer")
        assert target.read_bytes() == b"two, longer"
        assert list((tmp_path / "_staging").iterdir()) == []


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from spymaster.lake import Lake, LakeFullError
from spymaster_tests.lake.storing import DT, TRADE, leftovers, store, trades

lake = Lake.open(Path(sys.argv[1]))
frame = trades(20_000)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in (1, 500, 4_000, 20_000, 60_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        store(lake, frame)
    except LakeFullError as error:
        assert "silver.trade ES 2024-01-02" in str(error) or "_MANIFEST" in str(error) or limit == 1, error
    else:
        raise AssertionError(f"a limit of {limit} bytes did not stop the writer")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert leftovers(lake) == [], leftovers(lake)
    assert lake.partition(TRADE, "ES", DT).rows == 7
store(lake, frame)
assert lake.partition(TRADE, "ES", DT).rows == 20_000
"""


class TestFullDisk:
    def test_a_file_that_may_not_grow_is_an_error_of_its_own_and_the_old_partition_stays(self, lake: Lake) -> None:
        """The kernel itself refuses the write (a limit on the size of files), in a process of its own."""
        store(lake, trades(7))
        before = partition(lake).path.read_bytes()
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(lake.root)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Exception ignored" not in done.stderr
        assert partition(lake).path.read_bytes() != before

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
    def test_no_space_left_names_the_partition_and_what_to_do(
        self, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store(lake, trades(7))
        before = partition(lake).path.read_bytes()
        from spymaster.lake import writer

        real = writer.files.open_staging

        def on_a_full_device(root: Path, name: str):
            from io import FileIO

            path, file = real(root, name)
            file.close()
            return path, FileIO("/dev/full", "wb")

        monkeypatch.setattr(writer.files, "open_staging", on_a_full_device)
        with pytest.raises(
            LakeFullError, match=r"no space to write silver\.trade ES 2024-01-02: No space left"
        ) as error:
            store(lake, trades(1000))
        assert "spymaster clean" in str(error.value)
        monkeypatch.undo()
        assert partition(lake).path.read_bytes() == before
        assert leftovers(lake) == []
