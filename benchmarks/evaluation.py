"""The evaluation from records to verdicts on simulated sessions: what was planted is supported, a background is not.

Two lakes of as many sessions each, with levels and placebos in the same places:

    mixed        every second session has planted turns (`g6`), the others have none
    background   no session has any

Every session is made by the functions that make the stored tables and kept in `--folder`, so a run that was ended goes
on where it was, by the same code; then the report of all sessions is made as the asset makes it with the standard
profile, the hold-out opened, and written beside them with its page and its figures.

The first 20 sessions are learned from, one is left out, and the last 30 % are held out, so that 96 sessions leave 46 to
walk-forward: a verdict asks for 40.
"""

from __future__ import annotations

import json
import time
from argparse import Namespace
from dataclasses import dataclass
from datetime import time as time_of
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from benchmarks import harness
from benchmarks.kept_days import keep, keep_session, kept, kept_sessions, sources
from benchmarks.research_days import Shape, Usual, session_tables, usual_values, weekdays
from spymaster.research.models import ALGOS, BASELINES
from spymaster.research.report_page import render
from spymaster.research.report_rows import Report
from spymaster.research.sample_tables import TABLES
from spymaster.research.session_evaluation import Written, session_evaluation
from spymaster.settings import Settings, get_settings
from spymaster.simulator.meetings import load_meetings
from spymaster.tables.trials_ledger import TrialsLedger

MADE_BY = (
    "book/", "config/", "feed/", "lake/", "market/", "setups/", "simulator/", "surfaces/",
    *(f"tables/{model.name}.py" for model in TABLES.values()),
)  # fmt: skip
"""Beginnings of the paths of the library that sessions are made by."""
FOLDER = Path(__file__).parent / "results" / "evaluation"
SESSIONS = 96
SPAN = (time_of(9, 30), time_of(13, 30))
BEFORE = 3
PLANTED = {"kind": "touch", "horizon_s": 120, "lead_s": 0, "head": "side", "algo": "stack"}
"""The verdict that has to be supported: touches end 120 s on as the script has it."""


@dataclass(frozen=True)
class Lake:
    """One of the two. every: one session in so many has planted turns, 0 for none."""

    name: str
    seed: int
    every: int


def lakes(every: int) -> tuple[Lake, Lake]:
    """Both."""
    return Lake("mixed", 1, every), Lake("background", 2, 0)


def make(lake: Lake, sessions: int, shape: Shape, folder: Path, settings: Settings, *, most: int | None = None) -> int:
    """Make sessions that the folder lacks, at most `most` of them; how many were made."""
    calendar = weekdays(BEFORE + sessions)
    own = calendar[BEFORE:]
    lacking = [k for k, dt in enumerate(own) if not (folder / str(dt)).is_dir()][:most]
    if not lacking:
        return 0
    frames = kept(folder / "usual")
    if frames is None:
        made = usual_values(calendar[:BEFORE], own[0], 10_000 * lake.seed, shape, settings)
        keep(folder / "usual", vars(made))
        frames = vars(made)
    usual = Usual(**frames)
    script = load_meetings("g6")
    for k in lacking:
        file = script if lake.every and k % lake.every == 0 else None
        tables, _ = session_tables(own[k], 10_000 * lake.seed + k, shape, file, usual, settings)
        keep_session(folder, tables)
    return len(lacking)


def report_of(folder: Path, settings: Settings, profile: str = "standard") -> Written:
    """The report over all sessions of a folder, written into it with its page."""
    opened = settings.model_copy(
        update={"evaluation": settings.evaluation.model_copy(update={"open_holdout": True})}
    )  # fmt: skip
    dates = kept_sessions(folder)
    made = session_evaluation(
        dates, [], TrialsLedger.empty(), TrialsLedger.empty(), settings=opened, profile=profile, provenance="simulated",
        algos=ALGOS,
    )  # fmt: skip
    made.report.write_parquet(folder / "report.parquet")
    made.ledger.write_parquet(folder / "ledger.parquet")
    for name, text in render(Report("ES", str(dates[-1].dt), made.report, made.ledger)).items():
        (folder / name).write_text(text)
    return made


