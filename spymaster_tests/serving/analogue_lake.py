"""The served lake with earlier dates of setups, their mids, and an index: everything that analogues are made from."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl

from spymaster.lake import Lake
from spymaster.market.dbn import SIM_DATASET
from spymaster.research.panels import earlier, session_index
from spymaster.serving.session import Session
from spymaster.setups.vector_scaler import select_sessions, session_scaler
from spymaster.tables.model import TableModel
from spymaster.tables.retrieval_index import RetrievalIndex
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.types import TIMESTAMP
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.checks.sessions import DT, SYMBOL, _PlainEncoding, copy_lake
from spymaster_tests.research.lakes import DATES, session, store
from spymaster_tests.serving.episodes import add_episodes
from spymaster_tests.setups.markets import SPOT, TICK

SECOND = 1_000_000_000
MEASURES, DEFINITIONS = "silver.move_measure_1s", "bronze.future_definition"
AROUND_S = 310


def analogue_lake(served: Lake, market: Session, root: Path) -> Lake:
    """A copy of the served lake, in the demo profile, with episodes on its later date and eight earlier dates."""
    lake = copy_lake(served, root)
    lake.set_profile("demo")
    add_episodes(lake, market)
    add_history(lake)
    return lake


def add_history(lake: Lake) -> None:
    """Earlier dates of setups, mids around each of them, and the scaler and index of the later date."""
    for number, dt in enumerate(DATES):
        for model, frame in session(dt, seed=number).items():
            store(lake, model, dt, frame)
        _add_mids(lake, dt, number)
    scaler = session_scaler(select_sessions(lake.partitions(SetupVector, SYMBOL), DT, lake.settings), DT)
    store(lake, VectorScaler, DT, scaler)
    past = [earlier(lake.partitions(model, SYMBOL), DT) for model in (SetupVector, SetupEpisode, SetupOutcome)]
    k_barrier = lake.settings.setups.k_barrier
    store(lake, RetrievalIndex, DT, session_index(past[0], past[1], past[2], scaler, DT, k_barrier=k_barrier))


def _add_mids(lake: Lake, dt: date, seed: int) -> None:
    """Seconds around the setups of a date, in which price comes to the level and then goes on, or does not."""
    told = lake.partition(SetupEpisode, SYMBOL, dt).read(["ts_decision", "direction"]).unique("ts_decision")
    rng = np.random.default_rng(seed)
    ends, mids = [], []
    for at, way in told.with_columns(pl.col("ts_decision").to_physical()).sort("ts_decision").rows():
        offset = np.arange(-AROUND_S, AROUND_S + 1)
        path = np.cumsum(rng.integers(-1, 2, len(offset)))
        path = path - path[AROUND_S] + np.where(offset < 0, way * offset // 15, 0)
        ends.append((at // SECOND + offset) * SECOND)
        mids.append(2 * SPOT + path * TICK)
    end = pl.Series(np.concatenate(ends)).cast(TIMESTAMP)
    rows = pl.DataFrame({"window_end": end, "mid2_int": np.concatenate(mids)}).unique("window_end").sort("window_end")
    one = lake.partition(MEASURES, SYMBOL, DT).read().tail(1).drop("window_end", "mid2_int")
    made = rows.join(one, how="cross")
    frames = {MEASURES: made, DEFINITIONS: lake.partition(DEFINITIONS, SYMBOL, DT).read()}
    with (
        mock.patch.object(TableModel, "validate"),
        mock.patch("spymaster.lake.writer.check_continuity"),
        mock.patch("spymaster.lake.writer.Encoding", _PlainEncoding),
    ):
        for name, frame in frames.items():
            with lake.writer(name, SYMBOL, dt) as writer:
                writer.write(frame.select(lake.partition(name, SYMBOL, DT).read().columns))
                writer.commit(provenance="simulated", dataset=SIM_DATASET)
