"""Small simulated days for tests: a thin book, a few thousand messages, and the edges of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from functools import cache
from typing import Any

import numpy as np

from spymaster.market.instruments import instrument
from spymaster.simulator.agent_plan import AgentFile, plan_agents
from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.fault_plan import FaultFile, pauses_of, plan_faults
from spymaster.simulator.faults import FaultInjector
from spymaster.simulator.handover import Carried, Feed
from spymaster.simulator.market import MarketDay
from spymaster.simulator.profile import Profile, load_profile
from spymaster.simulator.schedule import SECOND_NS, segments
from spymaster.simulator.script import Script

TUESDAY = date(2026, 1, 6)
MORNING = (time(10), time(10, 10))
AROUND_THE_HALT = (time(16, 56), time(18, 4))
"""New York times: the last minutes of a session, the halt, the pre-open, the auction, and the next minutes."""


@dataclass(frozen=True)
class SmallDay:
    """A finished day: all its records in file order, the market that wrote them, and what was made wrong with them."""

    records: np.ndarray
    market: MarketDay
    faults: FaultInjector

    @property
    def live(self) -> np.ndarray:
        """Records after the snapshot."""
        return self.records[self.records["flags"] & 0x20 == 0]

    def of(self, inst: int) -> np.ndarray:
        """Live records of one instrument."""
        live = self.live
        return live[live["instrument_id"] == self.market.contracts[inst].instrument_id]

    def truth(self, name: str) -> np.ndarray:
        """Truth rows of one kind."""
        return np.concatenate(getattr(self.market.truth, name))


def thin(profile: Profile, **special: Any) -> Profile:
    """The profile with a book of 300 orders; `special` overrides shares of odd things."""
    book = profile.book.model_copy(update={"bid_orders": 180, "ask_orders": 120, "bid_reach": 80, "ask_reach": 60})
    return profile.model_copy(update={"book": book, "special": profile.special.model_copy(update=special)})


def small_day(
    *,
    dt: date = TUESDAY,
    span: tuple[time, time] | None = MORNING,
    messages: int = 12_000,
    seed: int = 7,
    root: str = "ES",
    walk: bool = False,
    feed: Feed | None = None,
    carried: Carried | None = None,
    profile: Profile | None = None,
    agents: AgentFile | None = None,
    faults: FaultFile | None = None,
    script: Script | None = None,
) -> SmallDay:
    """Simulate a small day in memory."""
    chosen = profile or thin(load_profile(root.lower()))
    parts = segments(dt, root, span)
    seconds = (parts[-1].end_ns - parts[0].start_ns) / SECOND_NS
    wrong = plan_faults(faults or FaultFile(), dt, parts)
    day = MarketDay(
        dt=dt,
        instrument=instrument(root),
        contracts=contracts_on(root, dt, chosen.instrument.cycle),
        profile=chosen,
        parts=parts,
        messages=messages,
        seed=seed,
        walk=walk,
        feed=feed,
        carried=carried,
        agents=plan_agents(agents or AgentFile(), messages, seconds),
        pauses=pauses_of(wrong),
        script=script,
    )
    injector = FaultInjector(day, wrong)
    told = [part.copy() for block in day.records() for part in injector.through(block)]
    return SmallDay(np.concatenate(told), day, injector)


@cache
def usual_day() -> SmallDay:
    """`small_day()`, simulated once for all tests that only look at it."""
    return small_day()
