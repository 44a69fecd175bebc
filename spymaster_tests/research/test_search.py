"""Exact search against the plainest code there is."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.research.search import nearest


def by_hand(points: np.ndarray, query: np.ndarray, count: int) -> tuple[list[int], list[float]]:
    pairs = []
    for row, point in enumerate(points.astype(np.float64)):
        pairs.append((float(np.sqrt(sum((a - float(b)) ** 2 for a, b in zip(point, query, strict=True)))), row))
    pairs.sort()
    return [row for _, row in pairs[:count]], [distance for distance, _ in pairs[:count]]


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_what_brute_force_finds_in_that_order(seed: int):
    """Gate G12: 1,000 x 455."""
    rng = np.random.default_rng(seed)
    points = np.clip(rng.standard_t(3, size=(1000, 455)), -8, 8).astype(np.float32)
    query = np.clip(rng.standard_t(3, size=455), -8, 8).astype(np.float32)
    rows, distance = nearest(points, query, 100)
    expected, far = by_hand(points, query, 100)
    assert rows.tolist() == expected
    assert distance == pytest.approx(far, rel=1e-12)


def test_rows_that_differ_less_than_single_precision_tells_are_in_order():
    """Distances from 1e4 that differ by a part in ten million: the scan cannot order them, the answer does."""
    base = np.zeros((64, 400), dtype=np.float32)
    base[:, 0] = 8.0
    base[np.arange(64), 1 + np.arange(64)] = np.linspace(1.0, 1.0001, 64)[::-1].astype(np.float32)
    query = np.zeros(400, dtype=np.float32)
    rows, distance = nearest(base, query, 64)
    assert rows.tolist() == by_hand(base, query, 64)[0]
    assert (np.diff(distance) >= 0).all()
    assert rows[0] == 63


def test_ties_go_to_the_first_row_and_few_rows_are_all_found():
    points = np.ones((7, 5), dtype=np.float32)
    rows, distance = nearest(points, np.ones(5, dtype=np.float32), 3)
    assert rows.tolist() == [0, 1, 2]
    assert distance.tolist() == [0.0, 0.0, 0.0]
    assert len(nearest(points, np.zeros(5, dtype=np.float32), 50)[0]) == 7
    assert len(nearest(points[:0], np.zeros(5, dtype=np.float32), 5)[0]) == 0


def test_only_allowed_rows_are_found():
    rng = np.random.default_rng(6)
    points, query = rng.normal(size=(400, 30)).astype(np.float32), rng.normal(size=30).astype(np.float32)
    allowed = rng.random(400) < 0.2
    rows, distance = nearest(points, query, 25, allowed)
    part = np.flatnonzero(allowed)
    assert rows.tolist() == part[by_hand(points[part], query, 25)[0]].tolist()
    assert len(nearest(points, query, 400, allowed)[0]) == allowed.sum()
    assert len(nearest(points, query, 5, np.zeros(400, dtype=bool))[0]) == 0
    assert (np.diff(distance) >= 0).all()


def test_the_same_question_has_the_same_answer_whatever_the_layout():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(500, 216)).astype(np.float32)
    query = rng.normal(size=216).astype(np.float32)
    one, two = nearest(points, query, 50), nearest(np.asfortranarray(points), query, 50)
    assert one[0].tolist() == two[0].tolist()
    assert one[1].tobytes() == two[1].tobytes()
