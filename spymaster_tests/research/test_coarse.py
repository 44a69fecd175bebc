"""The coarse copy tells which rows can be nearest, whatever the points are; what is found is what brute force finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spymaster.research.coarse import LARGEST, LEAST_BYTES, REACH, Coarse, coarse_distances
from spymaster.research.search import nearest
from spymaster_tests.research.test_retrieval import library

N, D = 3000, 41


def outlier(rng: np.random.Generator) -> np.ndarray:
    """One number of one row, and one dim of all rows, beyond anything else."""
    points = rng.normal(size=(N, D))
    points[17, 5] = 1e6
    points[:, 8] *= 1e5
    return points


def scales(rng: np.random.Generator) -> np.ndarray:
    """Dims from 1e-6 to 1e6."""
    return rng.normal(size=(N, D)) * np.geomspace(1e-6, 1e6, D)


def rows_of_all_sizes(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(N, D)) * np.geomspace(1e-6, 1e6, N)[rng.permutation(N), None]


def constant(rng: np.random.Generator) -> np.ndarray:
    """Dims that are zero, dims that are the same everywhere, and rows that are the only ones with a number in a dim."""
    points = rng.normal(size=(N, D))
    points[:, :20] = 0.0
    points[:, 20:25] = 3.3
    points[7, 0], points[1500, 1] = 2.0, -1e3
    return points


def duplicates(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(30, D))[rng.integers(0, 30, N)]


def lattice(rng: np.random.Generator) -> np.ndarray:
    """Whole numbers: many rows are equally far."""
    return rng.integers(-1, 2, size=(N, D)).astype(float)


def close(rng: np.random.Generator) -> np.ndarray:
    """All rows within less than a step of each other, far from zero."""
    return 100.0 + 1e-4 * rng.normal(size=(N, D))


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "normal": lambda rng: rng.normal(size=(N, D)),
    "tails": lambda rng: np.clip(rng.standard_t(2, size=(N, D)), -8, 8),
    "zero": lambda _: np.zeros((N, D)),
    "wide": lambda rng: rng.normal(size=(200, 1500)),
    "narrow": lambda rng: rng.normal(size=(N, 1)),
    "tiny": lambda rng: 1e-30 * rng.normal(size=(N, D)),
    "denormal": lambda rng: 1e-42 * rng.normal(size=(N, D)),
    "huge": lambda rng: 1e36 * rng.normal(size=(N, D)),
    **{made.__name__: made for made in (outlier, scales, rows_of_all_sizes, constant, duplicates, lattice, close)},
}


def brute_force(points: np.ndarray, query: np.ndarray) -> np.ndarray:
    """float64[n]: distances, dims taken in order."""
    total = np.zeros(len(points))
    for j in range(points.shape[1]):
        total += (points[:, j].astype(np.float64) - float(query[j])) ** 2
    return np.sqrt(total)


def queries(points: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """A row, a row that is moved, zero, and one far outside."""
    far = 40.0 * np.abs(points).max(axis=0) * rng.choice([-1, 1], points.shape[1])
    moved = points[11] * (1 + 0.3 * rng.normal(size=points.shape[1]))
    return [one.astype(np.float32) for one in (points[3], moved, np.zeros(points.shape[1]), np.clip(far, -1e37, 1e37))]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_is_what_brute_force_finds_to_the_byte(kind: str):
    """Gate G12 through the copy, for all counts, with and without rows that may not be found."""
    rng = np.random.default_rng(4)
    points = KINDS[kind](rng).astype(np.float32)
    coarse = Coarse.of(points, 0)
    assert coarse is not None
    some = rng.random(len(points)) < 0.1
    for query in queries(points, rng):
        distance = brute_force(points, query)
        for allowed in (None, some):
            among = np.arange(len(points)) if allowed is None else np.flatnonzero(allowed)
            order = among[np.argsort(distance[among], kind="stable")]
            for count in (1, 10, 200, len(points)):
                rows, far = nearest(points, query, count, allowed, coarse)
                assert rows.tolist() == order[:count].tolist()
                assert far.tobytes() == distance[order[:count]].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_distances_are_within_the_bound_that_is_proven(kind: str):
    rng = np.random.default_rng(8)
    points = KINDS[kind](rng).astype(np.float32)
    coarse = Coarse.of(points, 0)
    assert coarse is not None
    for query in queries(points, rng):
        most = REACH * LARGEST * coarse.weight
        whole = np.clip(np.rint(query.astype(np.float64) / coarse.unit), -most, most)
        off = np.sqrt(((query.astype(np.float64) - whole * coarse.unit) ** 2).sum())
        plain = coarse.unit * np.sqrt(((coarse.codes * coarse.weight - whole) ** 2).sum(axis=1))
        out = np.empty(len(points), dtype=np.float32)
        factor = (coarse.weight * whole).astype(np.int16)
        assert (factor == coarse.weight * whole).all(), "no factor is cut"
        coarse_distances(coarse.codes, factor, coarse.norm, int((whole**2).sum()), coarse.unit, out >= 0, out)
        kernel = np.empty(len(points), dtype=np.float32)
        every = np.ones(len(points), dtype=bool)
        coarse_distances(coarse.codes, factor, coarse.norm, int((whole**2).sum()), coarse.unit, every, kernel)
        assert kernel == pytest.approx(plain, rel=1e-6), "sums modulo 2^32 lose nothing"
        slack = 1e-9 * (plain + off)
        assert (np.abs(brute_force(points, query) - plain) <= coarse.error.astype(np.float64) + off + slack).all()


def test_the_largest_sums_fit():
    """Every number at the end of its range, a query beyond the other end: sums are close to 2^32, and right."""
    for d in (1, 64, 455, 4000, 16_000):
        points = np.full((9, d), 8.0, dtype=np.float32)
        coarse = Coarse.of(points, 0)
        assert coarse is not None
        assert ((LARGEST * (1 + REACH) * coarse.weight) ** 2).sum() < 2**32
        assert (REACH * LARGEST * coarse.weight**2).max() < 2**15
        rows, distance = nearest(points, np.full(d, -50.0, dtype=np.float32), 2, None, coarse)
        assert rows.tolist() == [0, 1]
        assert distance == pytest.approx(58.0 * np.sqrt(d))


def test_few_rows_are_possible_where_points_are_like_vectors():
    """Numbers within 8 with heavy tails, as vectors are: of 20,000 rows some hundreds remain for the nearest 100."""
    rng = np.random.default_rng(2)
    points = np.clip(rng.standard_t(3, size=(20_000, 60)), -8, 8).astype(np.float32)
    coarse = Coarse.of(points, 0)
    assert coarse is not None
    query = np.clip(rng.standard_t(3, size=60), -8, 8).astype(np.float32)
    possible = coarse.possible(query, 100, np.ones(len(points), dtype=bool))
    assert len(possible) < 500
    assert coarse.codes.nbytes * 4 == points.nbytes


def test_an_outlier_does_not_make_the_other_rows_possible():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(N, D)).astype(np.float32)
    every = np.ones(N, dtype=bool)
    plain = Coarse.of(points, 0)
    points[5, 7] = 1e6
    spoiled = Coarse.of(points, 0)
    assert plain is not None
    assert spoiled is not None
    assert len(spoiled.possible(points[9], 50, every)) <= len(plain.possible(points[9], 50, every)) + 1


def test_few_points_too_many_dims_and_numbers_that_are_not_finite_have_no_copy():
    points = np.ones((4000, 1000), dtype=np.float32)
    assert points.nbytes == LEAST_BYTES
    assert Coarse.of(points) is not None
    assert Coarse.of(points[1:]) is None
    assert Coarse.of(np.ones((2, 17_000), dtype=np.float32), 0) is None
    for bad in (np.nan, np.inf):
        for row in (0, 1234):  # in the sample, and between
            spoiled = np.ones((4000, 10), dtype=np.float32)
            spoiled[row, 3] = bad
            assert Coarse.of(spoiled, 0) is None
    assert Coarse.of(points[:0], 0) is None
    assert Coarse.of(points[:, :0], 0) is None


def test_nothing_is_near_what_is_no_number():
    points = np.ones((50, 4), dtype=np.float32)
    query = np.array([1, np.nan, 1, 1], dtype=np.float32)
    for coarse in (None, Coarse.of(points, 0)):
        assert len(nearest(points, query, 5, None, coarse)[0]) == 0


def test_a_library_has_one_copy_and_another_library_another(monkeypatch: pytest.MonkeyPatch):
    made = []

    class Counted:
        @staticmethod
        def of(points: np.ndarray) -> Coarse | None:
            made.append(points)
            return Coarse.of(points, 0)

    monkeypatch.setattr("spymaster.research.retrieval.Coarse", Counted)
    held = library()
    assert held.coarse is held.coarse
    assert len(made) == 1
    other = replace(held, points=held.points[::-1].copy())
    assert other.coarse is not held.coarse
    assert made[1] is other.points
