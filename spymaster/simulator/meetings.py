"""Files of meetings: how often the random walk meets a level, what is done before, and with which outcome.

A file says where levels stand, how a meeting comes about, what follows, and which variants take turns with which share.
Unknown keys are errors.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from spymaster.simulator import laws, layout, scripts
from spymaster.simulator.bridge import AHEAD, BEHIND, TAKEN_BEHIND
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.profile import Count, Positive, Section, Share, read_config
from spymaster.simulator.schedule import SECOND_NS

VARIANTS: dict[str, tuple[str, ...]] = {
    "full_reject": ("ahead_away", "ahead_pull", "behind_away", "behind_pull"),
    "full_break": ("ahead_away", "ahead_pull", "behind_add"),
    "only_ahead": ("ahead_away", "ahead_pull"),
    "only_behind": ("behind_away", "behind_pull"),
    "only_ahead_away": ("ahead_away",),
    "only_ahead_pull": ("ahead_pull",),
    "only_behind_away": ("behind_away",),
    "only_behind_pull": ("behind_pull",),
    "consumption_only": ("behind_eaten",),
    "none": (),
}
"""What is done in the seconds before a touch. Ahead is the side that the price moves towards: the asks from below."""
CONDITIONS = ("ahead_away", "ahead_pull", "behind_away", "behind_pull", "behind_add", "behind_eaten")
Timing = Literal["algo", "human"]
LAG_NS: dict[str, int] = {"algo": SECOND_NS // 50, "human": SECOND_NS}
SPREAD_NS = 2 * SECOND_NS
"""Answers to trades: `algo` after exactly its lag; `human` after its lag and up to this much more."""
_ADDED_PER_TRADE, _MOVED_PER_TRADE = 6.0, 0.65
"""What a side's twenty ticks see of orders added (and pulled), and moved away, per trade of the market (assumption)."""
ZONE_TICKS = 20
ZONE_SHIFT = 24


class LevelSection(Section):
    """Levels stand at multiples of this many ticks."""

    spacing_ticks: Annotated[int, Field(ge=4, le=400)]


class ApproachSection(Section):
    """A meeting begins at this distance; what is done before the touch is done for `window_s`."""

    least_ticks: Annotated[int, Field(ge=1, le=100)]
    reach_ticks: Annotated[int, Field(ge=1, le=100)]
    window_s: Positive


class AfterSection(Section):
    """The meant outcome comes true with probability `success`: that barrier is met first."""

    success: Annotated[float, Field(ge=0.5, lt=1.0)]
    barrier_ticks: Count
    horizon_s: Positive
    pause_s: Positive


class ActionSection(Section):
    """How strongly pulls and moves are multiplied, and how people or machines answer."""

    strength: Annotated[float, Field(ge=1.0, le=20.0)]
    timing: Timing


class VariantSection(BaseModel):
    """One variant with its share of the meetings and the outcome that is meant, `fair` for none."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    share: Share
    outcome: Literal["reject", "break", "fair"]

    @model_validator(mode="after")
    def _known(self) -> VariantSection:
        if self.name not in VARIANTS:
            raise ValueError(f"unknown variant {self.name}; one of {', '.join(VARIANTS)}")
        return self


class MeetingFile(BaseModel):
    """A file of meetings."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    levels: LevelSection
    approach: ApproachSection
    after: AfterSection
    actions: ActionSection
    variant: Annotated[list[VariantSection], Field(min_length=1, max_length=layout.MAX_VARIANTS)]

    @model_validator(mode="after")
    def _fits(self) -> MeetingFile:
        if abs(sum(one.share for one in self.variant) - 1.0) > 1e-9:
            raise ValueError("the shares of the variants must add up to 1")
        if not self.approach.least_ticks <= self.approach.reach_ticks < self.levels.spacing_ticks:
            raise ValueError("least_ticks must not exceed reach_ticks, nor reach_ticks the spacing of levels")
        return self


