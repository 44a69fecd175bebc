"""The joining question on simulated dates: the answer is yes where machines act before rejections, and only there.

Lakes of as many sessions each, all of the random walk, with levels and placebos in the same places:

    algo         price meets levels (`g6`); orders are pulled and moved 20 ms after trades in the ten seconds before
    human        the same meetings, outcomes and numbers of orders, each 1 to 3 s after a trade
    background   no session has any meeting

Discovery dates come first: their tests give the list of habits. Hold-out dates are attributed by it and asked. Dates of
all lakes are attributed by the list of `algo`: other lists know of no habit (`--own` asks by them, too), and a share
that is always 0 cannot differ. By that of `algo` what is pulled at random moments is sometimes pulled 20 ms after a
trade. Of people and the background there are several lakes, for one answer in twenty has a p of 0.05 by chance.

Hold-out dates are not searched here, for no list may know what a search of them finds. Sessions are made by the
functions that make the stored tables, and what is needed of them is kept in `--folder`: a run that was ended goes on
where it was, by the same code.
"""

from __future__ import annotations

import shutil
import time
from argparse import Namespace
from dataclasses import dataclass, replace
from datetime import date
from datetime import time as time_of
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from benchmarks import harness
from benchmarks.joining_days import simulated_session
from benchmarks.kept_days import keep, kept, sources
from benchmarks.research_days import ES, Shape, held, weekdays
from spymaster.evidence.holdout import is_holdout
from spymaster.evidence.replication import session_replication
from spymaster.evidence.session import Inputs, session_tests
from spymaster.evidence.session_contrast import EPISODE_COLUMNS, INTENSITY_COLUMNS, OUTCOME_COLUMNS, session_contrast
from spymaster.evidence.session_intensity import session_intensity
from spymaster.lake import Partition
from spymaster.settings import EvidenceSettings, Settings, get_settings
from spymaster.simulator.meetings import MeetingFile, load_meetings

FOLDER = Path(__file__).parent / "results" / "joining"
DISCOVERY, HOLDOUT = 2, 10
PLACEBOS = tuple(range(5, 20))
"""Every price that is further from a level than `placebo_clear_ticks`."""
SEARCHED = Shape((time_of(9, 30), time_of(10, 30)), placebos=PLACEBOS)
ASKED = Shape((time_of(9), time_of(16)), placebos=PLACEBOS)
"""Sessions of the two roles: a search costs a hundred times what a session does."""
SMALL = Shape((time_of(9, 30), time_of(9, 50)), placebos=PLACEBOS)
ELSEWHERE = (
    "checks/", "cli/", "options/", "research/", "serving/", "evidence/contrast", "evidence/report/",
    "evidence/session_contrast",
)  # fmt: skip
"""Code that has no part in what is kept, what is asked of it among it."""
PRIMARY_ROW = pl.col("is_primary")
OWN, OTHER = "own", "algo"
"""Whose discovery dates a list is of."""


@dataclass(frozen=True)
class Lake:
    """Sessions of one kind. timing: of the meetings, None for no meetings."""

    name: str
    seed: int
    timing: str | None

    def meetings(self) -> MeetingFile | None:
        """The file of its sessions."""
        if self.timing is None:
            return None
        file = load_meetings("g6")
        return file.model_copy(update={"actions": file.actions.model_copy(update={"timing": self.timing})})


ALGO = Lake("algo", 2, "algo")
HUMAN, BACKGROUND = Lake("human", 3, "human"), Lake("background", 1, None)
SEEDS = 6
"""Lakes of people and of the background: of one answer in twenty a p of 0.05 is due, whatever is asked."""


def lakes(seeds: int) -> list[Lake]:
    """That of machines, then so many of people and as many of the background."""
    more = [replace(one, name=f"{one.name}-{k}", seed=one.seed + 100 * k) for one in (HUMAN, BACKGROUND)
            for k in range(1, seeds)]  # fmt: skip
    return [ALGO, HUMAN, BACKGROUND, *more]


