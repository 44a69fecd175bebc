"""What the scene of the pre-market high must show on the tables: the simulator's tests and its benchmark ask the same.

Each function raises `AssertionError` where a condition does not hold.
"""

from __future__ import annotations

from datetime import date, time

import numpy as np
import polars as pl

from benchmarks import scene
from benchmarks.scene import Session
from spymaster.settings import get_settings
from spymaster.setups.condition_scale import columns, empty_pool, scale_of
from spymaster.setups.conditions import move_conditions
from spymaster.setups.measures import measure_frames
from spymaster.simulator.pm_high import LEVEL, WALL, pm_high
from spymaster.simulator.script_truth import episode_columns
from spymaster.simulator.touches import OUTCOMES, touches
from spymaster.tables.move_measure_1s import HORIZONS

EARLIER, DT = date(2026, 1, 5), date(2026, 1, 6)
READING = "09:44:45"


def two_dates(
    earlier: tuple[time, time], main: tuple[time, time], *, rate: int = 100, main_rate: int = 220, seed: int = 7
) -> tuple[Session, Session]:
    """An earlier date that is touched now and then, and the main date, at so many messages a second."""

    def seconds(span: tuple[time, time]) -> int:
        return (span[1].hour - span[0].hour) * 3_600 + (span[1].minute - span[0].minute) * 60

    first = scene.session(
        EARLIER,
        earlier,
        rate * seconds(earlier),
        script=lambda low, high: touches(EARLIER, 6792.0, OUTCOMES, low, high),
        seed=seed,
    )
    second = scene.session(
        DT,
        main,
        main_rate * seconds(main),
        script=lambda low, _: pm_high(DT, low),
        carried=first.market.carried(),
        seed=seed,
    )
    return first, second


def require_price_holds_below_the_level(day: Session) -> None:
    assert scene.prints(day, "09:30:00", "09:44:00").max() < LEVEL
    quoted, seen = scene.quoted_mids(day, "09:44:30", "09:44:50"), scene.mids(day, "09:44:30", "09:44:50")
    for found in (quoted, seen):
        assert 6798.75 <= found.min(initial=6799) <= found.max(initial=6799) <= 6799.25
    assert scene.prints(day, "09:44:00", READING)[-1] == 6799.0


def require_longs_outpace_up_to_a_point_above(day: Session, earlier: Session) -> None:
    flow = scene.book_flow(day, READING)
    for point, least in ((6799, 1.0), (6800, 2.0), (6801, 2.0)):
        long, short = flow[point]
        assert long > least * short, (point, long, short)
    long, short = flow[6802]
    assert short > 1.5 * long
    score = scene.vacuum_scores(day, earlier, READING)
    leaving = [value for price, value in score.items() if 6799.5 <= price <= 6801.75]
    building = [value for price, value in score.items() if WALL[0] <= price <= WALL[1]]
    assert np.mean(leaving) > 0.5 > np.mean(building)


def require_table_says_it(day: Session, earlier: Session) -> None:
    """The sentence of the reading, from `pressure_surface_1s` alone."""
    table = scene.pressure(day, earlier)
    said = {
        wall: {row["point"]: row for row in table.filter(pl.col("window_end") == day.at(wall)).iter_rows(named=True)}
        for wall in ("09:44:35", "09:44:40", READING)
    }
    for point in (6799, 6800, 6801):
        assert said[READING][point]["net_pressure"] > 0, (point, said[READING][point])
    wall = [said[time][6802] for time in ("09:44:35", "09:44:40", READING)]
    assert wall[-1]["net_pressure"] < -0.5
    assert 8.8 <= wall[-1]["rest_ratio_ask"] <= 9.8
    assert wall[0]["rest_ratio_ask"] < wall[1]["rest_ratio_ask"] < wall[2]["rest_ratio_ask"]


def require_wall_builds_two_points_above(day: Session, earlier: Session) -> None:
    usual = scene.usual_rested(earlier, "A")
    ratio = {wall: scene.rested(day, wall, "A", *WALL) / usual for wall in ("09:44:35", "09:44:44", READING)}
    assert 8.8 <= ratio[READING] <= 9.8
    assert ratio[READING] > ratio["09:44:44"]
    assert abs(ratio[READING] / ratio["09:44:35"] / 1.05**10 - 1) <= 0.1


