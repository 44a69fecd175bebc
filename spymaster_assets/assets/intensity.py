"""Gold: what is made from evidence: intensity, the answer before rejections, the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.lake import Lake, Partition
from spymaster.settings import Settings
from spymaster.tables.algo_contrast import AlgoContrast
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_intensity_1s import AlgoIntensity1s
from spymaster.tables.algo_law import AlgoLaw
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AlgoTest
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.candle_2m import Candle2m
from spymaster.tables.evidence_report import EvidenceReport
from spymaster.tables.order_event import OrderEvent
from spymaster.tables.order_life import OrderLife
from spymaster.tables.session_level import SessionLevel
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster.tables.trade import Trade
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, OwnHistory, Same
from spymaster_assets.recipe import Session

YEAR = 260
"""Dates that are looked back on: a year of weekdays."""
USUAL = 30
"""Dates that what is usual is taken from."""


def _last_earlier(partitions: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    return [one for one in partitions if one.dt < dt][-1:]


def _last(partitions: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    return partitions[-1:]


def _write_index(lake: Lake) -> None:
    from spymaster.evidence.report.session_report import write_index

    write_index(lake)


@lake_assets(
    AlgoIntensity1s,
    events=Same(OrderEvent),
    lives=Same(OrderLife),
    trades=Same(Trade),
    quotes=Same(BboChange),
    snapshot=Same(BookSnapshot1s),
    # Up to the date itself, which is never read: a backfill by Dagster reaches a partition through its own date only.
    findings=History(AlgoReplication, -YEAR, 0, select=_last_earlier),
    # Its own row is not read; the date counts where dates are held out.
    laws=History(AlgoLaw, -YEAR, 0),
    earlier=OwnHistory(AlgoIntensity1s, -USUAL),
    lineage={
        "*": ("kind", "side", "qty", "rel_ticks", "weights_json", "verdict_discovery"),
        "expected_share": ("share_msgs",),
        "intensity_z": ("share_msgs",),
    },
    kinds=("numba",),
)
def algo_intensity_1s(
    session: Session,
    events: Partition,
    lives: Partition,
    trades: Partition,
    quotes: Partition,
    snapshot: Partition,
    findings: Sequence[Partition],
    laws: Sequence[Partition],
    earlier: Sequence[Partition],
):
    from spymaster.evidence.session_intensity import session_intensity

    return session_intensity(
        events, lives, trades, quotes, snapshot, findings, laws, earlier,
        settings=session.settings, instrument=session.instrument, profile=session.lake.profile,
    )  # fmt: skip


@lake_assets(
    AlgoContrast,
    episodes=History(SetupEpisode, -YEAR, 0),
    outcomes=History(SetupOutcome, -YEAR, 0),
    intensities=History(AlgoIntensity1s, -YEAR, 0),
    runs=History(AlgoRun, -YEAR, 0),
    lineage={"*": ("match_set_id", "outcome", "n_attr", "n_msgs", "role")},
)
def algo_contrast(
    session: Session,
    episodes: Sequence[Partition],
    outcomes: Sequence[Partition],
    intensities: Sequence[Partition],
    runs: Sequence[Partition],
):
    from spymaster.evidence.session_contrast import session_contrast

    return session_contrast(episodes, outcomes, intensities, runs, seed=session.settings.evidence.seed)


@lake_assets(
    EvidenceReport,
    run=Same(AlgoRun),
    tests=Same(AlgoTest),
    curves=Same(AlgoCurve),
    exemplars=Same(AlgoExemplar),
    replication=Same(AlgoReplication),
    intensity=Same(AlgoIntensity1s),
    contrasts=History(AlgoContrast, -YEAR, 0, select=_last),
    candles=Same(Candle2m, optional=True),
    levels=Same(SessionLevel, optional=True),
    lineage={"*": ("verdict", "effect", "q_bh"), "contrast_dt": ("last_dt",), "controls_passed": ("controls_passed",)},
    after=_write_index,
)
def evidence_report(
    session: Session,
    run: Partition,
    tests: Partition,
    curves: Partition,
    exemplars: Partition,
    replication: Partition,
    intensity: Partition,
    contrasts: Sequence[Partition],
    candles: Partition | None,
    levels: Partition | None,
):
    from spymaster import __version__
    from spymaster.evidence.report.gather import gather
    from spymaster.evidence.report.session_report import store

    data = gather(
        run, tests, curves, exemplars, replication, intensity, contrasts, candles, levels,
        settings=session.settings, version=__version__,
    )  # fmt: skip
    return store(session.lake.root, data)
