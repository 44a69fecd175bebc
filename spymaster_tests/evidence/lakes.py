"""A lake of two quiet sessions that was searched for automation, by the library calls of the assets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from spymaster.evidence.replication import session_replication
from spymaster.evidence.session import Inputs, OtherDay, other_day, session_law, session_tests, with_other_day
from spymaster.lake import Lake
from spymaster.settings import EvidenceSettings
from spymaster.tables import TableModel
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_law import AlgoLaw
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AlgoTest
from spymaster_tests.checks.sessions import DT, EARLIER, SYMBOL, build_lake

MODELS: tuple[type[TableModel], ...] = (AlgoRun, AlgoTest, AlgoCurve, AlgoExemplar)
SETTINGS = EvidenceSettings(surrogates_demo=19, strata_demo=2)


def build(root: Path) -> Lake:
    """The lake, with the demo's profile."""
    lake = build_lake(root)
    lake.set_profile("demo")
    for dt in (EARLIER, DT):
        search(lake, dt)
    return lake


def search(lake: Lake, dt: date) -> None:
    """Make the tables of a date."""
    inputs = inputs_of(lake, dt)
    law = session_law(inputs.events, inputs.lives, settings=lake.settings)
    _store(lake, AlgoLaw, dt, law, [inputs.events, inputs.lives])
    frames, laws = searched(lake, dt), lake.partitions(AlgoLaw, SYMBOL, end=dt)
    for model in MODELS:
        _store(lake, model, dt, frames[model.name], [*inputs.all(), *laws])
    tests = lake.partitions(AlgoTest, SYMBOL, end=dt)
    _store(lake, AlgoReplication, dt, session_replication(tests, dt, settings=lake.settings), tests)


def inputs_of(lake: Lake, dt: date) -> Inputs:
    """Partitions that the tests of a date read."""
    names = ("order_event", "order_life", "trade", "bbo_change", "book_snapshot_1s")
    return Inputs(*(lake.partition(f"silver.{name}", SYMBOL, dt) for name in names))


def other_of(lake: Lake, dt: date) -> OtherDay | None:
    """The other day of a date, offered all dates of the lake."""
    names = ("trade", "bbo_change", "book_snapshot_1s")
    trades, quotes, snapshots = (
        with_other_day(lake.partitions(f"silver.{name}", SYMBOL), dt, lake.settings) for name in names
    )
    return other_day(trades, quotes, snapshots)


def searched(
    lake: Lake, dt: date, settings: EvidenceSettings = SETTINGS, profile: str = "demo"
) -> dict[str, pl.DataFrame]:
    """Frames of a date, offered all laws and all days of the lake."""
    return session_tests(
        inputs_of(lake, dt),
        lake.partition("bronze.contract_day_selection", SYMBOL, dt),
        lake.partition("bronze.future_definition", SYMBOL, dt),
        lake.partitions(AlgoLaw, SYMBOL),
        settings=lake.settings.model_copy(update={"evidence": settings}),
        profile=profile,
        other=other_of(lake, dt),
    )


def _store(lake: Lake, model: type[TableModel], dt: date, frame: pl.DataFrame, inputs: Sequence[Any]) -> None:
    with lake.writer(model, SYMBOL, dt) as writer:
        writer.write(frame)
        writer.commit(inputs=inputs)
