"""The control without agents: a simulated market as long and about as busy as a date, through the same passes.

Nobody in it is automatic: the background of the simulator alone, on the same date and at the same time of day. Nothing
is written; records go from the simulator through the engine pass and the pass over orders' lives to arrays. Thresholds
and favourite sizes are its own, as those of a first date are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from spymaster.evidence.arrays import SECOND_NS, DayArrays, day_arrays
from spymaster.evidence.streams import Streams
from spymaster.market.calendar import CONTINUOUS
from spymaster.market.instruments import Instrument
from spymaster.settings import EngineSettings
from spymaster.simulator.contracts import Contract, contracts_on
from spymaster.simulator.market import MarketDay
from spymaster.simulator.profile import load_profile, profile_path
from spymaster.simulator.schedule import Segment, segments
from spymaster.surfaces.futures import FuturesPass
from spymaster.surfaces.lives import QUOTE_COLUMNS, LifeFrames

KIND = "no_agents"
NEAR_TICKS = 60
"""Reach of the wall that the engine pass keeps: no table that is made here has it."""
PASS_TABLES = ("book_snapshot_1s", "trade", "bbo_change")


def quiet_market(part: DayArrays, instrument: Instrument, seed: int) -> DayArrays | None:
    """A market without agents from start to end of `part`, with about as many messages, drawn by (seed, date).

    None where the simulator has no profile of the instrument, or the market does not trade in that time, or `part` has
    no messages.
    """
    name = instrument.root.lower()
    if not profile_path(name).exists():
        return None
    dt = datetime.fromtimestamp(part.start // SECOND_NS, UTC).date()
    parts = _between(segments(dt, instrument.root, None), part.start, part.end)
    wanted = int(np.sum((part.messages.ts >= part.start) & (part.messages.ts < part.end)))
    if not wanted or all(one.phase != CONTINUOUS for one in parts):
        return None
    profile = load_profile(name)
    of_all = round(wanted * sum(profile.instrument.activity) / profile.instrument.activity[0])
    market = MarketDay(
        dt=dt, instrument=instrument, contracts=contracts_on(instrument.root, dt, profile.instrument.cycle),
        profile=profile, parts=parts, messages=of_all, seed=Streams(seed, f"control/{KIND}/{dt}").key[0],
    )  # fmt: skip
    of = market_tables(front_records(market), market.contracts[0], instrument, dt)
    return day_arrays(
        of["order_event"], of["order_life"], of["trade"], of["bbo_change"], of["book_snapshot_1s"],
        tick_size_int=instrument.tick_size_int,
    )  # fmt: skip


def _between(parts: Sequence[Segment], start: int, end: int) -> list[Segment]:
    """Phases cut to [start, end), ns."""
    cut = [replace(one, start_ns=max(one.start_ns, start), end_ns=min(one.end_ns, end)) for one in parts]
    return [one for one in cut if one.start_ns < one.end_ns]


def front_records(market: MarketDay) -> list[np.ndarray]:
    """Records of the front contract of a simulated market, in blocks."""
    front = market.contracts[0].instrument_id
    return [block[block["instrument_id"] == front] for block in market.records()]


def market_tables(
    records: Sequence[np.ndarray], contract: Contract, instrument: Instrument, dt: date
) -> dict[str, pl.DataFrame]:
    """Tables of a contract's records that the search reads, by name without the layer."""
    about = {
        "contract": contract.symbol, "instrument_id": contract.instrument_id, "tick_size_int": instrument.tick_size_int,
    }  # fmt: skip
    made: dict[str, list[pl.DataFrame]] = {}
    for block in FuturesPass(
        records, instrument=instrument, dt=dt, tables=PASS_TABLES, settings=EngineSettings(grid_ticks=NEAR_TICKS),
        **about,
    ):  # fmt: skip
        _add(made, block)
    quotes = [frame.select(QUOTE_COLUMNS) for frame in made["bbo_change"]]
    for block in LifeFrames(records, quotes, **about):
        _add(made, block)
    return {name: pl.concat(frames) for name, frames in made.items()}


def _add(made: dict[str, list[pl.DataFrame]], block: dict[str, pl.DataFrame]) -> None:
    for name, frame in block.items():
        if frame.height or name.removeprefix("silver.") not in made:
            made.setdefault(name.removeprefix("silver."), []).append(frame)
