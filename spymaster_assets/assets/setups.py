"""Silver and Gold: candles, levels and the conditions of a move."""

from __future__ import annotations

from collections.abc import Sequence

from spymaster.lake import Partition
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.candle_2m import Candle2m
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.future_statistics import FutureStatistics
from spymaster.tables.session_level import SessionLevel
from spymaster.tables.trade import Trade
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, Same
from spymaster_assets.recipe import Session


@lake_assets(
    Candle2m,
    trades=History(Trade, -5, 0),
    quotes=History(BboChange, -5, 0),
    snapshots=History(BookSnapshot1s, -5, 0),
    mbo=History(FutureMbo, -5, 0),
    definitions=Same(FutureDefinition),
    lineage={
        "*": ("ts_event", "price_int", "qty", "aggressor", "levels_consumed"),
        "n_msgs": ("message_count",),
        "sigma_bar_ticks": ("mid_price_int",),
        "roll_adj_int": ("price_int", "flags"),
        "is_halt": ("phase", "book_valid"),
        "is_complete": ("window_end", "is_partial"),
    },
)
def candle_2m(
    session: Session,
    trades: Sequence[Partition],
    quotes: Sequence[Partition],
    snapshots: Sequence[Partition],
    mbo: Sequence[Partition],
    definitions: Partition,
):
    from spymaster.setups.averages import session_candles

    return session_candles(trades, quotes, snapshots, mbo, definitions, settings=session.settings)


@lake_assets(
    SessionLevel,
    candles=History(Candle2m, -5, 0),
    trades=History(Trade, -5, 0),
    quotes=History(BboChange, -1, 0),
    statistics=History(FutureStatistics, -5, 0),
    definitions=History(FutureDefinition, -5, 0),
    lineage={
        "*": ("high_price_int", "low_price_int", "close_price_int", "vwap_price_int", "qty", "price_int"),
        "session_date": ("session_date",),
    },
)
def session_level(
    session: Session,
    candles: Sequence[Partition],
    trades: Sequence[Partition],
    quotes: Sequence[Partition],
    statistics: Sequence[Partition],
    definitions: Sequence[Partition],
):
    from spymaster.setups.session_levels import session_levels

    return session_levels(candles, trades, quotes, statistics, definitions, settings=session.settings)
