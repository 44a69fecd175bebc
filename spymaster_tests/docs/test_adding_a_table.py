"""The page on adding a table, done for real: its files in a copy of the project, its commands on a generated day."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster_tests.docs.conftest import DAY, REPOSITORY, run

PAGE = REPOSITORY / "docs" / "adding-a-table.md"
COPIED = ("spymaster", "spymaster_assets", "spymaster_tests", "benchmarks", "docs", "pyproject.toml", "README.md",
          "dagster.yaml", "workspace.yaml")  # fmt: skip
TABLE = "silver.touch_imbalance_1s"

FILES: dict[str, str] = dict(
    re.findall(r"^`([\w/]+\.py)`:\n\n```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
)
COMMANDS: list[str] = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the files of the page added, and nothing else."""
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    for name, text in FILES.items():
        target = folder / name
        assert not target.exists(), f"{name} is already part of the project"
        target.write_text(text, encoding="utf-8")
    return folder


def test_page_names_four_files_and_no_other_change() -> None:
    folders = [Path(name).parent.as_posix() for name in FILES]
    assert folders == ["spymaster/tables", "spymaster/surfaces", "spymaster_assets/assets", "spymaster_tests/surfaces"]
    assert len(COMMANDS) == 7


@pytest.mark.slow
def test_files_and_commands_of_the_page_make_the_table(project: Path, lake: Path) -> None:
    printed = {command: run(command, project, lake) for command in COMMANDS}

    assert TABLE in (project / "docs/reference/tables.md").read_text(encoding="utf-8")
    shown = next(text for command, text in printed.items() if "inspect table" in command)
    assert "imbalance" in shown

    opened = Lake.open(lake)
    folder = lake / "silver" / "touch_imbalance_1s" / "symbol=ES" / f"dt={DAY}"
    assert (folder / "_SUCCESS").exists()
    snapshot = opened.partition("silver.book_snapshot_1s", "ES", DAY)
    frame = pl.read_parquet(folder / "part-00000.parquet")
    assert frame.height == snapshot.rows > 100
    both = snapshot.read(["best_bid_qty", "best_ask_qty"])
    bid, ask = both["best_bid_qty"].to_numpy().astype(float), both["best_ask_qty"].to_numpy().astype(float)
    assert np.allclose(frame["imbalance"].to_numpy(), (bid - ask) / (bid + ask), atol=1e-6, rtol=0)


def test_code_on_the_page_keeps_the_house_style(project: Path) -> None:
    names = [str(project / name) for name in FILES]
    for arguments in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, *names], cwd=project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
