"""`bronze.future_definition`: what each contract is, by its definition record or else by the configuration."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from spymaster.feed.messages import read_definitions, timestamp
from spymaster.feed.metadata import KNOWN_DATASETS, FileMetadata
from spymaster.feed.symbols import is_outright_symbol
from spymaster.market.calendar import wall_time_ns
from spymaster.market.dbn import UNDEF_PRICE
from spymaster.market.instruments import Instrument, instrument
from spymaster.settings import Settings
from spymaster.tables.future_definition import FutureDefinition

if TYPE_CHECKING:
    from databento_dbn import InstrumentDefMsg

FUTURE, FUTURE_SPREAD = "F", "S"
OPTION_CLASSES = frozenset("CPTM")
"""DBN instrument classes of options: call, put, spread of options, spread of options with futures."""

_UNDEF_I32 = 2**31 - 1


def future_definitions(
    root: str,
    dt: date,
    *,
    mbo: Collection[FileMetadata] = (),
    definitions: Path | None = None,
    datasets: Collection[str] = KNOWN_DATASETS,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """Rows of `bronze.future_definition` of a root on a date, sorted by contract.

    Parameters
    ----------
    mbo
        Headers of the date's MBO files: every instrument they name gets a row (`origin` fallback where no definition
        names it), and their instrument ids are the ones of this session.
    definitions
        Definition file; of each contract of the root (spreads included) the latest record up to the end of `dt` counts.
        A file may span several dates, and hold options too.
    datasets
        Those that the definition file may be of, else WrongDatasetError.
    """
    known = instrument(root, settings)
    latest = _latest(definitions, root, dt, datasets) if definitions is not None else {}
    rows = {symbol: _defined(record, known) for symbol, record in latest.items()}
    for metadata in mbo:
        for number, symbol in metadata.symbols.items():
            if symbol in rows:
                rows[symbol]["instrument_id"] = number
            else:
                rows[symbol] = _fallback(symbol, number, known)
    return pl.DataFrame([rows[symbol] for symbol in sorted(rows)], schema=FutureDefinition.schema(), orient="row")


def _latest(path: Path, root: str, dt: date, datasets: Collection[str]) -> dict[str, InstrumentDefMsg]:
    """By raw symbol, the last record of each future of the root by the end of `dt`; a deletion does not undo it."""
    end = wall_time_ns(dt + timedelta(days=1), time(0), "UTC")
    latest: dict[str, InstrumentDefMsg] = {}
    for record in read_definitions(path, datasets=datasets, partition=f"{root} {dt}"):
        mine = record.asset == root and str(record.instrument_class) not in OPTION_CLASSES
        if mine and record.ts_recv < end:
            held = latest.get(record.raw_symbol)
            deleted = str(record.security_update_action) == "D"
            if held is None or (record.ts_recv >= held.ts_recv and not deleted):
                latest[record.raw_symbol] = record
    return latest


def _defined(record: InstrumentDefMsg, known: Instrument) -> dict[str, Any]:
    tick = record.min_price_increment
    return {
        "contract": record.raw_symbol,
        "instrument_id": record.instrument_id,
        "expiration": timestamp(record.expiration),
        "tick_size_int": tick if 0 < tick < UNDEF_PRICE else known.tick_size_int,
        "multiplier": multiplier(record, known),
        "currency": record.currency or known.currency,
        "exchange": record.exchange or known.exchange,
        "instrument_class": str(record.instrument_class),
        "ts_recv": timestamp(record.ts_recv),
        "origin": "definition",
    }


def multiplier(record: InstrumentDefMsg, known: Instrument) -> float:
    """Money per point. CME leaves `contract_multiplier` undefined and states the quantity of the underlying."""
    explicit = record.contract_multiplier
    if explicit is not None and 0 < explicit < _UNDEF_I32:
        return float(explicit)
    quantity = record.unit_of_measure_qty
    return quantity / 1e9 if 0 < quantity < UNDEF_PRICE else known.multiplier


def _fallback(symbol: str, number: int, known: Instrument) -> dict[str, Any]:
    return {
        "contract": symbol,
        "instrument_id": number,
        "expiration": None,
        "tick_size_int": known.tick_size_int,
        "multiplier": known.multiplier,
        "currency": known.currency,
        "exchange": known.exchange,
        "instrument_class": FUTURE if is_outright_symbol(symbol) else FUTURE_SPREAD,
        "ts_recv": None,
        "origin": "fallback",
    }
