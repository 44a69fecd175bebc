"""A simulated date searched for automation as a stored one is: rows of `gold.algo_test`, exemplars, and p by test."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from benchmarks.evidence_days import SimDay
from spymaster.evidence import phase
from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.families import TESTS, Judged, Profile, run_tests
from spymaster.evidence.halves import look_at_halves
from spymaster.evidence.holdout import is_holdout
from spymaster.evidence.identity import Identity, code_hash
from spymaster.evidence.law import Law
from spymaster.evidence.result import TestResult
from spymaster.evidence.rows import Context, exemplar_rows, result_rows
from spymaster.evidence.strata import strata_hash
from spymaster.evidence.verdicts import Least
from spymaster.settings import Settings

UNSCREENED = "windows"
"""Windows of E5 that were looked at and had no line: their p is 1."""


@dataclass(frozen=True)
class Searched:
    """A date that was searched. first: by test, how often each p of the first stage, in units of 1 / (S + 1)."""

    day: DayArrays
    judged: tuple[Judged, ...]
    tests: pl.DataFrame
    exemplars: pl.DataFrame
    first: dict[str, dict[int, int]]
    cpu_s: dict[str, float]


def search(
    made: SimDay, law: Law, settings: Settings, profile: Profile, *, tests: Collection[str] = tuple(TESTS)
) -> Searched:
    """Run tests on a date and judge them. law: of earlier dates."""
    chosen, day = settings.evidence, made.arrays(law)
    context = Context(
        symbol="ES",
        dt=made.dt,
        identity=Identity("bench", code_hash(), strata_hash(), "simulated"),
        contract=made.contract,
        session_date=made.dt,
        provenance="simulated",
        seed=chosen.seed,
        holdout=is_holdout(made.dt, chosen),
        least=Least.of(chosen),
    )
    first: dict[str, Counter[int]] = {}
    judged: list[Judged] = []
    seconds: dict[str, float] = {}
    for test in tests:
        started = time.process_time()
        judged += run_tests(
            day, seed=chosen.seed, profile=profile, tests=[test],
            seen=lambda result: _count(first, result, profile.surrogates, made.lumps),
        )  # fmt: skip
        seconds[test] = round(time.process_time() - started, 1)
    started = time.process_time()
    judged = look_at_halves(day, judged, seed=chosen.seed, least=context.least)
    seconds["halves"] = round(time.process_time() - started, 1)
    away = made.inputs.events.read(["rel_ticks"])["rel_ticks"]
    return Searched(
        day, tuple(judged), result_rows(context, day, judged), exemplar_rows(context, day, judged, away),
        {name: dict(sorted(counts.items())) for name, counts in sorted(first.items())}, seconds,
    )  # fmt: skip


def _count(first: dict[str, Counter[int]], result: TestResult, surrogates: int, lumps: bool) -> None:
    """Add the p of a first stage to its test; of E6 and of E7's groups the larger of two counts; both are told.

    Where the market has more in every fifth minute (`lumps`), E4 is right to find it: those p are told apart.
    """
    is_there = lumps and (result.test_id, result.sub_id) == (phase.TEST, "300s")
    values: dict[str, Any] = {f"{phase.TEST} every fifth minute" if is_there else result.test_id: result.p_raw}
    if result.sub_id == "synthetic":
        values |= {
            "E6 entries redrawn": result.facts["p_jitter"],
            "E6 sizes permuted": result.facts["p_sizes_permuted"],
        }
    if result.sub_id == "episodes":
        values |= {
            "E7 trades shifted": result.facts["p_shifted"],
            "E7 withdrawals redrawn": result.facts["p_redrawn"],
        }
    for name, p in values.items():
        counts = first.setdefault(name, Counter())
        if p is not None:
            counts[round(p * (surrogates + 1))] += 1
        if "windows" in result.facts:  # of E5: all windows are in the family, those without a line with p 1
            windows = int(result.facts["windows"] or 0) - (p is not None)
            counts[surrogates + 1] += max(windows, 0)
