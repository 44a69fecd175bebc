"""`spymaster up` with Dagster itself: it answers, a second start is refused, and nothing is left when it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from spymaster.cli.supervisor import hold
from spymaster_tests.cli.conftest import Cli

UP = [sys.executable, "-m", "spymaster.cli.main", "up", "--port", "0", "--page-port", "0", "--json"]


def document(process: subprocess.Popen[str]) -> Any:
    """The JSON document that `up --json` prints once everything answers."""
    assert process.stdout is not None
    lines = []
    while line := process.stdout.readline():
        lines.append(line)
        if line == "}\n":
            return json.loads("".join(lines))
    raise AssertionError(f"up ended with {process.wait()}: {''.join(lines)}")


def processes_of(home: Path) -> list[str]:
    """Command lines of the processes that work for a Dagster home."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"DAGSTER_HOME={home}".encode() in environment.split(b"\0") and command:
            found.append(command)
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_dagster_answers_and_stops_without_a_trace(tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    root = tmp_path / "lake"
    process = subprocess.Popen([*UP, "--lake", root], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
    try:
        told = document(process)
        home = Path(told["dagster_home"])
        assert home == root / "_dagster"
        url = next(one["url"] for one in told["services"] if one["name"] == "dagster-webserver")
        with urllib.request.urlopen(f"{url}/server_info", timeout=10) as response:
            assert json.load(response)["dagster_version"]
        query = json.dumps({"query": "{ assetNodes { id } }"}).encode()
        request = urllib.request.Request(f"{url}/graphql", query, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            assert len(json.load(response)["data"]["assetNodes"]) > 5
        second = subprocess.run([*UP, "--lake", root], capture_output=True, text=True, env=environment, check=False)
        assert second.returncode == 1
        assert f"already in use by process {process.pid}" in second.stderr
        assert len(processes_of(home)) >= 2
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
    assert code == 0
    assert processes_of(home) == []


def test_a_second_start_is_refused_with_the_address_of_the_first(cli: Cli, tmp_path: Path):
    (tmp_path / "lake" / "_dagster").mkdir(parents=True)
    with hold(tmp_path / "lake" / "_dagster", {"dagster": "http://127.0.0.1:3000"}):
        done = cli("up", "--port", 0, "--lake", tmp_path / "lake")
    assert done.code == 1
    assert f"process {os.getpid()} (http://127.0.0.1:3000)" in done.err
