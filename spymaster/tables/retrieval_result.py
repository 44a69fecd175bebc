"""`gold.retrieval_result`: what earlier sessions say about a setup, or why they say nothing."""

from __future__ import annotations

from typing import Any

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.setup_episode import EPISODE_KINDS
from spymaster.tables.setup_outcome import OUTCOMES, TOUCH_HORIZONS_S
from spymaster.tables.setup_vector import VECTOR_FAMILIES
from spymaster.tables.types import PROVENANCE, TIMESTAMP

ABSTAIN_REASONS = ("invalid", "few_sessions", "few_neighbours", "novel", "uninformative")
"""The first that holds: no vector; too few earlier sessions; fewer neighbours than asked for; further from its
neighbours than nearly all earlier setups are from theirs; within 0.02 of the base rate."""

_P = tuple(f"p_{outcome}" for outcome in OUTCOMES)
_P0 = tuple(f"p0_{outcome}" for outcome in OUTCOMES)
_SAID = "null where nothing is said"


def _sum_to_one(names: tuple[str, ...]) -> Invariant:
    def holds(pl: Any) -> pl.Expr:
        return (pl.col(names[0]) + pl.col(names[1]) + pl.col(names[2]) - 1.0).abs() < 1e-9

    return Invariant(f"{names[0].split('_')[0]}_sums_to_one", f"{' + '.join(names)} = 1", holds)


def _p_needs_p0(pl: Any) -> pl.Expr:
    return pl.all_horizontal(
        [pl.col(p).is_null() | pl.col(p0).is_not_null() for p, p0 in zip(_P, _P0, strict=True)]
        + [pl.col(p).is_null() == pl.col(_P[0]).is_null() for p in _P]
        + [pl.col(p0).is_null() == pl.col(_P0[0]).is_null() for p0 in _P0]
    )


def _said_or_why_not(pl: Any) -> pl.Expr:
    silent = pl.col("abstain_reason").is_in(ABSTAIN_REASONS[:3]).fill_null(False)
    return (pl.col("abstain") == pl.col("abstain_reason").is_not_null()) & (pl.col(_P[0]).is_null() == silent)


class RetrievalResult(TableModel):
    """One row per setup of the date: shares of the outcomes among similar setups of earlier sessions.

    p is never without p0, the share among all earlier setups of the half hour and direction, towards which it leans. To
    abstain is an answer, too. novelty is the share of earlier setups that are nearer to their own k-th neighbour.
    """

    layer = "gold"
    name = "retrieval_result"
    key = ("query_id",)
    time_column = "ts_query"
    parameters = ("setups", "retrieval")
    parquet = ParquetLayout(dictionary=("contract", "family", "kind", "abstain_reason", "index_id", "provenance"))

    query_id = Column(pl.String, "episode_id:family:horizon")
    ts_query = Column(TIMESTAMP, "cut-off of the vector", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    episode_id = Column(pl.String, "the setup")
    kind = Column(pl.Enum(EPISODE_KINDS), "its zoom")
    direction = Column(pl.Int8, "+1 price came from below, -1 from above", isin=(-1, 1))
    family = Column(pl.String, "family of the vectors", isin=VECTOR_FAMILIES)
    lead_s = Column(pl.Int32, "seconds from the cut-off to the decision", unit="s", ge=0)
    horizon_s = Column(pl.Int32, "time in which the outcome is looked for", unit="s", isin=TOUCH_HORIZONS_S)
    k = Column(pl.Int32, "neighbours asked for", ge=1)
    p_break = Column(pl.Float64, f"share of break; {_SAID}", nullable=True, ge=0, le=1)
    p_reject = Column(pl.Float64, f"share of reject; {_SAID}", nullable=True, ge=0, le=1)
    p_chop = Column(pl.Float64, f"share of chop; {_SAID}", nullable=True, ge=0, le=1)
    p0_break = Column(pl.Float64, "base rate of break; null without an earlier setup", nullable=True, ge=0, le=1)
    p0_reject = Column(pl.Float64, "base rate of reject; null without an earlier setup", nullable=True, ge=0, le=1)
    p0_chop = Column(pl.Float64, "base rate of chop; null without an earlier setup", nullable=True, ge=0, le=1)
    n_eff = Column(pl.Float64, f"neighbours that weigh as much as all do; {_SAID}", nullable=True, ge=0)
    n_sessions = Column(pl.Int32, "earlier sessions that neighbours may come from", unit="sessions", ge=0)
    d_1 = Column(pl.Float64, "distance of the nearest neighbour; null without one", nullable=True, ge=0)
    d_k = Column(pl.Float64, "distance of the furthest; null without one", nullable=True, ge=0)
    novelty = Column(
        pl.Float64, "share of earlier setups nearer to their own; null with too few of them", nullable=True, ge=0, le=1
    )
    abstain = Column(pl.Boolean, "the answer is that there is none")
    abstain_reason = Column(pl.String, "why; null if it does not abstain", nullable=True, isin=ABSTAIN_REASONS)
    provisional = Column(pl.Boolean, "from fewer sessions than the standard profile asks for")
    median_mfe = Column(pl.Float64, f"median of mfe_ticks; {_SAID}", unit="ticks", nullable=True, ge=0)
    median_mae = Column(pl.Float64, f"median of mae_ticks; {_SAID}", unit="ticks", nullable=True, ge=0)
    end_q10 = Column(pl.Float64, f"10 % quantile of end_ticks; {_SAID}", unit="ticks", nullable=True)
    end_q90 = Column(pl.Float64, f"90 % quantile of end_ticks; {_SAID}", unit="ticks", nullable=True)
    index_id = Column(pl.String, "panel of retrieval_index; null where the date has none", nullable=True)
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        _sum_to_one(_P),
        _sum_to_one(_P0),
        Invariant("p_needs_p0", "no p without p0, and all three or none", _p_needs_p0),
        Invariant("said_or_why_not", "abstain with a reason; p is null for the first three of them", _said_or_why_not),
        Invariant("nearest_first", "d_1 <= d_k", lambda pl: pl.col("d_1") <= pl.col("d_k")),
    )
