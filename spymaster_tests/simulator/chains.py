"""Small chains of options for tests: a walk of the future, and finished mornings of the preset `ci`'s chain."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, time

import numpy as np

from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.handover import Feed
from spymaster.simulator.options.carry import ChainCarried
from spymaster.simulator.options.chain import CHAIN_SIZES, ChainSize, build_chain
from spymaster.simulator.options.day import Minutes, OptionsDay, Quotes
from spymaster.simulator.options.interest import OpenInterest, first_inventory, open_interest
from spymaster.simulator.profile import load_profile
from spymaster.simulator.schedule import segments
from spymaster.simulator.script import Script
from spymaster_tests.simulator.days import TUESDAY

MORNING = (time(10), time(11))
SMALL = ChainSize(2, 5, 6_000)


@dataclass
class FinishedChain:
    """A finished day of a chain with all its records in file order."""

    day: OptionsDay
    records: np.ndarray
    quotes: Quotes
    interest: OpenInterest

    @property
    def live(self) -> np.ndarray:
        """Records after the snapshot."""
        return self.records[self.records["flags"] & 0x20 == 0]

    @property
    def snapshot(self) -> np.ndarray:
        """Orders of the snapshot."""
        return self.records[(self.records["flags"] & 0x20 != 0) & (self.records["action"] == ord("A"))]


def walk(
    seed: int = 1, dt: date = TUESDAY, span: tuple[time, time] = MORNING, start: float = 6_790.0, moves: int = 3_000
) -> Quotes:
    """Middles of a future's best prices: half-tick steps at random times."""
    generator = np.random.default_rng(seed)
    (part,) = segments(dt, "ES", span)
    ts = np.sort(generator.integers(part.start_ns, part.end_ns, moves))
    return Quotes(ts, start + np.cumsum(generator.choice([-0.125, 0.125], len(ts))))


def finished_chain(
    *,
    seed: int = 7,
    sentinel: bool = False,
    messages: int = 50_000,
    dt: date = TUESDAY,
    span: tuple[time, time] = MORNING,
    size: ChainSize = CHAIN_SIZES["ci"],
    quotes: Quotes | None = None,
    carried: ChainCarried | None = None,
    minutes: Minutes | None = None,
    script: Script | None = None,
) -> FinishedChain:
    """Simulate a chain in memory."""
    quotes = quotes or walk(dt=dt, span=span)
    contracts = contracts_on("ES", dt, "HMUZ")
    chain = build_chain(dt, "ES", quotes.mid[0], contracts, size, carried.strikes if carried is not None else None)
    interest = open_interest(dt, seed, chain, quotes.mid[0], carried)
    day = OptionsDay(
        dt=dt, root="ES", chain=chain, quotes=quotes, profile=load_profile("es"), parts=segments(dt, "ES", span),
        messages=messages, seed=seed, feed=Feed(sentinel=sentinel), carried=carried, script=script,
        inventory=first_inventory(dt, seed, chain, interest, carried),
    )  # fmt: skip
    day.minutes = minutes or day.minutes
    return FinishedChain(day, np.concatenate([block.copy() for block in day.records()]), quotes, interest)


def digest() -> str:
    """Hash of a small chain's records."""
    records = finished_chain(size=SMALL, messages=6_000, quotes=walk(moves=1_000)).records
    return hashlib.sha256(records.tobytes()).hexdigest()
