"""`gold.algo_replication`: what was found on more dates than one, up to and with the date."""

from __future__ import annotations

import polars as pl

from spymaster.tables.algo_test import EFFECT_UNITS, PEAK_UNITS, TEST_IDS, VERDICTS
from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import PROVENANCE, TIMESTAMP

_NO_P = "null where no date tested it"


class AlgoReplication(TableModel):
    """One row per test, sub-test and group of messages over all dates up to this one, the last included.

    Effect, peak and weights are of the discovery dates alone, so that hold-out dates cannot move them: later dates
    attribute messages by `weights_json` of the rows whose verdict_discovery is weak or fact. Of a periodic sender (E5)
    the row is of one line, within half a percent: that which most discovery dates show. A date with another one is a
    date without it.
    """

    layer = "gold"
    name = "algo_replication"
    key = ("test_id", "sub_id", "stratum_json")
    parameters = ("evidence", "instrument")
    parquet = ParquetLayout(dictionary=("test_id", "sub_id", "effect_unit", "peak_unit", "verdict", "provenance"))

    test_id = Column(pl.String, "as in algo_test", isin=TEST_IDS)
    sub_id = Column(pl.String, "as in algo_test")
    stratum_json = Column(pl.String, "as in algo_test")
    strata_hash = Column(pl.String, "strata of all dates that count; dates of others are left out")
    first_dt = Column(pl.Date, "first date that counts")
    last_dt = Column(pl.Date, "last date that counts: nothing later was used")
    available_from = Column(TIMESTAMP, "end of the last data that the row uses", unit="ns")
    days_seen = Column(pl.Int32, "dates that count: all that were searched, the same for every group", ge=1)
    days_tested = Column(pl.Int32, "of them, dates on which the group had enough to be tested", ge=0)
    days_replicated = Column(pl.Int32, "of those, dates with q_by <= 0.05 and an effect beyond the least", ge=0)
    days_discovery = Column(pl.Int32, "of days_seen, discovery dates", ge=0)
    days_discovery_found = Column(pl.Int32, "of those, with q_by <= 0.05", ge=0)
    days_holdout = Column(pl.Int32, "of days_seen, hold-out dates", ge=0)
    days_holdout_found = Column(
        pl.Int32, "of those, with the same sign, an interval beyond the least effect, and the peak at its place", ge=0
    )
    u = Column(pl.Int32, "dates that p_partial_conj is about: half of days_seen, rounded up; 0 without a test", ge=0)
    p_partial_conj = Column(
        pl.Float64, f"p that fewer than u dates have the structure; {_NO_P}", nullable=True, gt=0, le=1
    )
    p_cauchy = Column(pl.Float64, f"p of all dates together (Cauchy combination); {_NO_P}", nullable=True, gt=0, le=1)
    effect = Column(pl.Float64, "median over discovery dates; null without one", nullable=True)
    effect_unit = Column(pl.String, "as in algo_test", isin=EFFECT_UNITS)
    effect_lo = Column(
        pl.Float64, "2.5 % of its bootstrap over dates (of one date its own interval); null as effect", nullable=True
    )
    effect_hi = Column(pl.Float64, "97.5 % of it; null as effect", nullable=True)
    peak_value = Column(
        pl.Float64,
        "median over discovery dates where it was found, of phases on their circle; null without",
        nullable=True,
    )
    peak_unit = Column(pl.String, "as in algo_test", isin=PEAK_UNITS)
    peak_spread = Column(
        pl.Float64,
        "largest less smallest peak of those dates, of phases the shortest arc; null as peak_value",
        nullable=True,
        ge=0,
    )
    weights_json = Column(
        pl.String, "as in algo_test, mean over discovery dates where it was found; a line has one bin"
    )
    verdict_discovery = Column(pl.Enum(VERDICTS), "of the discovery dates alone: weak at most")
    verdict = Column(pl.Enum(VERDICTS), "with the hold-out dates")
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "days_add_up",
            "days_discovery + days_holdout = days_seen, and no group is found on more dates than it was tested on",
            lambda pl: (
                (pl.col("days_discovery") + pl.col("days_holdout") == pl.col("days_seen"))
                & (pl.col("days_tested") <= pl.col("days_seen"))
                & (pl.col("days_replicated") <= pl.col("days_tested"))
                & (pl.col("days_discovery_found") <= pl.col("days_discovery"))
                & (pl.col("days_holdout_found") <= pl.col("days_holdout"))
            ),
        ),
        Invariant("dates_in_order", "first_dt <= last_dt", lambda pl: pl.col("first_dt") <= pl.col("last_dt")),
        Invariant("interval_in_order", "effect_lo <= effect_hi", lambda pl: pl.col("effect_lo") <= pl.col("effect_hi")),
        Invariant(
            "supported_needs_both",
            "supported only with discovery and hold-out dates",
            lambda pl: (
                ~pl.col("verdict").cast(pl.String).str.ends_with("supported")
                | ((pl.col("days_discovery") > 0) & (pl.col("days_holdout_found") > 0))
            ),
        ),
        Invariant(
            "discovery_is_a_hint",
            "verdict_discovery is never supported",
            lambda pl: ~pl.col("verdict_discovery").cast(pl.String).str.ends_with("supported"),
        ),
    )
