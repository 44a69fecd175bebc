"""`gold.algo_test`: every test of a date, on every group of messages, whatever came of it."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import PROVENANCE, TIMESTAMP

TEST_IDS = ("E1", "E2", "E3", "E4", "E5", "E6", "E7", "E10")
EFFECT_UNITS = ("share", "ratio")
PEAK_UNITS = ("ms", "Hz", "filled / displayed")
P_METHODS = ("mc", "gpd", "fact", "screened")
"""Counted, by a fitted tail; a fact has no p, nor has what a screen found nothing to test in."""
CONTROL_KINDS = ("none", "no_agents", "jittered", "shuffled_days")
_VERDICTS = ("none", "weak", "supported", "fact")
SIMULATED = "simulated:"
VERDICTS = (*_VERDICTS, *(f"{SIMULATED}{verdict}" for verdict in _VERDICTS))
"""From nothing to repeated; a fact needs no test. Of simulated data each has the prefix."""
AGAINST = ("signs_disagree", "leads_reference", "equal_sizes_by_chance")
"""Notes of sides that chance gives (E7), answers that come first (E3), equal sizes that chance gives (E10): such a
result is none, whatever its q."""

_NO_P = "null for facts and screens"


class AlgoTest(TableModel):
    """One row per test, group of messages, and window of it.

    The verdict is of the date alone: `weak` at most (`algo_replication` has what holds over dates). A row may be shown
    or used from available_from on.
    """

    layer = "gold"
    name = "algo_test"
    version = 2
    key = ("test_row_id",)
    time_column = "ts_end"
    parameters = ("evidence", "instrument")
    parquet = ParquetLayout(
        dictionary=(
            "run_id", "code_hash", "strata_hash", "data_hash", "contract", "provenance", "test_id", "sub_id",
            "family_id", "stat_name", "effect_unit", "peak_unit", "null_method", "null_param_json", "p_method",
            "control_kind", "verdict",
        )
    )  # fmt: skip

    run_id = Column(pl.String, "as in algo_run")
    test_row_id = Column(pl.String, "symbol, date, kind of control, test, sub-test, place of the stratum, window")
    code_hash = Column(pl.String, "as in algo_run")
    strata_hash = Column(pl.String, "as in algo_run")
    data_hash = Column(pl.String, "as in algo_run")
    contract = Column(pl.String, "the selected contract of the date")
    session_date = Column(pl.Date, "as in algo_run")
    provenance = Column(PROVENANCE, "real or simulated data; controls may be simulated where the date is real")
    ts_start = Column(TIMESTAMP, "start of what was tested", unit="ns")
    ts_end = Column(TIMESTAMP, "end of what was tested", unit="ns")
    available_from = Column(TIMESTAMP, "end of the last data that the row uses", unit="ns")
    test_id = Column(pl.String, "test", isin=TEST_IDS)
    sub_id = Column(pl.String, "sub-test: grid, period, pass")
    stratum_json = Column(pl.String, "group of messages: canonical JSON, `*` pools a dimension")
    family_id = Column(pl.String, "tests whose p were adjusted together: test, date, kind of control")
    n_ref = Column(pl.Int64, "events of the date that the effect is a share of (E6 native: lots)", ge=0)
    n_tgt = Column(pl.Int64, "how many messages could have shown it", ge=0)
    statistic = Column(pl.Float64, "of the data; see stat_name")
    stat_name = Column(pl.String, "what the statistic is")
    effect = Column(pl.Float64, "size of the structure; null where nothing was measured", nullable=True)
    effect_unit = Column(pl.String, "share of n_ref, or ratio to what surrogates have", isin=EFFECT_UNITS)
    effect_lo = Column(pl.Float64, "2.5 % of its bootstrap; null as effect", nullable=True)
    effect_hi = Column(pl.Float64, "97.5 % of its bootstrap; null as effect", nullable=True)
    peak_value = Column(pl.Float64, "where the structure is; null where nothing was measured", nullable=True)
    peak_unit = Column(pl.String, "unit of peak_value", isin=PEAK_UNITS)
    peak_width = Column(pl.Float64, "how wide it is; null as peak_value", nullable=True, ge=0)
    null_method = Column(pl.String, "how surrogates were drawn")
    null_param_json = Column(pl.String, "with what")
    n_surrogate = Column(pl.Int32, "surrogates behind p", ge=0)
    seed = Column(pl.Int64, "as in algo_run", ge=0)
    p_raw = Column(pl.Float64, f"p of this test alone; {_NO_P}", nullable=True, gt=0, le=1)
    p_floor = Column(pl.Float64, f"smallest p that counting could give; {_NO_P}", nullable=True, gt=0, le=1)
    p_method = Column(pl.String, "where p is from", isin=P_METHODS)
    q_bh = Column(pl.Float64, f"adjusted p (Benjamini & Hochberg); {_NO_P}", nullable=True, gt=0, le=1)
    q_by = Column(pl.Float64, f"adjusted p (Benjamini & Yekutieli); {_NO_P}", nullable=True, gt=0, le=1)
    family_size = Column(pl.Int32, "tests of the family; 0 for facts and groups with too little to count", ge=0)
    underpowered_family = Column(pl.Boolean, "no lone discovery could have been significant")
    peak_first_half = Column(
        pl.Float64, "peak in the first half of the day; null where not looked at (q_bh > 0.05)", nullable=True
    )
    peak_second_half = Column(pl.Float64, "peak in the second half; null as the first", nullable=True)
    halves_agree = Column(pl.Boolean, "both peaks are one; null where not looked at", nullable=True)
    holdout_flag = Column(pl.Boolean, "the date is a hold-out, by the date alone")
    is_negative_control = Column(pl.Boolean, "a control: nothing should be found")
    control_kind = Column(pl.Enum(CONTROL_KINDS), "which control, none for the date itself")
    blocked_by_control = Column(pl.Boolean, "a control of the date failed: the verdict is none")
    verdict = Column(pl.Enum(VERDICTS), "of the date alone")
    weights_json = Column(
        pl.String,
        'share beyond the null by bin of the peak: {"unit": ns, Hz, cell or member, "bins": [[from, to, share]]}',
    )
    facts_json = Column(pl.String, "what is described beside the test: {name: number}")
    notes = Column(pl.List(pl.String), "what to know when reading the row")

    invariants = (
        Invariant(
            "span",
            "ts_start < ts_end <= available_from",
            lambda pl: (pl.col("ts_start") < pl.col("ts_end")) & (pl.col("ts_end") <= pl.col("available_from")),
        ),
        Invariant(
            "interval_in_order",
            "effect_lo <= effect_hi",
            lambda pl: pl.col("effect_lo") <= pl.col("effect_hi"),
        ),
        Invariant(
            "effect_is_whole",
            "effect, effect_lo and effect_hi are null together, peak_value and peak_width as well",
            lambda pl: (
                (pl.col("effect").is_null() == pl.col("effect_lo").is_null())
                & (pl.col("effect").is_null() == pl.col("effect_hi").is_null())
                & (pl.col("peak_value").is_null() == pl.col("peak_width").is_null())
            ),
        ),
        Invariant(
            "p_by_method",
            "p_raw, p_floor, q_bh and q_by are null exactly for facts and screens",
            lambda pl: pl.all_horizontal(
                [
                    pl.col(name).is_null() == pl.col("p_method").is_in(("fact", "screened"))
                    for name in ("p_raw", "p_floor", "q_bh", "q_by")
                ]
            ),
        ),
        Invariant(
            "q_is_no_less_than_p",
            "p_raw <= q_bh <= q_by",
            lambda pl: (pl.col("p_raw") <= pl.col("q_bh")) & (pl.col("q_bh") <= pl.col("q_by")),
        ),
        Invariant(
            "controls_are_named",
            "is_negative_control is false exactly for control_kind none",
            lambda pl: pl.col("is_negative_control") == (pl.col("control_kind").cast(pl.String) != "none"),
        ),
        Invariant(
            "verdict_by_provenance",
            "the verdict has the prefix exactly for simulated data",
            lambda pl: (
                pl.col("verdict").cast(pl.String).str.starts_with(SIMULATED)
                == (pl.col("provenance").cast(pl.String) == "simulated")
            ),
        ),
        Invariant(
            "one_date_is_a_hint",
            "a verdict of one date is never supported",
            lambda pl: ~pl.col("verdict").cast(pl.String).str.ends_with("supported"),
        ),
        Invariant(
            "blocked_is_none",
            "a blocked row, and one of a control, has no verdict but none or fact",
            lambda pl: (
                ~(pl.col("blocked_by_control") | pl.col("is_negative_control"))
                | ~pl.col("verdict").cast(pl.String).str.ends_with("weak")
            ),
        ),
        Invariant(
            "what_is_explained_is_none",
            f"a row with one of the notes {', '.join(AGAINST)} is not weak",
            lambda pl: (
                ~pl.col("notes").list.eval(pl.element().is_in(AGAINST)).list.any()
                | ~pl.col("verdict").cast(pl.String).str.ends_with("weak")
            ),
        ),
    )
