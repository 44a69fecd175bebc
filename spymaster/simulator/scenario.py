"""Scenarios: which agents and which script a date gets, and the plan of a range of dates.

A script that is made for a date is in `DayScenario.script`; `label` says in a word what the date is, for the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from spymaster.simulator import pm_high, touches
from spymaster.simulator.agent_plan import AgentFile, load_agents
from spymaster.simulator.errors import SimulationRequestError
from spymaster.simulator.meetings import load_meetings
from spymaster.simulator.rng import seeded_words
from spymaster.simulator.script import Script

AGENTS = {"pm_high": "reference", "agents": "reference", "full": "reference"}
"""Scenarios that plant agents, and which."""
OUTCOME_SCENARIOS = ("break", "reject", "chop")
SCENARIOS = ("background", "pm_high", *OUTCOME_SCENARIOS, "agents", "full", "mixed")
SCRIPT_PROFILES = ("es",)
"""Profiles whose prices and ticks the scripts are written for."""

_EARLIER_LEVELS = (6792.0, 6797.0, 6794.0, 6790.0)
"""Levels of the dates before the main one of `pm_high`, the last date's first."""
_LEVEL_ABOVE = 5.0
"""The level of a date of touches is so far above the price at which the date starts, points."""
_PLAN_STREAM = 900


@dataclass(frozen=True)
class DayScenario:
    """What is planted into one date."""

    label: str
    agents: AgentFile
    script: Script | None = None


@dataclass(frozen=True)
class Wanted:
    """What a request asks for, resolved: a scenario's name or '', agents and scripts."""

    scenario: str
    agents: str
    scripts: str


def wanted(scenario: str, agents: str, scripts: str, *, default: str = "") -> Wanted:
    """Check what was asked for; agents or scripts of their own go with no scenario.

    Raises SimulationRequestError.
    """
    if not scenario and agents == "none" and scripts == "none":
        scenario = default
    if not scenario:
        return Wanted("", agents, scripts)
    if scenario not in SCENARIOS:
        raise SimulationRequestError(f"unknown scenario {scenario!r}", hint=f"One of {', '.join(SCENARIOS)}.")
    if agents != "none" or scripts != "none":
        raise SimulationRequestError(
            f"scenario {scenario} chooses agents and scripts itself", hint="Give either it or --agents and --scripts."
        )
    return Wanted(scenario, AGENTS.get(scenario, "none"), "pm_high" if scenario == "pm_high" else "none")


def day_scenarios(
    asked: Wanted, dates: Sequence[date], spans: Sequence[tuple[int, int]], *, seed: int, profile: str, walk: bool
) -> list[DayScenario]:
    """What each date gets; `spans` are first and last ns of its trading.

    Raises SimulationRequestError, SimulatorConfigError.
    """
    agents = load_agents(asked.agents)
    meetings = load_meetings(asked.scripts) if asked.scripts not in ("none", "pm_high") else None
    if meetings is not None and not walk:
        raise SimulationRequestError(
            f"scripts {asked.scripts} are meetings of a random walk", hint="Add --price-mode walk."
        )
    led = asked.scripts == "pm_high" or asked.scenario in (*OUTCOME_SCENARIOS, "full", "mixed")
    if walk and led:
        raise SimulationRequestError(
            "a price that is led has no random walk", hint="In --price-mode walk, scripts are g6, decoys or a file."
        )
    if (led or meetings is not None) and profile not in SCRIPT_PROFILES:
        raise SimulationRequestError(f"scripts are written for the profiles {SCRIPT_PROFILES}, not {profile}")
    if asked.scenario == "mixed":
        return _mixed(dates, spans, seed)
    found = []
    for k, (dt, (start, end)) in enumerate(zip(dates, spans, strict=True)):
        before = len(dates) - 1 - k
        if asked.scripts == "pm_high" and before == 0:
            script = pm_high.pm_high(dt, start)
        elif asked.scripts == "pm_high":
            level = _EARLIER_LEVELS[(before - 1) % len(_EARLIER_LEVELS)]
            script = touches.touches(dt, level, _rotated(touches.OUTCOMES, k), start, end, leave=-5.0)
        elif meetings is not None:
            script = Script(Path(asked.scripts).stem, meetings=meetings)
        elif asked.scenario in OUTCOME_SCENARIOS:
            script = _level_above(dt, (asked.scenario,), start, end)
        elif asked.scenario == "full":
            script = _level_above(dt, _rotated(touches.OUTCOMES, k), start, end)
        else:
            script = None
        label = script.name if script else "agents" if agents.sections() else "background"
        found.append(DayScenario(label, agents, script))
    return found


def _level_above(dt: date, outcomes: Sequence[str], start: int, end: int) -> Script:
    name = outcomes[0] if len(outcomes) == 1 else "touches"
    return touches.touches(dt, _LEVEL_ABOVE, outcomes, start, end, anchor=None, name=name, leave=-1.0)


def _rotated(values: Sequence[str], by: int) -> tuple[str, ...]:
    at = by % len(values)
    return (*values[at:], *values[:at])


def _mixed(dates: Sequence[date], spans: Sequence[tuple[int, int]], seed: int) -> list[DayScenario]:
    """At least half of the dates are plain background; the others take each kind of agent, and scripts, in turn.

    Which dates those are is drawn from the seed.
    """
    reference = load_agents("reference")
    kinds = [name for name in AgentFile.model_fields if getattr(reference, name)]
    turns = [*kinds, *OUTCOME_SCENARIOS]
    words = seeded_words(seed, dates[0], _PLAN_STREAM, 1 + (len(dates) + 3) // 4).reshape(-1)
    order = np.argsort(words[1 : len(dates) + 1], kind="stable")
    planted = {int(k) for k in order[: len(dates) // 2]}
    first = int(words[0] % np.uint64(len(turns)))
    found, turn = [], first
    for k, dt in enumerate(dates):
        if k not in planted:
            found.append(DayScenario("background", AgentFile()))
            continue
        what = turns[turn % len(turns)]
        turn += 1
        if what in OUTCOME_SCENARIOS:
            found.append(DayScenario(what, AgentFile(), _level_above(dt, (what,), *spans[k])))
        else:
            found.append(DayScenario(f"agents {what}", AgentFile(**{what: getattr(reference, what)})))
    return found
