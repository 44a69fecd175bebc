"""The lake of `model_lakes` with ledger and report of its last date; so few sessions are enough here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from spymaster.lake import Lake
from spymaster.research.models import ALGOS
from spymaster.research.sample_tables import TABLES, DateTables, by_date
from spymaster.research.session_evaluation import Written, session_evaluation
from spymaster.settings import Settings
from spymaster.tables.evaluation_report import EvaluationReport
from spymaster.tables.trials_ledger import TrialsLedger
from spymaster_tests.research.lakes import DATES, SYMBOL, store
from spymaster_tests.research.model_lakes import build

DT = DATES[-1]
FEW = ("b1", "bar", "logit")
"""Models that most tests are content with."""
__all__ = ["DT", "SYMBOL", "dates_of", "evaluate_date", "evaluated_lake", "quick"]


def quick(settings: Settings, **changes: object) -> Settings:
    """Settings with few draws, under which eight sessions are enough."""
    few = {"min_sessions_demo": 6, "draws": 100, "permutations": 19, "placebo_draws": 10, "leads_s": [0], **changes}
    model = settings.outcome_model.model_copy(update={"refit_sessions": 2, "holdout_share": 0.25})
    return settings.model_copy(
        update={"evaluation": settings.evaluation.model_copy(update=few), "outcome_model": model}
    )


def dates_of(lake: Lake) -> list[DateTables]:
    """Tables of all dates."""
    return by_date(**{name: lake.partitions(model, SYMBOL) for name, model in TABLES.items()})


def evaluate_date(
    lake: Lake, settings: Settings, *, ledger: pl.DataFrame | None = None, others: pl.DataFrame | None = None,
    dates: list[DateTables] | None = None, enters: bool = True, algos: Sequence[str] = FEW,
) -> Written:  # fmt: skip
    """Ledger and report of the last date."""
    empty = TrialsLedger.empty()
    return session_evaluation(
        dates_of(lake) if dates is None else dates, lake.partitions("gold.retrieval_neighbor", SYMBOL),
        empty if ledger is None else ledger, empty if others is None else others, settings=settings,
        profile=lake.profile, provenance="simulated", enters=enters, algos=algos,
    )  # fmt: skip


def evaluated_lake(root: Path) -> Lake:
    """The lake with both tables stored."""
    lake = build(root)
    made = evaluate_date(lake, quick(lake.settings), algos=ALGOS)
    store(lake, TrialsLedger, DT, made.ledger)
    store(lake, EvaluationReport, DT, made.report)
    return lake
