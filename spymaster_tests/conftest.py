"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of licensed real market files; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SPYMASTER_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "esh4-glbx-mdp3-20231225.mbo.dbn.zst").is_file():
        pytest.skip("real market data not present (set SPYMASTER_REAL_DATA to the folder that holds it)")
    return folder
