"""Sample rows of setup vectors and their scaler; see `samples`."""

from __future__ import annotations

from datetime import date
from typing import Any

from spymaster_tests.tables.setup_samples import SECOND, START

Row = dict[str, Any]


def setup_vector(index: int) -> Row:
    """Three candidates, the last of which has no vector, and one of an episode."""
    episode, valid = index == 3, index != 2
    return {
        "episode_id": "touch:ES:2024-01-02:PMH:0:1704207690000000000" if episode else None,
        "kind": "touch" if episode else "candidate",
        "direction": -1 if episode else 1,
        "family": "s1",
        "layout_version": "L13",
        "vector_dim": 2,
        "lead_s": 5 if episode else 0,
        "ts_cutoff": START + (index + 1) * 30 * SECOND,
        "sigma_60": 5.5 if index else 5.25,
        "vector": [0.5, -1.25] if valid else None,
        "valid": valid,
        "provenance": "simulated",
    }


def vector_scaler(index: int) -> Row:
    """The families, and of one another layout of which nothing is known."""
    known = index != 2
    return {
        "family": ("c120", "s1", "s1", "s5")[index],
        "layout_version": ("L5", "L13", "L28", "L13")[index],
        "vector_dim": 2,
        "sessions_used": [date(2023, 12, 28), date(2023, 12, 29)] if known else [],
        "n_rows": 1400 if known else 0,
        "med": [0.25, -0.5] if known else None,
        "mad": [0.125, 0.0] if known else None,
        "dead_dims": [1] if known else [],
        "sha256": "5f" * 32,
    }
