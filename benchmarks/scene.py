"""The scene of the pre-market high as the tables of the product show it: simulate, make the tables, take figures.

Nothing here knows what was planted: every figure comes from the frames that the engine pass and the surfaces make of
the simulated records. Prices are points, times New York's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import Any

import numpy as np
import polars as pl

from spymaster.market.instruments import instrument
from spymaster.simulator.agent_plan import AgentFile, plan_agents
from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.handover import Carried
from spymaster.simulator.market import MarketDay
from spymaster.simulator.profile import load_profile
from spymaster.simulator.schedule import SECOND_NS, segments
from spymaster.simulator.script import Script, clock_ns
from spymaster.surfaces.calibration import calibration_frame, session_pool
from spymaster.surfaces.futures import FuturesPass
from spymaster.surfaces.pressure import Buckets, PressurePass
from spymaster.surfaces.pressure_pool import PressurePool
from spymaster.surfaces.vacuum import vacuum_frames
from spymaster.tables import table as table_model

ES = instrument("ES")
POINT = 1_000_000_000
TAU_S = 15.0
"""Flows are remembered over this time, as the pressure surface does."""
NEAR_TICKS = 60
BUCKETS = Buckets(ES.tick_size_int, ES.bucket_ticks, NEAR_TICKS)
"""Those that lie within what is held of the wall: 14 points on either side of spot."""


@dataclass(frozen=True)
class Session:
    """A finished date: the market that wrote it, and its tables; `wall` holds what is near the price."""

    dt: date
    market: MarketDay
    tables: dict[str, pl.DataFrame]

    @property
    def wall(self) -> pl.DataFrame:
        return self.tables["wall_surface_1s"]

    @property
    def seconds(self) -> pl.DataFrame:
        return self.tables["book_snapshot_1s"]

    @property
    def trades(self) -> pl.DataFrame:
        return self.tables["trade"]

    def at(self, wall: str, before_s: int = 0) -> pl.Expr:
        """A New York time of the date, or so many seconds before it, as `window_end` and `ts_event` have it."""
        return pl.lit(clock_ns(self.dt, wall) - before_s * SECOND_NS).cast(pl.Datetime("ns", "UTC"))


def session(
    dt: date, span: tuple[time, time], messages: int, *, script: Any = None, seed: int = 7,
    carried: Carried | None = None, agents: AgentFile | None = None, tables: bool = True,
) -> Session:  # fmt: skip
    """Simulate a date (`script` makes its script from first and last ns) and its futures tables."""
    profile, parts = load_profile("es"), segments(dt, "ES", span)
    planted: Script | None = script(parts[0].start_ns, parts[-1].end_ns) if script else None
    seconds = (parts[-1].end_ns - parts[0].start_ns) / SECOND_NS
    market = MarketDay(
        dt=dt, instrument=ES, contracts=contracts_on("ES", dt, profile.instrument.cycle), profile=profile, parts=parts,
        messages=messages, seed=seed, carried=carried, agents=plan_agents(agents or AgentFile(), messages, seconds),
        script=planted,
    )  # fmt: skip
    contract = market.contracts[0]

    def records() -> Iterator[np.ndarray]:
        for block in market.records():
            yield block[block["instrument_id"] == contract.instrument_id]

    if not tables:
        for _ in records():
            pass
        return Session(dt, market, {})
    made: dict[str, list[pl.DataFrame]] = {}
    for block in FuturesPass(
        records(), contract=contract.symbol, instrument_id=contract.instrument_id, instrument=ES,
        tick_size_int=ES.tick_size_int, dt=dt,
    ):  # fmt: skip
        for name, frame in block.items():
            table_model(f"silver.{name}").validate(frame)
            made.setdefault(name, []).append(
                frame.filter(pl.col("rel_ticks").abs() <= NEAR_TICKS) if name == "wall_surface_1s" else frame
            )
    return Session(dt, market, {name: pl.concat(frames) for name, frames in made.items()})


def bucket(column: str) -> pl.Expr:
    """The whole point of a price: 6802.00 to 6802.75 are 6802."""
    return pl.col(column) // POINT


def usual_rested(day: Session, side: str) -> float:
    """Median of what has rested on a point two or three away from that of the last trade, on its own side."""
    sign = 1 if side == "A" else -1
    near = (
        day.wall.filter((pl.col("side") == side) & pl.col("window_valid"))
        .with_columns(away=(bucket("price_int") - bucket("spot_ref_price_int")) * sign)
        .filter(pl.col("away").is_in([2, 3]))
        .group_by("window_end", "away")
        .agg(pl.col("depth_qty_rest").sum())
    )
    empty = 2 * int(day.seconds["window_valid"].to_numpy().sum()) - near.height
    return float(np.median(np.append(near["depth_qty_rest"].to_numpy(), np.zeros(max(empty, 0)))))


def rested(day: Session, wall: str, side: str, low: float, high: float) -> int:
    """What has rested from one price to another at the end of a second."""
    return int(
        day.wall.filter(
            (pl.col("window_end") == day.at(wall)) & (pl.col("side") == side)
            & pl.col("price_int").is_between(round(low * POINT), round(high * POINT))
        )["depth_qty_rest"].sum()
    )  # fmt: skip


def book_flow(day: Session, wall: str) -> dict[int, tuple[float, float]]:
    """By point: for the longs (bids added, asks pulled) and for the shorts, each decayed to the given time."""
    end = clock_ns(day.dt, wall)
    rows = (
        day.wall.filter((pl.col("window_end") <= day.at(wall)) & (pl.col("window_end") > day.at(wall, 90)))
        .with_columns(
            point=bucket("price_int"),
            weight=((pl.col("window_end").dt.epoch("ns") - end) / (TAU_S * SECOND_NS)).exp(),
            bid=pl.col("side") == "B",
        )
        .with_columns(
            long=pl.when("bid").then("add_qty").otherwise("pull_qty_total") * pl.col("weight"),
            short=pl.when("bid").then("pull_qty_total").otherwise("add_qty") * pl.col("weight"),
        )
        .group_by("point")
        .agg(pl.col("long").sum(), pl.col("short").sum())
    )
    return {int(point): (long, short) for point, long, short in rows.select("point", "long", "short").iter_rows()}


def pressure(day: Session, earlier: Session) -> pl.DataFrame:
    """`silver.pressure_surface_1s` of the date within `BUCKETS`, on scales of the earlier one; no options."""
    pool = session_pool(
        [earlier.wall], eps_qty=ES.eps_qty, pressure=PressurePool(BUCKETS, decay_s=TAU_S)
    )  # fmt: skip
    scales = calibration_frame({earlier.dt: pool}, day.dt, eps_qty=ES.eps_qty)
    return pl.concat(PressurePass([day.wall], day.seconds, scales, buckets=BUCKETS)).with_columns(
        point=pl.col("bucket_price_int") // POINT
    )


def mids(day: Session, first: str, last: str) -> np.ndarray:
    """Mid at the end of each second from just after `first` to `last`."""
    return day.seconds.filter((pl.col("window_end") > day.at(first)) & (pl.col("window_end") <= day.at(last)))[
        "mid_price"
    ].to_numpy()


def quoted_mids(day: Session, first: str, last: str) -> np.ndarray:
    """Mid after every change of the best prices from `first` on to `last`."""
    rows = day.tables["bbo_change"].filter(pl.col("ts_event").is_between(day.at(first), day.at(last)))
    return (rows["bid_price_int"] + rows["ask_price_int"]).to_numpy() / (2 * POINT)


def prints(day: Session, first: str, last: str) -> np.ndarray:
    """Prices of trades from `first` to before `last`."""
    rows = day.trades.filter((pl.col("ts_event") >= day.at(first)) & (pl.col("ts_event") < day.at(last)))
    return rows["price_int"].to_numpy() / POINT


def longest_run(flags: np.ndarray) -> int:
    """Length of the longest run of true values."""
    best = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        best = max(best, run)
    return best


def vacuum_scores(day: Session, earlier: Session, wall: str) -> dict[float, float]:
    """Vacuum score of each ask price at the end of a second, on scales of the earlier date."""
    pool = session_pool([earlier.wall], eps_qty=ES.eps_qty)
    scales = calibration_frame({earlier.dt: pool}, day.dt)
    minute = day.wall.filter((pl.col("window_end") <= day.at(wall)) & (pl.col("window_end") > day.at(wall, 60)))
    found = pl.concat(vacuum_frames([minute], scales, eps_qty=ES.eps_qty)).filter(
        (pl.col("window_end") == day.at(wall)) & (pl.col("side") == "A")
    )
    return dict(zip((found["price_int"] / POINT).to_list(), found["vacuum_score"].to_list(), strict=True))
