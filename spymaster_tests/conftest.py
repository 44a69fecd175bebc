"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from spymaster_tests.workers import Spreading, workers

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of licensed real market files; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SPYMASTER_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "esh4-glbx-mdp3-20231225.mbo.dbn.zst").is_file():
        pytest.skip("real market data not present (set SPYMASTER_REAL_DATA to the folder that holds it)")
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave `slow` tests out of the everyday suite; any `-m` expression chooses for itself."""
    if config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Answers `-n auto`, which `pyproject.toml` asks for."""
    return workers(config.args)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spreading:
    """Which worker gets which tests."""
    return Spreading(config, log)
