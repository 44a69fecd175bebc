"""Simulated sessions of the random walk with all tables that the evaluation reads, in memory.

Levels stand where a script has its meetings, every `SPACING` ticks, with placebos halfway between them; where there is
no script they may stand closer, for nothing tells one price from another there. Everything is made by the functions
that make the stored tables. Scales and scalers come from earlier sessions without a script.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any, cast

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.calendar import CONTINUOUS, phases, wall_time_ns
from spymaster.market.instruments import instrument
from spymaster.research.sample_tables import DateTables
from spymaster.settings import EngineSettings, Settings, get_settings
from spymaster.setups.averages import session_candles
from spymaster.setups.condition_scale import session_scale
from spymaster.setups.conditions import move_conditions
from spymaster.setups.episodes import session_episodes
from spymaster.setups.measures import measure_frames
from spymaster.setups.outcomes import session_outcomes
from spymaster.setups.session_vectors import session_vectors
from spymaster.setups.vector_scaler import session_scaler
from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.market import MarketDay
from spymaster.simulator.meetings import MeetingFile
from spymaster.simulator.profile import load_profile
from spymaster.simulator.schedule import SECOND_NS, segments
from spymaster.simulator.script import Script
from spymaster.surfaces.futures import FuturesPass
from spymaster.tables.session_level import SessionLevel
from spymaster.tables.types import TIMESTAMP

ES = instrument("ES")
TICK = ES.tick_size_int
SPACING = 24
"""Ticks between levels, as the files of meetings have it."""
REACH_TICKS = 192
"""How far from the first price there are levels."""
NEAR_TICKS = 60
"""Reach of the wall that is kept: more than any feature looks at."""
FIRST_DATE = date(2026, 1, 5)


@dataclass(frozen=True)
class Told:
    """What a manifest would say."""

    table: str = ""
    provenance: str = "simulated"


@dataclass(frozen=True)
class Held:
    """Rows of a table that are read like a stored partition."""

    table: str
    dt: date
    frame: pl.DataFrame
    symbol: str = "ES"
    manifest: Told = field(default_factory=Told)

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"{self.table} {self.symbol} {self.dt}"

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.frame.height

    @property
    def content_hash(self) -> str:
        """Of the rows."""
        return hashlib.sha256(str(self.frame.hash_rows().sum()).encode()).hexdigest()

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows."""
        return self.frame if columns is None else self.frame.select(columns)

    def scan(self, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """The same, lazily."""
        return self.read(columns).lazy()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The same, in one piece."""
        yield self.read(columns)


def held(table: str, dt: date, frame: pl.DataFrame) -> Partition:
    """`Held`, for functions that ask for a partition."""
    return cast("Partition", Held(table, dt, frame, manifest=Told(table)))


@dataclass(frozen=True)
class Meetings:
    """What was planted: time of each touch (int64[n], ns) and name of its variant."""

    touch: np.ndarray
    variant: tuple[str, ...]

    @classmethod
    def of(cls, market: MarketDay, file: MeetingFile | None) -> Meetings:
        """Those of a finished market."""
        if file is None:
            return cls(np.empty(0, dtype=np.int64), ())
        rows = market.state["meetings"][: int(market.state["n_meetings"])]
        names = [one.name for one in file.variant]
        return cls(rows["touch"].astype(np.int64), tuple(names[int(k)] for k in rows["variant"]))


@dataclass(frozen=True)
class Day:
    """A session: the surfaces that episodes and vectors come from, its measures, and the meetings it was given."""

    dt: date
    of: dict[str, Partition]
    meetings: Meetings


@dataclass(frozen=True)
class Shape:
    """How long sessions are, and how busy."""

    span: tuple[time, time] = (time(9, 30), time(10, 30))
    rate: float = 60.0
    """Messages a second."""
    spacing: int = SPACING
    """Ticks between levels; placebos need 24."""
    placebos: tuple[int, ...] = (SPACING // 2,)
    """Ticks from each level up to its placebos."""


def weekdays(count: int, first: date = FIRST_DATE) -> list[date]:
    """Dates in order on which there is trading at ten in New York."""
    found = []
    day = first
    while len(found) < count:
        ten = np.array([wall_time_ns(day, time(10))])
        if day.weekday() < 5 and phases(ten, "ES")[0] == CONTINUOUS:
            found.append(day)
        day += timedelta(days=1)
    return found


def simulated_market(
    dt: date, seed: int, shape: Shape, meetings: MeetingFile | None, *, walk: bool = True
) -> MarketDay:
    """A market of the random walk (or of `emergent` mode), with or without meetings."""
    parts = segments(dt, "ES", shape.span)
    seconds = sum(part.end_ns - part.start_ns for part in parts) / SECOND_NS
    profile = load_profile("es")
    return MarketDay(
        dt=dt, instrument=ES, contracts=contracts_on("ES", dt, profile.instrument.cycle), profile=profile, parts=parts,
        messages=round(shape.rate * seconds), seed=seed, walk=walk,
        script=Script("meetings", meetings=meetings) if meetings is not None else None,
    )  # fmt: skip


def surfaces(
    records: Iterable[np.ndarray], contract: str, instrument_id: int, dt: date, tables: Sequence[str]
) -> dict[str, pl.DataFrame]:
    """Tables of the engine pass over the records of a contract."""
    made: dict[str, list[pl.DataFrame]] = {}
    for block in FuturesPass(
        records, contract=contract, instrument_id=instrument_id, instrument=ES, tick_size_int=TICK, dt=dt,
        tables=tables, settings=EngineSettings(grid_ticks=NEAR_TICKS),
    ):  # fmt: skip
        for name, frame in block.items():
            made.setdefault(name, []).append(frame)
    frames = {name: pl.concat(parts) for name, parts in made.items()}
    return frames | {"future_definition": pl.DataFrame({"contract": [contract], "tick_size_int": [TICK]})}


def simulated_day(dt: date, seed: int, shape: Shape, meetings: MeetingFile | None, *, walk: bool = True) -> Day:
    """A session of the random walk (or of `emergent` mode), with or without meetings."""
    market = simulated_market(dt, seed, shape, meetings, walk=walk)
    contract = market.contracts[0]
    records = (block[block["instrument_id"] == contract.instrument_id] for block in market.records())
    tables = ("book_snapshot_1s", "wall_surface_1s", "trade", "bbo_change")
    frames = surfaces(records, contract.symbol, contract.instrument_id, dt, tables)
    frames["move_measure_1s"] = pl.concat(
        measure_frames([frames["wall_surface_1s"]], frames["book_snapshot_1s"], instrument=ES, tick_size_int=TICK)
    )
    of = {name: held(name, dt, frame) for name, frame in frames.items()}
    return Day(dt, of, Meetings.of(market, meetings))


def levels(day: Day, shape: Shape) -> pl.DataFrame:
    """Levels at round prices near the start of the session, valid throughout, and placebos between them.

    Placebos only where they are far enough from levels.
    """
    spacing = shape.spacing
    snapshot = day.of["book_snapshot_1s"].read(["window_end", "contract", "spot_ref_price_int"])
    spot = int(snapshot["spot_ref_price_int"].drop_nulls()[0])
    begin, end = (int(value) for value in snapshot["window_end"].to_physical()[[0, -1]])
    step = spacing * TICK
    shifts = (0, *shape.placebos) if spacing >= SPACING else (0,)
    around = REACH_TICKS // spacing
    rows: list[dict[str, Any]] = []
    for k in range(-around, around + 1):
        price = (spot // step + k) * step
        name = f"ES:{day.dt}:ROUND25:{k + around}"
        for shift in shifts:
            own = f"{name}:+{shift}" if shift else name
            rows.append(
                {
                    "contract": snapshot["contract"][0], "session_date": day.dt, "level_id": own,
                    "level_type": "ROUND25", "price_int": price + shift * TICK, "valid_from": begin, "valid_to": end,
                    "ts_source_first": begin, "ts_source_last": begin, "is_moving": False,
                    "is_partial_source": False, "group_id": f"{own}@{begin}", "tags": ["ROUND25"],
                    "is_placebo": shift > 0, "placebo_of": name if shift else None,
                    "placebo_shift_ticks": shift or None, "placebo_seed": 1 if shift else None,
                }
            )  # fmt: skip
    plain = {name: pl.Int64 if kind == TIMESTAMP else kind for name, kind in SessionLevel.schema().items()}
    frame = pl.DataFrame(rows, schema=plain)
    return frame.select(pl.col(name).cast(kind) for name, kind in SessionLevel.schema().items()).sort(SessionLevel.key)


@dataclass(frozen=True)
class Research:
    """Tables of sessions that the evaluation reads; `scale` and `scaler` are of `before`, sessions without a script."""

    dates: list[DateTables]
    meetings: list[Meetings]


def research(
    seeds: Sequence[int], shape: Shape, meetings: Sequence[MeetingFile | None], *, before: int = 3, walk: bool = True,
    settings: Settings | None = None,
) -> Research:  # fmt: skip
    """One session per seed and file of meetings (None: none), after `before` sessions that scales come from."""
    chosen = settings or get_settings()
    calendar = weekdays(before + len(seeds))
    usual = usual_values(calendar[:before], calendar[before], seeds[0], shape, chosen, walk=walk)
    dates, planted = [], []
    for dt, seed, file in zip(calendar[before:], seeds, meetings, strict=True):
        tables, met = session_tables(dt, seed, shape, file, usual, chosen, walk=walk)
        dates.append(tables)
        planted.append(met)
    return Research(dates, planted)


@dataclass(frozen=True)
class Usual:
    """What is usual before the sessions: scales of the conditions, and scalers of the vectors."""

    scale: pl.DataFrame
    scaler: pl.DataFrame


def usual_values(
    before: Sequence[date], own: date, seed: int, shape: Shape, chosen: Settings, *, walk: bool = True
) -> Usual:  # fmt: skip
    """From sessions without a script on the dates `before`, for those from `own` on."""
    usual = [simulated_day(dt, 1_000 + seed * 100 + k, shape, None, walk=walk)
             for k, dt in enumerate(before)]  # fmt: skip
    scale_rows = session_scale(
        [day.of["move_measure_1s"] for day in usual], [day.of["future_definition"] for day in usual], own,
        eps_qty=ES.eps_qty,
    )  # fmt: skip
    pools = [held("setup_vector", day.dt, _vectors(day, scale_rows, None, chosen)) for day in usual]
    return Usual(scale_rows, session_scaler(pools, own))


def session_tables(
    dt: date, seed: int, shape: Shape, file: MeetingFile | None, usual: Usual, chosen: Settings, *, walk: bool = True
) -> tuple[DateTables, Meetings]:
    """The tables of one session, and what was planted; its surfaces, many times larger, are not kept."""
    day = simulated_day(dt, seed, shape, file, walk=walk)
    return _tables(day, usual.scale, usual.scaler, chosen, shape), day.meetings


def _tables(
    day: Day, scale_rows: pl.DataFrame, scaler_rows: pl.DataFrame, settings: Settings, shape: Shape
) -> DateTables:
    of, dt = day.of, day.dt
    candles, episodes, outcomes = setups(day, settings, shape)
    conditions = move_conditions(
        of["move_measure_1s"].read(), scale_rows, eps_qty=ES.eps_qty, settings=settings.setups, profile="demo"
    )
    return DateTables(
        vectors=held("setup_vector", dt, _vectors(day, scale_rows, episodes, settings, candles)),
        episodes=episodes,
        outcomes=outcomes,
        scaler=held("vector_scaler", dt, scaler_rows),
        conditions=held("move_conditions_1s", dt, conditions),
        measures=of["move_measure_1s"],
        definitions=of["future_definition"],
    )


def setups(day: Day, settings: Settings, shape: Shape) -> tuple[Partition, Partition, Partition]:
    """Candles, episodes and outcomes of a session."""
    of, dt = day.of, day.dt
    candles = held("candle_2m", dt, _candles(day, settings))
    quotes, snapshot, definitions = of["bbo_change"], of["book_snapshot_1s"], of["future_definition"]
    placed = held("session_level", dt, levels(day, shape))
    episodes = held(
        "setup_episode", dt, session_episodes(placed, quotes, candles, snapshot, definitions, instrument=ES)
    )
    outcomes = session_outcomes(
        episodes, quotes, candles, snapshot, definitions, instrument=ES, settings=settings.setups
    )
    return candles, episodes, held("setup_outcome", dt, outcomes)


def _candles(day: Day, settings: Settings) -> pl.DataFrame:
    one = [day.of[name] for name in ("trade", "bbo_change", "book_snapshot_1s")]
    return session_candles([one[0]], [one[1]], [one[2]], [], day.of["future_definition"], settings=settings)


def _vectors(
    day: Day, scale_rows: pl.DataFrame, episodes: Partition | None, settings: Settings, candles: Partition | None = None
) -> pl.DataFrame:
    of = day.of
    bars = candles if candles is not None else held("candle_2m", day.dt, _candles(day, settings))
    scale = held("move_condition_scale", day.dt, scale_rows)
    return session_vectors(
        of["wall_surface_1s"], of["move_measure_1s"], of["trade"], of["book_snapshot_1s"], bars, scale,
        of["future_definition"], episodes, settings=settings,
    )  # fmt: skip


def session_number(dt: date) -> int:
    """Days since the epoch."""
    return int(np.datetime64(dt, "D").astype(np.int64))