def figures(made: Written) -> dict[str, Any]:
    """What the report says, in short: verdicts with their evidence, baselines, placebos and trials."""
    rows = made.report.with_columns(pl.col("section", "subset").cast(pl.String))
    place = ["kind", "horizon_s", "lead_s", "head", "algo"]

    def numbers(section: str, metric: str, subset: str = "real") -> pl.DataFrame:
        chosen = rows.filter(section=section, metric=metric, subset=subset)
        return chosen.select(*place, "value", "ci_lo", "ci_hi", "n_episodes", "n_sessions")

    verdicts = rows.filter(pl.col("section") == "verdict")
    return {
        "sessions": int(rows.filter(pl.col("section") == "sample")["n_sessions"].max()),  # type: ignore[arg-type]
        "verdicts": verdicts.select(
            *place, "verdict", "note", "value", "ci_lo", "ci_hi", "p_perm", "p_deflated", "n_trials", "n_sessions"
        ).to_dicts(),
        "baselines": numbers("score", "auc").filter(pl.col("algo").is_in(BASELINES)).to_dicts(),
        "placebo": numbers("gain", "log_loss_gain", "placebo").to_dicts(),
        "real less placebo": numbers("gain", "log_loss_gain", "real-placebo").to_dicts(),
        "trials": made.ledger.height,
    }


def words(found: dict[str, Any]) -> dict[str, int]:
    """How often each verdict was given to something that was tried."""
    told = [one["verdict"].removeprefix("simulated:") for one in found["verdicts"] if one["head"] != "all"]
    return {word: told.count(word) for word in sorted(set(told))}


def main() -> None:
    """Command line."""
    parser = harness.parser(__doc__ or "", messages=0)
    parser.add_argument("--sessions", type=int, default=SESSIONS, help="of each lake")
    parser.add_argument("--every", type=int, default=2, help="one session in so many has planted turns")
    parser.add_argument("--hour", action="store_true", help="sessions of an hour, not of four")
    parser.add_argument("--profile", default="standard", help="of models and retrieval: standard or demo")
    parser.add_argument("--steps", type=int, default=None, help="stop after so many new sessions")
    options = parser.parse_args()
    folder = options.folder or FOLDER
    settings = get_settings()
    if options.messages:
        with TemporaryDirectory() as scratch:
            _run(options, Path(scratch), Shape(), settings, 12, "demo")
    else:
        shape = Shape() if options.hour else Shape(SPAN)
        _run(options, folder, shape, settings, options.sessions, options.profile)


def _run(options: Namespace, folder: Path, shape: Shape, settings: Settings, sessions: int, profile: str) -> None:
    report = harness.Report("evaluation", [], {"folder": str(folder), "sessions": sessions, "profile": profile})
    left = options.steps
    for lake in lakes(options.every):
        span = f"{shape.span[0]:%H%M}-{shape.span[1]:%H%M}"
        own = folder / f"{lake.name}-{sessions}-{options.every}-{span}-{sources(MADE_BY)}"
        cpu, wall = time.process_time(), time.perf_counter()
        new = make(lake, sessions, shape, own, settings, most=left)
        row: dict[str, Any] = {
            "lake": lake.name, "new sessions": new, "CPU s of them": round(time.process_time() - cpu, 1)
        }  # fmt: skip
        if left is not None:
            left -= new
        if len(kept_sessions(own)) == sessions:
            cpu = time.process_time()
            found = figures(report_of(own, settings, profile))
            row |= {"CPU s of the report": round(time.process_time() - cpu, 1), **words(found)}
            (own / "figures.json").write_text(json.dumps(found, indent=1, default=str))
            report.facts[lake.name] = found if options.json else str(own / "report.html")
            row |= {"setups at levels": _setups(found), "trials": found["trials"]}
            _targets(report, lake, found)
        report.rows.append(row | {"wall s": round(time.perf_counter() - wall, 1)})
    harness.publish(report, as_json=options.json)


def _setups(found: dict[str, Any]) -> int:
    own = [one["n_episodes"] for one in found["baselines"] if all(one[name] == PLANTED[name] for name in _PANEL)]
    return max(own, default=0)


_PANEL = ("kind", "horizon_s", "lead_s", "head")


def _targets(report: harness.Report, lake: Lake, found: dict[str, Any]) -> None:
    told = words(found)
    tried = max(sum(told.values()), 1)
    if lake.every:
        own = [one for one in found["verdicts"] if all(one[name] == value for name, value in PLANTED.items())]
        held = float(sum(one["verdict"] == "simulated:supported" for one in own))
        report.add_target("mixed: stack on the side of touches after 120 s is supported", held, 1)
    else:
        report.add_target(
            "background: verdicts that are `supported`", float(told.get("supported", 0)), 0, at_least=False
        )
        report.add_target("background: share of verdicts that are `none`", told.get("none", 0) / tried, 0.95)


if __name__ == "__main__":
    main()
