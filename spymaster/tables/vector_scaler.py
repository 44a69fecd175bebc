"""`gold.vector_scaler`: what makes the numbers of setup vectors comparable, from earlier sessions."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.setup_vector import VECTOR_FAMILIES


class VectorScaler(TableModel):
    """One row per family and layout: median and spread of every number over candidates of earlier sessions.

    Both directions of every candidate are in the pool. A vector is scaled as

        clip((x - med)/(1.4826 mad), -8, 8) halved for every difference: orders and deltas

    and a number that never varies (dead_dims) counts as 0. Vectors of different dates are scaled by one row: that of
    the date of the question.
    """

    layer = "gold"
    name = "vector_scaler"
    version = 2
    key = ("family", "layout_version")
    parameters = ("setups",)

    family = Column(pl.String, "family of the vectors", isin=VECTOR_FAMILIES)
    layout_version = Column(pl.String, "layout of the vectors")
    vector_dim = Column(pl.Int32, "numbers of a vector", ge=1)
    sessions_used = Column(pl.List(pl.Date), "dates of the pool, in order; none where there is no earlier vector")
    n_rows = Column(pl.Int64, "candidates of the pool", unit="rows", ge=0)
    med = Column(pl.List(pl.Float64), "median of each number; null if the pool is empty", nullable=True)
    mad = Column(
        pl.List(pl.Float64), "median absolute deviation of each number; null if the pool is empty", nullable=True
    )
    dead_dims = Column(pl.List(pl.Int32), "numbers that never vary: mad is 0")
    sha256 = Column(pl.String, "hash of family, layout, med and mad")

    invariants = (
        Invariant(
            "empty_pool_is_null",
            "med and mad are null exactly where the pool is empty, and otherwise vector_dim numbers",
            lambda pl: pl.all_horizontal(
                [
                    (pl.col(name).is_null() == (pl.col("n_rows") == 0))
                    & (pl.col(name).is_null() | (pl.col(name).list.len() == pl.col("vector_dim")))
                    for name in ("med", "mad")
                ]
            ),
        ),
        Invariant(
            "mad_not_negative",
            "no mad is negative",
            lambda pl: pl.col("mad").is_null() | (pl.col("mad").list.min() >= 0),
        ),
        Invariant(
            "rows_need_sessions",
            "as many sessions as rows, at most, and none without rows",
            lambda pl: (
                (pl.col("sessions_used").list.len() <= pl.col("n_rows"))
                & ((pl.col("n_rows") == 0) == (pl.col("sessions_used").list.len() == 0))
            ),
        ),
    )
