"""Silver and Gold: candles, levels, the conditions of a move, episodes and their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.lake import Partition
from spymaster.settings import Settings
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.candle_2m import Candle2m
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.future_statistics import FutureStatistics
from spymaster.tables.gex_level_1m import GexLevel1m
from spymaster.tables.move_condition_scale import MoveConditionScale
from spymaster.tables.move_conditions_1s import MoveConditions1s
from spymaster.tables.move_measure_1s import MoveMeasure1s
from spymaster.tables.session_level import SessionLevel
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster.tables.trade import Trade
from spymaster.tables.wall_surface_1s import WallSurface1s
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


def _traded_dates(partitions: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    from spymaster.setups.session_levels import traded_dates

    return traded_dates(partitions, dt, settings)


@lake_assets(
    SessionLevel,
    candles=History(Candle2m, -5, 0),
    trades=History(Trade, -5, 0, select=_traded_dates),
    quotes=History(BboChange, -5, 0, select=_traded_dates),
    statistics=History(FutureStatistics, -5, 0),
    definitions=History(FutureDefinition, -5, 0),
    gex=Same(GexLevel1m, optional=True),
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
    gex: Partition | None,
):
    from spymaster.setups.session_levels import session_levels

    return session_levels(candles, trades, quotes, statistics, definitions, gex=gex, settings=session.settings)


@lake_assets(
    MoveMeasure1s,
    wall=Same(WallSurface1s),
    snapshot=Same(BookSnapshot1s),
    definitions=Same(FutureDefinition),
    lineage={
        "*": (
            "depth_qty_start",
            "depth_qty_end",
            "add_qty",
            "pull_qty_total",
            "fill_qty",
            "reprice_away_qty",
            "reprice_toward_qty",
            "best_bid_price_int",
            "best_ask_price_int",
        ),
        "msgs": ("message_count",),
        "valid": ("window_valid", "crossed", "phase"),
    },
    kinds=("numba",),
)
def move_measure_1s(session: Session, wall: Partition, snapshot: Partition, definitions: Partition):
    from spymaster.setups.measures import session_measures

    return session_measures(wall, snapshot, definitions, instrument=session.instrument)


def _scale_sessions(measures: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    from spymaster.setups.condition_scale import select_sessions

    return select_sessions([one for one in measures if one.dt < dt], dt, settings)


@lake_assets(
    MoveConditionScale,
    # Up to the date itself, which is never read: a backfill by Dagster reaches a partition through its own date only.
    sessions=History(MoveMeasure1s, -30, 0, select=_scale_sessions),
    definitions=History(FutureDefinition, -30, 0, dates_of="sessions"),
    lineage={
        "*": ("q0_ask_w5", "add_ask_w5", "pull_ask_w5", "fill_ask_w5", "c0_ask_w5", "c1_ask_w5", "msgs", "absorb"),
        "value_json": ("ofi_1", "q0_ask_w1", "q1_ask_w1", "queue_imb", "spread_ticks", "mid2_int", "tick_size_int"),
    },
)
def move_condition_scale(session: Session, sessions: Sequence[Partition], definitions: Sequence[Partition]):
    from spymaster.setups.condition_scale import session_scale

    return session_scale(sessions, definitions, session.dt, eps_qty=session.instrument.eps_qty)


@lake_assets(
    MoveConditions1s,
    measures=Same(MoveMeasure1s),
    scale=Same(MoveConditionScale),
    lineage={"*": ("q0_ask_w5", "add_ask_w5", "pull_ask_w5", "fill_ask_w5", "c0_ask_w5", "c1_ask_w5", "median", "mad")},
    kinds=("numba",),
)
def move_conditions_1s(session: Session, measures: Partition, scale: Partition):
    from spymaster.setups.conditions import move_conditions

    return move_conditions(
        measures.read(),
        scale.read(),
        eps_qty=session.instrument.eps_qty,
        settings=session.settings.setups,
        profile=session.lake.profile,
    )


@lake_assets(
    SetupEpisode,
    levels=Same(SessionLevel),
    quotes=Same(BboChange),
    candles=Same(Candle2m),
    snapshots=Same(BookSnapshot1s),
    definitions=Same(FutureDefinition),
    lineage={
        "*": ("level_id", "price_int", "valid_from", "valid_to", "bid_price_int", "ask_price_int", "mid_price_int"),
        "trigger_bar": ("bar_index", "high_price_int", "low_price_int", "close_price_int"),
        "spot_ref_price_int": ("spot_ref_price_int",),
        "msg_rate_rel": ("message_count",),
        "valid": ("window_valid", "crossed", "phase", "is_complete", "is_halt"),
    },
    kinds=("numba",),
)
def setup_episode(
    session: Session,
    levels: Partition,
    quotes: Partition,
    candles: Partition,
    snapshots: Partition,
    definitions: Partition,
):
    from spymaster.setups.episodes import session_episodes

    return session_episodes(levels, quotes, candles, snapshots, definitions, instrument=session.instrument)


@lake_assets(
    SetupOutcome,
    episodes=Same(SetupEpisode),
    quotes=Same(BboChange),
    candles=Same(Candle2m),
    snapshots=Same(BookSnapshot1s),
    definitions=Same(FutureDefinition),
    lineage={
        "*": ("p0_mid2_int", "level_price_int", "sigma_15", "bid_price_int", "ask_price_int"),
        "bar_close_side_1": ("close_price_int",),
        "episode_id": ("episode_id",),
    },
    kinds=("numba",),
)
def setup_outcome(
    session: Session,
    episodes: Partition,
    quotes: Partition,
    candles: Partition,
    snapshots: Partition,
    definitions: Partition,
):
    from spymaster.setups.outcomes import session_outcomes

    return session_outcomes(
        episodes,
        quotes,
        candles,
        snapshots,
        definitions,
        instrument=session.instrument,
        settings=session.settings.setups,
    )
