"""`gold.trials_ledger`: everything that was ever tried, so that the best of it is not taken for more than it is."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.setup_episode import EPISODE_KINDS
from spymaster.tables.setup_outcome import TOUCH_HORIZONS_S
from spymaster.tables.setup_vector import LEADS_S
from spymaster.tables.types import PROVENANCE, TIMESTAMP

STAGES = ("outer", "holdout", "holdout_opened")
"""What a row is: a score of walk-forward sessions, a score of the hold-out, or that the hold-out was looked at."""
SUBSETS = ("real", "placebo")


class TrialsLedger(TableModel):
    """One row per configuration that was evaluated, in the order of the entries; rows are added and never taken away.

    A trial's id stands for its configuration, the code, and the data; the same trial is entered once. Its rows are
    stored before the report that shows the score. A row of stage holdout_opened has no score: from then on these
    sessions are known, and no other trial may call them a hold-out.
    """

    layer = "gold"
    name = "trials_ledger"
    last_only = True
    key = ("entry",)
    time_column = "ts"
    parquet = ParquetLayout(
        dictionary=("code_hash", "data_hash", "kind", "head", "algo", "subset", "stage", "metric", "provenance")
    )

    entry = Column(pl.Int32, "number of the entry, from 1", ge=1)
    trial_id = Column(pl.String, "hash of configuration, code, data and stage")
    ts = Column(TIMESTAMP, "end of the last label that was looked at: nothing later is in the score", unit="ns")
    code_hash = Column(pl.String, "version of the code of the evaluation")
    params_json = Column(pl.String, "the configuration, as JSON")
    data_hash = Column(pl.String, "hash of the tables that were looked at, and of where the hold-out begins")
    kind = Column(pl.Enum(EPISODE_KINDS), "zoom; null for holdout_opened", nullable=True)
    horizon_s = Column(
        pl.Int32, "time in which the outcome is looked for; null for holdout_opened", unit="s", nullable=True,
        isin=TOUCH_HORIZONS_S,
    )  # fmt: skip
    lead_s = Column(
        pl.Int32, "from the cut-off of the features to the decision; null for holdout_opened", unit="s",
        nullable=True, isin=LEADS_S,
    )  # fmt: skip
    head = Column(pl.String, "what is foretold; null for holdout_opened", nullable=True)
    algo = Column(pl.String, "by what; null for holdout_opened", nullable=True)
    subset = Column(pl.Enum(SUBSETS), "at real levels or at placebos; null for holdout_opened", nullable=True)
    stage = Column(pl.Enum(STAGES), "which sessions")
    baseline = Column(pl.Boolean, "something to be beaten, which is no trial of an idea")
    metric = Column(pl.String, "the score by which trials are compared; null for holdout_opened", nullable=True)
    value = Column(pl.Float64, "the score; null where the sample does not tell it", nullable=True)
    se_dayblock = Column(pl.Float64, "its error by whole sessions; null where not known", nullable=True, ge=0)
    n_sessions = Column(pl.Int32, "sessions that were scored", unit="sessions", ge=0)
    sessions = Column(pl.List(pl.Date), "which, in order")
    session_scores = Column(
        pl.List(pl.Float64), "log-loss gain over the bar of each of these sessions, nats; empty for holdout_opened"
    )
    parent_trial = Column(
        pl.String, "trial_id of the same configuration on walk-forward sessions; null for those", nullable=True
    )
    note = Column(pl.String, "what else should be known; may be empty")
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "opening_has_no_score",
            "kind, horizon_s, lead_s, head, algo, subset and metric are null exactly for holdout_opened",
            lambda pl: pl.all_horizontal(
                [
                    pl.col(name).is_null() == (pl.col("stage").cast(pl.String) == "holdout_opened")
                    for name in ("kind", "horizon_s", "lead_s", "head", "algo", "subset", "metric")
                ]
            ),
        ),
        Invariant(
            "as_many_as_told",
            "sessions has n_sessions dates, and session_scores one of each unless it is empty",
            lambda pl: (
                (pl.col("sessions").list.len() == pl.col("n_sessions"))
                & (
                    (pl.col("session_scores").list.len() == pl.col("n_sessions"))
                    | (pl.col("session_scores").list.len() == 0)
                )
            ),
        ),
    )
