"""`gold.algo_run`: one search of a date for automation, and what it was made from."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import PROVENANCE, TIMESTAMP

ROLES = ("discovery", "holdout")
"""Dates that structure is looked for on, and dates that only say whether it is there again."""
CONTROLS = ("none", "sample", "full")
"""Negative controls that were run: none, on the busiest hour, on the whole day."""


class AlgoRun(TableModel):
    """One row per date: identity of the run, what it was looked at with, and how good the capture was.

    run_id stands for code, strata, settings, data and seed: equal ids mean equal results.
    """

    layer = "gold"
    name = "algo_run"
    key = ("run_id",)
    time_column = "ts_end"
    parameters = ("evidence", "instrument")

    run_id = Column(pl.String, "hash of code, strata, settings, data and seed")
    code_hash = Column(pl.String, "hash of the code of the tests and of their settings")
    strata_hash = Column(pl.String, "hash of the register of strata")
    data_hash = Column(pl.String, "hash of the partitions that were read")
    contract = Column(pl.String, "the selected contract of the date")
    session_date = Column(pl.Date, "trade date of the exchange that most of the date's messages belong to")
    ts_start = Column(TIMESTAMP, "start of the first second that was looked at", unit="ns")
    ts_end = Column(TIMESTAMP, "end of the last", unit="ns")
    seed = Column(pl.Int64, "of all random numbers", ge=0)
    profile = Column(pl.String, "how much was computed", isin=("standard", "demo"))
    n_surrogate = Column(pl.Int32, "surrogates of the first stage", ge=1)
    n_surrogate_second = Column(
        pl.Int32, "surrogates of the second stage; null where there is none", nullable=True, ge=1
    )
    n_messages = Column(pl.Int64, "messages of the date", unit="messages", ge=0)
    n_usable = Column(pl.Int64, "messages that tests may look at", unit="messages", ge=0)
    n_mass_cancel = Column(pl.Int64, "cancels left out as mass cancels", unit="messages", ge=0)
    capture_p50_ns = Column(pl.Int64, "median of ts_recv - ts_event; null without messages", unit="ns", nullable=True)
    capture_p90_ns = Column(pl.Int64, "90th percentile of it; null without messages", unit="ns", nullable=True)
    capture_p99_ns = Column(pl.Int64, "99th percentile of it; null without messages", unit="ns", nullable=True)
    role = Column(pl.Enum(ROLES), "what the date is for: by the date alone, so it never changes")
    law_dates = Column(
        pl.List(pl.Date), "dates whose algo_law the run used; empty: its own, and nothing is more than a hint"
    )
    law_json = Column(pl.String, "thresholds and favourite sizes that the run used")
    controls = Column(pl.Enum(CONTROLS), "negative controls that were run")
    controls_passed = Column(pl.Boolean, "they found what chance finds; null where none were run", nullable=True)
    n_tests = Column(pl.Int32, "rows of algo_test, controls included", ge=0)
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant("span", "ts_start < ts_end", lambda pl: pl.col("ts_start") < pl.col("ts_end")),
        Invariant(
            "controls_have_an_outcome",
            "controls_passed is null exactly where controls is none",
            lambda pl: pl.col("controls_passed").is_null() == (pl.col("controls").cast(pl.String) == "none"),
        ),
        Invariant(
            "usable_are_messages", "n_usable <= n_messages", lambda pl: pl.col("n_usable") <= pl.col("n_messages")
        ),
        Invariant(
            "capture_in_order",
            "capture_p50_ns <= capture_p90_ns <= capture_p99_ns",
            lambda pl: (
                (pl.col("capture_p50_ns") <= pl.col("capture_p90_ns"))
                & (pl.col("capture_p90_ns") <= pl.col("capture_p99_ns"))
            ),
        ),
    )
