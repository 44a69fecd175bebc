"""Which agents take part: files of agents, their parameters in units of people, and the rows that kernels use.

A file has one list of tables per kind, `[[peg]]` for example; unknown keys are errors. Frequencies are those of a full
day of usual volume and scale with the messages per second of the day that is simulated.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spymaster.simulator import agents, laws, layout
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.profile import Count, Positive, Section, Share, read_config

FULL_DAY_SECONDS = 23 * 3_600
FULL_DAY_RATE = 10_900_000 / FULL_DAY_SECONDS
"""Messages per second of the day for which frequencies are given."""

_MS = 1_000_000
_SECOND = 1_000 * _MS
Lag = Annotated[float, Field(ge=0.001)]
Distance = Annotated[int, Field(ge=0, le=40)]


@dataclass(frozen=True)
class PlannedAgent:
    """One agent of a date: parameters as the file gives them, and its row of `market.agents`."""

    agent_id: int
    kind: str
    strength: float
    parameters: dict[str, Any]
    row: dict[str, int]


class AgentSection(Section):
    """What every kind has."""

    kind: ClassVar[str]
    code: ClassVar[int]
    strength: Positive = 1.0

    @abstractmethod
    def row(self, scale: float) -> dict[str, int]:
        """Fields of the agent's row; `scale` is the day's rate over that of a full day, times the strength."""


class NativeIceberg(AgentSection):
    """Orders that show a peak of their total."""

    kind = "native_iceberg"
    code = agents.NATIVE_ICEBERG
    per_session: Positive
    peak: Count
    total: Count
    life_s: Positive

    @model_validator(mode="after")
    def _hides_something(self) -> NativeIceberg:
        if self.total <= self.peak:
            raise ValueError("total must exceed peak")
        return self

    def row(self, scale: float) -> dict[str, int]:
        return {
            "period": _interval(self.per_session, scale),
            "size": self.peak,
            "total": self.total,
            "life": round(self.life_s * _SECOND),
        }


class PeriodicBot(AgentSection):
    """A new order every period, on the clock, for a share of each cycle."""

    kind = "periodic_bot"
    code = agents.PERIODIC_BOT
    period_ms: Annotated[float, Field(ge=1)]
    jitter_ms: Annotated[float, Field(ge=0)]
    size: Count
    distance: Distance
    busy: Share
    cycle_s: Positive

    @model_validator(mode="after")
    def _jitter_is_short(self) -> PeriodicBot:
        if self.jitter_ms >= 0.9 * self.period_ms:
            raise ValueError("jitter_ms must be shorter than period_ms")
        return self

    def row(self, scale: float) -> dict[str, int]:
        cycle = round(self.cycle_s * _SECOND)
        return {
            "period": round(self.period_ms * _MS),
            "jitter": round(self.jitter_ms * _MS),
            "size": self.size,
            "distance": self.distance,
            "cycle": cycle,
            "busy": round(cycle * min(self.busy * scale, 1.0)),
        }


class FleetingQuoter(AgentSection):
    """Orders cancelled at a fixed age."""

    kind = "fleeting_quoter"
    code = agents.FLEETING_QUOTER
    per_session: Positive
    age_ms: Lag
    age_sd_ms: Annotated[float, Field(ge=0)]
    size: Count
    distance: Distance

    def row(self, scale: float) -> dict[str, int]:
        return {
            "period": _interval(self.per_session, scale),
            "lag": round(self.age_ms * _MS),
            "lag_sd": round(self.age_sd_ms * _MS),
            "size": self.size,
            "distance": self.distance,
        }


class ReactionBot(AgentSection):
    """Answers a share of trades or quote changes after a fixed lag."""

    kind = "reaction_bot"
    code = agents.REACTION_BOT
    trigger: Literal["trade", "bbo"]
    action: Literal["add", "cancel", "reprice"]
    share: Share
    lag_ms: Lag
    lag_sd_ms: Annotated[float, Field(ge=0)]
    size: Count
    distance: Distance
    life_ms: Lag
    orders: Annotated[int, Field(ge=1, le=layout.MAX_HELD)] = 8

    def row(self, scale: float) -> dict[str, int]:
        return {
            "trigger": ("trade", "bbo").index(self.trigger),
            "action": ("add", "cancel", "reprice").index(self.action),
            "p": laws.probability(min(self.share * self.strength, 1.0)),
            "lag": round(self.lag_ms * _MS),
            "lag_sd": round(self.lag_sd_ms * _MS),
            "size": self.size,
            "distance": self.distance,
            "life": round(self.life_ms * _MS),
            "period": round(self.life_ms * _MS),
            "orders": self.orders,
        }


class Peg(AgentSection):
    """Orders that follow the best price of their side."""

    kind = "peg"
    code = agents.PEG
    orders: Annotated[int, Field(ge=1, le=layout.MAX_HELD)]
    lag_ms: Lag
    lag_sd_ms: Annotated[float, Field(ge=0)]
    chain: Count
    size: Count
    distance: Distance

    def row(self, scale: float) -> dict[str, int]:
        return {
            "orders": min(max(round(self.orders * scale), 2), layout.MAX_HELD),
            "lag": round(self.lag_ms * _MS),
            "lag_sd": round(self.lag_sd_ms * _MS),
            "chain": self.chain,
            "size": self.size,
            "distance": self.distance,
            "period": _SECOND,
        }


class Layerer(AgentSection):
    """Large orders on several levels that go when a small one on the other side is hit."""

    kind = "layerer"
    code = agents.LAYERER
    per_session: Positive
    levels: Annotated[int, Field(ge=1, le=layout.MAX_HELD - 1)]
    multiple: Count
    size: Count
    lag_ms: Lag
    lag_sd_ms: Annotated[float, Field(ge=0)]
    distance: Distance
    life_s: Positive

    def row(self, scale: float) -> dict[str, int]:
        return {
            "period": _interval(self.per_session, scale),
            "orders": self.levels,
            "size": self.size,
            "total": self.size * self.multiple,
            "lag": round(self.lag_ms * _MS),
            "lag_sd": round(self.lag_sd_ms * _MS),
            "distance": self.distance,
            "life": round(self.life_s * _SECOND),
        }


class AgentFile(BaseModel):
    """A file of agents."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    native_iceberg: list[NativeIceberg] = []
    periodic_bot: list[PeriodicBot] = []
    fleeting_quoter: list[FleetingQuoter] = []
    reaction_bot: list[ReactionBot] = []
    peg: list[Peg] = []
    layerer: list[Layerer] = []

    @model_validator(mode="after")
    def _not_too_many(self) -> AgentFile:
        if len(self.sections()) > layout.MAX_AGENTS:
            raise ValueError(f"at most {layout.MAX_AGENTS} agents")
        return self

    def sections(self) -> list[AgentSection]:
        """All agents in the order of their ids."""
        return [section for name in type(self).model_fields for section in getattr(self, name)]