@dataclass(frozen=True)
class Plan:
    """What is made: dates of both roles, sessions, and how thoroughly discovery dates are searched."""

    discovery: tuple[date, ...]
    holdout: tuple[date, ...]
    searched: Shape
    asked: Shape
    profile: str

    @classmethod
    def of(cls, discovery: int, holdout: int, settings: EvidenceSettings, *, small: bool = False) -> Plan:
        """The first discovery dates of the calendar, and the first hold-out dates after them."""
        shapes = (SMALL, SMALL) if small else (SEARCHED, ASKED)
        calendar = weekdays(4 * (discovery + holdout) + 10)
        looked = [dt for dt in calendar if not is_holdout(dt, settings)][:discovery]
        later = [dt for dt in calendar if dt > looked[-1] and is_holdout(dt, settings)][:holdout]
        return cls(tuple(looked), tuple(later), *shapes, "demo" if small else "standard")


class Made:
    """Tables of a lake, made where the folder lacks them."""

    def __init__(self, lake: Lake, plan: Plan, folder: Path, settings: Settings) -> None:
        self.lake, self.plan, self.folder, self.settings = lake, plan, folder / lake.name, settings
        self.new = 0

    def searched(self) -> None:
        """Laws and tests of the discovery dates, one after the other."""
        laws: list[Partition] = []
        for dt in self.plan.discovery:
            frames = kept(self.folder / str(dt))
            if frames is None:
                of = self._session(dt, self.plan.searched)
                laws.append(of["algo_law"])
                inputs = Inputs(
                    of["order_event"], of["order_life"], of["trade"], of["bbo_change"], of["book_snapshot_1s"]
                )
                made = session_tests(
                    inputs, of["contract_day_selection"], of["future_definition"], laws,
                    settings=self.settings, profile=self.plan.profile, controls="none",
                )  # fmt: skip
                keep(self.folder / str(dt), {"algo_law": of["algo_law"].read(), "algo_test": made["algo_test"]})
            else:
                laws.append(held("algo_law", dt, frames["algo_law"]))

    def laws(self) -> list[Partition]:
        """Of the discovery dates."""
        return [self._kept(dt, "algo_law") for dt in self.plan.discovery]

    def findings(self) -> Partition:
        """`algo_replication` of the last discovery date."""
        last = self.plan.discovery[-1]
        tests = [self._kept(dt, "algo_test") for dt in self.plan.discovery]
        return held("algo_replication", last, session_replication(tests, last, settings=self.settings))

    def attributed(self, lists: dict[str, tuple[Partition, list[Partition]]]) -> None:
        """Touches of the hold-out dates, and their intensity by each list with its laws."""
        for dt in self.plan.holdout:
            before = kept(self.folder / str(dt))
            if before is not None and lists.keys() <= before.keys():
                continue
            of = self._session(dt, self.plan.asked)
            frames = {
                "setup_episode": of["setup_episode"].read(EPISODE_COLUMNS),
                "setup_outcome": of["setup_outcome"].read(OUTCOME_COLUMNS),
            }
            for name, (findings, laws) in lists.items():
                made = session_intensity(
                    of["order_event"], of["order_life"], of["trade"], of["bbo_change"], of["book_snapshot_1s"],
                    [findings], laws, [], settings=self.settings, instrument=ES,
                    profile="standard",
                )  # fmt: skip
                frames[name] = made.select(INTENSITY_COLUMNS)
            shutil.rmtree(self.folder / str(dt), ignore_errors=True)  # made with fewer lists
            keep(self.folder / str(dt), frames)

    def answers(self, name: str) -> pl.DataFrame:
        """`algo_contrast` over the hold-out dates, attributed by one of the lists."""
        dates = self.plan.holdout
        runs = [held("algo_run", dt, pl.DataFrame({"role": ["holdout"]})) for dt in dates]
        episodes, outcomes, intensities = (
            [self._kept(dt, table) for dt in dates] for table in ("setup_episode", "setup_outcome", name)
        )
        return session_contrast(episodes, outcomes, intensities, runs, seed=self.settings.evidence.seed)

    def _kept(self, dt: date, name: str) -> Partition:
        frames = kept(self.folder / str(dt)) or {}
        return held(name, dt, frames[name])

    def _session(self, dt: date, shape: Shape) -> dict[str, Partition]:
        self.new += 1
        seed = 10_000 * self.lake.seed + dt.toordinal() % 10_000
        return simulated_session(dt, seed, shape, self.lake.meetings(), self.settings)


