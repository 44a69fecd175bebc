"""The search for automation on a whole day: processor seconds and memory of every stage, against their budgets.

    python -m benchmarks.evidence_day [--messages N] [--folder FOLDER] [--only E3,E4] [--against FOLDER] [--json]

A day of the simulator (preset `full_day`) goes through all tests of the standard profile, without controls, and on to
its tables, its intensity and its report. Day and tables are made once and kept in `--folder`; the results of a test
are kept, too, by the code that made them, so that a run that was ended goes on. `--against` names the results of other
code (`results/HASH`): rows of `gold.algo_test` and `gold.algo_curve` that are not the same are counted.

Kernels are measured beside it, on generated times. All seconds are processor time of all threads.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar

import polars as pl

import spymaster
from benchmarks import evidence_kernels, harness
from benchmarks.evidence_lake import SYMBOL, day_lake, earlier_date, inputs_of, store
from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.families import TESTS, Judged, Profile, run_tests
from spymaster.evidence.halves import look_at_halves, within
from spymaster.evidence.holdout import is_holdout
from spymaster.evidence.identity import Identity
from spymaster.evidence.load import session_arrays
from spymaster.evidence.replication import session_replication
from spymaster.evidence.report.gather import gather
from spymaster.evidence.report.session_report import render
from spymaster.evidence.rows import Context, curve_rows, exemplar_rows, result_rows
from spymaster.evidence.session import Inputs, law_of, run_row
from spymaster.evidence.session_intensity import session_intensity
from spymaster.evidence.verdicts import Least
from spymaster.lake import Lake
from spymaster.market.instruments import instrument
from spymaster.simulator.request import PRESETS
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_intensity_1s import AlgoIntensity1s
from spymaster.tables.algo_law import AlgoLaw
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AlgoTest

PACKAGE = Path(spymaster.__file__).parent
BUDGET = {
    "load": 40, "E1": 25, "E2": 20, "E3": 150, "E4": 60, "E5": 120, "E6": 30, "E7": 45, "E10": 40, "beside": 50,
}  # fmt: skip
"""Seconds of one core; `beside` is halves, tables, replication, intensity and report together."""
TOTAL_S, PEAK_GB = 600, 4.0
WARM_S = 600
"""Seconds in the middle of the day that kernels are compiled on before anything is measured."""
SMALL = Profile(19, 39, 4)
"""Surrogates of both stages and strata of a day of fewer messages: it shows that everything runs, no more."""

Result = TypeVar("Result")


class Laps:
    """Processor seconds and peak memory of stages; those of kept stages are read from the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, dict[str, float]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, stage: str, work: Callable[[], Result]) -> Result:
        """Do the work of a stage and note what it took."""
        harness.process_memory(reset=True)
        wall, cpu = time.perf_counter(), time.process_time()
        made = work()
        self.rows[stage] = {
            "cpu s": round(time.process_time() - cpu, 2),
            "wall s": round(time.perf_counter() - wall, 2),
            "peak GB": round(harness.process_memory()[1] / 2**30, 3),
        }
        return made

    def kept(self, stage: str, work: Callable[[], Result]) -> Result:
        """The same, or what an earlier run of the same code kept of it."""
        path = self.folder / f"{stage}.pickle"
        if path.is_file():
            self.rows[stage], made = pickle.loads(path.read_bytes())
            return made
        made = self.run(stage, work)
        aside = path.with_suffix(".part")
        aside.write_bytes(pickle.dumps((self.rows[stage], made)))
        aside.rename(path)
        return made


