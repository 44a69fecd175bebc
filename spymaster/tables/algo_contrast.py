"""`gold.algo_contrast`: is algorithmic intensity different before a rejection than before matched placebo touches?"""

from __future__ import annotations

import polars as pl

from spymaster.tables.algo_intensity_1s import INTENSITY_FAMILIES, share_column
from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import BANDS, PROVENANCE

CASE_DEFS = ("reject", "break", "reject_minus_break")
CONTRAST_VERDICTS = ("higher", "lower", "not_distinguishable", "too_few")
CONTRAST_IDS = (
    "primary", "2_seconds", "5_seconds", "30_seconds", "side_ahead", "side_behind",
    *(f"band_{band}" for band in BANDS), *(share_column(family) for family in INTENSITY_FAMILIES),
    "share_qty", "before_break", "reject_minus_break", "same_message_rate",
)  # fmt: skip
"""Registered questions, the first of them the one that counts; a change is a new study."""
_FEW = "null with fewer than two dates"
_NONE = "null without a matched set"


class AlgoContrast(TableModel):
    """One row per question, over all dates up to this one: the registered one, and a family of secondary ones.

    A case is a touch of a real level with the outcome within 120 s; its controls are the placebo touches matched to it.
    A value is n_attr / n_msgs over the last n_s whole seconds before the touch. The registered question is answered on
    hold-out dates; so are all others.
    """

    layer = "gold"
    name = "algo_contrast"
    version = 2
    key = ("contrast_id",)
    parameters = ("evidence", "setups", "instrument")
    parquet = ParquetLayout()

    contrast_id = Column(pl.String, "name of the question; `primary` is the registered one")
    is_primary = Column(pl.Boolean, "the registered question")
    n_s = Column(pl.Int32, "seconds before the touch", unit="s", ge=1)
    measure = Column(pl.String, "share of the messages (or lots) that is compared, as in algo_intensity_1s")
    side = Column(pl.String, "side of the orders", isin=("all", "ahead", "behind"))
    band = Column(pl.String, "distance from spot, as in algo_intensity_1s")
    case_def = Column(pl.String, "outcome of the cases; the last compares both outcomes", isin=CASE_DEFS)
    same_rate = Column(pl.Boolean, "controls have a message rate within a quarter of the case's, too")
    first_dt = Column(pl.Date, "first date with a set; null without one", nullable=True)
    last_dt = Column(pl.Date, "last date with a set; nothing later was used; null without one", nullable=True)
    n_sets = Column(pl.Int32, "cases with their controls", ge=0)
    n_days = Column(pl.Int32, "dates they are of", ge=0)
    n_dropped = Column(pl.Int32, "cases left out: fewer than two controls, or no share before the touch", ge=0)
    mean_case = Column(pl.Float64, f"mean share before the cases; {_NONE}, and of reject_minus_break", nullable=True)
    mean_control = Column(pl.Float64, "mean share before their controls; null as mean_case", nullable=True)
    delta = Column(pl.Float64, f"mean of case less mean of its controls; {_NONE}", nullable=True, ge=-2, le=2)
    ci_lo = Column(pl.Float64, f"lower end of its 95 % interval, from drawing dates; {_FEW}", nullable=True)
    ci_hi = Column(pl.Float64, f"upper end; {_FEW}", nullable=True)
    p_swap = Column(pl.Float64, f"p by swapping case and control within sets; {_NONE}", nullable=True, gt=0, le=1)
    p_days = Column(
        pl.Float64, "p by turning signs of dates, which knows that sets of a date hang together; null as p_swap",
        nullable=True, gt=0, le=1,
    )  # fmt: skip
    p_perm = Column(pl.Float64, "the larger of both, which is what counts; null as p_swap", nullable=True, gt=0, le=1)
    q_bh = Column(
        pl.Float64,
        "p adjusted over the secondary questions; null for the primary, and as p_perm",
        nullable=True,
        gt=0,
        le=1,
    )
    mdd = Column(pl.Float64, f"difference that four of five studies like this would find; {_FEW}", nullable=True, ge=0)
    verdict = Column(pl.Enum(CONTRAST_VERDICTS), "what may be said; too_few: fewer than 10 sets or 6 dates")
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "one_is_registered",
            "is_primary exactly for `primary`",
            lambda pl: pl.col("is_primary") == (pl.col("contrast_id") == "primary"),
        ),
        Invariant("interval_in_order", "ci_lo <= ci_hi", lambda pl: pl.col("ci_lo") <= pl.col("ci_hi")),
        Invariant(
            "the_larger_p_counts",
            "p_perm is the larger of p_swap and p_days",
            lambda pl: pl.col("p_perm") == pl.max_horizontal("p_swap", "p_days"),
        ),
        Invariant("q_is_no_less_than_p", "p_perm <= q_bh", lambda pl: pl.col("p_perm") <= pl.col("q_bh")),
        Invariant(
            "primary_is_alone", "the primary has no q", lambda pl: ~pl.col("is_primary") | pl.col("q_bh").is_null()
        ),
        Invariant(
            "few_say_nothing",
            "with fewer than 10 sets or 6 dates the verdict is too_few, and only then",
            lambda pl: (
                ((pl.col("n_sets") < 10) | (pl.col("n_days") < 6)) == (pl.col("verdict").cast(pl.String) == "too_few")
            ),
        ),
        Invariant("days_have_sets", "n_days <= n_sets", lambda pl: pl.col("n_days") <= pl.col("n_sets")),
    )
