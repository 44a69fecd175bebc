"""`gold.retrieval_index`: the setups of earlier sessions that a question of the date is compared with."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.setup_episode import EPISODE_KINDS
from spymaster.tables.setup_outcome import OUTCOMES, TOUCH_HORIZONS_S
from spymaster.tables.setup_vector import VECTOR_FAMILIES
from spymaster.tables.types import PROVENANCE, TIMESTAMP


class RetrievalIndex(TableModel):
    """One row per earlier setup with a vector and a scored outcome, by family, kind and horizon: a panel each.

    The rows of a panel are numbered; the vectors themselves are those of `gold.setup_vector` (lead 0), scaled by the
    date's `gold.vector_scaler` when they are loaded. All sessions are earlier dates; placebos are not among them.
    """

    layer = "gold"
    name = "retrieval_index"
    key = ("family", "kind", "horizon_s", "panel_row")
    parameters = ("setups",)
    parquet = ParquetLayout(
        dictionary=(
            "index_id",
            "family",
            "layout_version",
            "kind",
            "group_id",
            "outcome",
            "scaler_sha256",
            "provenance",
        )
    )

    index_id = Column(pl.String, "hash of the panel: its rows, their vectors, and the scaler")
    family = Column(pl.String, "family of the vectors", isin=VECTOR_FAMILIES)
    layout_version = Column(pl.String, "their layout")
    vector_dim = Column(pl.Int32, "numbers of a vector", ge=1)
    kind = Column(pl.Enum(EPISODE_KINDS), "zoom of the setups")
    horizon_s = Column(pl.Int32, "time in which the outcome was looked for", unit="s", isin=TOUCH_HORIZONS_S)
    panel_row = Column(pl.Int32, "number in the panel, in order of the decisions", ge=0)
    episode_id = Column(pl.String, "as in setup_episode")
    vector_dt = Column(pl.Date, "date of the partition that holds episode and vector")
    session_date = Column(pl.Date, "trade date of the exchange")
    ts_decision = Column(TIMESTAMP, "as in setup_episode", unit="ns")
    direction = Column(pl.Int8, "+1 price came from below, -1 from above", isin=(-1, 1))
    group_id = Column(pl.String, "as in setup_episode")
    level_types = Column(pl.List(pl.String), "as in setup_episode")
    tod_sec = Column(pl.Int32, "time since 09:30 New York, negative before", unit="s")
    sigma_60 = Column(pl.Float64, "usual move of the mid over 60 s at the decision", unit="ticks", ge=0)
    outcome = Column(pl.Enum(OUTCOMES), "as in setup_outcome")
    t_hit_s = Column(pl.Float64, "time to the barrier; null for chop", unit="s", nullable=True, ge=0)
    mfe_ticks = Column(pl.Float64, "furthest along direction", unit="ticks", ge=0)
    mae_ticks = Column(pl.Float64, "furthest against direction", unit="ticks", ge=0)
    end_ticks = Column(pl.Float64, "move along direction at the end", unit="ticks")
    scaler_sha256 = Column(pl.String, "scaler of the date")
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "chop_has_no_hit",
            "t_hit_s is null exactly for chop",
            lambda pl: pl.col("t_hit_s").is_null() == (pl.col("outcome").cast(pl.String) == "chop"),
        ),
    )
