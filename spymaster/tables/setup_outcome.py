"""`gold.setup_outcome`: what came of an episode."""

from __future__ import annotations

import polars as pl

from spymaster.tables.book_snapshot_1s import all_or_none
from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import PROVENANCE, TIMESTAMP

OUTCOMES = ("break", "reject", "chop")
END_REASONS = ("horizon", "session_end", "invalid_book", "end_of_data")
"""What ended the time in which the outcome is looked for: its own end, or what came before it."""
TOUCH_HORIZONS_S = (30, 120, 360)
CANDLE_HORIZON_S = 360

_SCORED = "null if not valid"
_UNSEEN = "null without a usable book or sigma"


def _share(what: str) -> Column:
    return Column(pl.Float64, f"{what} of a walk without drift, by formula; {_UNSEEN}", nullable=True, ge=0, le=1)


def _sum_to_one(prefix: str) -> Invariant:
    names = [f"{prefix}_{outcome}" for outcome in OUTCOMES]
    return Invariant(
        f"{prefix}_sums_to_one",
        f"{' + '.join(names)} = 1",
        lambda pl: (pl.col(names[0]) + pl.col(names[1]) + pl.col(names[2]) - 1.0).abs() < 1e-5,
    )


class SetupOutcome(TableModel):
    """One row per episode and horizon: which of two barriers around the mid at the decision was reached first.

    The barriers are barrier_ticks away: k_barrier usual moves of that horizon, at least 4 ticks. `break` is the one
    along direction, `reject` the other, `chop` neither. If trading ends or the book fails before the horizon does,
    nothing is scored, whatever had been reached. The outcome lv_ is that of barriers around the level: it is for the
    eye, because where price stands within them foretells it even where nothing can be foretold.
    """

    layer = "gold"
    name = "setup_outcome"
    key = ("episode_id", "horizon_s", "k_barrier")
    time_column = "ts_label_end"
    parameters = ("instrument", "setups")
    parquet = ParquetLayout(dictionary=("outcome", "lv_outcome", "horizon_end_reason", "provenance"))

    episode_id = Column(pl.String, "as in setup_episode")
    horizon_s = Column(pl.Int32, "time in which the outcome is looked for", unit="s", isin=TOUCH_HORIZONS_S)
    k_barrier = Column(pl.Float64, "distance of the barriers in usual moves", gt=0)
    barrier_ticks = Column(pl.Int32, "distance of the barriers; null without sigma", unit="ticks", nullable=True, ge=1)
    sigma_h_ticks = Column(
        pl.Float64,
        "usual move over the horizon, known at the decision; null without sigma",
        unit="ticks",
        nullable=True,
        ge=0,
    )
    ts_label_start = Column(TIMESTAMP, "the decision", unit="ns")
    ts_label_end = Column(TIMESTAMP, "end of the horizon", unit="ns")
    outcome = Column(pl.Enum(OUTCOMES), f"barrier reached first; {_SCORED}", nullable=True)
    ts_hit = Column(TIMESTAMP, "when; null without a hit or if not valid", unit="ns", nullable=True)
    t_hit_s = Column(
        pl.Float64, "ts_hit - ts_label_start; null without a hit or if not valid", unit="s", nullable=True, ge=0
    )
    whipsaw = Column(
        pl.Boolean, f"the other barrier was reached too, before the horizon ended; {_SCORED}", nullable=True
    )
    mfe_ticks = Column(
        pl.Float64, f"furthest the mid got along direction; {_SCORED}", unit="ticks", nullable=True, ge=0
    )
    mae_ticks = Column(
        pl.Float64, f"furthest the mid got against direction; {_SCORED}", unit="ticks", nullable=True, ge=0
    )
    end_ticks = Column(
        pl.Float64, f"move of the mid along direction at the end; {_SCORED}", unit="ticks", nullable=True
    )
    lv_outcome = Column(pl.Enum(OUTCOMES), f"barriers around the level instead, for display; {_SCORED}", nullable=True)
    lv_hit_ts = Column(TIMESTAMP, "when; null without a hit or if not valid", unit="ns", nullable=True)
    bar_close_side_1 = Column(
        pl.Int8, "sign of close - level of the first candle after the confirmation; null for touch or without it",
        nullable=True, isin=(-1, 0, 1),
    )  # fmt: skip
    bar_close_side_2 = Column(pl.Int8, "of the second; null for touch or without it", nullable=True, isin=(-1, 0, 1))
    bar_close_side_3 = Column(pl.Int8, "of the third; null for touch or without it", nullable=True, isin=(-1, 0, 1))
    bars_to_return = Column(
        pl.Int32, "first of the three that closed on the side that price came from; null if none did, or for touch",
        nullable=True, isin=(1, 2, 3),
    )  # fmt: skip
    b1_break = _share("probability of break")
    b1_reject = _share("probability of reject")
    b1_chop = _share("probability of chop")
    lv_b1_break = _share("probability of break around the level")
    lv_b1_reject = _share("probability of reject around the level")
    lv_b1_chop = _share("probability of chop around the level")
    horizon_end_reason = Column(pl.Enum(END_REASONS), "what ended the time in which the outcome was looked for")
    censored = Column(pl.Boolean, "something else than the horizon ended it")
    valid = Column(pl.Boolean, "the episode is valid and not censored: may be scored")
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "censored_by_reason",
            "censored exactly where horizon_end_reason is not horizon",
            lambda pl: pl.col("censored") == (pl.col("horizon_end_reason").cast(pl.String) != "horizon"),
        ),
        Invariant(
            "scored_is_valid",
            "outcome, lv_outcome, whipsaw, mfe_ticks, mae_ticks and end_ticks are known exactly where valid",
            lambda pl: pl.all_horizontal(
                [
                    pl.col(name).is_not_null() == pl.col("valid")
                    for name in ("outcome", "lv_outcome", "whipsaw", "mfe_ticks", "mae_ticks", "end_ticks")
                ]
            ),
        ),
        Invariant(
            "valid_is_not_censored", "never both valid and censored", lambda pl: ~(pl.col("valid") & pl.col("censored"))
        ),
        all_or_none("hit", ("ts_hit", "t_hit_s")),
        Invariant(
            "chop_has_no_hit",
            "ts_hit is known exactly for break and reject",
            lambda pl: pl.col("ts_hit").is_null() == (pl.col("outcome").cast(pl.String) == "chop").fill_null(True),
        ),
        Invariant(
            "hit_within_horizon",
            "ts_label_start <= ts_hit < ts_label_end",
            lambda pl: (pl.col("ts_label_start") <= pl.col("ts_hit")) & (pl.col("ts_hit") < pl.col("ts_label_end")),
        ),
        _sum_to_one("b1"),
        _sum_to_one("lv_b1"),
    )
