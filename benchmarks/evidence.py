"""The gates of the search for automation in full size, a date at a time and resumable.

    python -m benchmarks.evidence [--only background,planted] [--dates N] [--backgrounds N] [--steps N]
                                  [--results FILE] [--json]

Steps: `background` (V1, V2: dates of preset `ci` on which nobody is automatic), `size` (V1: more such dates for the
tests with few groups, and some for E4 whose minutes are all alike), `untied` (V1: dates that give E7 and E10 something
to count and nothing to find), `planted` (V3 to V5: dates of preset `rth` with all agents of the reference file),
`power` (the same on dates of `ci`, at a tenth to three times the strength). A step is of some of the tests.

A finished step is one line of `--results`, of a background also its rows beside it; lines that other code, settings or
libraries made do not count. `--messages` does one small step without a file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import evidence_gates as gates
from benchmarks import evidence_untied as untied
from benchmarks import harness
from benchmarks.evidence_days import dates, reference_agents, simulated_day
from benchmarks.evidence_planted import expectations, outcome
from benchmarks.evidence_power import planted_gates, powers
from benchmarks.evidence_search import Searched, search
from benchmarks.evidence_sources import modules_of
from benchmarks.kept_days import keep, kept
from benchmarks.kept_steps import REPOSITORY, append_line, made_by, read_lines
from spymaster.evidence.families import Profile
from spymaster.evidence.law import Law, Measured, pool
from spymaster.settings import Settings, get_settings

RESULTS = Path("bench-evidence.jsonl")
SOURCES = (
    "spymaster/jit.py", "spymaster/config/strata.toml", "spymaster/config/sim/es.toml",
    "spymaster/config/sim/agents_reference.toml", "spymaster/surfaces/futures.py", "spymaster/surfaces/lives.py",
    "spymaster/surfaces/frames.py", "benchmarks/evidence_days.py", "benchmarks/evidence_search.py",
    *(f"spymaster/{name}/**/*.py" for name in ("book", "market", "simulator")),
)  # fmt: skip
"""What figures are made by, with the modules of `spymaster.evidence` that the tests of a step run by."""
SECTIONS = ("evidence",)
"""Settings that figures depend on."""
LIBRARIES = ("numba", "numpy", "polars", "scipy")

KIND_SOURCES = {
    "planted": ("benchmarks/evidence_planted.py",),
    "power": ("benchmarks/evidence_planted.py",),
    "untied": ("benchmarks/evidence_untied.py",),
}
"""Those of some kinds of steps, too."""

BACKGROUND, SIZE, PLANTED, POWER, UNTIED = 30, 70, 20, 5, 200
LEVEL = 30
"""Dates on which the market has no more in every fifth minute than in others: what E4 is asked on at five minutes."""
STRENGTHS = (0.1, 0.3, 1.0, 3.0)
"""Of all agents, as multiples of the reference file."""
LAW_DATES = 2
TOGETHER = (("E1", "E2", "E7", "E10"), ("E3",), ("E4",), ("E5",), ("E6",))
"""Tests of one step: a date is simulated anew for each, which costs little beside them."""
FEW_GROUPS = ("E2", "E6", "E7")
"""Tests with one to three groups a date: 30 dates say too little of their p-values."""
BELOW = ("E5", "E6", "E7")
"""Without agents few p of these are small: hardly a window passes a screen (E5), two nulls have to reject (E6), or the
market does the opposite of what is asked (E7).
"""
SEEDS = {"background": 1_000, "size": 1_000, "untied": 9_000, "planted": 3_000, "power": 5_000}


@dataclass(frozen=True)
class Sizes:
    """Dates of every kind of step, and messages of a date where they are not the preset's."""

    background: int = BACKGROUND
    size: int = SIZE
    planted: int = PLANTED
    power: int = POWER
    untied: int = UNTIED
    messages: int | None = None