def main() -> None:
    """Command line."""
    parser = harness.parser(__doc__ or "", messages=0)
    parser.add_argument("--discovery", type=int, default=DISCOVERY, help="discovery dates of each lake")
    parser.add_argument("--sessions", type=int, default=HOLDOUT, help="hold-out dates of each lake")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="lakes of people, and of the background")
    parser.add_argument("--own", action="store_true", help="their own lists, too: a search of each lake")
    options = parser.parse_args()
    settings = get_settings()
    if options.messages:
        with TemporaryDirectory() as scratch:
            _run(options, Path(scratch), Plan.of(1, 2, settings.evidence, small=True), settings)
    else:
        plan = Plan.of(options.discovery, options.sessions, settings.evidence)
        _run(options, options.folder or FOLDER, plan, settings)


def _run(options: Namespace, folder: Path, plan: Plan, settings: Settings) -> None:
    report = harness.Report(
        "joining", [], {"folder": str(folder), "discovery": len(plan.discovery), "hold-out": len(plan.holdout)}
    )
    own = folder / f"{len(plan.discovery)}-{sources(without=ELSEWHERE)}"
    other: tuple[Partition, list[Partition]] | None = None
    nothing: list[float] = []
    for lake in lakes(1 if options.messages else options.seeds):
        cpu = time.process_time()
        made = Made(lake, plan, own, settings)
        lists: dict[str, tuple[Partition, list[Partition]]] = {}
        if lake == ALGO or options.own:
            made.searched()
            lists[OWN] = (made.findings(), made.laws())
        if lake == ALGO:
            other = lists[OWN]
        elif other is not None:
            lists[OTHER] = other
        made.attributed(lists)
        for name, (findings, _) in lists.items():
            found = made.answers(name)
            row = _row(lake, name, findings, found)
            report.rows.append(row | {"new sessions": made.new, "CPU s": round(time.process_time() - cpu, 1)})
            if options.json:
                report.facts[f"{lake.name} by {name}"] = found.to_dicts()
            if lake != ALGO:
                nothing.append(1.0 if row["p"] is None else row["p"])
            else:
                report.add_target("algo: the answer is `higher`", float(row["verdict"] == "higher"), 1)
    report.add_target(
        f"human, background: smallest p of the {len(nothing)} answers, times their number",
        min(1.0, min(nothing) * len(nothing)), 0.05,
    )  # fmt: skip
    harness.publish(report, as_json=options.json)


def _row(lake: Lake, name: str, findings: Partition, found: pl.DataFrame) -> dict[str, Any]:
    """The registered answer, in percentage points."""
    listed = findings.read(["verdict_discovery"]).filter(
        ~pl.col("verdict_discovery").cast(pl.String).str.ends_with("none")
    )
    primary = found.row(by_predicate=PRIMARY_ROW, named=True)
    others = found.filter(~pl.col("is_primary") & pl.col("verdict").cast(pl.String).is_in(["higher", "lower"]))
    percent = {
        key: None if primary[column] is None else round(100 * primary[column], 3)
        for key, column in (
            ("case %", "mean_case"), ("control %", "mean_control"), ("delta", "delta"), ("low", "ci_lo"),
            ("high", "ci_hi"), ("mdd", "mdd"),
        )
    }  # fmt: skip
    return {
        "lake": lake.name, "list": name, "habits": listed.height, "sets": primary["n_sets"], "days": primary["n_days"],
        "dropped": primary["n_dropped"], **percent, "p by swaps": primary["p_swap"],
        "p by dates": primary["p_days"], "p": primary["p_perm"], "verdict": primary["verdict"],
        "other questions with an answer": others.height,
    }  # fmt: skip


if __name__ == "__main__":
    main()
