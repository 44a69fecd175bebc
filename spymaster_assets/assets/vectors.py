"""Gold: setup vectors and what makes them comparable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.lake import Partition
from spymaster.settings import Settings
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.candle_2m import Candle2m
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.move_condition_scale import MoveConditionScale
from spymaster.tables.move_measure_1s import MoveMeasure1s
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.trade import Trade
from spymaster.tables.vector_scaler import VectorScaler
from spymaster.tables.wall_surface_1s import WallSurface1s
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, Same
from spymaster_assets.recipe import Session


@lake_assets(
    SetupVector,
    wall=Same(WallSurface1s),
    measures=Same(MoveMeasure1s),
    trades=Same(Trade),
    snapshot=Same(BookSnapshot1s),
    candles=Same(Candle2m),
    scale=Same(MoveConditionScale),
    definitions=Same(FutureDefinition),
    episodes=Same(SetupEpisode),
    lineage={
        "*": (
            "depth_qty_start",
            "depth_qty_end",
            "depth_qty_rest",
            "add_qty",
            "pull_qty_total",
            "pull_qty_rest",
            "fill_qty",
            "ofi_1",
            "queue_imb",
            "mid2_int",
            "qty",
            "levels_consumed",
            "close_price_int",
            "median",
            "value_json",
        ),
        "ts_cutoff": ("ts_decision", "window_end"),
        "sigma_60": ("mid_price_int",),
        "valid": ("valid",),
    },
    kinds=("numba",),
)
def setup_vector(
    session: Session,
    wall: Partition,
    measures: Partition,
    trades: Partition,
    snapshot: Partition,
    candles: Partition,
    scale: Partition,
    definitions: Partition,
    episodes: Partition,
):
    from spymaster.setups.session_vectors import layouts, session_vectors

    session.notes["layouts"] = layouts()
    return session_vectors(
        wall, measures, trades, snapshot, candles, scale, definitions, episodes, settings=session.settings
    )


def _scaler_sessions(vectors: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    from spymaster.setups.vector_scaler import select_sessions

    return select_sessions(vectors, dt, settings)


@lake_assets(
    VectorScaler,
    # As with the scale of the conditions: the date itself is never read.
    sessions=History(SetupVector, -30, 0, select=_scaler_sessions),
    lineage={"*": ("vector", "kind", "layout_version")},
)
def vector_scaler(session: Session, sessions: Sequence[Partition]):
    from spymaster.setups.session_vectors import layouts
    from spymaster.setups.vector_scaler import session_scaler

    session.notes["layouts"] = layouts()
    return session_scaler(sessions, session.dt)
