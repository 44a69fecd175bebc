"""Which agents take part: files of agents, and the agents of a date.

A file has one list of tables per kind, `[[peg]]` for example; unknown keys are errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from spymaster.simulator import layout
from spymaster.simulator.agent_kinds import (
    FULL_DAY_RATE,
    AgentSection,
    CoPlacer,
    DealerHedger,
    Fingerprint,
    FleetingQuoter,
    Layerer,
    NativeIceberg,
    Peg,
    PeriodicBot,
    ReactionBot,
    Stuffer,
    SyntheticIceberg,
)
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.profile import read_config


@dataclass(frozen=True)
class PlannedAgent:
    """One agent of a date: parameters as the file gives them, and its row of `market.agents`."""

    agent_id: int
    kind: str
    strength: float
    parameters: dict[str, Any]
    row: dict[str, Any]


class AgentFile(BaseModel):
    """A file of agents."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    native_iceberg: list[NativeIceberg] = []
    periodic_bot: list[PeriodicBot] = []
    fleeting_quoter: list[FleetingQuoter] = []
    reaction_bot: list[ReactionBot] = []
    peg: list[Peg] = []
    layerer: list[Layerer] = []
    synthetic_iceberg: list[SyntheticIceberg] = []
    co_placer: list[CoPlacer] = []
    stuffer: list[Stuffer] = []
    fingerprint: list[Fingerprint] = []
    dealer_hedger: list[DealerHedger] = []

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
