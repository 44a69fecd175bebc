"""A lake whose last date can be asked for analogues, and the second that is asked about."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from spymaster.lake import Lake
from spymaster.research.panels import earlier, session_index
from spymaster.setups.vector_scaler import select_sessions, session_scaler
from spymaster.tables.retrieval_index import RetrievalIndex
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.checks.sessions import DT, SYMBOL, build_lake
from spymaster_tests.research.lakes import DATES, session, store


def asked_lake(root: Path) -> Lake:
    """A session made by the engine, and eight earlier dates of setups."""
    made = build_lake(root)
    made.set_profile("demo")
    for number, dt in enumerate(DATES):
        for model, frame in session(dt, seed=number).items():
            store(made, model, dt, frame)
    before = select_sessions(made.partitions(SetupVector, SYMBOL), DT, made.settings)
    scaler = session_scaler(before, DT)
    store(made, VectorScaler, DT, scaler)
    past = [earlier(made.partitions(model, SYMBOL), DT) for model in (SetupVector, SetupEpisode, SetupOutcome)]
    store(
        made,
        RetrievalIndex,
        DT,
        session_index(past[0], past[1], past[2], scaler, DT, k_barrier=made.settings.setups.k_barrier),
    )
    return made


def latest(lake: Lake) -> dict:
    """The latest candidate with a vector: a row of `gold.setup_vector`."""
    rows = lake.partition(SetupVector, SYMBOL, DT).read().filter(pl.col("valid") & (pl.col("family") == "s1"))
    return rows.sort("ts_cutoff").row(-1, named=True)


def ns(asked: dict) -> int:
    return int(asked["ts_cutoff"].timestamp()) * 1_000_000_000
