"""Simulated dates for the gates of the search for automation: the tables that its tests read, and what was planted.

Everything is made by the functions that make the stored tables, in memory: records of the simulator, the engine pass,
the pass over orders' lives, the law of a date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
import polars as pl

from benchmarks.research_days import Held
from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.law import Law
from spymaster.evidence.load import session_arrays
from spymaster.evidence.no_agents import front_records, market_tables
from spymaster.evidence.session import Inputs, session_law
from spymaster.lake import Partition
from spymaster.market.calendar import CONTINUOUS, is_session_date
from spymaster.market.instruments import instrument
from spymaster.settings import Settings
from spymaster.simulator.agent_plan import AgentFile, load_agents, plan_agents
from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.layout import TAG
from spymaster.simulator.market import MarketDay
from spymaster.simulator.profile import load_profile
from spymaster.simulator.request import PRESETS
from spymaster.simulator.schedule import SECOND_NS, segments
from spymaster.tables.algo_law import AlgoLaw

ES = instrument("ES")
FIRST_DATE = date(2026, 1, 5)
CLOCK_BOT = "clock_bot"
"""The periodic bot that keeps to whole periods of the clock: a kind of its own here."""


@dataclass(frozen=True)
class Told:
    """What a manifest would say."""

    table: str
    provenance: str = "simulated"


@dataclass(frozen=True)
class Table(Held):
    """A table of a simulated date, read like a stored partition by the search."""

    manifest: Told = field(default_factory=lambda: Told(""))  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.frame.height


def held(table: str, dt: date, frame: pl.DataFrame) -> Partition:
    """A frame in place of a partition of the table."""
    return cast("Partition", Table(table, dt, frame, manifest=Told(table)))


@dataclass(frozen=True)
class Planted:
    """Who sent what.

    order, agent: number of the agent of every order that one placed, int64[n], by rising order id. kinds: by number of
    the agent. hidden: orders that showed only a part of themselves. answers: orders that answered an event.
    """

    order: np.ndarray
    agent: np.ndarray
    kinds: dict[int, str]
    hidden: np.ndarray
    answers: np.ndarray

    def by(self, kind: str, orders: np.ndarray) -> np.ndarray:
        """Which of some order ids are of agents of a kind."""
        numbers = [number for number, one in self.kinds.items() if one == kind]
        return np.isin(orders.astype(np.int64), self.order[np.isin(self.agent, numbers)])


@dataclass(frozen=True)
class SimDay:
    """A simulated date: what its tests read, its contract, its law, and what was planted."""

    dt: date
    inputs: Inputs
    contract: str
    law: Partition
    planted: Planted
    messages: int
    lumps: bool = True
    """Whether there is more in every fifth minute."""

    def arrays(self, law: Law | None) -> DayArrays:
        """The arrays of the tests."""
        of = self.inputs
        return session_arrays(
            of.events, of.lives, of.trades, of.quotes, of.snapshot, tick_size_int=ES.tick_size_int, law=law
        )


def dates(count: int, first: date = FIRST_DATE) -> list[date]:
    """Session dates of ES in order, on weekdays."""
    found: list[date] = []
    day = first
    while len(found) < count:
        if day.weekday() < 5 and is_session_date(day, "ES"):
            found.append(day)
        day += timedelta(days=1)
    return found


def reference_agents(strength: float = 1.0, only: Sequence[str] = ()) -> AgentFile:
    """Agents of the reference file, `strength` times as strong; only: kinds that are wanted, all of them if empty."""
    chosen: dict[str, list[Any]] = {}
    for section in load_agents("reference").sections():
        if only and kind_of(section) not in only:
            continue
        chosen.setdefault(section.kind, []).append(section.model_copy(update={"strength": strength}))
    return AgentFile(**chosen)


def kind_of(section: Any) -> str:
    """Name of what an agent does; a sender on the clock is another kind than one of its own period."""
    aligned = section.kind == "periodic_bot" and section.clock_aligned
    return CLOCK_BOT if aligned else section.kind


def simulated_day(
    dt: date,
    seed: int,
    preset: str,
    agents: AgentFile | None,
    settings: Settings,
    *,
    messages: int | None = None,
    lumps: bool = True,
) -> SimDay:
    """A date of a preset (`ci`, `rth`), with agents or without; messages: instead of the preset's.

    lumps: the market has more in every fifth minute, as the profile says; False for one that prefers no minute.
    """
    shape = PRESETS[preset]
    parts = segments(dt, "ES", shape.span)
    wanted = messages or shape.messages
    trading = sum(part.end_ns - part.start_ns for part in parts if part.phase == CONTINUOUS) / SECOND_NS
    profile = load_profile("es")
    if not lumps:
        profile = profile.model_copy(update={"activity": profile.activity.model_copy(update={"lump": 0.0})})
    file = agents or AgentFile()
    market = MarketDay(
        dt=dt, instrument=ES, contracts=contracts_on("ES", dt, profile.instrument.cycle), profile=profile, parts=parts,
        messages=wanted, seed=seed, agents=plan_agents(file, wanted, trading),
    )  # fmt: skip
    contract, records = market.contracts[0], front_records(market)
    tables = market_tables(records, contract, ES, dt)
    of = {name: held(f"silver.{name}", dt, frame) for name, frame in tables.items()}
    inputs = Inputs(of["order_event"], of["order_life"], of["trade"], of["bbo_change"], of["book_snapshot_1s"])
    law = session_law(inputs.events, inputs.lives, settings=settings)
    kinds = {number: kind_of(section) for number, section in enumerate(file.sections(), 1)}
    return SimDay(
        dt=dt,
        inputs=inputs,
        contract=contract.symbol,
        law=held(AlgoLaw.name, dt, law),
        planted=_planted(market, kinds),
        messages=sum(map(len, records)),
        lumps=lumps,
    )


def _planted(market: MarketDay, kinds: dict[int, str]) -> Planted:
    truth = market.truth
    tags = np.concatenate(truth.tags) if truth.tags else np.zeros(0, TAG)
    mine = np.sort(tags[tags["agent"] > 0], order="id")
    answers = np.concatenate(truth.responses)["id"] if truth.responses else np.zeros(0, np.int64)
    return Planted(
        order=mine["id"].astype(np.int64),
        agent=mine["agent"].astype(np.int64),
        kinds=kinds,
        hidden=np.unique(tags["id"][tags["hidden"] > 0]),
        answers=np.unique(answers),
    )
