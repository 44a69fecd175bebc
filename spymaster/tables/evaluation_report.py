"""`gold.evaluation_report`: can what the book does before a setup foretell what comes of it? Numbers of the answer."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.setup_episode import EPISODE_KINDS
from spymaster.tables.setup_outcome import TOUCH_HORIZONS_S
from spymaster.tables.setup_vector import LEADS_S
from spymaster.tables.types import PROVENANCE

SECTIONS = (
    "sample", "score", "gain", "holdout", "levels", "states", "reliability", "neighbours", "hypothesis", "leak",
    "trials", "verdict",
)  # fmt: skip
"""How much there is; scores by walk-forward; paired gains over the bar; the same on the hold-out; real levels against
placebos; the sixteen states; calibration; agreement of neighbours by rank; the registered tests; scores that are too
good, on labels of another session; trials; the answer."""
VERDICTS = ("supported", "weak", "none", "insufficient", "leak_suspected")
SIMULATED = "simulated:"
SUBSETS = ("real", "placebo", "real-placebo")


class EvaluationReport(TableModel):
    """One row per number of the report over all sessions up to the date, with its interval by whole sessions.

    A verdict on simulated data begins with `simulated:` and is never `supported` alone. Intervals are percentiles of
    2,000 samples of whole sessions; p_perm and p_deflated are chances under no signal, the second after all trials.
    """

    layer = "gold"
    name = "evaluation_report"
    version = 2
    last_only = True
    key = ("section", "kind", "horizon_s", "lead_s", "head", "algo", "subset", "metric")
    parameters = ("setups", "retrieval", "outcome_model", "evaluation")
    parquet = ParquetLayout(
        dictionary=(
            "report_id", "section", "kind", "head", "algo", "subset", "metric", "verdict", "note", "provenance",
        )
    )  # fmt: skip

    report_id = Column(pl.String, "hash of everything that the report is made from")
    section = Column(pl.Enum(SECTIONS), "part of the report")
    kind = Column(pl.Enum(EPISODE_KINDS), "zoom of the setups")
    horizon_s = Column(pl.Int32, "time in which the outcome is looked for", unit="s", isin=TOUCH_HORIZONS_S)
    lead_s = Column(pl.Int32, "from the cut-off of the features to the decision", unit="s", isin=LEADS_S)
    head = Column(pl.String, "what is foretold: resolve, side, or all for neither")
    algo = Column(pl.String, "by what; none where nothing is foretold")
    subset = Column(pl.Enum(SUBSETS), "setups at real levels, at placebos, or the difference")
    metric = Column(pl.String, "what is measured")
    value = Column(pl.Float64, "the number; null where the sample does not tell it", nullable=True)
    ci_lo = Column(pl.Float64, "lower end of its interval; null where there is none", nullable=True)
    ci_hi = Column(pl.Float64, "upper end of its interval; null where there is none", nullable=True)
    n_episodes = Column(pl.Int64, "setups behind it", ge=0)
    n_sessions = Column(pl.Int32, "sessions behind it", unit="sessions", ge=0)
    p_perm = Column(pl.Float64, "chance under shuffled labels; null where not taken", nullable=True, ge=0, le=1)
    p_deflated = Column(pl.Float64, "chance after all trials; null where not taken", nullable=True, ge=0, le=1)
    n_trials = Column(pl.Int32, "effective number of trials so far; null where it plays no part", nullable=True, ge=1)
    verdict = Column(
        pl.String, "null but in section verdict", nullable=True,
        isin=(*VERDICTS, *(f"{SIMULATED}{one}" for one in VERDICTS)),
    )  # fmt: skip
    note = Column(pl.String, "what else should be known; may be empty")
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant("interval_in_order", "ci_lo <= ci_hi", lambda pl: pl.col("ci_lo") <= pl.col("ci_hi")),
        Invariant(
            "verdicts_in_their_section",
            "verdict is known exactly in section verdict",
            lambda pl: pl.col("verdict").is_not_null() == (pl.col("section").cast(pl.String) == "verdict"),
        ),
        Invariant(
            "simulated_says_so",
            "a verdict begins with simulated: exactly where provenance is simulated",
            lambda pl: (
                pl.col("verdict").str.starts_with("simulated:") == (pl.col("provenance").cast(pl.String) == "simulated")
            ),
        ),
    )