def load_meetings(name: str) -> MeetingFile:
    """`g6`, `decoys` (shipped) or the path of a TOML file. Raises SimulatorConfigError."""
    if name in ("g6", "decoys"):
        return read_config(Path(str(files("spymaster"))) / "config" / "sim" / f"scripts_{name}.toml", MeetingFile)
    path = Path(name)
    if path.suffix != ".toml":
        raise SimulatorConfigError(
            f"unknown scripts {name!r}",
            hint="One of none, pm_high, g6, decoys, or the path of a file that ends in .toml.",
        )
    return read_config(path, MeetingFile)


def condition_rows(condition: str, strength: float, timing: str) -> list[dict[str, int]]:
    """Directives of one condition without side, place and time; strength g multiplies pulls over adds."""
    where, how = condition.split("_", 1)
    place = AHEAD if where == "ahead" else TAKEN_BEHIND if how == "eaten" else BEHIND
    action = {
        "pull": scripts.PULLS, "away": scripts.MOVES, "add": scripts.ADDS, "eaten": scripts.TAKES,
    }[how]  # fmt: skip
    per_trade = {
        "pull": (strength**0.5 - 1.0) * _ADDED_PER_TRADE, "add": (strength**0.5 - 1.0) * _ADDED_PER_TRADE,
        "away": (strength - 1.0) * _MOVED_PER_TRADE, "eaten": 1.0,
    }[how]  # fmt: skip
    answers = {
        "kind": scripts.FLOW, "most": place, "action": action, "size": max(1, round(per_trade)),
        "timing": scripts.AFTER_TRADES if timing == "algo" else scripts.LONG_AFTER_TRADES,
        "lag": LAG_NS[timing], "spread": SPREAD_NS,
    }  # fmt: skip
    if how != "pull":
        return [answers]
    # adds are thinned as much as pulls are raised
    thinned = {"kind": scripts.ZONE, "most": place, "p": laws.probability(strength**-0.5), "size": ZONE_SHIFT}
    return [thinned, answers]


def set_meetings(state: Any, file: MeetingFile) -> None:
    """Write the rows of a file into a market that has not begun."""
    rows: list[dict[str, int]] = []
    bits: dict[str, int] = {}
    for condition in CONDITIONS:
        bits[condition] = 0
        for row in condition_rows(condition, file.actions.strength, file.actions.timing):
            bits[condition] |= 1 << len(rows)
            rows.append(row)
    state["n_directives"] = len(rows)
    for target, row in zip(state["directives"], rows, strict=False):
        for name, value in row.items():
            target[name] = value
    after = file.after
    lean = ((1.0 - after.success) / after.success) ** (1.0 / after.barrier_ticks)
    onward = {"reject": lean / (1.0 + lean), "break": 1.0 / (1.0 + lean), "fair": 0.5}
    weights = np.zeros(layout.MAX_VARIANTS)
    for k, variant in enumerate(file.variant):
        weights[k] = variant.share
        state["variants"][k]["mask"] = sum(bits[condition] for condition in VARIANTS[variant.name])
        state["variants"][k]["p_on"] = laws.probability(round(onward[variant.outcome], 9))
    state["variant_law"] = laws.alias_table(weights)
    front = state["inst"][layout.FRONT]
    bridge = state["bridge"]
    bridge["on"] = 1
    bridge["spacing"], bridge["zone"] = file.levels.spacing_ticks, ZONE_TICKS
    # the tick of a round price
    bridge["origin"] = -(int(front["origin"]) // int(front["tick_size"])) % file.levels.spacing_ticks
    bridge["least"], bridge["reach"] = file.approach.least_ticks, file.approach.reach_ticks
    bridge["window"] = round(file.approach.window_s * SECOND_NS)
    bridge["barrier"], bridge["horizon"] = after.barrier_ticks, round(after.horizon_s * SECOND_NS)
    bridge["pause"] = round(after.pause_s * SECOND_NS)