def load_agents(name: str) -> AgentFile:
    """`none`, `reference` (the shipped file) or the path of a TOML file. Raises SimulatorConfigError."""
    if name == "none":
        return AgentFile()
    if name == "reference":
        return read_config(Path(str(files("spymaster"))) / "config" / "sim" / "agents_reference.toml", AgentFile)
    path = Path(name)
    if path.suffix != ".toml":
        raise SimulatorConfigError(
            f"unknown agents {name!r}", hint="One of none, reference, or the path of a file that ends in .toml."
        )
    return read_config(path, AgentFile)


def plan_agents(file: AgentFile, messages: int, seconds: float) -> tuple[PlannedAgent, ...]:
    """The agents of a date with that many messages in that many seconds of trading."""
    rate = messages / max(seconds, 1.0)
    planned = []
    for agent_id, section in enumerate(file.sections(), 1):
        scale = section.strength * rate / FULL_DAY_RATE
        row = {"kind": section.code, "inst": layout.FRONT, **section.row(scale)}
        parameters = section.model_dump(mode="json")
        planned.append(PlannedAgent(agent_id, section.kind, section.strength, parameters, row))
    return tuple(planned)


def _interval(per_session: float, scale: float) -> int:
    """Mean ns between arrivals."""
    return round(FULL_DAY_SECONDS * _SECOND / (per_session * scale))
