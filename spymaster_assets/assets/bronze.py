"""Bronze: what is in the raw files, faithfully, every contract of the root; and which contract a date is built from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.lake import Lake, Partition, RawFile
from spymaster.lake.layout import staging_dir
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.future_statistics import FutureStatistics
from spymaster.tables.model import TableModel
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.option_mbo import OptionMbo
from spymaster.tables.option_statistics import OptionStatistics
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, Raw
from spymaster_assets.recipe import Session


@lake_assets(FutureMbo, raw=Raw("market_by_order_dbn"), kinds=("numba",))
def future_mbo(session: Session, raw: RawFile):
    from spymaster.feed.bronze import future_mbo_frames, open_raw

    file = open_raw(raw)
    session.dataset = file.metadata.dataset
    return future_mbo_frames(file, spool_dir=staging_dir(session.lake.root), counters=session.counters)


@lake_assets(
    FutureDefinition,
    raw=Raw("market_by_order_dbn"),
    definition=Raw("definition", optional=True, covering=True),
)
def future_definition(session: Session, raw: RawFile, definition: RawFile | None):
    from spymaster.feed.definitions import future_definitions
    from spymaster.feed.metadata import read_metadata
    from spymaster.feed.sources import dataset_of

    metadata = read_metadata(raw.path)
    session.dataset = metadata.dataset
    return future_definitions(
        session.symbol,
        session.dt,
        mbo=[metadata],
        definitions=definition.path if definition else None,
        datasets={dataset_of(raw)},
        settings=session.settings,
    )


@lake_assets(FutureStatistics, raw=Raw("statistics", optional=True, covering=True))
def future_statistics(session: Session, raw: RawFile | None):
    return _statistics(session, FutureStatistics, raw)


@lake_assets(OptionStatistics, raw=Raw("statistics", optional=True, covering=True, product_type="future_option"))
def option_statistics(session: Session, raw: RawFile | None):
    return _statistics(session, OptionStatistics, raw)


def _statistics(session: Session, model: type[TableModel], raw: RawFile | None):
    from spymaster.feed.sources import dataset_of
    from spymaster.feed.statistics import statistics_frames

    if raw is None:
        session.empty_reason = f"no raw statistics file covers {session.dt}"
        return ()
    session.dataset = dataset_of(raw)
    session.empty_reason = f"{raw.path.name} holds nothing received on {session.dt}"
    return statistics_frames(model, raw, session.dt, counters=session.counters)


def _definitions_of_both(lake: Lake, symbol: str, dt: date) -> RawFile | None:
    """The definition file of futures, where options have none of their own: it may hold both."""
    from spymaster.feed.sources import covering_file

    own = covering_file(lake, symbol, "definition", dt, "future_option")
    return None if own else covering_file(lake, symbol, "definition", dt)


@lake_assets(
    OptionDefinition,
    definition=Raw("definition", optional=True, covering=True, product_type="future_option"),
    both=Raw("definition", optional=True, find=_definitions_of_both),
    mbo=Raw("market_by_order_dbn", optional=True, product_type="future_option"),
)
def option_definition(session: Session, definition: RawFile | None, both: RawFile | None, mbo: RawFile | None):
    from spymaster.feed.metadata import read_metadata
    from spymaster.feed.option_definitions import option_definitions

    made = option_definitions(
        session.symbol,
        session.dt,
        definitions=definition or both,
        mbo=read_metadata(mbo.path) if mbo else None,
        settings=session.settings,
    )
    session.counters |= made.counters
    session.notes |= made.notes
    session.dataset, session.empty_reason = made.dataset or session.dataset, made.empty_reason
    return made.frame


@lake_assets(OptionMbo, raw=Raw("market_by_order_dbn", optional=True, product_type="future_option"), kinds=("numba",))
def option_mbo(session: Session, raw: RawFile | None):
    from spymaster.feed.bronze import open_raw, option_mbo_frames

    if raw is None:
        session.empty_reason = f"no raw file of options for {session.dt}"
        return ()
    file = open_raw(raw)
    session.dataset = file.metadata.dataset
    return option_mbo_frames(file, counters=session.counters)


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
