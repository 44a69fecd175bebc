"""The trials ledger: what was tried is entered before its score is shown, once, and stays.

A trial's id is the hash of its configuration, the code, the data and the stage, so the same evaluation of the same data
is the same trial however often it is run, and anything changed is another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.research.deflation import deflated_chance, effective_trials
from spymaster.research.errors import LedgerError
from spymaster.tables.trials_ledger import TrialsLedger

EPOCH = date(1970, 1, 1)
NULL_VALUES: Final = {"auc": 0.5, "auc_over_bar": 0.0}
"""Scores that trials are compared by, and what they are without a signal: whether a barrier is reached at all follows
from its distance, which the bar knows, so there it is the AUC beyond the bar's."""


def ledger_metric(head: str) -> str:
    """The score of a head's trials."""
    return "auc" if head == "side" else "auc_over_bar"


@dataclass(frozen=True)
class Origin:
    """What all trials of an evaluation have in common."""

    code_hash: str
    data_hash: str
    ts: int
    """End of the last label that was looked at, ns."""
    provenance: str


@dataclass(frozen=True)
class Trial:
    """One evaluated configuration. `place` as in the columns of the table, `days` since the epoch."""

    place: dict[str, Any]
    parameters: dict[str, Any]
    stage: str
    baseline: bool
    value: float
    error: float
    days: np.ndarray
    session_scores: np.ndarray
    metric: str = "auc"
    """What `value` is, one of `NULL_VALUES`."""
    note: str = ""

    def id(self, origin: Origin, stage: str | None = None) -> str:
        """Hash of the configuration, the code, the data, and the stage."""
        told = {**self.place, **self.parameters, "stage": stage or self.stage}
        text = json.dumps([told, origin.code_hash, origin.data_hash], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def extended(before: pl.DataFrame, trials: Sequence[Trial], origin: Origin) -> pl.DataFrame:
    """The ledger with new trials behind its rows; those that it knows already are not entered again."""
    known = set(before["trial_id"])
    rows = []
    for trial in trials:
        name = trial.id(origin)
        if name in known:
            continue
        known.add(name)
        rows.append(_row(trial, name, origin, before.height + len(rows) + 1))
    if not rows:
        return before
    schema = TrialsLedger.schema()
    plain = {name: pl.Int64 if isinstance(kind, pl.Datetime) else kind for name, kind in schema.items()}
    made = pl.DataFrame([{name: row[name] for name in plain} for row in rows], schema=plain)
    return pl.concat([before, made.select(pl.col(name).cast(kind) for name, kind in schema.items())])


def require_longer(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """`after`, if it begins with every row of `before`; raises `LedgerError` otherwise."""
    if not after.head(before.height).equals(before):
        raise LedgerError(
            f"a ledger of {before.height} entries would lose or change one of them",
            hint="Entries are never taken back: keep the partition of gold.trials_ledger as it is.",
        )
    return after


def _row(trial: Trial, name: str, origin: Origin, entry: int) -> dict[str, Any]:
    opening = trial.stage == "holdout_opened"
    return {
        "entry": entry,
        "trial_id": name,
        "ts": origin.ts,
        "code_hash": origin.code_hash,
        "params_json": json.dumps(trial.parameters, sort_keys=True),
        "data_hash": origin.data_hash,
        **{key: None if opening else trial.place[key]
           for key in ("kind", "horizon_s", "lead_s", "head", "algo", "subset")},
        "stage": trial.stage,
        "baseline": trial.baseline,
        "metric": None if opening else trial.metric,
        "value": trial.value if np.isfinite(trial.value) else None,
        "se_dayblock": trial.error if np.isfinite(trial.error) else None,
        "n_sessions": len(trial.days),
        "sessions": [EPOCH + timedelta(days=int(day)) for day in trial.days],
        "session_scores": [float(one) if np.isfinite(one) else 0.0 for one in trial.session_scores],
        "parent_trial": trial.id(origin, "outer") if trial.stage == "holdout" else None,
        "note": trial.note,
        "provenance": origin.provenance,
    }  # fmt: skip


@dataclass(frozen=True)
class Luck:
    """What all ideas tried so far make of a z-score: how many they come to, and how far theirs spread."""

    trials: int
    variance: float

    def chance(self, z: float) -> float:
        """Chance of a z-score like this one by luck."""
        return deflated_chance(z, self.trials, self.variance)


def luck(ledger: pl.DataFrame) -> Luck:
    """From the walk-forward trials of ideas at real levels; ledger: rows of all dates that count."""
    ideas = ledger.filter(
        ~pl.col("baseline")
        & (pl.col("stage").cast(pl.String) == "outer")
        & (pl.col("subset").cast(pl.String) == "real")
    ).unique("trial_id", maintain_order=True)
    if ideas.is_empty():
        return Luck(1, 0.0)
    days = sorted(set(ideas["sessions"].explode().drop_nulls()))
    column = {day: k for k, day in enumerate(days)}
    scores = np.full((ideas.height, len(days)), np.nan)
    for k, (known, found) in enumerate(ideas.select("sessions", "session_scores").iter_rows()):
        for day, score in zip(known, found, strict=False):
            scores[k, column[day]] = score
    z = ideas.filter(pl.col("value").is_not_null() & (pl.col("se_dayblock") > 0)).select(
        (pl.col("value") - pl.col("metric").replace_strict(NULL_VALUES)) / pl.col("se_dayblock")
    )
    variance = float(np.var(z.to_series().to_numpy(), ddof=1)) if z.height > 1 else 0.0
    return Luck(effective_trials(scores), variance)


def opened_sessions(ledger: pl.DataFrame, but: str) -> set[date]:
    """Sessions that somebody looked at as a hold-out, other than by the opening `but` (a trial_id)."""
    rows = ledger.filter((pl.col("stage").cast(pl.String) == "holdout_opened") & (pl.col("trial_id") != but))
    return set(rows["sessions"].explode().drop_nulls())
