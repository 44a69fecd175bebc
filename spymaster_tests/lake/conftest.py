"""Fixtures of the lake's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from spymaster.lake import Lake
from spymaster.settings import get_settings


@pytest.fixture(autouse=True)
def _default_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings as shipped, whatever the machine's environment says."""
    monkeypatch.chdir(tmp_path)
    for name in ("LAKE_ROOT", "PARAMETER_PROFILE", "SYMBOLS", "INSTRUMENTS_FILE"):
        monkeypatch.delenv(f"SPYMASTER_{name}", raising=False)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake, neither real nor simulated yet."""
    return Lake.open(tmp_path / "lake", settings=get_settings(), create=True)
