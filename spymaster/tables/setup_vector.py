"""`gold.setup_vector`: the seconds before a setup as a point that can be compared with others."""

from __future__ import annotations

from typing import Any

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import PROVENANCE, TIMESTAMP

VECTOR_KINDS = ("candidate", "candle", "touch")
VECTOR_FAMILIES = ("c120", "s1", "s5")
LEADS_S = (0, 5, 10, 30)


def _as_long_as_told(pl: Any) -> pl.Expr:
    return pl.col("vector").is_null() | (pl.col("vector").list.len() == pl.col("vector_dim"))


def _known_numbers(pl: Any) -> pl.Expr:
    numbers = pl.col("vector").list
    return pl.col("vector").is_null() | (numbers.sum().is_finite() & ~numbers.contains(None))


class SetupVector(TableModel):
    """One row per vector: what the book did in the windows that end with `ts_cutoff`, in the frame of a direction.

    Families: s1, 27 windows of a second; s5, of five seconds; c120, six windows of two minutes and the shape of six
    candles. Rows of kind candidate are of regular hours, every 30 seconds (c120: at the end of every candle), upwards;
    downwards is their mirror image. The others belong to an episode, and end `lead_s` before its decision. The numbers
    are raw: `gold.vector_scaler` makes them comparable. What each stands for: `spymaster tables vector_layout`.
    """

    layer = "gold"
    name = "setup_vector"
    key = ("family", "kind", "lead_s", "ts_cutoff", "direction", "episode_id")
    time_column = "ts_cutoff"
    parameters = ("engine", "instrument", "setups")
    parquet = ParquetLayout(dictionary=("family", "kind", "layout_version", "episode_id", "provenance"))

    episode_id = Column(pl.String, "row of setup_episode; null for candidates", nullable=True)
    kind = Column(pl.String, "what the cut-off is", isin=VECTOR_KINDS)
    direction = Column(pl.Int8, "+1 approach from below, -1 from above", isin=(-1, 1))
    family = Column(pl.String, "length of the windows", isin=VECTOR_FAMILIES)
    layout_version = Column(pl.String, "which number stands for what")
    vector_dim = Column(pl.Int32, "numbers of the vector", ge=1)
    lead_s = Column(pl.Int32, "seconds from the cut-off to the decision", unit="s", isin=LEADS_S)
    ts_cutoff = Column(TIMESTAMP, "end of the last window: nothing from then on is in the vector", unit="ns")
    sigma_60 = Column(
        pl.Float64,
        "usual move of the mid over 60 s at ts_cutoff, as in setup_episode; null if not known yet",
        unit="ticks",
        nullable=True,
        ge=0,
    )
    vector = Column(pl.List(pl.Float32), "the numbers; null where not valid", nullable=True)
    valid = Column(pl.Boolean, "every second of the look-back is valid, and earlier sessions tell what is usual")
    provenance = Column(PROVENANCE, "real or simulated, as in the manifest")

    invariants = (
        Invariant("as_long_as_told", "vector has vector_dim numbers", _as_long_as_told),
        Invariant("known_numbers", "no number of a vector is missing or infinite", _known_numbers),
        Invariant(
            "valid_is_known",
            "there is a vector exactly where valid, and then sigma_60",
            lambda pl: (
                (pl.col("vector").is_not_null() == pl.col("valid"))
                & (~pl.col("valid") | pl.col("sigma_60").is_not_null())
            ),
        ),
        Invariant(
            "candidates_have_no_episode",
            "episode_id is null exactly for candidates, which are upwards and without a lead",
            lambda pl: (
                (pl.col("episode_id").is_null() == (pl.col("kind") == "candidate"))
                & ((pl.col("kind") != "candidate") | ((pl.col("lead_s") == 0) & (pl.col("direction") == 1)))
            ),
        ),
        Invariant(
            "whole_seconds",
            "ts_cutoff is a whole second",
            lambda pl: pl.col("ts_cutoff").to_physical() % 1_000_000_000 == 0,
        ),
    )
