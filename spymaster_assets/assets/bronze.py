"""Bronze: what is in the raw files, faithfully, every contract of the root; and which contract a date is built from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.lake import Lake, Partition, RawFile
from spymaster.lake.layout import staging_dir
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, Raw
from spymaster_assets.recipe import Session


@lake_assets(FutureMbo, raw=Raw("market_by_order_dbn"), kinds=("numba",))
def future_mbo(session: Session, raw: RawFile):
    from spymaster.feed.bronze import future_mbo_frames, open_raw

    file = open_raw(raw)
    session.dataset = file.metadata.dataset
    return future_mbo_frames(file, spool_dir=staging_dir(session.lake.root), counters=session.counters)


def _covering_definition(lake: Lake, symbol: str, dt: date) -> RawFile | None:
    from spymaster.feed.definitions import definition_source

    source = definition_source(lake, symbol, dt)
    return source and source.raw


@lake_assets(
    FutureDefinition,
    raw=Raw("market_by_order_dbn"),
    definition=Raw("definition", optional=True, find=_covering_definition),
)
def future_definition(session: Session, raw: RawFile, definition: RawFile | None):
    from spymaster.feed.definitions import future_definitions
    from spymaster.feed.metadata import read_metadata

    metadata = read_metadata(raw.path)
    session.dataset = metadata.dataset
    return future_definitions(
        session.symbol,
        session.dt,
        mbo=[metadata],
        definitions=definition.path if definition else None,
        settings=session.settings,
    )


def _export(lake: Lake) -> None:
    from spymaster.feed.selection_export import export_selection

    export_selection(lake)


@lake_assets(
    ContractDaySelection,
    mbo=History(FutureMbo, -10, 0),
    definitions=History(FutureDefinition, -10, 0),
    lineage={"*": ("contract", "action", "size", "ts_event")},
    after=_export,
)
def contract_day_selection(session: Session, mbo: Sequence[Partition], definitions: Sequence[Partition]):
    from spymaster.feed.selection import contract_day_selection

    return contract_day_selection(session.lake, session.symbol, session.dt).frame