@dataclass(frozen=True)
class Step:
    """Some tests on one date: `run` gives figures, and frames that are kept by name."""

    name: str
    number: int
    about: str
    run: Callable[[], tuple[dict[str, Any], dict[str, pl.DataFrame]]]

    @property
    def kind(self) -> str:
        """Its name without the tests that it is of."""
        return kind_of_step(self.name)


def kind_of_step(name: str) -> str:
    """`power` of `power E3`."""
    return name.split()[0]


class Bench:
    """Steps of the gates, and the laws that they share."""

    def __init__(self, sizes: Sizes, settings: Settings) -> None:
        self.sizes = sizes
        self.settings = settings
        self.profile = Profile.of(settings.evidence, "standard" if sizes.messages is None else "demo")
        self._laws: dict[tuple[str, float], Law] = {}

    def steps(self) -> Iterator[Step]:
        """All of them, in the order in which they are worth most."""
        sizes = self.sizes
        most = max(sizes.background + sizes.size, sizes.planted, sizes.power, sizes.untied)
        days = dates(LAW_DATES + most)[LAW_DATES:]
        for number, dt in enumerate(days[: sizes.background]):
            for tests in TOGETHER:
                yield self._quiet("background", number, dt, tests)
        for number, dt in enumerate(days[: sizes.power]):
            for tests in TOGETHER:
                for place, strength in enumerate(STRENGTHS):
                    yield self._planted("power", number * len(STRENGTHS) + place, dt, "ci", strength, tests)
        for number, dt in enumerate(days[: sizes.planted]):
            for tests in TOGETHER:
                yield self._planted("planted", number, dt, "rth", 1.0, tests)
        for number, dt in enumerate(days[sizes.background : sizes.background + sizes.size], sizes.background):
            yield self._quiet("size", number, dt, FEW_GROUPS)
        for number, dt in enumerate(
            days[sizes.background : sizes.background + min(sizes.size, LEVEL)], sizes.background
        ):
            yield self._quiet("size", number, dt, ("E4",), lumps=False)
        for number, dt in enumerate(days[: sizes.untied]):
            for test in untied.TESTS:
                yield self._untied(number, dt, test)

    def law(self, preset: str, strength: float) -> Law:
        """Of earlier dates of the same kind: favourite sizes and thresholds that no tested date has a say in."""
        if (preset, strength) not in self._laws:
            measured, earlier = [], dates(LAW_DATES)
            for number, dt in enumerate(earlier):
                agents = reference_agents(strength) if strength else None
                made = simulated_day(dt, 900_000 + number, preset, agents, self.settings, messages=self.sizes.messages)
                row = made.law.read().row(0, named=True)
                columns = (row["sizes"], row["counts"], row["large_behind"], row["layer_total"])
                measured.append(Measured(tuple(columns[0]), tuple(columns[1]), *columns[2:]))
            self._laws[preset, strength] = pool(measured, earlier)
        return self._laws[preset, strength]

    def _quiet(self, kind: str, number: int, dt: date, tests: Sequence[str], *, lumps: bool = True) -> Step:
        seed, preset = SEEDS[kind] + number, "ci"

        def run() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
            made = simulated_day(dt, seed, preset, None, self.settings, messages=self.sizes.messages, lumps=lumps)
            found = search(made, self.law(preset, 0.0), self.settings, self.profile, tests=tests)
            return _figures(dt, made.messages, found), {"algo_test": found.tests}

        about = f"{preset} {seed} {dt} {self.profile} {self.sizes.messages}"
        return Step(f"{kind} {'-'.join(tests)}", number, about, run)

    def _untied(self, number: int, dt: date, test: str) -> Step:
        seed = SEEDS["untied"] + number

        def run() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
            law = self.law("ci", 0.0)
            first = untied.level(test, dt, seed, law, self.settings, self.profile, self.sizes.messages)
            return {"dt": dt.isoformat(), "first": first}, {}

        return Step(f"untied {test}", number, f"{seed} {dt} {self.profile} {self.sizes.messages}", run)

    def _planted(self, kind: str, number: int, dt: date, preset: str, strength: float, tests: tuple[str, ...]) -> Step:
        seed, agents = SEEDS[kind] + number, reference_agents(strength)

        def run() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
            made = simulated_day(dt, seed, preset, agents, self.settings, messages=self.sizes.messages)
            found = search(made, self.law(preset, strength), self.settings, self.profile, tests=tests)
            wanted = [one for one in expectations(agents) if one.test in tests]
            told = [outcome(made, found, one, self.settings.evidence) for one in wanted]
            figures = _figures(dt, made.messages, found) | {"strength": strength, "kinds": told}
            return figures, {}

        about = f"{preset} {seed} {dt} {self.profile} {strength} {self.sizes.messages}"
        return Step(f"{kind} {'-'.join(tests)}", number, about, run)


