"""What every command has in common: help, speed, exit codes, where output goes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from spymaster import __version__
from spymaster.cli import options
from spymaster_tests.cli.conftest import Cli

COMMANDS = ["demo", "raw add", "simulate", "run", "check", "inspect flags", "inspect book", "inspect table",
            "inspect manifest", "status", "tables", "up", "bench", "clean"]  # fmt: skip
HEAVY = ("numba", "pandera", "polars", "databento", "exchange_calendars", "matplotlib", "dagster", "pydantic", "rich")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli: Cli, command: str):
    done = cli(*command.split(), "--help")
    assert done.code == 0
    assert "--json" in done.out


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("tables", "bench", "inspect flags")])
def test_every_command_about_a_lake_takes_its_root(cli: Cli, command: str):
    assert "--lake" in cli(*command.split(), "--help").out


def test_help_loads_nothing_heavy_and_is_instant():
    code = (
        "import sys; sys.argv = ['spymaster', '--help']\n"
        "import spymaster.cli.main as m\n"
        f"print([n for n in {HEAVY!r} if n in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
    best = min(_timed([sys.executable, "-m", "spymaster.cli.main", "--help"]) for _ in range(3))
    assert best < 3.0  # 0.6 s on a quiet machine


def _timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - started


def test_version(cli: Cli):
    assert cli("--version").out.strip() == f"spymaster {__version__}"


def test_without_a_command_help_is_shown(cli: Cli):
    done = cli()
    assert "Usage" in done.out + done.err
    assert done.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["status", "--wings"],
        ["status", "--dates", "yesterday"],
        ["status", "--dates", "2024-02-02:2024-02-01"],
        ["check", "chemistry"],
        ["inspect", "table"],
        ["run", "--dates", "2024-02-01"],
        ["run", "--symbol", "ES"],
        ["run", "--symbol", "ES", "--dates", "2024-02-01:"],
        ["run", "--symbol", "ES", "--dates", "2024-02-01", "--start-date", "2024-02-01"],
        ["run", "--symbol", "ES", "--start-date", "2024-02-02", "--end-date", "2024-02-01"],
        ["run", "--symbol", "ES", "--dates", "2024-02-01", "--layer", "platinum"],
        ["run", "--symbol", "ES", "--dates", "2024-02-01", "--workers", "0"],
    ],
)
def test_usage_errors_exit_with_2(cli: Cli, arguments: list[str]):
    done = cli(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Usage" in done.err


@pytest.mark.parametrize("command", ["status", "clean", "check", "inspect table trade", "inspect manifest trade"])
def test_a_folder_that_is_no_lake_is_a_message_and_a_hint(cli: Cli, tmp_path: Path, command: str):
    done = cli(*command.split(), "--lake", tmp_path / "nowhere")
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert "nowhere is not a data lake" in done.err
    assert "--lake" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "nowhere").exists()


def test_with_json_an_error_is_a_document_too(cli: Cli, tmp_path: Path):
    done = cli("status", "--lake", tmp_path / "nowhere", "--json")
    assert done.code == 1
    assert done.json["error"]["type"] == "LakeNotFoundError"
    assert done.json["error"]["hint"]


def test_an_unexpected_error_keeps_its_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    def broken(_: object) -> Path:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("spymaster.cli.status.lake_root", broken)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        cli("status")


def test_the_lake_is_that_of_the_option_then_the_environment_then_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPYMASTER_LAKE_ROOT", raising=False)
    assert options.lake_root(None) == tmp_path / "lake"
    monkeypatch.setenv("SPYMASTER_LAKE_ROOT", "other")
    assert options.lake_root(None) == tmp_path / "other"
    assert options.lake_root("third") == tmp_path / "third"


def test_an_interrupt_ends_with_130():
    code = (
        "import os, signal, time, spymaster.cli.status as s\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job inherits that it is ignored
        "s.lake_root = lambda _: (os.kill(os.getpid(), signal.SIGINT), time.sleep(30))\n"  # it arrives when it likes
        "from spymaster.cli.main import main; main(['status'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
