"""Bring a market data file into the lake's raw folder: find out what it is, check it, copy it, never change it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from spymaster.feed.compression import require_whole
from spymaster.feed.definitions import OPTION_CLASSES
from spymaster.feed.errors import (
    DuplicateDateError,
    EmptyFileError,
    UnknownProductError,
    WrongRootError,
    WrongSchemaError,
    WrongTimeSpanError,
)
from spymaster.feed.messages import read_definitions
from spymaster.feed.metadata import KNOWN_DATASETS, FileMetadata, read_metadata, require
from spymaster.feed.reader import MboFile
from spymaster.feed.symbols import is_option_symbol, root_of
from spymaster.lake import Lake, RawFile, raw_files, store_raw
from spymaster.lake.raw import raw_name
from spymaster.market.instruments import instrument
from spymaster.tables.types import RIGHTS

RAW_TABLE_OF_SCHEMA = {
    "mbo": "market_by_order_dbn",
    "definition": "definition",
    "statistics": "statistics",
    "status": "status",
}
_PRODUCT_OF_PARENT = {"FUT": "future", "OPT": "future_option"}


@dataclass(frozen=True)
class AddedRaw:
    """A raw file of the lake, as `add_raw` left it.

    `note` says why the date has no partition of its own, where it has none.
    """

    file: RawFile
    metadata: FileMetadata
    already_there: bool
    note: str | None

    @property
    def has_partition(self) -> bool:
        """Whether the file's date is one that has partitions."""
        return self.note is None


def add_raw(lake: Lake, path: Path | str, symbol: str) -> AddedRaw:
    """Copy a DBN file of the root `symbol` into the raw folder of the lake, and say what it is.

    Source, product type, table and date come from the file. Adding the same file again changes nothing. Raises
    UnknownInstrumentError, WrongDatasetError, WrongSchemaError, WrongRootError, WrongTimeSpanError,
    UnknownProductError, DuplicateDateError (another file of that date is there), what reading the file raises, and
    what `spymaster.lake.store_raw` raises (other bytes under the same name; real and simulated data in one lake).
    """
    path = Path(path)
    instrument(symbol, lake.settings)
    metadata = read_metadata(path)
    table = _table(path, metadata)
    require(path, metadata, schema=str(metadata.schema), datasets=KNOWN_DATASETS)
    require_whole(path)
    product_type = _product_type(path, metadata, symbol)
    if table == "market_by_order_dbn":
        _require_one_date(path, metadata)
        next(iter(MboFile.open(path).chunks(1)))
    place = {"product_type": product_type, "symbol": symbol, "table": table, "dt": metadata.dt}
    note = _why_no_partition(lake, metadata.dt)
    source = "simulated" if metadata.simulated else "databento"
    for other in raw_files(lake, **place):
        if other.source == source and other.path.name != raw_name(path.name, metadata.dt):
            return AddedRaw(_same(path, other), metadata, already_there=True, note=note)
    stored = store_raw(lake, path, source=source, **place)
    return AddedRaw(stored.file, metadata, stored.already_there, note)


def _same(path: Path, other: RawFile) -> RawFile:
    """`other`, the file that the lake holds in the place of `path`, if both have the same bytes."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == other.sha256:
            return other
    raise DuplicateDateError(
        path,
        f"the lake already holds {other.path.name} of {other.symbol} {other.dt} in table {other.table}",
        hint=f"A date has one file per table: download all contracts together (parent symbol {other.symbol}.FUT).",
    )


def _table(path: Path, metadata: FileMetadata) -> str:
    if metadata.dataset not in KNOWN_DATASETS:
        require(path, metadata, schema=str(metadata.schema))
    table = RAW_TABLE_OF_SCHEMA.get(metadata.schema or "")
    if table is None:
        raise WrongSchemaError(
            path,
            f"schema is {metadata.schema!r}; raw files are of schema {', '.join(RAW_TABLE_OF_SCHEMA)}",
            hint="Download the market-by-order data (schema mbo).",
        )
    return table


def _product_type(path: Path, metadata: FileMetadata, symbol: str) -> str:
    """`future` or `future_option`, after refusing a file of another root.

    By the parent symbols of the request (`ES.FUT`, `ES.OPT`), else by the definition records, else by the symbols. Only
    definitions may come of both together; they count as those of futures, and serve both.
    """
    parents = [name.rpartition(".") for name in metadata.requested if metadata.stype_in == "parent"]
    products = {_PRODUCT_OF_PARENT.get(kind) for _, _, kind in parents}
    if products == {"future"}:
        _require_root(path, {root for root, _, _ in parents}, symbol)
        return "future"
    if products == {"future_option"}:  # weekly options have parents of their own (EW, E1A ...)
        return "future_option"
    if metadata.schema == "definition":
        return _product_of_definitions(path, symbol)
    names = list(metadata.symbols.values()) or list(metadata.requested)
    options = [name for name in names if is_option_symbol(name)]
    roots = {root_of(name) for name in names} - {None}
    if options and roots:
        raise UnknownProductError(
            path,
            f"holds futures and options together ({', '.join(names[:3])} ...)",
            hint=f"Download them apart: {symbol}.FUT, and {symbol}.OPT with the parents of its weekly options.",
        )
    if options and all(is_option_symbol(name) or name.startswith("UD:") for name in names):
        return "future_option"
    if roots:
        _require_root(path, roots, symbol)
        return "future"
    raise UnknownProductError(
        path,
        f"cannot tell futures from options by its symbols ({', '.join(names[:3]) or 'none'})",
        hint=f"Download by parent symbol, {symbol}.FUT or {symbol}.OPT.",
    )


def _product_of_definitions(path: Path, symbol: str) -> str:
    """The product of a definition file, by its records. An option is of the root of the future that it delivers."""
    roots: set[str | None] = set()
    letters: set[str] = set()
    for record in read_definitions(path):
        letters.add(str(record.instrument_class))
        if str(record.instrument_class) not in OPTION_CLASSES:
            roots.add(record.asset)
        elif record.underlying:
            roots.add(root_of(record.underlying) or record.asset)
        elif str(record.instrument_class) in RIGHTS:
            roots.add(record.asset)
    if not letters:
        raise EmptyFileError(path, "the file has metadata but no records")
    _require_root(path, roots, symbol)
    return "future_option" if letters <= OPTION_CLASSES else "future"


def _require_root(path: Path, roots: Iterable[str | None], symbol: str) -> None:
    others = sorted(str(root) for root in roots if root != symbol)
    if others:
        raise WrongRootError(
            path, f"holds instruments of {', '.join(others)}, not of {symbol} alone", hint="One raw file has one root."
        )


def _require_one_date(path: Path, metadata: FileMetadata) -> None:
    first, last = metadata.dates
    if first != last:
        raise WrongTimeSpanError(
            path,
            f"covers {first} to {last}; a market-by-order file covers one UTC date",
            hint="Download with split_duration 'day'.",
        )


def _why_no_partition(lake: Lake, dt: date) -> str | None:
    if dt.weekday() >= 5:
        return f"{dt} is a {dt:%A}: stored, but partitions exist Monday to Friday only"
    if dt < lake.settings.start_date:
        return f"{dt} is before the first partition ({lake.settings.start_date}): stored; change `start_date` to use it"
    return None
