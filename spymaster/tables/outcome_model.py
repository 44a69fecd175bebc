"""`gold.outcome_model`: what earlier sessions tell about the outcome of a setup, as models."""

from __future__ import annotations

from typing import Any

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.setup_episode import EPISODE_KINDS
from spymaster.tables.setup_outcome import TOUCH_HORIZONS_S
from spymaster.tables.setup_vector import LEADS_S, VECTOR_FAMILIES
from spymaster.tables.types import PROVENANCE, TIMESTAMP

MODEL_HEADS = ("resolve", "side")
MODEL_ALGOS = ("logit", "gbm", "knn", "stack")
MODEL_STATUS = ("fitted", "insufficient")

_FITTED = "null if insufficient"


def _known_exactly_where_fitted(pl: Any) -> pl.Expr:
    fitted = pl.col("status").cast(pl.String) == "fitted"
    known = [pl.col(name).is_not_null() == fitted for name in ("artifact", "artifact_sha256", "params_json",
                                                               "calibration_json")]  # fmt: skip
    return pl.all_horizontal([*known, pl.col("reason").is_null() == fitted])


class OutcomeModel(TableModel):
    """One row per panel, head and algorithm: a model learned from real setups of dates before the partition's.

    Head `resolve` tells whether a barrier is reached, `side` whether it is that of break, given one is; together,
    p_break = p_resolve p_side and p_reject = p_resolve (1 - p_side). The model itself is in `artifact`, as JSON. Where
    sessions or setups are too few there is none (`insufficient`), which is an answer.
    """

    layer = "gold"
    name = "outcome_model"
    last_only = True
    version = 2
    key = ("kind", "family", "horizon_s", "lead_s", "head", "algo")
    parameters = ("setups", "retrieval", "outcome_model")
    parquet = ParquetLayout(level=3, dictionary=("family", "reason", "trial_id"))

    model_id = Column(pl.String, "kind:family:horizon:lead:head:algo:date")
    kind = Column(pl.Enum(EPISODE_KINDS), "zoom of the setups")
    family = Column(pl.String, "family of their vectors", isin=VECTOR_FAMILIES)
    horizon_s = Column(pl.Int32, "time in which the outcome is looked for", unit="s", isin=TOUCH_HORIZONS_S)
    lead_s = Column(pl.Int32, "seconds from what is known to the decision", unit="s", isin=LEADS_S)
    head = Column(pl.Enum(MODEL_HEADS), "what the probability is of")
    algo = Column(pl.Enum(MODEL_ALGOS), "how it is told")
    asof_dt = Column(pl.Date, "date it is for: nothing of it, and nothing later, was learned from")
    status = Column(pl.Enum(MODEL_STATUS), "whether there is a model")
    reason = Column(pl.String, "why there is none; null if fitted", nullable=True)
    provisional = Column(pl.Boolean, "of fewer sessions than the standard profile asks for")
    train_sessions = Column(pl.List(pl.Date), "trade dates that were learned from, in order")
    last_label_end = Column(
        TIMESTAMP, "end of the last outcome that was learned from; null without one", unit="ns", nullable=True
    )
    n_train = Column(pl.Int64, "setups that count for the head", unit="setups", ge=0)
    n_events = Column(pl.Int64, "those of them that resolved (resolve) or broke (side)", unit="setups", ge=0)
    features = Column(pl.List(pl.String), "names of the inputs; none if insufficient")
    params_json = Column(pl.String, f"what was chosen inside training; {_FITTED}", nullable=True)
    calibration_json = Column(
        pl.String, f"map from scores to probabilities, and ten bins of how well they agree; {_FITTED}", nullable=True
    )
    ece = Column(
        pl.Float64,
        "mean distance of probability and frequency over those bins; null if insufficient, or without a sample of an "
        "inner fold",
        nullable=True,
        ge=0,
        le=1,
    )
    artifact = Column(pl.String, f"the model as JSON text; {_FITTED}", nullable=True)
    artifact_sha256 = Column(pl.String, f"hash of its bytes; {_FITTED}", nullable=True)
    scaler_sha256 = Column(pl.String, "scaler of the vectors; null where the date has none", nullable=True)
    trial_id = Column(pl.String, "name of the configuration: panel, head, algorithm and all their numbers")
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "known_exactly_where_fitted",
            "artifact, its hash, params_json and calibration_json are known, and reason is not, exactly where fitted",
            _known_exactly_where_fitted,
        ),
        Invariant(
            "events_are_setups", "n_events <= n_train", lambda pl: pl.col("n_events") <= pl.col("n_train")
        ),
        Invariant(
            "id_says_what",
            "model_id = kind:family:horizon:lead:head:algo:date",
            lambda pl: pl.col("model_id")
            == pl.concat_str(
                [pl.col(name).cast(pl.String) for name in ("kind", "family", "horizon_s", "lead_s", "head", "algo",
                                                           "asof_dt")],
                separator=":",
            ),
        ),
        Invariant(
            "setups_where_fitted",
            "a fitted model learned from setups",
            lambda pl: (pl.col("n_train") > 0) | (pl.col("status").cast(pl.String) == "insufficient"),
        ),
    )  # fmt: skip
