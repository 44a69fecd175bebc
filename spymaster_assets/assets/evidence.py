"""Silver and Gold of the search for automation: what every order did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.lake import Partition
from spymaster.settings import Settings
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_law import AlgoLaw
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AlgoTest
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.order_event import OrderEvent
from spymaster.tables.order_life import OrderLife
from spymaster.tables.trade import Trade
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, Same
from spymaster_assets.recipe import Session

YEAR = 260
"""Dates that laws and replications reach back: a year of weekdays."""
TWO_WEEKS = 10
"""Dates that are looked through for an earlier discovery date: of ten weekdays at most six in a row are held out."""


def _with_other_day(partitions: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    from spymaster.evidence.session import with_other_day

    return with_other_day(partitions, dt, settings)


@lake_assets(
    OrderEvent,
    OrderLife,
    mbo=Same(FutureMbo),
    selection=Same(ContractDaySelection),
    definitions=Same(FutureDefinition),
    quotes=Same(BboChange),
    lineage={
        "*": ("ts_event", "order_id", "price_int", "size", "flags", "action", "side"),
        "dist_ticks": ("price_int", "bid_price_int", "ask_price_int"),
        "dist_add": ("price_int", "bid_price_int", "ask_price_int"),
    },
    kinds=("numba",),
)
def order_lives(session: Session, mbo: Partition, selection: Partition, definitions: Partition, quotes: Partition):
    from spymaster.surfaces.lives import session_lives

    return session_lives(mbo, selection, definitions, quotes, settings=session.settings)


@lake_assets(
    AlgoLaw,
    events=Same(OrderEvent),
    lives=Same(OrderLife),
    lineage={"*": ("kind", "qty", "dist_add", "size0", "ts_add", "side")},
)
def algo_law(session: Session, events: Partition, lives: Partition):
    from spymaster.evidence.session import session_law

    return session_law(events, lives, settings=session.settings)


@lake_assets(
    AlgoRun,
    AlgoTest,
    AlgoCurve,
    AlgoExemplar,
    events=Same(OrderEvent),
    lives=Same(OrderLife),
    # Each with an earlier date's, for the control whose messages have nothing to answer.
    trades=History(Trade, -TWO_WEEKS, 0, select=_with_other_day),
    quotes=History(BboChange, -TWO_WEEKS, 0, select=_with_other_day),
    snapshots=History(BookSnapshot1s, -TWO_WEEKS, 0, select=_with_other_day),
    selection=Same(ContractDaySelection),
    definitions=Same(FutureDefinition),
    # Its own row is for a date without an earlier one; of held-out dates nothing but the date is used.
    laws=History(AlgoLaw, -YEAR, 0),
    lineage={"*": ("ts_event", "kind", "side", "qty", "price_int", "ts_add", "ts_end", "sizes", "counts")},
    kinds=("numba",),
    late=True,
)
def algo_tests(
    session: Session,
    events: Partition,
    lives: Partition,
    trades: Sequence[Partition],
    quotes: Sequence[Partition],
    snapshots: Sequence[Partition],
    selection: Partition,
    definitions: Partition,
    laws: Sequence[Partition],
):
    from spymaster.evidence.session import Inputs, other_day, session_tests

    yield session_tests(
        Inputs(events, lives, trades[-1], quotes[-1], snapshots[-1]),
        selection,
        definitions,
        laws,
        settings=session.settings,
        profile=session.lake.profile,
        other=other_day(trades, quotes, snapshots),
    )


@lake_assets(
    AlgoReplication,
    tests=History(AlgoTest, -YEAR, 0),
    lineage={"*": ("p_raw", "q_by", "effect", "effect_lo", "peak_value", "verdict")},
)
def algo_replication(session: Session, tests: Sequence[Partition]):
    from spymaster.evidence.replication import session_replication

    return session_replication(tests, session.dt, settings=session.settings)
