"""The report of a run: targets with their values, and pictures of the market, as Markdown beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spymaster.simulator.acceptance import Target, targets
from spymaster.simulator.pictures import draw_day
from spymaster.simulator.planted import without_planted
from spymaster.simulator.simulate import DayResult, Run

_VERDICTS = {True: "pass", False: "**miss**", None: "n/a"}


def write_report(run: Run) -> tuple[Path, dict[str, list[Target]]]:
    """Write `sim_report.md` and its pictures into the run's folder; returns its path and the targets by date."""
    lines = [
        f"# Simulated market: run {run.run_id}",
        "",
        "SIMULATED: nothing here is a statement about a real market.",
        "",
        f"Preset `{run.plan.request.preset}`, profile `{run.plan.profile_name}`, price mode"
        f" `{run.plan.request.price_mode}`, seed {run.plan.request.seed}; {run.messages:,} messages.",
    ]
    found: dict[str, list[Target]] = {}
    for day in run.days:
        measured = targets(day.tally, day.plan.messages, run.plan.profile_name, run.plan.request.price_mode)
        measured = without_planted(measured, day.plan)
        measured += day.options.targets if day.options else []
        found[day.plan.dt.isoformat()] = measured
        lines += _day_lines(day, measured, run.folder)
    path = run.folder / "sim_report.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, found


def _day_lines(day: DayResult, measured: Sequence[Target], folder: Path) -> list[str]:
    picture = folder / f"sim_{day.plan.dt:%Y%m%d}.png"
    draw_day(day, picture)
    rate = day.messages / max(day.seconds, 1e-9)
    lines = [
        "",
        f"## {day.plan.dt}",
        "",
        f"{day.messages:,} messages in {day.seconds:.1f} s ({rate:,.0f}/s, files and truth included).",
        *([f"Options: {day.options.messages:,} messages in {day.options.series:,} series."] if day.options else []),
        "",
        "| # | figure | value | from | to | anchored | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.number} | {one.metric} | {_number(one.value)} | {_number(one.low)} | {_number(one.high)}"
        f" | {'yes' if one.anchored else ''} | {_VERDICTS[one.passed]} |"
        for one in measured
    ]
    lines += ["", f"![The simulated day {day.plan.dt}]({picture.name})", "", "| event pattern | count |", "|---|---|"]
    lines += [f"| {name} | {count:,} |" for name, count in list(day.tally.patterns().items())[:12]]
    return lines


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{np.format_float_positional(value, precision=4, unique=False, fractional=False, trim='-')}"
