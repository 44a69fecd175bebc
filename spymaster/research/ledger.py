"""The trials ledger: what was tried is entered before its score is shown, once, and stays.

A trial's id is the hash of its configuration, the code, the data and the stage, so the same evaluation of the same data
is the same trial however often it is run, and anything changed is another. A configuration is every number that a score
comes from: panel, head and algorithm, the rules of models and of retrieval, the barriers, the models that were scored
beside it (all are scored on the setups that each of them speaks of), and the draws of its error. An opening of the
hold-out is entered in the same way, under the settings of all that was shown with it.
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

from spymaster.research.deflation import deflated_chance, effective_trials, spread_by_luck
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
    """Of the tables that were looked at, and of where the hold-out begins."""
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
    """The ledger with new trials behind its rows; those that it knows already are not entered again.

    Raises `LedgerError` for a trial that is known with another score: its id does not stand for all that it is.
    """
    known = {name: (value, sessions) for name, value, sessions in before.select(*_SAME).iter_rows()}
    rows = []
    for trial in trials:
        name = trial.id(origin)
        score = (_told(trial.value), _dates(trial.days))
        if name in known:
            if known[name] != score:
                raise LedgerError(
                    f"trial {name} ({trial.stage}, {trial.place or 'hold-out'}) is entered with {known[name][0]} over"
                    f" {len(known[name][1])} sessions, and is now {score[0]} over {len(score[1])}",
                    hint="The same code made another score of the same tables and settings. Look for what changed "
                    "beside them; the entry stays as it is.",
                )
            continue
        known[name] = score
        rows.append(_row(trial, name, origin, before.height + len(rows) + 1))
    if not rows:
        return before
    schema = TrialsLedger.schema()
    plain = {name: pl.Int64 if isinstance(kind, pl.Datetime) else kind for name, kind in schema.items()}
    made = pl.DataFrame([{name: row[name] for name in plain} for row in rows], schema=plain)
    return pl.concat([before, made.select(pl.col(name).cast(kind) for name, kind in schema.items())])


_SAME: Final = ("trial_id", "value", "sessions")


def _told(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _dates(days: np.ndarray) -> list[date]:
    return [EPOCH + timedelta(days=int(day)) for day in days]


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
        "value": _told(trial.value),
        "se_dayblock": _told(trial.error),
        "n_sessions": len(trial.days),
        "sessions": _dates(trial.days),
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
    """From the walk-forward trials of ideas at real levels; ledger: rows of all dates that count, in order.

    Of a configuration under the same code the last row stands for all: on more data it is the same idea again, and
    finding clusters takes time with the cube of the rows.

    The spread of z-scores by luck is that of the same ideas at placebos, where there is nothing to find, and not less
    than the 1 that z-scores have by themselves. That of the ideas at real levels holds what is true of them: the more
    they find, the more it would take off. It stands in where there are too few placebos.
    """
    tried = ledger.filter(~pl.col("baseline") & (pl.col("stage").cast(pl.String) == "outer"))
    kept = tried.unique(["params_json", "code_hash", "subset"], keep="last", maintain_order=True)
    ideas, placebos = (kept.filter(pl.col("subset").cast(pl.String) == name) for name in ("real", "placebo"))
    if ideas.is_empty():
        return Luck(1, 0.0)
    days = sorted(set(ideas["sessions"].explode().drop_nulls()))
    column = {day: k for k, day in enumerate(days)}
    scores = np.full((ideas.height, len(days)), np.nan)
    for k, (known, found) in enumerate(ideas.select("sessions", "session_scores").iter_rows()):
        for day, score in zip(known, found, strict=False):
            scores[k, column[day]] = score
    return Luck(effective_trials(scores), spread_by_luck(_z_scores(ideas), _z_scores(placebos)))


def _z_scores(rows: pl.DataFrame) -> np.ndarray:
    known = rows.filter(pl.col("value").is_not_null() & (pl.col("se_dayblock") > 0))
    beyond = pl.col("value") - pl.col("metric").replace_strict(NULL_VALUES)
    return known.select(beyond / pl.col("se_dayblock")).to_series().to_numpy()


def seen_sessions(ledger: pl.DataFrame, days: np.ndarray) -> list[date]:
    """Which of these sessions (days since the epoch, in order) somebody has looked at. ledger: rows of all dates.

    Those of an opened hold-out, and all up to the last one that walk-forward scored, for it learned from those before.
    """
    stage = pl.col("stage").cast(pl.String)
    of_stage = {
        name: ledger.filter(stage == name)["sessions"].explode().drop_nulls() for name in ("outer", "holdout_opened")
    }
    walked, opened = of_stage["outer"].max(), set(of_stage["holdout_opened"])
    return [day for day in _dates(days) if day in opened or (isinstance(walked, date) and day <= walked)]