def sources() -> str:
    """Hash of the search's modules and settings: what other code found is not gone on with."""
    digest = hashlib.sha256()
    for path in sorted((*(PACKAGE / "evidence").glob("*.py"), *(PACKAGE / "config").glob("*.toml"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]


def day_of(lake: Lake, inputs: Inputs, dt: date) -> DayArrays:
    """The arrays of the day, with the law of its predecessor."""
    law = law_of(lake.partitions(AlgoLaw, SYMBOL, end=dt), dt, lake.settings.evidence)
    return session_arrays(
        inputs.events, inputs.lives, inputs.trades, inputs.quotes, inputs.snapshot,
        tick_size_int=instrument(SYMBOL).tick_size_int, law=law,
    )  # fmt: skip


def warm_up(day: DayArrays) -> None:
    """Compile the kernels of the tests on a part of the day."""
    middle = (day.start + day.end) // 2 // 10**9 * 10**9
    for test in TESTS:
        run_tests(within(day, middle, middle + WARM_S * 10**9), seed=2, profile=Profile(3, 5, 1), tests=[test])


def search(lake: Lake, dt: date, laps: Laps, only: tuple[str, ...], *, whole: bool) -> None:
    """All tests and their tables, or only some tests; a day that is not whole is searched with few surrogates."""
    settings, inputs = lake.settings, inputs_of(lake, dt)
    day = laps.run("load", lambda: day_of(lake, inputs, dt))
    warm_up(day)
    depth, seed = Profile.of(settings.evidence, "standard") if whole else SMALL, settings.evidence.seed
    found: list[Judged] = []
    for test in only or TESTS:
        found += laps.kept(test, lambda one=test: run_tests(day, seed=seed, profile=depth, tests=[one]))
    contract = inputs.snapshot.read(["contract"])["contract"][0]
    context = Context(
        SYMBOL, dt, Identity(sources(), sources(), "0" * 16, "0" * 16), contract, dt, "simulated", seed,
        is_holdout(dt, settings.evidence), Least.of(settings.evidence),
    )  # fmt: skip
    if only:
        _keep(laps.folder, result_rows(context, day, found), curve_rows(context, day, found))
        return
    judged = laps.kept("halves", lambda: look_at_halves(day, found, seed=seed, least=context.least))

    def tables() -> None:
        rows, curves = result_rows(context, day, judged), curve_rows(context, day, judged)
        shown = exemplar_rows(context, day, judged, inputs.events.read(["rel_ticks"])["rel_ticks"])
        told = {"profile": "standard", "controls": "none", "controls_passed": None, "n_tests": rows.height}
        run = run_row(context, day, inputs.events, depth, told)
        for model, frame in ((AlgoRun, run), (AlgoTest, rows), (AlgoCurve, curves), (AlgoExemplar, shown)):
            store(lake, model, dt, [frame], inputs.all())
        _keep(laps.folder, rows, curves)

    laps.run("tables", tables)


def derive(lake: Lake, dt: date, laps: Laps) -> None:
    """What is made of the tests' tables; of a run it is another step, which holds nothing of the tests any more."""
    before = earlier_date(lake, dt)
    tests = lake.partition(AlgoTest, SYMBOL, dt)
    own = replace(tests, dt=before)  # its predecessor found the same
    earlier = session_replication([own], before, settings=lake.settings)
    store(lake, AlgoReplication, before, [earlier], [tests])
    laps.run(
        "replication",
        lambda: store(
            lake, AlgoReplication, dt, [session_replication([own, tests], dt, settings=lake.settings)], [tests]
        ),
    )  # fmt: skip
    inputs = inputs_of(lake, dt)
    laps.run("intensity", lambda: store(lake, AlgoIntensity1s, dt, [_intensity(lake, inputs, before, dt)], [tests]))
    laps.run("report", lambda: _report(lake, dt))


def _intensity(lake: Lake, inputs: Inputs, before: date, dt: date) -> pl.DataFrame:
    return session_intensity(
        inputs.events, inputs.lives, inputs.trades, inputs.quotes, inputs.snapshot,
        [lake.partition(AlgoReplication, SYMBOL, before)], lake.partitions(AlgoLaw, SYMBOL, end=dt), [],
        settings=lake.settings, instrument=instrument(SYMBOL), profile="standard",
    )  # fmt: skip


def _report(lake: Lake, dt: date) -> int:
    """Bytes of the report's page."""
    made = (AlgoRun, AlgoTest, AlgoCurve, AlgoExemplar, AlgoReplication, AlgoIntensity1s)
    run, tests, curves, shown, replication, intensity = (lake.partition(model, SYMBOL, dt) for model in made)
    data = gather(
        run, tests, curves, shown, replication, intensity, [], None, None,
        settings=lake.settings, version=spymaster.__version__,
    )  # fmt: skip
    return len(render(data).html) if data is not None else 0


def _keep(folder: Path, rows: pl.DataFrame, curves: pl.DataFrame) -> None:
    rows.drop("run_id", "code_hash").write_parquet(folder / "tests.parquet")
    curves.write_parquet(folder / "curves.parquet")


def differing(one: Path, other: Path) -> int:
    """Rows of tests and curves that are in one of two folders of results and not, just so, in the other."""
    found = 0
    for name in ("tests", "curves"):
        words = pl.col(pl.List(pl.String)).list.join(" ")
        first, second = (pl.read_parquet(folder / f"{name}.parquet").with_columns(words) for folder in (one, other))
        for left, right in ((first, second), (second, first)):
            found += left.join(right, on=left.columns, how="anti", nulls_equal=True).height
    return found


def main() -> None:
    """Command line."""
    parser = harness.parser(__doc__ or "", messages=PRESETS["full_day"].messages, repeats=3)
    parser.add_argument("--only", default="", help="tests, with commas; nothing after them is done")
    parser.add_argument("--against", type=Path, default=None, help="results of other code to compare with")
    options = parser.parse_args()
    with harness.work_folder(options.folder) as folder:
        _run(options, folder)


def _run(options: Namespace, folder: Path) -> None:
    whole = options.messages == PRESETS["full_day"].messages
    lake, dt = day_lake(folder / "lake", 0 if whole else options.messages, options.seed)
    laps = Laps(folder / "results" / sources())
    only = tuple(one for one in options.only.split(",") if one)
    search(lake, dt, laps, only, whole=whole)
    if not only:
        derive(lake, dt, laps)
    messages = lake.partition("silver.order_event", SYMBOL, dt).rows
    report = harness.Report("evidence_day", [], {"messages of the contract": messages, "results": laps.folder.name})
    if options.against is not None:
        report.facts["rows that differ"] = differing(laps.folder, options.against)
    for stage, row in laps.rows.items():
        report.rows.append({"stage": stage, **row, "budget s": BUDGET.get(stage)})
    total = sum(row["cpu s"] for row in laps.rows.values())
    if not only:
        beside = sum(row["cpu s"] for stage, row in laps.rows.items() if stage not in BUDGET)
        report.rows.append({"stage": "beside the tests", "cpu s": round(beside, 2), "budget s": BUDGET["beside"]})
    report.add_target("CPU s of the day", total, TOTAL_S, at_least=False)
    peak = max(row["peak GB"] for row in laps.rows.values())
    report.add_target("peak GB", peak, PEAK_GB, at_least=False)
    (laps.folder / "stages.json").write_text(json.dumps(laps.rows, indent=1))
    evidence_kernels.measure(report, 1.0 if whole else options.messages / PRESETS["full_day"].messages, options)
    harness.publish(report, as_json=options.json)


if __name__ == "__main__":
    main()
