"""`spymaster demo`: whose lake it takes, what it leaves alone, and the real thing from nothing to the Dagster UI."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest

from spymaster.cli.supervisor import hold
from spymaster.lake import Lake
from spymaster.lake.raw import all_raw_files
from spymaster.simulator import request
from spymaster.simulator.options.chain import CHAIN_SIZES, ChainSize
from spymaster.simulator.request import Preset
from spymaster.simulator.simulate import complete_run, run_identifier, simulate
from spymaster.tables import all_tables
from spymaster_tests.assets.processes import last_only_tables
from spymaster_tests.cli.conftest import Cli
from spymaster_tests.cli.test_up import document, processes_of

TINY = Preset((time(9, 30), time(9, 32)), 3_000, 1, (time(9, 30), time(9, 32)), 2_000)
DATES = [date(2025, 12, 31), date(2026, 1, 2), date(2026, 1, 5), date(2026, 1, 6)]
DEMO = [sys.executable, "-m", "spymaster.cli.main", "demo"]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> request.Plan:
    """Two sessions of two minutes in place of the preset."""
    monkeypatch.setitem(request.PRESETS, "demo", TINY)
    monkeypatch.setitem(CHAIN_SIZES, "demo", ChainSize(1, 10, 3_000, 2_000))
    return request.plan(request.Request(preset="demo"))


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A runner that makes nothing; returns how it was called."""
    folder = tmp_path / "modules"
    folder.mkdir()
    called = folder / "called.json"
    (folder / "fake_runner.py").write_text(
        "import json, os, sys\n"
        f"json.dump({{'argv': sys.argv[1:], 'env': dict(os.environ)}}, open({str(called)!r}, 'w'))\n"
        "print(json.dumps({'event': 'summary', 'made': 0, 'reused': 0, 'skipped': 0, 'failed': 0, 'records': 0,"
        " 'seconds': 0.1}))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr("spymaster.cli.run.RUNNER", "fake_runner")
    return lambda: json.loads(called.read_text()) if called.exists() else None


def test_a_lake_of_real_data_is_refused_untouched(cli: Cli, tmp_path: Path):
    root = Lake.open(tmp_path / "real", create=True, kind="real").root
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = cli("demo", "--headless", "--lake", root)
    assert done.code == 1
    assert "holds real data" in done.err
    assert "another lake root" in done.err
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_raw_files_of_another_simulation_are_refused(cli: Cli, tmp_path: Path, tiny: request.Plan):
    simulate(request.plan(request.Request(preset="demo", seed=8)), tmp_path / "lake")
    done = cli("demo", "--headless", "--lake", tmp_path / "lake")
    assert done.code == 1
    assert "never replaced" in done.err


def test_lake_home_and_profile_are_those_of_the_demo_whatever_the_environment_says(
    cli: Cli, tmp_path: Path, tiny: request.Plan, runner: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "of-real-data"))
    monkeypatch.setenv("SPYMASTER_LAKE_ROOT", str(tmp_path / "real"))
    monkeypatch.setenv("SPYMASTER_PARAMETER_PROFILE", "standard")
    done = cli("demo", "--headless", "--json")
    root = tmp_path / "lake" / "demo"
    assert json.loads((root / "_LAKE.json").read_text()) == {
        "format": 1,
        "kind": "simulated",
        "parameter_profile": "demo",
    }
    call = runner()
    assert call["argv"] == ["--symbol", "ES", "--dates", "2026-01-05:2026-01-06"]
    assert call["env"]["SPYMASTER_LAKE_ROOT"] == str(root)
    assert call["env"]["SPYMASTER_PARAMETER_PROFILE"] == "demo"
    assert call["env"]["DAGSTER_HOME"] == done.json["dagster_home"] == str(root / "_dagster")
    assert not (tmp_path / "of-real-data").exists()
    # a runner that says all is well does not make it so
    assert done.code == 1
    assert "partitions are not complete; first: bronze.contract_day_selection ES 2026-01-05" in done.err


