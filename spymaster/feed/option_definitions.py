"""`bronze.option_definition`: what each option of a session is, version by version.

Strike, right, expiration and the future that is delivered come from definition records, never from symbols: weekly and
end-of-month options have roots of their own. Vendors repeat unchanged definitions; only changes become rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from spymaster.feed.definitions import OPTION_CLASSES, multiplier
from spymaster.feed.errors import InvalidRecordError
from spymaster.feed.messages import read_definitions, timestamp
from spymaster.feed.metadata import FileMetadata
from spymaster.feed.sources import dataset_of, open_covering
from spymaster.lake import RawFile
from spymaster.market.calendar import wall_time_ns
from spymaster.market.dbn import UNDEF_PRICE
from spymaster.market.instruments import Instrument, instrument
from spymaster.settings import Settings
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.types import RIGHTS

if TYPE_CHECKING:
    from databento_dbn import InstrumentDefMsg

_NAMED = 20
"""Instruments without a definition that a manifest names."""
_FRAME_ROWS = 65_536


@dataclass(frozen=True)
class OptionDefinitions:
    """Rows of `bronze.option_definition` of a date, and what its manifest says about them."""

    frame: pl.DataFrame
    counters: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    dataset: str | None = None
    empty_reason: str | None = None


def option_definitions(
    root: str,
    dt: date,
    *,
    definitions: RawFile | None,
    mbo: FileMetadata | None = None,
    settings: Settings | None = None,
) -> OptionDefinitions:
    """The definitions of options that are in force at some time of `dt`, sorted by instrument and time.

    Parameters
    ----------
    definitions
        The definition file that covers the date. All instruments of a file of options belong; of a file of futures,
        which may hold both, those of an option class. Records received after the date are not looked at.
    mbo
        Header of the date's order file of options: instruments that it names and nothing defines are counted.

    Raises InvalidRecordError for a record without a time, and what opening and reading the file raises.
    """
    if definitions is None:
        rows, counters = OptionDefinition.empty(), {}
        reason = f"no raw definition file of options covers {dt}"
    else:
        rows, counters = _read(definitions, root, dt, settings)
        reason = f"{definitions.path.name} defines no option by the end of {dt}"
    notes: dict[str, Any] = {}
    if mbo is not None:
        absent = sorted(mbo.symbols.keys() - set(rows["instrument_id"].to_list()))
        counters["undefined_instruments"] = len(absent)
        if absent:
            notes["undefined_instruments"] = [mbo.symbols[number] for number in absent[:_NAMED]]
    dataset = dataset_of(definitions) if definitions is not None else mbo.dataset if mbo is not None else None
    return OptionDefinitions(rows, counters, notes, dataset, reason if rows.is_empty() else None)


def _read(raw: RawFile, root: str, dt: date, settings: Settings | None) -> tuple[pl.DataFrame, dict[str, int]]:
    partition = f"{root} {dt}"
    open_covering(raw, dt, schema="definition", partition=partition)
    known = instrument(root, settings)
    end = wall_time_ns(dt + timedelta(days=1), time(0), "UTC")
    counters = {"definition_records": 0, "received_later": 0, "options_without_strike": 0}
    frames = list(_frames(raw, partition, known, end, counters))
    whole = pl.concat(frames) if frames else OptionDefinition.empty()
    rows = _in_force(_changes(whole), wall_time_ns(dt, time(0), "UTC"))
    counters["instruments"] = rows["instrument_id"].n_unique()
    counters["changed_in_session"] = rows.height - counters["instruments"]
    return rows, counters


def _frames(
    raw: RawFile, partition: str, known: Instrument, end: int, counters: dict[str, int]
) -> Iterator[pl.DataFrame]:
    """The records of options received before `end`, in file order, as frames of the table."""
    filled: list[tuple[Any, ...]] = []
    for number, record in enumerate(read_definitions(raw.path, datasets={dataset_of(raw)}, partition=partition)):
        letter = str(record.instrument_class)
        if raw.product_type != "future_option" and letter not in OPTION_CLASSES:
            continue
        if timestamp(record.ts_recv) is None:
            message = f"the definition of {record.raw_symbol} ({record.instrument_id}) has no receive time"
            raise InvalidRecordError(raw.path, message, partition=partition, record=number)
        counters["definition_records"] += 1
        if record.ts_recv >= end:
            counters["received_later"] += 1
            continue
        filled.append(_row(record, letter, known, counters))
        if len(filled) == _FRAME_ROWS:
            yield pl.DataFrame(filled, schema=OptionDefinition.schema(), orient="row")
            filled = []
    if filled:
        yield pl.DataFrame(filled, schema=OptionDefinition.schema(), orient="row")


def _row(record: InstrumentDefMsg, letter: str, known: Instrument, counters: dict[str, int]) -> tuple[Any, ...]:
    """One record, its fields in the order of the table's columns."""
    strike = None if record.strike_price == UNDEF_PRICE else record.strike_price
    right = letter if letter in RIGHTS else None
    if right is not None and strike is None:
        right = None
        counters["options_without_strike"] += 1
    tick = record.min_price_increment
    return (
        record.instrument_id,
        record.ts_recv,
        record.raw_symbol,
        record.asset,
        letter,
        right,
        strike,
        timestamp(record.expiration),
        record.underlying or None,
        record.underlying_id or None,
        tick if 0 < tick < UNDEF_PRICE else None,
        multiplier(record, known),
        record.currency or known.currency,
        record.exchange or known.exchange,
        str(record.user_defined_instrument) == "Y",
        str(record.security_update_action) == "D",
    )


def _changes(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each instrument, the records that say something else than the one before; of several of one time, the last.

    A spread has a record per leg, all of one time.
    """
    ordered = rows.sort("instrument_id", "ts_recv", maintain_order=True)
    last = ordered.unique(["instrument_id", "ts_recv"], keep="last", maintain_order=True)
    said = [name for name in rows.columns if name != "ts_recv"]
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in said)
    return last.filter((pl.int_range(pl.len()) == 0) | differs)


def _in_force(rows: pl.DataFrame, start: int) -> pl.DataFrame:
    """Without the versions that another one replaced before `start`."""
    replaced = pl.col("ts_recv").shift(-1).over("instrument_id").to_physical() <= start
    return rows.filter(~replaced.fill_null(False))
