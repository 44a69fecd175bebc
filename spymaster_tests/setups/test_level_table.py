"""Levels of whole markets: every kind, groups, the evening after a close, and nothing of the future."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from spymaster.setups.averages import eligible, with_averages
from spymaster.setups.candles import at_market, day_bars
from spymaster.setups.session_levels import Sources, level_frame
from spymaster.tables.candle_2m import Candle2m
from spymaster.tables.session_level import SessionLevel
from spymaster.tables.types import TIMESTAMP
from spymaster_tests.setups.markets import DT, SECOND, TICK, ns, random_market, stored
from spymaster_tests.setups.test_levels import ES, NEXT, NO_STATISTICS, SETTINGS


@pytest.fixture(scope="module")
def market() -> list[pl.DataFrame]:
    return list(random_market(5, ns("08:45"), 5400))


def table(trade: pl.DataFrame, quote: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    bars = day_bars(trade, quote, second, instrument=ES, tick_size_int=TICK, off_market_ticks=4)
    frame = Candle2m.validate(with_averages(bars, eligible(bars, calendar="globex", rth=None), 0, []))
    kept = trade.filter(at_market(trade, quote, tick_size_int=TICK, reach_ticks=4))
    sources = Sources(DT, {DT: frame}, {DT: kept}, NO_STATISTICS, None)
    return SessionLevel.validate(level_frame(sources, "ESH4", TICK, ES, SETTINGS))


def known_at(frame: pl.DataFrame, cut: int) -> pl.DataFrame:
    """What can be known of the table at a time: rows that have begun, with the ends that have come."""
    at = pl.lit(cut).cast(TIMESTAMP)
    return frame.filter(pl.col("valid_from") <= at).with_columns(valid_to=pl.min_horizontal("valid_to", at))


def test_levels_of_one_group_are_near_one_another_and_groups_do_not_return(market: list[pl.DataFrame]):
    """From one member to the next there is a chain of members that hold at once, each near another."""
    frame = table(*market)
    assert frame.filter("is_placebo")["group_id"].is_unique().all()
    real = frame.filter(~pl.col("is_placebo")).sort("valid_from")
    span = real.group_by("group_id").agg(
        gap=(pl.col("valid_from") >= pl.col("valid_to").cum_max().shift(1)).any(),
        step=(pl.col("price_int").sort().diff() / TICK).max(),
    )
    assert not span["gap"].any()
    assert (span["step"].drop_nulls() <= 2).all()
    assert real["group_id"].n_unique() < real.height


def test_every_kind_of_level_is_found(market: list[pl.DataFrame]):
    kinds = set(table(*market)["level_type"].cast(pl.String).unique())
    assert kinds >= {"PMH", "ONL", "ORH5", "ORL30", "VWAP", "RVWAP_M2", "ROUND100", "SWH", "SWL"}


@pytest.mark.parametrize("seed", range(4))
def test_a_level_knows_nothing_of_what_comes_after_it(market: list[pl.DataFrame], seed: int):
    cut = ns("08:45") + int(np.random.default_rng(seed).integers(1200, 5000)) * SECOND + 1
    trade, quote, second = market
    other = random_market(seed + 50, ns("08:45"), 5400)
    early = pl.col("ts_event").to_physical() < cut
    last = int(trade.filter(early)["event_id"][-1])
    late_event = pl.col("event_id") > last
    late_second = pl.col("window_end").to_physical() > cut
    mixed = (
        pl.concat([trade.filter(early), other[0].filter(~early & late_event)]),
        pl.concat([quote.filter(~late_event), other[1].filter(late_event)]),
        pl.concat([second.filter(~late_second), other[2].filter(late_second)]),
    )
    one, two = table(trade, quote, second), table(*mixed)
    assert stored(known_at(one, cut)) == stored(known_at(two, cut))
    assert known_at(one, cut).height > 500
    assert not one.equals(two)


def test_evening_levels_are_of_the_next_session_and_of_the_day_that_has_closed():
    parts = [random_market(6, ns("15:30"), 1800), random_market(7, ns("18:00"), 1800)]
    shift = parts[0][0]["event_id"][-1] + 10
    trade = pl.concat([parts[0][0], parts[1][0].with_columns(pl.col("event_id") + shift)])
    quote = pl.concat([parts[0][1], parts[1][1].with_columns(pl.col("event_id") + shift)])
    frame = table(trade, quote, pl.concat([parts[0][2], parts[1][2]])).filter(~pl.col("is_placebo"))
    evening = frame.filter(pl.col("session_date") == NEXT)
    kinds = set(evening["level_type"].cast(pl.String))
    assert {"PDH", "PDL", "PDC", "VWAP", "HVN"} <= kinds
    assert not {"PMH", "ONH", "RVWAP", "ORH5"} & kinds
    assert evening["valid_from"].to_physical().min() == ns("18:00")
    high = evening.filter(pl.col("level_type") == "PDH")["price_int"][0]
    kept = parts[0][0].filter(at_market(parts[0][0], parts[0][1], tick_size_int=TICK, reach_ticks=4))
    assert high == kept["price_int"].max()
    assert frame.filter(pl.col("session_date") == DT).height > 0
