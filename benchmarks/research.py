"""The gates of the research in full size: simulated sessions of two hours, as `ci` has them, and resumable.

Every step (a gate and a seed) is one line of `--results FILE`. Steps that are in it already are not done again, so a
run that was ended goes on where it was; lines that other code, settings or libraries made do not count. `--sessions`
makes all sizes smaller, to see that it works; `--messages` does one small step without a file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import time as time_of
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks import research_gates as gates
from benchmarks.kept_steps import REPOSITORY, append_line, made_by, read_lines
from benchmarks.research_days import Shape
from benchmarks.research_gates import Size
from spymaster.research.day_blocks import LEVEL
from spymaster.settings import Settings, get_settings

SEEDS = 10
PLANTED_SEEDS = 3
SHIFTS = 5
"""Sessions that labels of gate G4 are moved by, at most."""
SPAN = (time_of(9), time_of(11))
RESULTS = Path("bench-research.jsonl")
SOURCES = (
    "spymaster/*.py", "spymaster/config/*.toml", "spymaster/config/sim/*.toml", "benchmarks/foretold.py",
    "benchmarks/research*.py",
    *(f"spymaster/{name}/**/*.py" for name in ("book", "feed", "lake", "market", "research", "setups", "simulator",
                                               "surfaces", "tables")),
)  # fmt: skip
"""What figures are made by."""
LIBRARIES = ("lightgbm", "numba", "numpy", "polars")
CHOSEN = ("engine", "setups", "retrieval", "outcome_model")
"""Settings that figures depend on."""


@dataclass(frozen=True)
class Step:
    """One gate with one seed."""

    name: str
    seed: int
    run: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Sizes:
    """Sessions of each gate, learned from and tried."""

    walk: Size
    planted: Size
    decoys: Size
    background: Size

    @classmethod
    def of(cls, sessions: int | None) -> Sizes:
        """As the design has them, or with about so many sessions each."""
        far, close = Shape(SPAN), Shape(SPAN, spacing=gates.CLOSE)
        if sessions is None:
            k = get_settings().retrieval.k
            return cls(
                Size(20, 20, close), Size(40, 20, far, neighbours=k), Size(40, 30, far, neighbours=k),
                Size(20, 20, close),
            )  # fmt: skip
        half = max(sessions // 2, 8)
        near, dense = Shape(), Shape(spacing=gates.CLOSE)
        return cls(Size(half, half, dense), Size(half, half, near), Size(half, half, near), Size(half, half, dense))


def steps(sizes: Sizes, seeds: int) -> Iterator[Step]:
    """Every step, the planted ones first: they say whether anything can be found at all."""

    def planted(seed: int) -> dict[str, Any]:
        size = sizes.planted
        made = gates.simulated(_seeds(seed, size.sessions), size, gates.files(size))
        figures, samples = gates.planted_rejection(made, size)
        return {"g6": figures, "g4": gates.label_shift(samples, size, shifts=SHIFTS)}

    def decoys(seed: int) -> dict[str, Any]:
        size = sizes.decoys
        known, tried = gates.files(Size(size.train, 0)), gates.files(Size(size.test, 0), "decoys")
        return gates.decoys(gates.simulated(_seeds(seed, size.sessions), size, [*known, *tried]), size.test, size)

    def walk(seed: int) -> dict[str, Any]:
        size = sizes.walk
        made = gates.simulated(_seeds(seed, size.sessions), size, [None] * size.sessions)
        return {
            "g1": gates.random_walk(made, size), "anchored": gates.level_anchored(made),
            "g7a": gates.background(made, size),
        }  # fmt: skip

    def background(seed: int) -> dict[str, Any]:
        size = sizes.background
        made = gates.simulated(_seeds(seed, size.sessions), size, [None] * size.sessions, walk=False)
        return gates.background(made, size)

    for seed in range(1, min(seeds, PLANTED_SEEDS) + 1):
        yield Step("planted", seed, lambda seed=seed: planted(seed))
    yield Step("decoys", 1, lambda: decoys(1))
    yield Step("background", 1, lambda: background(1))
    for seed in range(1, seeds + 1):
        yield Step("walk", seed, lambda seed=seed: walk(seed))


def code_hash(settings: Settings | None = None, repository: Path = REPOSITORY) -> str:
    """Hash of everything that figures of the same sizes and seeds depend on: sources, settings, libraries."""
    return made_by(SOURCES, CHOSEN, LIBRARIES, settings or get_settings(), repository)


def _seeds(seed: int, count: int) -> range:
    return range(10_000 * seed, 10_000 * seed + count)


def main() -> None:
    """Command line."""
    parser = harness.parser(__doc__ or "", messages=0)
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of finished steps, JSON lines")
    parser.add_argument("--sessions", type=int, default=None, help="smaller: about so many sessions in each gate")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds of the random walk")
    parser.add_argument("--steps", type=int, default=None, help="stop after so many new steps")
    options = parser.parse_args()
    small = bool(options.messages)
    if small:
        options.sessions, options.steps = 28, 1
    sizes = Sizes.of(options.sessions)
    key, code = repr(sizes), code_hash()
    known = [] if small else read_lines(options.results)
    done = usable(known, key, code)
    new = 0
    for step in steps(sizes, options.seeds):
        if (step.name, step.seed) in done:
            continue
        if options.steps is not None and new >= options.steps:
            break
        started = time.process_time()
        found = {"step": step.name, "seed": step.seed, "sizes": key, "code": code, "figures": step.run(),
                 "cpu_s": round(time.process_time() - started, 1)}  # fmt: skip
        done[step.name, step.seed] = found
        new += 1
        if not small:
            append_line(options.results, found)
    stale = sum(one["sizes"] == key and one.get("code") != code for one in known)
    report = harness.Report(
        "research", [], {"results": str(options.results), "steps done": len(done), "lines of other code": stale}
    )
    _summarise(report, done)
    harness.publish(report, as_json=options.json)


def usable(lines: list[dict[str, Any]], sizes: str, code: str) -> dict[tuple[str, int], dict[str, Any]]:
    """Finished steps by name and seed: of these sizes, and made by this code."""
    return {(one["step"], one["seed"]): one for one in lines if one["sizes"] == sizes and one.get("code") == code}


def _summarise(report: harness.Report, done: dict[tuple[str, int], dict[str, Any]]) -> None:
    for (name, seed), one in done.items():
        report.rows.append({"step": name, "seed": seed, "CPU seconds": one["cpu_s"]})
    planted = [one["figures"] for (name, _), one in done.items() if name == "planted"]
    if planted:
        for algo in ("stack", "knn"):
            own = [one["g6"]["auc"][algo] for one in planted]
            report.add_target(f"G6: AUC(side) of {algo}, mean of the seeds", _mean_of(own, "value"), 0.80)
            report.rows.append({"step": f"planted: {algo}", "AUC by seed": " ".join(f"{x['value']:.3f}" for x in own)})
        shifted = [one["g4"] for one in planted]
        count = sum(one["configurations"] for one in shifted)
        held = sum(one["holding"] * one["configurations"] for one in shifted if one["configurations"])
        report.add_target("G4: AUC may be 0.5, share of seeds, shifts and models", held / max(count, 1), 0.85)
        together = gates.pooled_shifts(shifted, LEVEL)
        report.add_target("G4: the same, all seeds and shifts together", together["holding"], 1.0)
        for algo, one in together["auc"].items():
            told = f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
            report.rows.append({"step": f"labels of other sessions: {algo}", "AUC": told})
    if ("decoys", 1) in done:
        figures = done["decoys", 1]["figures"]
        others = [name for name in figures["p_reject"] if not name.startswith("full")]
        if others and "full_reject" in figures["p_reject"]:
            weights = [figures["n"][name] for name in others]
            mean = np.average([figures["p_reject"][name] for name in others], weights=weights)
            report.add_target("G6: decoys below the full script", figures["p_reject"]["full_reject"] - mean, 0.15)
    walks = [one["figures"] for (name, _), one in done.items() if name == "walk"]
    if walks:
        told = [one["g1"] for one in walks]
        count = sum(one["configurations"] for one in told)
        held = sum(one["holding"] * one["configurations"] for one in told if one["configurations"])
        report.add_target("G1: AUC may be 0.5, share of configurations", held / count if count else float("nan"), 0.85)
        report.add_target("G1: the same, all seeds together", gates.pooled_walks(told, LEVEL)["holding"], 0.85)
        constant = sum(len(one["constant"]) for one in told)
        report.rows.append({"step": "walk: configurations", "told apart": count, "of constant p": constant})
        anchored = [one["anchored"]["auc"]["low"] > 0.5 for one in walks]
        report.rows.append(
            {
                "step": "walk: distance to the level",
                "AUC without offset": round(_mean_of([one["anchored"]["auc"] for one in walks], "value"), 3),
            }
        )
        report.add_target("G1: level-anchored labels fail without offset", float(np.mean(anchored)), 1.0)
        offset = [one["anchored"]["gain"]["low"] <= 0.0 for one in walks]
        report.add_target("G1: and hold with it", float(np.mean(offset)), 0.85)
        report.add_target("G7a: no gain over the bar, share", _mean(walks, "g7a", "without"), 0.85)
        near = [share for one in walks for share in one["g7a"]["near"].values()]
        report.add_target("G7a: p of the side near the base rate, share", float(np.mean(near)), 0.90)
    if ("background", 1) in done:
        figures = done["background", 1]["figures"]
        report.add_target("G7b: no gain over the bar, share", figures["without"], 0.85)
        near = list(figures["near"].values())
        report.add_target("G7b: p of the side near the base rate, share", float(np.mean(near)), 0.90)


def _mean_of(found: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([one[name] for one in found]))


def _mean(walks: list[dict[str, Any]], gate: str, name: str) -> float:
    return float(np.mean([one[gate][name] for one in walks]))


if __name__ == "__main__":
    main()
