"""A script of one date as people write it: the path of the mid price, tasks, what they are meant to bring about.

Prices are in points. With an `anchor` of None they are distances from the price at which the date starts, rounded to
whole points; a script of another anchor adds that. `compiled` turns them into the rows that the kernels of `scripts`
follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, time
from typing import Any

import numpy as np

from spymaster.market.calendar import wall_time_ns
from spymaster.market.instruments import PRICE_SCALE
from spymaster.simulator import layout
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.meetings import MeetingFile
from spymaster.simulator.schedule import SECOND_NS

KIND_NAMES = ("steer", "depth", "guard", "print", "flow", "zone")
"""Names of the kinds of directives: a script's orders belong to the agent `script_<name>` of the truth tables."""


@dataclass(frozen=True)
class Waypoint:
    """The mid price at `ts` (ns UTC) is meant to be from `low` to `high`."""

    ts: int
    low: float
    high: float


@dataclass(frozen=True)
class Task:
    """A directive: its kind, a side, ticks from `low` to `high`, from when to when, and fields of the kind."""

    kind: int
    side: int
    low: float
    high: float
    start: int
    end: int
    fields: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Episode:
    """One meeting of the price and a level: who does what before it (`variant`), when, and what is to come of it.

    `direction` is +1 for an approach from below. `barrier_ticks` and `horizon_ns` say which outcome came true: the mid
    is first so far beyond the price of the touch (break), or back (reject), or neither within the horizon (chop).
    """

    script_id: int
    variant: str
    timing: str
    level: float
    direction: int
    start: int
    touch: int
    barrier_ticks: int
    horizon_ns: int
    target: str


@dataclass(frozen=True)
class Step:
    """One number that a script was to bring about: a price at a time, perhaps a quantity or another value."""

    step: str
    ts: int
    price: float
    value: float | None = None


@dataclass(frozen=True)
class OptionFlow:
    """Customers who trade one option of the first expiry, at random times, as often as `per_second` says.

    `step` names it in the truth tables, `right` is C or P; options are bought or sold at the best price there is.
    """

    step: str
    right: str
    strike: float
    bought: bool
    start: int
    end: int
    per_second: float


@dataclass(frozen=True)
class Script:
    """Everything that is planted into a date."""

    name: str
    anchor: float | None = 0.0
    waypoints: tuple[Waypoint, ...] = ()
    tasks: tuple[Task, ...] = ()
    episodes: tuple[Episode, ...] = ()
    steps: tuple[Step, ...] = ()
    options: tuple[OptionFlow, ...] = ()
    meetings: MeetingFile | None = None
    """Meetings of the random walk and levels, in `walk` mode, instead of a path."""

    def document(self) -> dict[str, Any]:
        """Everything of the script, as JSON has it."""
        told = {name: value for name, value in asdict(self).items() if name != "meetings"}
        return {**told, "meetings": self.meetings.model_dump(mode="json") if self.meetings else None}

    def base(self, start_price: int) -> float:
        """What prices are counted from, points; `start_price` 1e-9."""
        return float(round(start_price / PRICE_SCALE)) if self.anchor is None else self.anchor


@dataclass(frozen=True)
class CompiledScript:
    """Rows for `market.path` and `market.directives`."""

    path: np.ndarray
    directives: np.ndarray


def clock_ns(dt: date, wall: str) -> int:
    """Time of day in New York, such as 09:44:30 or 09:44:30.5, on a date; ns UTC."""
    return wall_time_ns(dt, time.fromisoformat(wall))


def seconds_ns(seconds: float) -> int:
    """Seconds in ns."""
    return round(seconds * SECOND_NS)


def compiled(script: Script, start_price: int, origin: int, tick_size: int) -> CompiledScript:
    """Rows of a script for a ladder whose tick 0 is at `origin` (1e-9). Raises SimulatorConfigError if too long."""
    for what, rows, most in (
        ("waypoints", script.waypoints, layout.MAX_PATH), ("tasks", script.tasks, layout.MAX_DIRECTIVES),
    ):  # fmt: skip
        if len(rows) > most:
            raise SimulatorConfigError(f"script {script.name} has {len(rows)} {what}, at most {most}")
    base = script.base(start_price)

    def halves(price: float) -> int:
        return round(2 * ((base + price) * PRICE_SCALE - origin) / tick_size)

    path = np.zeros(len(script.waypoints), layout.WAYPOINT)
    for row, point in zip(path, sorted(script.waypoints, key=lambda point: point.ts), strict=True):
        row["ts"], row["low"], row["high"] = point.ts, halves(point.low), halves(point.high)
    directives = np.zeros(len(script.tasks), layout.DIRECTIVE)
    directives["slot"] = -1
    for row, task in zip(directives, script.tasks, strict=True):
        row["kind"], row["side"], row["start"], row["end"] = task.kind, task.side, task.start, task.end
        row["low"], row["high"] = halves(task.low) // 2, halves(task.high) // 2
        for name, value in task.fields.items():
            row[name] = value
    return CompiledScript(path, directives)