def require_bids_are_thin_below(day: Session, earlier: Session) -> None:
    usual = scene.usual_rested(earlier, "B")
    assert scene.rested(day, READING, "B", 6796.75, 6797.5) <= 0.2 * usual
    ticks = [6798.75 - 0.25 * k for k in range(20)]
    most = max(scene.rested(day, READING, "B", price, price) for price in ticks)
    assert most < 0.5 * 9.3 * usual / 4


def require_wall_holds_and_price_turns(day: Session) -> None:
    up = scene.mids(day, "09:44:50", "09:46:00")
    assert up.max() >= 6801.75
    assert scene.prints(day, "09:44:50", "09:46:00").max() <= WALL[0]
    assert scene.longest_run(up > 6801.5) >= 10
    assert up[-1] < LEVEL
    at_48, at_54 = (scene.mids(day, "09:46:00", wall)[-1] for wall in ("09:48:00", "09:54:00"))
    assert at_48 <= LEVEL - 4
    assert at_54 <= at_48 - 6


def require_conditions_of_the_turn(day: Session, earlier: Session) -> None:
    """In the last ten seconds before the turn asks and bids rest further and further away and are pulled."""
    scale = pl.concat([_scale(earlier, horizon) for horizon in HORIZONS])
    told = move_conditions(
        _measures(day), scale, eps_qty=scene.ES.eps_qty, settings=get_settings().setups, profile="demo"
    )
    turn = told.filter(pl.col("window_end").is_between(day.at("09:45:22"), day.at("09:45:30")))
    z = turn.select("z_r_ask_w5", "z_n_ask_w5", "z_r_bid_w5", "z_n_bid_w5").to_numpy()
    assert (z >= 0.5).mean(axis=0).min() >= 0.75
    assert (turn["state_name_w5"].cast(pl.String) == "both_vacuum").to_numpy().mean() >= 0.5


def _measures(day: Session) -> pl.DataFrame:
    tick = scene.ES.tick_size_int
    return pl.concat(list(measure_frames([day.wall], day.seconds, instrument=scene.ES, tick_size_int=tick)))


def _scale(earlier: Session, horizon: int) -> pl.DataFrame:
    """Of the one earlier date, which counts twice: the demo profile asks for two."""
    rows = _measures(earlier).select(columns(horizon)).filter("valid")
    days = [rows.with_columns(dt=pl.lit(day)) for day in (EARLIER, DT)]
    return scale_of(pl.concat([empty_pool(horizon), *days]), horizon)


def require_first_episode(earlier: Session, day: Session) -> None:
    """The reading at 09:44:45 and the rejection that follows."""
    require_price_holds_below_the_level(day)
    require_longs_outpace_up_to_a_point_above(day, earlier)
    require_table_says_it(day, earlier)
    require_wall_builds_two_points_above(day, earlier)
    require_bids_are_thin_below(day, earlier)
    require_wall_holds_and_price_turns(day)
    require_conditions_of_the_turn(day, earlier)


def require_morning(earlier: Session, day: Session) -> None:
    """Both high prices before the open, the first episode, and the two that follow it."""
    assert scene.prints(earlier, "04:00:00", "09:30:00").max() == 6792.0
    assert scene.prints(day, "04:00:00", "09:30:00").max() == LEVEL
    require_first_episode(earlier, day)
    # second contact: no trade at the level before 10:10, a close above, then within two points
    assert scene.prints(day, "09:46:00", "10:10:00").max() < LEVEL
    after = scene.mids(day, "10:10:00", "10:20:00")
    assert after[119] > LEVEL
    assert np.abs(after[120:] - after[239]).max() <= 2.0
    # third contact: through
    later = {wall: scene.mids(day, "10:38:00", wall)[-1] for wall in ("10:40:00", "10:44:00", "10:50:00")}
    assert later["10:40:00"] < LEVEL
    assert later["10:50:00"] - later["10:44:00"] >= 6
    assert scene.mids(day, "10:40:00", "10:55:00").max() >= LEVEL + 12
    quotes = np.concatenate(day.market.truth.quotes)
    realised = episode_columns(day.market.script, day.market.state, quotes)["realised_outcome"].to_pylist()
    assert realised == ["reject", "chop", "break"]
