"""Exact nearest neighbours of a setup: processor time of a question, by the coarse copy and by a scan of all vectors.

python -m benchmarks.neighbours [--messages N] [--repeats N] [--json]

`--messages` is the number of vectors of the library. Two libraries are searched for the 1,000 neighbours that an answer
begins with: one of vectors of family `s1`, made from windows of features that have common factors, memory and heavy
tails (the first 20,000; the others are moved copies of these), and one of independent normal numbers, where all rows
are about equally far and a copy can tell the fewest apart. Every round asks for another query, and that both searches
find the same is checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.harness import Case, Report, measure, parser, publish
from spymaster.research.coarse import Coarse
from spymaster.research.search import nearest
from spymaster.setups.vector_layout import BASE_FEATURES, Layout, layout

COUNT = 1_000
MADE = 20_000
"""Vectors that are made from windows of their own."""
MOVED = 0.3
"""Noise of moved copies, in weights of the dims."""
BLOCK = 20_000
LIMIT_MS = 50.0


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=500_000, repeats=15).parse_args()
    made = layout("s1")
    report = Report("neighbours", [], {"vectors": f"{arguments.messages:,}", "numbers": made.n, "neighbours": COUNT})
    for name, draw in (("vectors", like_vectors), ("independent", independent)):
        rng = np.random.default_rng(arguments.seed)
        points = draw(made, arguments.messages + arguments.repeats + 1, rng)
        search(report, name, points[: arguments.messages], points[arguments.messages :], arguments.repeats)
    publish(report, as_json=arguments.json)


def search(report: Report, name: str, points: np.ndarray, queries: np.ndarray, repeats: int) -> None:
    """Add the rows and the target of one library."""
    Coarse.of(points[:100], 0)
    began = time.process_time()
    coarse = Coarse.of(points, 0)
    built = time.process_time() - began
    if coarse is None:
        raise RuntimeError(f"{name}: the points have no coarse copy")
    every = np.ones(len(points), dtype=bool)
    for query in queries:
        one, two = nearest(points, query, COUNT, None, coarse), nearest(points, query, COUNT)
        if one[0].tobytes() != two[0].tobytes() or one[1].tobytes() != two[1].tobytes():
            raise RuntimeError(f"{name}: the copy finds other neighbours than the scan")
    possible = [len(coarse.possible(query, min(COUNT, len(points)), every)) for query in queries]

    def asked(copy: Coarse | None) -> Callable[[], object]:
        turn = iter(np.concatenate([queries, queries]))
        return lambda: nearest(points, next(turn), COUNT, None, copy)

    timings = measure(
        [
            Case("coarse copy", len(points), asked(coarse), f"{np.median(possible):,.0f} rows possible"),
            Case("scan of all", len(points), asked(None)),
        ],
        repeats,
    )
    cpu_ms = [1000 * float(np.median(timing.cpu_seconds)) for timing in timings]
    for timing, ms in zip(timings, cpu_ms, strict=True):
        report.rows.append(
            {
                "library": name,
                "case": timing.name,
                "cpu_ms": round(ms, 2),
                "best_cpu_ms": round(1000 * min(timing.cpu_seconds), 2),
                "scan / this": round(cpu_ms[1] / ms, 2),
                "note": timing.note,
            }
        )
    report.facts[f"{name}: to make the copy, CPU s"] = round(built, 2)
    copied = sum(one.nbytes for one in (coarse.codes, coarse.norm, coarse.error))
    report.facts[f"{name}: bytes of the copy / of the vectors"] = round(copied / points.nbytes, 3)
    report.add_target(f"{name}, coarse copy, CPU ms", cpu_ms[0], LIMIT_MS, at_least=False)


def like_vectors(made: Layout, n: int, rng: np.random.Generator) -> np.ndarray:
    """float32[n, d]: vectors of a layout, scaled, clipped and weighted as those of a panel."""
    features, own = len(BASE_FEATURES), min(n, MADE)
    factors = 0.5 * rng.normal(size=(8, features))
    memory = rng.uniform(0.3, 0.97, features)
    windows = np.empty((own, made.history, features))
    now = rng.standard_t(4, size=(own, features)) + rng.normal(size=(own, 8)) @ factors
    for lag in range(made.history):
        windows[:, lag] = now
        now = memory * now + np.sqrt(1.0 - memory**2) * rng.standard_t(4, size=now.shape)
    raw = made.assemble(windows)
    middle = np.median(raw, axis=0)
    spread = 1.4826 * np.median(np.abs(raw - middle), axis=0)
    weight = np.array([dim.weight for dim in made.dims], dtype=np.float32)
    points = np.empty((n, made.n), dtype=np.float32)
    points[:own] = np.clip((raw - middle) / spread, -8.0, 8.0) * weight
    for first in range(own, n, BLOCK):
        block = points[first : first + BLOCK]
        noise = MOVED * weight * rng.standard_normal(block.shape, dtype=np.float32)
        block[:] = points[rng.integers(0, own, len(block))] + noise
    return points[rng.permutation(n)]


def independent(made: Layout, n: int, rng: np.random.Generator) -> np.ndarray:
    """float32[n, d]: standard normal numbers."""
    return rng.standard_normal((n, made.n), dtype=np.float32)


if __name__ == "__main__":
    main()
