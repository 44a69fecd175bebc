"""The report of a run: targets with their values, and pictures of the market, as Markdown beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spymaster.simulator.acceptance import Target, judged_beside, targets
from spymaster.simulator.acceptance.accepted import Distance, accepted_path, distances, read_accepted
from spymaster.simulator.acceptance.pictures import draw_sheet
from spymaster.simulator.acceptance.portrait import Portrait, portrait
from spymaster.simulator.simulate import DayResult, Run
from spymaster.simulator.weekend import is_evening

_VERDICTS = {"miss": "**miss**"}


def write_report(run: Run, reference: Portrait | None = None) -> tuple[Path, dict[str, list[Target]]]:
    """Write `sim_report.md`, pictures and portraits into the run's folder; returns its path and the targets by date.

    `reference` is the portrait of another market, drawn beside this one.
    """
    plan = run.plan
    lines = [
        f"# Simulated market: run {run.run_id}",
        "",
        "SIMULATED: nothing here is a statement about a real market.",
        "",
        f"Preset `{plan.request.preset}`, profile `{plan.profile_name}`, price mode"
        f" `{plan.request.price_mode}`, seed {plan.request.seed}; {run.messages:,} messages.",
        "",
        "Verdicts: *pass*, the value is within the bounds; *miss*, it is further outside than three standard errors;"
        " *open*, the span is too short to tell; *n/a*, the span does not show it. A value without a standard error is"
        " exact. `anchored` bounds come from real files, the others are assumptions.",
    ]
    found: dict[str, list[Target]] = {}
    for day in run.days:
        measured = targets(
            day.tally, day.plan.messages, plan.base_profile, plan.request.price_mode, plan.profile.fitted_figures
        )
        measured = judged_beside(
            measured,
            planted=day.planted / max(day.messages, 1),
            scripted=day.plan.script is not None,
            evening=is_evening(day.plan.dt),
        )
        measured += day.options.targets if day.options else []
        found[day.plan.dt.isoformat()] = measured
        lines += _day_lines(run, day, measured, reference)
    path = run.folder / "sim_report.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, found


def _day_lines(run: Run, day: DayResult, measured: Sequence[Target], reference: Portrait | None) -> list[str]:
    drawn = portrait(day.tally, f"{day.plan.contracts[0].symbol} {day.plan.dt}", "simulated")
    picture = run.folder / f"sim_{day.plan.dt:%Y%m%d}.png"
    draw_sheet(drawn, picture, reference)
    drawn.write(run.folder / f"portrait_{day.plan.dt:%Y%m%d}.json")
    rate = day.messages / max(day.seconds, 1e-9)
    lines = [
        "",
        f"## {day.plan.dt}",
        "",
        f"{day.messages:,} messages in {day.seconds:.1f} s ({rate:,.0f}/s, files and truth included).",
        *([f"Agents wrote {day.planted:,} of them."] if day.planted else []),
        *([f"Faults made in the file: {', '.join(day.faults)}."] if day.faults else []),
        *([f"Options: {day.options.messages:,} messages in {day.options.series:,} series."] if day.options else []),
        "",
        "| # | figure | value | standard error | from | to | anchored | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.number} | {one.metric} | {_number(one.value)} | {_number(one.error)} | {_number(one.low)}"
        f" | {_number(one.high)} | {'yes' if one.anchored else ''} | {_VERDICTS.get(one.verdict, one.verdict)}"
        f"{f': {one.reason}' if one.reason else ''} |"
        for one in measured
    ]
    lines += ["", f"![The simulated day {day.plan.dt}]({picture.name})"]
    lines += _distance_lines(_accepted_distances(run, day, drawn))
    lines += ["", "| event pattern | count |", "|---|---|"]
    lines += [f"| {name} | {count:,} |" for name, count in list(day.tally.patterns().items())[:12]]
    return lines


def _accepted_distances(run: Run, day: DayResult, drawn: Portrait) -> list[Distance]:
    """Distances to the accepted market; none for a date of another size or span, or with something planted."""
    request = run.plan.request
    usual = request.messages is None and request.volume == "q50" and not day.planted and day.plan.script is None
    if not usual or day is not run.days[-1]:
        return []
    known = read_accepted(accepted_path(run.plan.profile_name, request.preset, request.price_mode))
    return distances(drawn.laws, known) if known else []


def _distance_lines(found: Sequence[Distance]) -> list[str]:
    if not found:
        return []
    return [
        "",
        "Distributions against those of the accepted simulator (several seeds together); *drift*: further away than"
        " 0.05 and than twice the furthest of those seeds.",
        "",
        "| distribution | KS | Wasserstein | KS up to | verdict |",
        "|---|---|---|---|---|",
        *(
            f"| {one.law} | {one.ks:.3f} | {one.wasserstein:.4g} | {one.bound:.3f}"
            f" | {'**drift**' if one.drifted else 'pass'} |"
            for one in found
        ),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{np.format_float_positional(value, precision=4, unique=False, fractional=False, trim='-')}"
