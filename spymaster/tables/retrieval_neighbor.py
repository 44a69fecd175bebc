"""`gold.retrieval_neighbor`: the earlier setups that an answer rests on."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.setup_outcome import OUTCOMES
from spymaster.tables.types import PROVENANCE, TIMESTAMP


class RetrievalNeighbor(TableModel):
    """One row per question and neighbour, nearest first; what came of it, and what it is alike and unlike in."""

    layer = "gold"
    name = "retrieval_neighbor"
    key = ("query_id", "rank")
    time_column = "ts_decision"
    parameters = ("setups", "retrieval")
    parquet = ParquetLayout(dictionary=("query_id", "outcome", "provenance"))

    query_id = Column(pl.String, "as in retrieval_result")
    rank = Column(pl.Int32, "1 is the nearest", ge=1)
    episode_id = Column(pl.String, "the earlier setup")
    session_date = Column(pl.Date, "its trade date")
    ts_decision = Column(TIMESTAMP, "its decision", unit="ns")
    direction = Column(pl.Int8, "+1 price came from below, -1 from above", isin=(-1, 1))
    level_types = Column(pl.List(pl.String), "kinds of levels it was at")
    distance = Column(pl.Float64, "between the scaled vectors", ge=0)
    weight = Column(pl.Float64, "exp(-distance^2/(2 d_k^2))", gt=0, le=1)
    outcome = Column(pl.Enum(OUTCOMES), "what came of it")
    t_hit_s = Column(pl.Float64, "time to the barrier; null for chop", unit="s", nullable=True, ge=0)
    mfe_ticks = Column(pl.Float64, "furthest along direction", unit="ticks", ge=0)
    mae_ticks = Column(pl.Float64, "furthest against direction", unit="ticks", ge=0)
    end_ticks = Column(pl.Float64, "move along direction at the end", unit="ticks")
    alike_dims = Column(pl.List(pl.String), "numbers of the vectors, of those that vary, that differ least")
    unlike_dims = Column(pl.List(pl.String), "numbers that differ most")
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "chop_has_no_hit",
            "t_hit_s is null exactly for chop",
            lambda pl: pl.col("t_hit_s").is_null() == (pl.col("outcome").cast(pl.String) == "chop"),
        ),
    )
