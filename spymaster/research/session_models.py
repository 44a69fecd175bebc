"""`gold.outcome_model` of a date: models of the outcome, learned from real setups of earlier dates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.lake.manifest import Provenance
from spymaster.lake.partition import Partition
from spymaster.research.errors import ModelError, QueryError
from spymaster.research.model_rules import ModelRules, configuration, trial_id
from spymaster.research.models import MODELS, Fitted, Insufficient, fit_all, restore, sha256
from spymaster.research.panels import Panel
from spymaster.research.sample_tables import DateTables, load_samples
from spymaster.research.samples import HEADS, Samples
from spymaster.research.session_retrieval import ASKED
from spymaster.setups.vector_scaler import Scaler, scaler_of
from spymaster.tables.outcome_model import OutcomeModel

MODELLED: Final = ASKED
"""Panels that have models: those that retrieval is asked of for every setup."""
LEAD_S: Final = 0


def session_models(
    dates: Sequence[DateTables], scaler: Partition, rules: ModelRules, *, k_barrier: float
) -> pl.DataFrame:
    """`gold.outcome_model` of the date of the scaler, from stored tables of earlier dates.

    Raises `QueryError` for a date that is not earlier.
    """
    dt = scaler.dt
    late = [tables.vectors.label for tables in dates if tables.dt >= dt]
    if late:
        raise QueryError(f"the models of {dt} were offered a session that is not earlier: {late[0]}")
    scales, rows = scaler.read(), []
    for panel in MODELLED:
        scaled = scaler_of(scales, panel.family)
        samples = None if scaled is None else known_before(
            load_samples(dates, panel, LEAD_S, scaler=scaled, k_barrier=k_barrier), dt
        )  # fmt: skip
        rows += panel_models(panel, samples, scaled, dt, rules, scaler.manifest.provenance)
    return model_frame(rows)


def known_before(samples: Samples | None, dt: date) -> Samples | None:
    """Real setups whose outcome was known when the UTC date `dt` began; None where there is none."""
    if samples is None:
        return None
    chosen = ~samples.is_placebo & (samples.ts_label_end <= _midnight(dt))
    return samples.select(chosen) if chosen.any() else None


def panel_models(
    panel: Panel, samples: Samples | None, scaler: Scaler | None, dt: date, rules: ModelRules, provenance: Provenance
) -> list[dict[str, Any]]:
    """Rows of one panel. samples: what was known before the date; None for nothing."""
    rows = []
    for head in HEADS:
        if samples is None:
            nothing = np.empty(0, dtype=np.int64)
            made = {algo: Insufficient(head, algo, "no earlier setup", nothing, 0, 0) for algo in MODELS}
        else:
            made = fit_all(head, MODELS, samples, rules)
        for algo, model in made.items():
            named = configuration(
                kind=panel.kind, horizon_s=panel.horizon_s, family=panel.family, lead_s=LEAD_S, head=head, algo=algo,
                rules=rules,
            )  # fmt: skip
            rows.append(
                {
                    **{name: named[name] for name in ("kind", "family", "horizon_s", "lead_s", "head", "algo")},
                    "asof_dt": dt,
                    "last_label_end": None if samples is None else int(samples.ts_label_end.max()),
                    "scaler_sha256": None if scaler is None else scaler.sha256,
                    "trial_id": trial_id(named),
                    "provenance": provenance,
                    **model_values(model, rules),
                }
            )
    return rows


def model_values(model: Fitted | Insufficient, rules: ModelRules) -> dict[str, Any]:
    """Columns that a fit fills."""
    values: dict[str, Any] = {
        "train_sessions": model.train_sessions.tolist(),
        "n_train": model.n_train,
        "n_events": model.n_events,
        "provisional": len(model.train_sessions) < rules.standard_sessions,
    }
    if isinstance(model, Insufficient):
        return {**values, "status": "insufficient", "reason": model.reason, "features": []}
    table = model.reliability
    artifact = model.artifact()
    return {
        **values,
        "status": "fitted",
        "features": list(model.features),
        "params_json": _json(dict(model.chosen)),
        "calibration_json": _json(
            {**model.calibration.document(), "bins": None if table is None else table.document()}
        ),
        "ece": None if table is None else table.ece,
        "artifact": artifact.decode(),
        "artifact_sha256": sha256(artifact),
    }  # fmt: skip


def model_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as the table, with the names of the models."""
    plain = {
        name: pl.Int64 if isinstance(dtype, pl.Datetime) else pl.List(pl.Int32) if dtype == pl.List(pl.Date) else dtype
        for name, dtype in OutcomeModel.schema().items()
        if name != "model_id"
    }
    frame = pl.DataFrame([{name: row.get(name) for name in plain} for row in rows], schema=plain)
    parts = [pl.col(name).cast(pl.String) for name in (*OutcomeModel.key, "asof_dt")]
    return (
        frame.with_columns(model_id=pl.concat_str(parts, separator=":"))
        .select(pl.col(name).cast(dtype) for name, dtype in OutcomeModel.schema().items())
        .sort(OutcomeModel.key)
    )


def stored_model(rows: pl.DataFrame, panel: Panel, head: str, algo: str, lead_s: int = LEAD_S) -> Fitted | None:
    """A model in rows of `gold.outcome_model`; None where there is none, or it is insufficient.

    Raises `ModelError` if the artifact is not what its hash says.
    """
    found = rows.filter(
        (pl.col("kind").cast(pl.String) == panel.kind)
        & (pl.col("family") == panel.family)
        & (pl.col("horizon_s") == panel.horizon_s)
        & (pl.col("lead_s") == lead_s)
        & (pl.col("head").cast(pl.String) == head)
        & (pl.col("algo").cast(pl.String) == algo)
        & pl.col("artifact").is_not_null()
    )
    if found.is_empty():
        return None
    if found.height > 1:
        raise ModelError(f"{found.height} models of one panel, head and algorithm: {found['model_id'].to_list()}")
    return restore(found["artifact"][0].encode(), found["artifact_sha256"][0])


def _midnight(dt: date) -> int:
    return int(datetime(dt.year, dt.month, dt.day, tzinfo=UTC).timestamp()) * 1_000_000_000


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
