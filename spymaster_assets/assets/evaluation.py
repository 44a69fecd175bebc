"""Gold: what was tried, and what the evaluation says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from spymaster.lake import Lake, Partition
from spymaster.tables.evaluation_report import EvaluationReport
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.move_conditions_1s import MoveConditions1s
from spymaster.tables.move_measure_1s import MoveMeasure1s
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor
from spymaster.tables.retrieval_result import RetrievalResult
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.trials_ledger import TrialsLedger
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_assets.assets.research import YEAR
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History
from spymaster_assets.recipe import Session


def _render(lake: Lake) -> None:
    from spymaster.research.report_page import render_reports

    render_reports(lake)


@lake_assets(
    TrialsLedger,
    EvaluationReport,
    vectors=History(SetupVector, -YEAR, 0),
    episodes=History(SetupEpisode, -YEAR, 0, dates_of="vectors"),
    outcomes=History(SetupOutcome, -YEAR, 0, dates_of="vectors"),
    scaler=History(VectorScaler, -YEAR, 0, dates_of="vectors"),
    conditions=History(MoveConditions1s, -YEAR, 0, dates_of="vectors"),
    measures=History(MoveMeasure1s, -YEAR, 0, dates_of="vectors"),
    definitions=History(FutureDefinition, -YEAR, 0, dates_of="vectors"),
    results=History(RetrievalResult, -YEAR, 0, dates_of="vectors"),
    neighbours=History(RetrievalNeighbor, -YEAR, 0, dates_of="vectors"),
    lineage={"*": ("vector", "outcome", "z_r_ask_w5", "z_n_ask_w5", "b1_break", "p_break")},
    after=_render,
)
def evaluation_report(
    session: Session, neighbours: Sequence[Partition], **tables: Sequence[Partition]
) -> Iterator[dict[str, pl.DataFrame]]:
    from spymaster.research.sample_tables import by_date
    from spymaster.research.session_evaluation import session_evaluation

    lake, symbol, dt = session.lake, session.symbol, session.dt
    # the own partition is read while its writer holds the lock: nobody else enters a trial meanwhile
    ledgers = {one.dt: one.read() for one in lake.partitions(TrialsLedger, symbol)}
    own = ledgers.pop(dt, TrialsLedger.empty())
    made = session_evaluation(
        by_date(**tables),
        neighbours,
        own,
        pl.concat([TrialsLedger.empty(), *(ledgers[day] for day in sorted(ledgers))]),
        settings=session.settings,
        profile=lake.profile,
        provenance=tables["vectors"][-1].manifest.provenance,
        enters=TrialsLedger.name in session.tables,
    )
    yield {TrialsLedger.name: made.ledger, EvaluationReport.name: made.report}
