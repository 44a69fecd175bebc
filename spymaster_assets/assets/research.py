"""Gold: similar setups of earlier sessions, and models of the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.lake import Partition
from spymaster.settings import Settings
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.move_conditions_1s import MoveConditions1s
from spymaster.tables.move_measure_1s import MoveMeasure1s
from spymaster.tables.outcome_model import OutcomeModel
from spymaster.tables.retrieval_index import RetrievalIndex
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor
from spymaster.tables.retrieval_result import RetrievalResult
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, Same
from spymaster_assets.recipe import Session

YEAR = 260
"""Dates that a panel, or a model, reaches back: a year of weekdays."""


def _earlier(partitions: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    from spymaster.research.panels import earlier

    return earlier(partitions, dt)


@lake_assets(
    RetrievalIndex,
    # Up to the date itself, which is never read: a backfill by Dagster reaches a partition through its own date only.
    vectors=History(SetupVector, -YEAR, 0, select=_earlier),
    episodes=History(SetupEpisode, -YEAR, 0, select=_earlier),
    outcomes=History(SetupOutcome, -YEAR, 0, select=_earlier),
    scaler=Same(VectorScaler),
    lineage={
        "*": ("vector", "valid"),
        "panel_row": ("ts_decision",),
        "vector_dt": ("ts_cutoff",),
        "scaler_sha256": ("sha256",),
    },
)
def retrieval_index(
    session: Session,
    vectors: Sequence[Partition],
    episodes: Sequence[Partition],
    outcomes: Sequence[Partition],
    scaler: Partition,
):
    from spymaster.research.panels import session_index

    k_barrier = session.settings.setups.k_barrier
    return session_index(vectors, episodes, outcomes, scaler.read(), session.dt, k_barrier=k_barrier)


@lake_assets(
    RetrievalResult,
    RetrievalNeighbor,
    index=Same(RetrievalIndex),
    vectors=History(SetupVector, -YEAR, 0),
    episodes=Same(SetupEpisode),
    scaler=Same(VectorScaler),
    lineage={
        "*": ("vector", "outcome", "med", "mad"),
        "ts_query": ("ts_cutoff",),
        "median_mfe": ("mfe_ticks",),
        "median_mae": ("mae_ticks",),
        "end_q10": ("end_ticks",),
        "end_q90": ("end_ticks",),
    },
    kinds=("numba",),
)
def retrieval_result(
    session: Session, index: Partition, vectors: Sequence[Partition], episodes: Partition, scaler: Partition
):
    from spymaster.research.session_retrieval import session_retrieval

    return session_retrieval(
        index, vectors, episodes, scaler, settings=session.settings.retrieval, profile=session.lake.profile
    )


@lake_assets(
    OutcomeModel,
    # As with the index: the date itself is never read, but for its scaler, which knows earlier dates only.
    vectors=History(SetupVector, -YEAR, 0, select=_earlier),
    episodes=History(SetupEpisode, -YEAR, 0, select=_earlier),
    outcomes=History(SetupOutcome, -YEAR, 0, select=_earlier),
    conditions=History(MoveConditions1s, -YEAR, 0, select=_earlier),
    measures=History(MoveMeasure1s, -YEAR, 0, select=_earlier),
    definitions=History(FutureDefinition, -YEAR, 0, select=_earlier),
    results=History(RetrievalResult, -YEAR, 0, select=_earlier),
    scaler=Same(VectorScaler),
    lineage={
        "*": ("vector", "outcome", "b1_chop", "z_r_ask_w5", "soft_and_w5", "mid2_int", "p_break"),
        "last_label_end": ("ts_label_end",),
        "train_sessions": ("session_date",),
        "scaler_sha256": ("sha256",),
    },
)
def outcome_model(
    session: Session,
    vectors: Sequence[Partition],
    episodes: Sequence[Partition],
    outcomes: Sequence[Partition],
    conditions: Sequence[Partition],
    measures: Sequence[Partition],
    definitions: Sequence[Partition],
    results: Sequence[Partition],
    scaler: Partition,
):
    from spymaster.research.model_rules import ModelRules
    from spymaster.research.sample_tables import by_date
    from spymaster.research.session_models import session_models

    dates = by_date(
        vectors=vectors, episodes=episodes, outcomes=outcomes, conditions=conditions, measures=measures,
        definitions=definitions, results=results,
    )  # fmt: skip
    rules = ModelRules.of(session.settings.outcome_model, session.lake.profile)
    return session_models(dates, scaler, rules, k_barrier=session.settings.setups.k_barrier)
