"""The engine pass of a stored session: from its Bronze partitions to the frames of the five Silver tables."""

from __future__ import annotations

from collections.abc import Collection

from spymaster.feed.records import records
from spymaster.lake import Partition
from spymaster.market.instruments import Instrument, instrument
from spymaster.settings import Settings
from spymaster.surfaces.errors import SurfaceInputError
from spymaster.surfaces.futures import TABLES, FuturesPass


def session_pass(
    mbo: Partition,
    selection: Partition,
    definitions: Partition,
    *,
    tables: Collection[str] = TABLES,
    settings: Settings | None = None,
) -> FuturesPass:
    """The pass over the selected contract of a date and root.

    mbo, selection, definitions: partitions of `bronze.future_mbo`, `bronze.contract_day_selection` and
    `bronze.future_definition` of the same date and root. tables: short names of the tables wanted. A date without an
    outright gives a pass without records. Raises `SurfaceInputError` if the selected contract has no definition.
    """
    settings = settings or Settings()
    known = instrument(mbo.symbol, settings)
    contract, instrument_id, tick_size_int = selected_contract(selection, definitions, known)
    return FuturesPass(
        records(mbo, contract) if contract else (),
        contract=contract,
        instrument_id=instrument_id,
        instrument=known,
        tick_size_int=tick_size_int,
        dt=mbo.dt,
        tables=tables,
        settings=settings.engine,
        source=mbo.label,
    )


def selected_contract(selection: Partition, definitions: Partition, known: Instrument) -> tuple[str, int, int]:
    """Name, instrument id and tick size (1e-9) of the selected contract; an empty name where there is no outright.

    Raises `SurfaceInputError` if it has no definition.
    """
    chosen = selection.read(["contract", "instrument_id", "is_selected"]).filter("is_selected")
    if chosen.is_empty():
        return "", 0, known.tick_size_int
    contract, instrument_id, _ = chosen.row(0)
    return contract, instrument_id, _tick_size(definitions, contract)


def _tick_size(definitions: Partition, contract: str) -> int:
    ticks = definitions.scan(["contract", "tick_size_int"]).collect().filter(contract=contract)["tick_size_int"]
    if ticks.is_empty():
        raise SurfaceInputError(f"{definitions.label} has no row for the selected contract {contract}")
    return int(ticks[0])
