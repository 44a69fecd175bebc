"""Placebos matched to episodes, and how much episodes overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from spymaster.setups.matching import match_sets, overlaps
from spymaster.setups.mids import SECOND_NS


def some(**columns: Sequence[object]) -> pl.DataFrame:
    n = len(next(iter(columns.values())))
    base = {
        "episode_id": [f"e{k}" for k in range(n)],
        "kind": ["touch"] * n,
        "direction": [1] * n,
        "is_placebo": [k > 0 for k in range(n)],
        "valid": [True] * n,
        "ts_decision": [k * 60 * SECOND_NS for k in range(n)],
        "tod_sec": [1000] * n,
        "sigma_60": [8.0] * n,
        "approach_speed": [1.0] * n,
    }
    return pl.DataFrame(base | columns)


def test_placebos_are_matched_within_bounds_nearest_first_and_each_once():
    rows = some(
        is_placebo=[False] + [True] * 7,
        tod_sec=[1000, 1901, 1900, 1000, 1000, 1000, 1000, 1000],
        sigma_60=[8.0, 8.0, 8.0, 9.7, 9.6, 8.0, 8.0, 8.0],
        approach_speed=[1.0, 1.0, 1.0, 1.0, 1.0, 1.26, 1.25, 1.0],
        direction=[1, 1, 1, 1, 1, 1, 1, -1],
    )
    assert match_sets(rows).to_list() == ["e0", None, "e0", None, "e0", None, "e0", None]
    crowd = some(is_placebo=[False, False] + [True] * 8, tod_sec=[1000, 1000, *range(1001, 1009)])
    matched = match_sets(crowd).to_list()
    assert matched == ["e0", "e1", *["e0"] * 5, *["e1"] * 3]
    invalid = crowd.with_columns(valid=pl.int_range(pl.len()) != 0)
    assert match_sets(invalid).to_list() == [None, "e1", *["e1"] * 5, *[None] * 3]
    assert match_sets(crowd.filter(~pl.col("is_placebo"))).to_list() == [None, None]


def test_of_placebos_that_one_move_meets_one_is_taken():
    seconds = [0, 300, 301, 302, 329, 331, 360, 900]
    rows = some(
        ts_decision=[at * SECOND_NS for at in seconds], tod_sec=[1000, 1004, 1001, 1003, 1002, 1005, 1006, 1007]
    )
    # the nearest is the third; 331 is half a minute from it and 360 is not from 331
    assert match_sets(rows).to_list() == ["e0", None, "e0", None, None, "e0", None, "e0"]


def test_overlaps_are_counted_and_weighted():
    decision = np.array([0, 100, 459, 460, 5000], dtype=np.int64) * SECOND_NS
    number, weight = overlaps(decision)
    assert number.tolist() == [1, 2, 2, 1, 0]
    expected = [
        1 + 260 / 360,
        1 + (260 + 1) / 360,
        1 + (1 + 359) / 360,
        1 + 359 / 360,
        1.0,
    ]
    assert weight == pytest.approx([1 / one for one in expected])
    assert overlaps(np.empty(0, dtype=np.int64))[0].tolist() == []
