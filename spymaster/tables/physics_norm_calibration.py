"""`gold.physics_norm_calibration`: the scales that turn a session's metrics into scores."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import CALIBRATION_BAND


class PhysicsNormCalibration(TableModel):
    """One row per metric and band: quantiles of active rows near spot in up to 20 earlier sessions.

    signed: N(x) = clip(0.5 + 0.5 x/scale, 0, 1); magnitude: N(x) = clip((x - q05)/(q95 - q05), 0, 1); ratio (the
    components of pressure, by distance from spot, idle buckets included): x/scale. The session's own rows are never in
    the pool, but on a first session without history (basis same_session), which enters no evaluation.
    """

    layer = "gold"
    name = "physics_norm_calibration"
    key = ("metric_name", "band")
    version = 2
    parameters = ("engine", "instrument", "calibration", "pressure")

    metric_name = Column(pl.String, "metric that is scaled, a column name of the surfaces")
    band = Column(
        CALIBRATION_BAND,
        "band whose sums are scaled, or distance of a pressure component; null for the metric of a single wall row",
        nullable=True,
    )
    kind = Column(pl.Enum(["signed", "magnitude", "ratio"]), "how the score is computed from the metric")
    q05 = Column(pl.Float64, "5 % quantile of the metric")
    q50 = Column(pl.Float64, "median of the metric")
    q95 = Column(pl.Float64, "95 % quantile of the metric")
    mean = Column(pl.Float64, "mean of the metric")
    scale = Column(
        pl.Float64,
        "signed: 95 % quantile of the absolute value; magnitude: q95 - q05; ratio: mean of a flow or median of rest, "
        "at least eps_qty",
        ge=0,
    )
    n_rows = Column(pl.Int64, "rows in the pool", unit="rows", ge=0)
    n_sessions = Column(pl.Int32, "sessions in the pool", unit="sessions", ge=0)
    basis = Column(pl.Enum(["prior_sessions", "same_session"]), "where the pool comes from")
    session_window = Column(pl.String, "first and last session of the pool, 2023-12-01/2023-12-22")
    asof_dt = Column(pl.Date, "last session of the pool")

    invariants = (
        Invariant(
            "quantiles_in_order",
            "q05 <= q50 <= q95",
            lambda pl: (pl.col("q05") <= pl.col("q50")) & (pl.col("q50") <= pl.col("q95")),
        ),
    )