def _figures(dt: date, messages: int, found: Searched) -> dict[str, Any]:
    return {
        "dt": dt.isoformat(),
        "messages": messages,
        "first": found.first,
        "cpu_by_test": found.cpu_s,
    }


def code_hash(step: str, settings: Settings | None = None, repository: Path = REPOSITORY) -> str:
    """Hash of everything that figures of a step (by name) depend on: sources, settings, libraries."""
    kind, _, tests = step.partition(" ")
    sources = (*SOURCES, *KIND_SOURCES.get(kind, ()))
    users = [path for one in sources for path in sorted(REPOSITORY.glob(one)) if path.parent.name == "benchmarks"]
    modules = modules_of(tests.split("-"), users)
    found = (*sources, *(f"spymaster/evidence/{name}.py" for name in modules))
    return made_by(found, SECTIONS, LIBRARIES, settings or get_settings(), repository)


def main() -> None:
    """Command line."""
    parser = harness.parser(__doc__ or "", messages=0)
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of finished steps, JSON lines")
    parser.add_argument("--dates", type=int, default=None, help="smaller: at most so many dates of each kind")
    parser.add_argument("--backgrounds", type=int, default=None, help="so many dates without agents for V2")
    parser.add_argument("--only", default="", help="steps (`power`, `planted E3`), separated by commas; all if empty")
    parser.add_argument("--steps", type=int, default=None, help="stop after so many new steps")
    parser.add_argument("--any-code", action="store_true", help="what other code made counts, too; how much is said")
    options = parser.parse_args()
    small = bool(options.messages)
    sizes = Sizes()
    if small:
        sizes = Sizes(1, 0, 0, 0, 1, messages=options.messages)
    elif options.dates is not None:
        sizes = Sizes(**{one: min(options.dates, getattr(sizes, one)) for one in SEEDS})
    if options.backgrounds is not None:
        sizes = replace(sizes, background=options.backgrounds)
    bench = Bench(sizes, get_settings())
    known = [] if small else read_lines(options.results)
    codes = {name: code_hash(name) for name in {step.name for step in bench.steps()}}
    done = usable(known, codes)
    if options.any_code:
        done = {(one["step"], one["number"]): one for one in known} | done
    wanted = options.only.split(",") if options.only else list(SEEDS)
    finished: list[tuple[dict[str, Any], dict[str, pl.DataFrame]]] = []
    new = 0
    for step in bench.steps():
        if step.kind not in wanted and step.name not in wanted:
            continue
        line, frames = done.get((step.name, step.number)), None
        if line is not None and line["about"] == step.about:
            frames = kept(_folder(options.results, line)) if line["kept"] else {}
        if line is None or frames is None:
            if options.steps is not None and new >= options.steps:
                continue
            started = time.process_time()
            figures, frames = step.run()
            line = {"step": step.name, "number": step.number, "about": step.about, "code": codes[step.name],
                    "figures": figures, "cpu_s": round(time.process_time() - started, 1),
                    "kept": sorted(frames)}  # fmt: skip
            new += 1
            if not small:
                if frames:
                    keep(_folder(options.results, line), frames)
                append_line(options.results, line)
        finished.append((line, frames))
    stale = sum(one.get("code") != codes.get(one["step"]) for one in known)
    report = harness.Report(
        "evidence", [], {"results": str(options.results), "steps done": len(finished), "lines of other code": stale}
    )
    _summarise(report, finished, bench)
    harness.publish(report, as_json=options.json)


