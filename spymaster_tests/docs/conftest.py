"""A lake of one generated session, and a way to run the commands that the documentation names."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from benchmarks.stream import StreamConfig, write_stream

REPOSITORY = Path(__file__).resolve().parents[2]
DAY = date(2026, 1, 6)


def run(command: str, folder: Path, lake: Path) -> str:
    """Run a documented command in `folder`, with this interpreter in place of `uv run`."""
    words = shlex.split(command)
    assert words[:2] == ["uv", "run"], command
    program = {"spymaster": ["-m", "spymaster.cli.main"], "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider"],
               "python": []}[words[2]]  # fmt: skip
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_", "PYTEST_"))},
        "PYTHONPATH": str(folder),
        "SPYMASTER_LAKE_ROOT": str(lake),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [sys.executable, *program, *words[3:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one generated session, materialised by the project as it is."""
    folder = tmp_path_factory.mktemp("documented")
    file = folder / "generated-20260106.mbo.dbn.zst"
    write_stream(file, StreamConfig(messages=20_000, day=DAY, start_hour=15.0, end_hour=15.05))
    root = folder / "lake"
    run(f"uv run spymaster raw add {file} --symbol ES", REPOSITORY, root)
    run(f"uv run spymaster run --symbol ES --dates {DAY} --layer silver", REPOSITORY, root)
    return root
