"""A good lake, built once, and a copy of it for each test to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from spymaster.lake import Lake
from spymaster_tests.checks.sessions import build_lake, copy_lake


@pytest.fixture(scope="session")
def good_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Every table of two sessions; not to be changed."""
    return build_lake(tmp_path_factory.mktemp("good") / "lake")


@pytest.fixture
def lake(good_lake: Lake, tmp_path: Path) -> Lake:
    """The same, to spoil."""
    return copy_lake(good_lake, tmp_path / "lake")
