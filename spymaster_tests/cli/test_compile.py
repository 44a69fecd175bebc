"""Compiling aside: the records are a market, and nothing that a run needs is left to be compiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import databento as db
import numpy as np
import pytest

from benchmarks.dict_book import DictBook
from spymaster.cli import compile as aside
from spymaster.cli import small_chain
from spymaster.jit import is_compiled
from spymaster.tables import all_tables
from spymaster_tests.assets.processes import Site

START = int(datetime(2026, 1, 6, 15, tzinfo=UTC).timestamp()) * aside.SECOND_NS

COMPILE_ASIDE = """
import sys
from pathlib import Path
from spymaster.cli.compile import compiled_aside
with compiled_aside(Path(sys.argv[1])) as wait:
    wait(None)
"""


TOLD = """
import sys, time
print('{"event": "run", "tables": ["silver.second"]}', flush=True)
print('{"event": "partition", "table": "silver.first"}', flush=True)
time.sleep(1.2)
print('{"event": "partition", "table": "silver.second"}', end=chr(10) + '{"event": "par', flush=True)
time.sleep(600)
"""


def test_the_records_are_a_market_that_ends_empty():
    records = aside.records(START)
    assert {chr(action) for action in np.unique(records["action"])} == set("ACMTFR")
    assert (np.diff(records["ts_event"].astype(np.int64)) >= 0).all()
    book = DictBook()
    book.apply(records)
    assert not book.orders
    assert len(records) > 10_000


def test_the_options_are_a_market_that_ends_empty(tmp_path: Path):
    """Orders, definitions and open interest of the same options, in files that any reader opens."""
    end = START + (aside.SECONDS + 1) * aside.SECOND_NS
    folders = dict.fromkeys(aside.OPTION_TABLES, tmp_path)
    small_chain.write_option_files(folders, "sim-20260106", START, end, 6_800, "ESH6", 1)
    stores = {name: db.DBNStore.from_file(tmp_path / f"sim-20260106.{name}.dbn.zst").to_df()
              for name in ("definition", "statistics", "mbo")}  # fmt: skip
    listed = {number for number, _, _ in small_chain.options(6_800)}
    assert len(listed) == 18
    assert [set(table["instrument_id"]) for table in stores.values()] == [listed] * 3
    assert set(stores["definition"]["underlying"]) == {"ESH6"}
    assert set(stores["statistics"]["stat_type"]) == {9}
    records = small_chain.records(START, end, 6_800)
    assert {chr(action) for action in np.unique(records["action"])} == set("ACMTFR")
    assert (np.diff(records["ts_event"].astype(np.int64)) >= 0).all()
    assert (records["price"][records["action"] != ord("R")] > 0).all()
    book = DictBook()
    book.apply(records)
    assert not book.orders
    assert len(records) > 1_000


def test_compiled_kernels_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    from spymaster import jit

    jit._cache_directory.cache_clear()
    try:
        assert not is_compiled("book")
        folder = Path(jit._cache_directory(jit.PACKAGE / "book")) / "book_0"
        folder.mkdir(parents=True)
        (folder / "kernel.run-1.py311.1.nbc").touch()
        assert is_compiled("book")
    finally:
        jit._cache_directory.cache_clear()


@pytest.mark.slow
def test_a_run_has_nothing_left_to_compile(tmp_path: Path):
    """The cache of kernels is empty, is filled aside, and a run of the demo's profile adds nothing to it."""
    cache = tmp_path / "kernels"
    variables = {"NUMBA_CACHE_DIR": str(cache), "SPYMASTER_PARAMETER_PROFILE": "demo"}
    site = Site(tmp_path / "lake", symbols=("ES",), variables=variables)
    site.add_raw([date(2024, 3, 4), date(2024, 3, 5)])
    subprocess.run([sys.executable, "-c", COMPILE_ASIDE, str(tmp_path)], env={**os.environ, **variables}, check=True)
    before = {path.name for path in cache.rglob("*.nbc")}
    log = (tmp_path / "logs" / "compile.log").read_text()
    assert len(before) > 50, log
    told = json.loads(log.splitlines()[-1])
    assert told["made"] == len(all_tables())
    assert told["skipped"] == told["failed"] == told["checks_failed"] == 0
    command = [sys.executable, "-m", "spymaster_assets", *site.command(date(2024, 3, 4), date(2024, 3, 5))]
    subprocess.run(command, env=site.environment(), check=True, capture_output=True)
    assert {path.name for path in cache.rglob("*.nbc")} - before == set()


def test_nothing_is_started_where_everything_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aside, "is_compiled", lambda package: True)
    monkeypatch.setattr(aside, "_start", lambda *_: pytest.fail("started a process"))
    with aside.compiled_aside(tmp_path) as wait:
        wait(None)
        done = True
    assert done


def test_a_wait_ends_with_the_table_it_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A process tells of two tables, a second apart, and goes on; lines half written and of others are passed over."""
    script = tmp_path / "told.py"
    script.write_text(TOLD)
    monkeypatch.setattr(aside, "is_compiled", lambda package: False)
    monkeypatch.setattr(
        aside, "_start", lambda root, log: subprocess.Popen([sys.executable, str(script)], stdout=log, stderr=log)
    )
    with aside.compiled_aside(tmp_path) as wait:
        began = time.monotonic()
        wait("silver.second")
        assert 1 < time.monotonic() - began < 60
        lines = (tmp_path / "logs" / "compile.log").read_text().splitlines()
        assert sum('"event": "partition"' in line for line in lines) == 2
    assert time.monotonic() - began < 60, "what is not done at the end is given up"


def test_a_wait_ends_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aside, "is_compiled", lambda package: False)
    monkeypatch.setattr(
        aside, "_start", lambda root, log: subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    )
    with aside.compiled_aside(tmp_path) as wait:
        wait("silver.second")
        wait(None)
        done = True
    assert done


def test_what_is_compiled_aside_ends_with_the_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An error in the body, such as Ctrl-C, does not leave a process behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start(root: Path, log: int) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
        return started[0]

    monkeypatch.setattr(aside, "is_compiled", lambda package: False)
    monkeypatch.setattr(aside, "_start", start)
    with pytest.raises(KeyboardInterrupt), aside.compiled_aside(tmp_path):
        raise KeyboardInterrupt
    assert started[0].poll() is not None
