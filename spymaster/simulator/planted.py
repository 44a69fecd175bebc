"""Targets that a date with agents or a script cannot be held to: they describe a market in which nothing is planted.

Such a figure has no value and no verdict on the date, and says why. Nothing is loosened: the bounds stay what they are
wherever the figure means something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spymaster.simulator.acceptance import Target
from spymaster.simulator.request import DayPlan

_PATH = "the path of the price is planted"
_FLOW = "planted orders have lives and sizes of their own"
BY_SCRIPT = {8: _FLOW, 9: _FLOW, 10: _PATH, 11: _PATH, 12: _PATH, 13: _PATH, 16: _PATH}
"""Numbers of targets, and why a script puts them out of reach."""
BY_AGENTS = {8: _FLOW, 9: _FLOW}
"""The same for agents."""


def without_planted(found: Sequence[Target], day: DayPlan) -> list[Target]:
    """The targets of a date; those that what is planted puts out of reach without their value."""
    excused = {**(BY_AGENTS if day.agents else {}), **(BY_SCRIPT if day.script is not None else {})}
    return [
        replace(one, value=None, metric=f"{one.metric} (n/a: {excused[one.number]})") if one.number in excused else one
        for one in found
    ]
