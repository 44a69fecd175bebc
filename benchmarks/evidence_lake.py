"""A lake with one simulated whole day and all that the search for automation reads of it, made once and kept.

Preset `full_day`: Bronze of all contracts, and of the selected one seconds, trades, quotes, messages and lives. What is
there is not made again, so a run that was ended goes on. The day's law stands under an earlier date, too, so that the
day is tested as one that has predecessors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from spymaster.evidence.holdout import is_holdout
from spymaster.evidence.session import Inputs, session_law
from spymaster.feed.bronze import future_mbo_frames, open_raw
from spymaster.feed.definitions import future_definitions
from spymaster.feed.metadata import read_metadata
from spymaster.feed.selection import contract_day_selection
from spymaster.feed.sources import dataset_of
from spymaster.lake import Lake, Partition
from spymaster.lake.layout import staging_dir
from spymaster.lake.raw import RawFile, raw_files
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import complete_run, simulate
from spymaster.surfaces.lives import session_lives
from spymaster.surfaces.session import session_pass
from spymaster.tables import TableModel
from spymaster.tables import table as model_of
from spymaster.tables.algo_law import AlgoLaw
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo

SYMBOL = "ES"
READ = ("order_event", "order_life", "trade", "bbo_change", "book_snapshot_1s")
"""Silver that the tests read."""


def day_lake(root: Path, messages: int, seed: int) -> tuple[Lake, date]:
    """The lake under `root`, completed, and its date."""
    asked = plan(Request(SYMBOL, preset="full_day", seed=seed, messages=messages or None, options=False))
    dt = asked.days[-1].dt
    lake = Lake.open(root, create=True, kind="simulated")
    if complete_run(asked, lake) is None:
        simulate(asked, root)
    raw = raw_files(lake, SYMBOL, "market_by_order_dbn", dt)[0]
    _bronze(lake, raw)
    _silver(lake, dt)
    if not lake.has(AlgoLaw, SYMBOL, dt):
        inputs = inputs_of(lake, dt)
        law = session_law(inputs.events, inputs.lives, settings=lake.settings)
        for day in (dt, earlier_date(lake, dt)):
            store(lake, AlgoLaw, day, [law], [inputs.events, inputs.lives])
    return lake, dt


def inputs_of(lake: Lake, dt: date) -> Inputs:
    """Partitions that the tests read."""
    return Inputs(*(lake.partition(f"silver.{name}", SYMBOL, dt) for name in READ))


def earlier_date(lake: Lake, dt: date) -> date:
    """The last date before `dt` that nothing is held out on: what the day's predecessors are told as."""
    day = dt - timedelta(days=1)
    while day.isoweekday() > 5 or is_holdout(day, lake.settings.evidence):
        day -= timedelta(days=1)
    return day


def store(
    lake: Lake, model: type[TableModel], dt: date, frames: Iterable[pl.DataFrame], inputs: Sequence[Any], **about: Any
) -> Partition:
    """Write a partition."""
    with lake.writer(model, SYMBOL, dt) as writer:
        for frame in frames:
            writer.write(frame)
        writer.commit(inputs=list(inputs), **about)
    return lake.partition(model, SYMBOL, dt)


def _bronze(lake: Lake, raw: RawFile) -> None:
    dt = raw.dt
    if not lake.has(FutureMbo, SYMBOL, dt):
        file = open_raw(raw)
        frames = future_mbo_frames(file, spool_dir=staging_dir(lake.root))
        store(lake, FutureMbo, dt, frames, [raw], dataset=file.metadata.dataset)
    if not lake.has(FutureDefinition, SYMBOL, dt):
        told = read_metadata(raw.path)
        frame = future_definitions(SYMBOL, dt, mbo=[told], datasets={dataset_of(raw)}, settings=lake.settings)
        store(lake, FutureDefinition, dt, [frame], [raw], dataset=told.dataset)
    if not lake.has(ContractDaySelection, SYMBOL, dt):
        mbo = lake.partition(FutureMbo, SYMBOL, dt)
        store(lake, ContractDaySelection, dt, [contract_day_selection(lake, SYMBOL, dt).frame], [mbo])


def _silver(lake: Lake, dt: date) -> None:
    mbo, selection, definitions = bronze = (
        lake.partition(FutureMbo, SYMBOL, dt),
        lake.partition(ContractDaySelection, SYMBOL, dt),
        lake.partition(FutureDefinition, SYMBOL, dt),
    )
    if not all(lake.has(f"silver.{name}", SYMBOL, dt) for name in READ[2:]):
        made = session_pass(mbo, selection, definitions, tables=READ[2:], settings=lake.settings)
        _store_blocks(lake, dt, READ[2:], made, bronze)
    if not all(lake.has(f"silver.{name}", SYMBOL, dt) for name in READ[:2]):
        quotes = lake.partition(BboChange, SYMBOL, dt)
        made = session_lives(mbo, selection, definitions, quotes, settings=lake.settings)
        _store_blocks(lake, dt, READ[:2], made, (*bronze, quotes))


def _store_blocks(
    lake: Lake,
    dt: date,
    names: Sequence[str],
    blocks: Iterable[Mapping[str, pl.DataFrame]],
    inputs: Sequence[Partition],
) -> None:
    writers = {name: lake.writer(model_of(f"silver.{name}"), SYMBOL, dt) for name in names}
    try:
        for writer in writers.values():
            writer.__enter__()
        for block in blocks:
            for name, frame in block.items():
                writers[name].write(frame)
        for writer in writers.values():
            writer.commit(inputs=list(inputs))
    finally:
        for writer in writers.values():
            writer.__exit__(None, None, None)
