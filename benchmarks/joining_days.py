"""Simulated sessions with the tables that the joining question is asked of, in memory.

Levels and placebos as in `research_days`; every table is made by the function that makes the stored one.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from benchmarks.research_days import (
    TICK,
    Day,
    Meetings,
    Shape,
    held,
    setups,
    simulated_market,
    surfaces,
)
from spymaster.evidence.session import session_law
from spymaster.lake import Partition
from spymaster.settings import Settings
from spymaster.simulator.meetings import MeetingFile
from spymaster.surfaces.lives import QUOTE_COLUMNS, LifeFrames

ENGINE = ("book_snapshot_1s", "trade", "bbo_change")


def simulated_session(
    dt: date, seed: int, shape: Shape, meetings: MeetingFile | None, settings: Settings
) -> dict[str, Partition]:
    """Tables of a session of the random walk by name, with what every order did, the law, episodes and outcomes."""
    market = simulated_market(dt, seed, shape, meetings)
    contract = market.contracts[0]
    records = [block[block["instrument_id"] == contract.instrument_id] for block in market.records()]
    frames = surfaces(records, contract.symbol, contract.instrument_id, dt, ENGINE)
    lives: dict[str, list[pl.DataFrame]] = {}
    for block in LifeFrames(
        records, [frames["bbo_change"].select(QUOTE_COLUMNS)], contract=contract.symbol,
        instrument_id=contract.instrument_id, tick_size_int=TICK,
    ):  # fmt: skip
        for name, frame in block.items():
            lives.setdefault(name, []).append(frame)
    frames |= {name: pl.concat(parts) for name, parts in lives.items()}
    frames["contract_day_selection"] = pl.DataFrame(
        {"contract": [contract.symbol], "instrument_id": [contract.instrument_id], "is_selected": [True]}
    )
    of = {name: held(name, dt, frame) for name, frame in frames.items()}
    day = Day(dt, of, Meetings.of(market, meetings))
    _, of["setup_episode"], of["setup_outcome"] = setups(day, settings, shape)
    of["algo_law"] = held("algo_law", dt, session_law(of["order_event"], of["order_life"], settings=settings))
    return of
