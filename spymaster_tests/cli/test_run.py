"""`spymaster run`: what it asks the runner for, what it makes of its answer, and the real thing once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spymaster.lake import Lake
from spymaster_tests.checks.sessions import DT, SYMBOL, write_raw
from spymaster_tests.cli.conftest import Cli

PLAN = {"event": "plan", "partitions": 2}
MADE = {"event": "partition", "status": "made", "table": "silver.trade", "symbol": "ES", "date": "2024-03-06",
        "rows": 7, "seconds": 0.5, "done": 1, "total": 2}  # fmt: skip
FAILED = {**MADE, "status": "failed", "table": "silver.wall_surface_1s", "done": 2,
          "error": "record 12 is off the tick grid\nat x"}  # fmt: skip
SUMMARY = {"event": "summary", "made": 1, "reused": 0, "skipped": 0, "failed": 0, "checks_failed": 0, "records": 10,
           "seconds": 2.0, "failures": []}  # fmt: skip
CHECK = {"event": "check", "table": "silver.trade", "check": "volume_of_snapshot", "symbol": "ES", "date": "2024-03-06",
         "severity": "error", "blocking": True, "message": "3 violations"}  # fmt: skip


Say = Callable[..., Path]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Replace the runner by a script that says given lines and remembers how it was called."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr("spymaster.cli.run.RUNNER", "fake_runner")

    def say(*lines: Any, code: int = 0, stderr: str = "") -> Path:
        called = folder / "called.json"
        text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
        (folder / "fake_runner.py").write_text(
            "import json, os, sys\n"
            "call = {'argv': sys.argv[1:], 'env': dict(os.environ), 'cwd': os.getcwd()}\n"
            f"json.dump(call, open({str(called)!r}, 'w'))\n"
            f"sys.stdout.write({text!r})\nsys.stderr.write({stderr!r})\nsys.exit({code})\n"
        )
        return called

    return say


@pytest.fixture
def empty(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake", create=True)


def test_the_runner_is_asked_for_exactly_what_was_asked(cli: Cli, runner: Say, empty: Lake, tmp_path: Path):
    called = runner(PLAN, MADE, SUMMARY)
    arguments = ["--symbol", "ES", "--symbol", "NQ", "--start-date", "2024-03-05", "--end-date", "2024-03-06"]
    options = ["--layer", "silver", "--product-type", "future", "--workers", 2, "--overwrite"]
    assert cli("run", *arguments, *options, "--lake", empty.root).code == 0
    call = json.loads(called.read_text())
    assert call["argv"] == [
        *("--symbol", "ES", "--symbol", "NQ", "--dates", "2024-03-05:2024-03-06", "--layer", "silver"),
        *("--product-type", "future", "--workers", "2", "--overwrite"),
    ]
    assert call["env"]["SPYMASTER_LAKE_ROOT"] == str(empty.root)
    assert call["env"]["DAGSTER_HOME"] == str(empty.root / "_dagster")
    assert (empty.root / "_dagster" / "dagster.yaml").is_file()
    assert call["cwd"] == str(tmp_path)  # so that it reads the same spymaster.toml


def test_a_good_run_is_summed_up(cli: Cli, runner: Say, empty: Lake):
    runner(PLAN, MADE, "noise on stdout\n", SUMMARY)
    shown = cli("run", "-s", "ES", "--dates", "2024-03-06", "--lake", empty.root)
    assert shown.code == 0
    assert "1 made, 0 reused, 0 skipped, 0 failed in 2.0 s, 10 messages (5/s)" in shown.out
    document = cli("run", "-s", "ES", "--dates", "2024-03-06", "--lake", empty.root, "--json").json
    assert document["partitions"] == [MADE]
    assert document["summary"] == SUMMARY


def test_a_failed_partition_fails_the_command_and_is_named(cli: Cli, runner: Say, empty: Lake):
    runner(PLAN, MADE, FAILED, SUMMARY, code=1, stderr="the whole story")
    done = cli("run", "-s", "ES", "--dates", "2024-03-06", "--lake", empty.root)
    assert done.code == 1
    (summary,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "1 failed; first: silver.wall_surface_1s ES 2024-03-06: record 12 is off the tick grid" in summary
    (log,) = (empty.root / "_dagster" / "logs").iterdir()
    assert log.read_text() == "the whole story"
    assert log.name in done.err
    document = cli("run", "-s", "ES", "--dates", "2024-03-06", "--lake", empty.root, "--json").json
    assert document["failures"] == [{"where": "silver.wall_surface_1s ES 2024-03-06", "what": FAILED["error"]}]


def test_a_failed_check_of_severity_error_fails_the_command(cli: Cli, runner: Say, empty: Lake):
    runner(PLAN, MADE, CHECK, {**FAILED, "table": "silver.trade"}, SUMMARY, code=1)
    done = cli("run", "-s", "ES", "--dates", "2024-03-06", "--lake", empty.root)
    assert done.code == 1
    assert "1 failed; first: silver.trade ES 2024-03-06 check volume_of_snapshot: 3 violations" in done.err


def test_a_warning_is_shown_and_does_not_fail(cli: Cli, runner: Say, empty: Lake):
    runner(PLAN, MADE, {**CHECK, "severity": "warn", "blocking": False}, SUMMARY)
    done = cli("run", "-s", "ES", "--dates", "2024-03-06", "--lake", empty.root)
    assert done.code == 0
    assert "volume_of_snapshot" in done.out


def test_what_the_runner_refuses_is_told(cli: Cli, runner: Say, empty: Lake):
    runner({"event": "error", "message": "no partitions for ZN"}, code=2)
    done = cli("run", "-s", "ZN", "--dates", "2024-03-06", "--lake", empty.root)
    assert done.code == 1
    assert "no partitions for ZN" in done.err


def test_a_runner_that_dies_is_an_error_with_the_end_of_its_log(cli: Cli, runner: Say, empty: Lake):
    runner(PLAN, MADE, code=-9, stderr="Killed")
    done = cli("run", "-s", "ES", "--dates", "2024-03-06", "--lake", empty.root, "--json")
    assert done.code == 1
    assert done.json["error"]["type"] == "RunnerError"
    assert "Killed" in done.json["error"]["message"]


def test_unknown_roots_and_missing_lakes_are_refused_before_anything_starts(cli: Cli, runner: Say, tmp_path: Path):
    called = runner(PLAN, SUMMARY)
    lake = Lake.open(tmp_path / "lake", create=True)
    assert cli("run", "-s", "ZZZ", "--dates", "2024-03-06", "--lake", lake.root).code == 1
    assert cli("run", "-s", "ES", "--dates", "2024-03-06", "--lake", tmp_path / "none").code == 1
    assert not called.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_runner_too(tmp_path: Path, number: signal.Signals):
    lake = Lake.open(tmp_path / "lake", create=True)
    (tmp_path / "fake_runner.py").write_text(
        "import os, pathlib, time\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "(here / 'pid').write_text(str(os.getpid()))\n"
        "try:\n"
        "    import signal; signal.signal(signal.SIGTERM, signal.default_int_handler); time.sleep(60)\n"
        "finally:\n"
        "    (here / 'ended').write_text('well')\n"
    )
    command = ["run", "-s", "ES", "--dates", "2024-03-06", "--lake", str(lake.root)]
    code = (
        "import spymaster.cli.run as r; r.RUNNER = 'fake_runner'\n"
        f"from spymaster.cli.main import main; main({command!r})"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert (tmp_path / "ended").read_text() == "well"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.slow
def test_the_real_runner_makes_a_session_that_passes_its_checks(cli: Cli, tmp_path: Path):
    root = tmp_path / "lake"
    write_raw(root, DT, seed=3, records=400)
    Lake.open(root, create=True, kind="simulated")
    made = cli("run", "-s", SYMBOL, "--dates", DT, "--lake", root, "--json")
    assert made.code == 0, made.err
    assert {one["status"] for one in made.json["partitions"]} == {"made"}
    again = cli("run", "-s", SYMBOL, "--dates", DT, "--lake", root, "--json")
    assert {one["status"] for one in again.json["partitions"]} == {"reused"}
    assert cli("check", "--lake", root).code == 0
    found = cli("status", "--lake", root, "--json").json["partitions"]
    assert {one["state"] for one in found} == {"complete"}


def test_no_lake_is_told_before_anything_is_started_or_written(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: Say
):
    """Also where a Dagster home is there already: it is named by the environment and belongs to another lake."""
    called, home = runner(SUMMARY), tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    done = cli("run", "--symbol", "ES", "--dates", "2026-01-06", "--lake", tmp_path / "nothing")
    assert done.code == 1
    assert "nothing is not a data lake" in done.err
    assert not called.exists()
    assert list(home.iterdir()) == []
