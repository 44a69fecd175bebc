"""The command line as a function: arguments in, exit code and both outputs back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spymaster.cli.main import main
from spymaster.lake import Lake
from spymaster_tests.checks.sessions import build_lake, copy_lake


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document that `--json` prints."""
        return json.loads(self.out)


Cli = Callable[..., Done]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run `spymaster` in this process, in an empty folder, without the caller's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("SPYMASTER_LAKE_ROOT", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def good_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Every table of two small sessions; not to be changed."""
    return build_lake(tmp_path_factory.mktemp("good") / "lake", records=600)


@pytest.fixture
def lake(good_lake: Lake, tmp_path: Path) -> Lake:
    """The same, to change."""
    return copy_lake(good_lake, tmp_path / "lake")
