"""Pooling in time, against a naive second implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.serving.lod import NO_TICK, any_flag, group, pool_cells, worst
from spymaster.serving.transfer import SignedLog, SignedUnit, Transfer, Unit


def naive(
    secs: list[int], spot: list[int], state: list[int], codes: list[list[int]], level: int, pool: str, fn: Transfer
) -> dict[int, tuple[int, list[int]]]:
    """Anchor and codes of every group, cell by cell."""
    members: dict[int, list[int]] = {}
    for row, sec in enumerate(secs):
        members.setdefault(sec // level, []).append(row)
    answer = {}
    for number, rows in members.items():
        known = [row for row in rows if spot[row] != NO_TICK]
        valid = [row for row in known if state[row] == 3]
        chosen = valid or known
        anchor = spot[chosen[-1]] if chosen else NO_TICK
        width = len(codes[0])
        cells: list[list[int]] = [[] for _ in range(width)]
        for row in known:
            for column in range(width):
                target = column + spot[row] - anchor
                if 0 <= target < width and codes[row][column]:
                    cells[target].append(codes[row][column])
        answer[number * level] = anchor, [_one(cell, pool, fn) for cell in cells]
    return answer


def _one(cell: list[int], pool: str, fn: Transfer) -> int:
    if not cell:
        return 0
    if pool == "last":
        return cell[-1]
    if pool == "mean":
        # Summed in order: another sum may fall on the other side of a half.
        values = fn.decode(np.array(cell, np.uint8)).tolist()
        return int(fn.encode([sum(values) / len(values)])[0])
    centre = 0 if fn.fn == "unit" else 128
    best = max(abs(code - centre) for code in cell)
    return [code for code in cell if abs(code - centre) == best][-1]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), level=st.sampled_from((1, 4, 16)), pool=st.sampled_from(("max", "mean", "last")))
@pytest.mark.parametrize("fn", [SignedLog(10.0, 20_000.0), SignedUnit(), Unit()], ids=lambda fn: fn.fn)
def test_pooling_agrees_with_the_naive_one(fn: Transfer, seed: int, level: int, pool) -> None:
    rng = np.random.default_rng(seed)
    rows, width = int(rng.integers(1, 40)), 9
    secs = np.sort(rng.choice(np.arange(80, dtype=np.int32), rows, replace=False))
    spot = (100 + np.cumsum(rng.integers(-3, 4, rows))).astype(np.int32)
    spot[rng.random(rows) < 0.15] = NO_TICK
    state = rng.integers(0, 4, rows).astype(np.uint8)
    codes = np.where(rng.random((rows, width)) < 0.3, 0, rng.integers(1, 256, (rows, width))).astype(np.uint8)
    groups = group(secs, spot, state, level)
    pooled = pool_cells(codes, spot, groups, pool, fn, chunk=2)
    expected = naive(secs.tolist(), spot.tolist(), state.tolist(), codes.tolist(), level, pool, fn)
    assert groups.secs.tolist() == list(expected)
    assert groups.anchor.tolist() == [anchor for anchor, _ in expected.values()]
    assert pooled.tolist() == [cells for _, cells in expected.values()]


def test_a_wall_stays_at_its_price_while_spot_moves() -> None:
    spot = np.array([100, 101, 102, 103], np.int32)
    codes = np.zeros((4, 11), np.uint8)
    for row, at in enumerate(spot):
        codes[row, 5 + 102 - at] = 200  # a wall at tick 102
    groups = group(np.arange(4, dtype=np.int32), spot, np.full(4, 3, np.uint8), 4)
    pooled = pool_cells(codes, spot, groups, "max", SignedUnit())
    assert np.flatnonzero(pooled[0]).tolist() == [5 + 102 - 103]


def test_state_is_the_worst_and_flags_are_all() -> None:
    secs = np.arange(6, dtype=np.int32)
    state = np.array([3, 3, 1, 3, 3, 3], np.uint8)
    groups = group(secs, np.full(6, 5, np.int32), state, 4)
    assert worst(state, groups).tolist() == [1, 3]
    assert any_flag(np.array([1, 0, 4, 0, 0, 32], np.uint8), groups).tolist() == [5, 32]


def test_no_rows_make_no_groups() -> None:
    empty = np.empty(0, np.int32)
    groups = group(empty, empty, np.empty(0, np.uint8), 4)
    assert len(groups) == 0
    assert pool_cells(np.empty((0, 9), np.uint8), empty, groups, "max", Unit()).shape == (0, 9)