def _folder(results: Path, line: dict[str, Any]) -> Path:
    """Where the rows of a finished step are kept."""
    return results.with_suffix("") / line["code"] / f"{line['step'].replace(' ', '-')}-{line['number']:03d}"


def usable(lines: list[dict[str, Any]], codes: dict[str, str]) -> dict[tuple[str, int], dict[str, Any]]:
    """Finished steps by name and number, made by this code."""
    return {(one["step"], one["number"]): one for one in lines if one.get("code") == codes.get(one["step"], "")}


def _summarise(
    report: harness.Report, finished: Sequence[tuple[dict[str, Any], dict[str, pl.DataFrame]]], bench: Bench
) -> None:
    quiet = [(line, frames) for line, frames in finished if kind_of_step(line["step"]) in ("background", "size")]
    loose = [line for line, _ in finished if kind_of_step(line["step"]) == "untied"]
    _levels(report, [line for line, _ in quiet], bench)
    _levels(report, loose, bench, "untied")
    _families(report, quiet, bench)
    for name in ("planted", "power"):
        lines = [line["figures"] for line, _ in finished if kind_of_step(line["step"]) == name]
        report.rows += [{"step": name} | row for row in powers(lines)]
        if name == "planted":
            planted_gates(report, lines)


def _levels(report: harness.Report, lines: Sequence[dict[str, Any]], bench: Bench, where: str = "") -> None:
    """V1. where: steps on which all p are asked for both bounds; on others some have no lower one (`BELOW`).

    Of others a name with more words than the test is of one of two nulls, and told only.
    """
    by_test: dict[str, list[gates.Counts]] = {}
    for line in lines:
        for name, counts in line["figures"]["first"].items():
            by_test.setdefault(name, []).append({int(k): count for k, count in counts.items()})
    for name, counts in sorted(by_test.items(), key=lambda one: (int(one[0].split()[0][1:]), one[0])):
        if not any(any(one.values()) for one in counts):
            continue
        found, told = gates.size(counts, bench.profile.surrogates), f"{name}, {where}" if where else name
        report.rows.append({"test": told, "dates": len(counts), **{k: round(v, 4) for k, v in asdict(found).items()}})
        if " " in name and not where:
            continue
        report.add_target(f"V1 {told}: share of p <= 0.05", found.share, gates.MOST_SHARE, at_least=False)
        if where or name not in BELOW:
            report.add_target(f"V1 {told}: not below", found.share, gates.LEAST_SHARE)
        report.add_target(f"V1 {told}: KS, dates drawn", found.ks, gates.LEAST_KS)


def _families(
    report: harness.Report, quiet: Sequence[tuple[dict[str, Any], dict[str, pl.DataFrame]]], bench: Bench
) -> None:
    """V2."""
    searched = [(line, frames) for line, frames in quiet if kind_of_step(line["step"]) == "background"]
    families = [one for _, frames in searched for one in gates.families(frames["algo_test"]).values()]
    if not families:
        return
    low, high = gates.by_chance(len(families))
    report.facts["V2 families that found something"] = f"{sum(families)} of {len(families)}, by chance {low}-{high}"
    share = sum(families) / len(families)
    report.add_target("V2: share of families with a q <= 0.05", share, high / len(families), at_least=False)
    report.add_target("V2: not below chance", share, low / len(families))
    rows: dict[date, list[pl.DataFrame]] = {}
    for line, frames in searched:
        rows.setdefault(date.fromisoformat(line["figures"]["dt"]), []).append(frames["algo_test"])
    dated = {dt: pl.concat(frames) for dt, frames in sorted(rows.items())}
    counts = gates.verdicts(dated, bench.settings.evidence)
    report.facts["V2 groups by verdict over all dates"] = counts
    report.add_target("V2: supported groups", float(counts.get("supported", 0)), 0.0, at_least=False)


if __name__ == "__main__":
    main()