def test_a_whole_simulation_is_reused_and_a_missing_file_written_again(
    cli: Cli, tmp_path: Path, tiny: request.Plan, runner: Callable[[], Any]
):
    lake = Lake.open(tmp_path / "lake", create=True, kind="simulated")  # as `spymaster simulate` makes it
    assert lake.profile == "standard"
    made = simulate(tiny, lake.root)
    assert cli("demo", "--headless", "--lake", lake.root, "--json").json["simulation"] == {
        "run": str(made.folder),
        "reused": True,
        "dates": ["2026-01-05", "2026-01-06"],
    }
    assert Lake.open(lake.root).profile == "demo"
    lost = all_raw_files(lake)[0].path
    lost.unlink()
    assert cli("demo", "--headless", "--lake", lake.root, "--json").json["simulation"]["reused"] is False
    assert lost.exists()


def test_a_simulation_counts_when_it_is_whole_and_of_this_plan(tmp_path: Path, tiny: request.Plan):
    lake = Lake.open(tmp_path / "lake", create=True, kind="simulated")
    assert complete_run(tiny, lake) is None
    made = simulate(tiny, lake.root)
    assert made.folder.name == f"run_id={run_identifier(tiny)}"
    assert complete_run(tiny, lake) == made.folder
    assert complete_run(request.plan(request.Request(preset="demo", seed=8)), lake) is None
    (made.folder / "run.json").write_text("{")
    assert complete_run(tiny, lake) is None


def test_a_second_demo_of_one_lake_is_refused_before_it_simulates(cli: Cli, tmp_path: Path):
    home = tmp_path / "lake" / "_dagster"
    home.mkdir(parents=True)
    with hold(home, {"dagster": "http://127.0.0.1:3000"}):
        done = cli("demo", "--lake", tmp_path / "lake", "--port", 0)
    assert done.code == 1
    assert f"process {os.getpid()} (http://127.0.0.1:3000)" in done.err
    assert all_raw_files(Lake.open(tmp_path / "lake")) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_from_nothing_to_every_table_and_again(tmp_path: Path):
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
        # nothing outside this machine answers
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"),
    }

    def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*DEMO, "--headless", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)

    first = demo("--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["simulation"]["reused"] is False
    assert told["failures"] == []
    assert told["checks"] == []  # of those that fail, as an error or as a warning

    lake = Lake.open(tmp_path / "lake" / "demo")
    assert (lake.kind, lake.profile) == ("simulated", "demo")
    tables = list(all_tables())
    found = [partition for table in tables for partition in lake.partitions(table)]
    last_only = last_only_tables()
    due = [(table, dt) for table in tables for dt in (DATES[-1:] if table in last_only else DATES)]
    assert [(one.table, one.dt) for one in found] == due
    written = {one.table: one.path.stat().st_mtime for one in found if one.dt == DATES[-1]}
    assert written["gold.retrieval_result"] < written["gold.algo_run"], "what takes longest comes last"
    assert {one.manifest.provenance for one in found} == {"simulated"}
    assert {one.manifest.dataset for one in found} == {"SIM.SPYMASTER"}
    assert {one.manifest.profile for one in found} == {"demo"}
    checked = subprocess.run(
        [*DEMO[:-1], "check", "--lake", str(lake.root), "--json"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert set(json.loads(checked.stdout)["counts"]) == {"passed"}

    written = {path: path.stat().st_mtime_ns for path in lake.root.rglob("*.parquet")}
    second = demo()
    assert second.returncode == 0, second.stderr
    assert f"0 made, {len(found)} reused" in second.stdout
    assert {path: path.stat().st_mtime_ns for path in lake.root.rglob("*.parquet")} == written

    process = subprocess.Popen(
        [*DEMO, "--port", "0", "--page-port", "0", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    try:
        told = document(process)
        assert told["simulation"]["reused"] is True
        urls = {one["name"]: one["url"] for one in told["services"]}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{urls['dagster-webserver']}/server_info", timeout=10) as it:
            assert json.load(it)["dagster_version"]
        with opener.open(f"{urls['sidecar']}/healthz", timeout=10) as it:
            assert it.read() == b"ok"
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
    assert code == 0
    assert processes_of(lake.root / "_dagster") == []
