"""Instruments by root symbol: tick size, multiplier, calendars; shipped in `config/instruments.toml`, user-extensible.

What a single contract is (its expiry, its id on a date) is data, in `bronze.future_definition`; this module only holds
what is the same for every contract of a root.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from spymaster.errors import SpymasterError
from spymaster.settings import Settings, get_settings

PRICE_SCALE = 1_000_000_000
"""Integer prices are in units of 1e-9."""


class UnknownInstrumentError(SpymasterError):
    """A root symbol that no instrument file defines."""


class InstrumentConfigError(SpymasterError):
    """An instrument file that cannot be read, or a field in it that cannot be right."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One root symbol. `tick_size_int` in 1e-9, `multiplier` in currency per 1.0 of price, `eps_qty` in lots."""

    root: str
    name: str
    exchange: str
    currency: str
    tick_size_int: int
    multiplier: float
    calendar: str
    session_close: time | None
    rth_calendar: str
    eps_qty: float
    bucket_ticks: int

    @property
    def tick_size(self) -> float:
        """Tick in price units, for display."""
        return self.tick_size_int / PRICE_SCALE


def load_instruments(settings: Settings | None = None) -> dict[str, Instrument]:
    """All known instruments by root: the shipped file, then the user's `instruments_file` over it.

    Raises InstrumentConfigError naming the file, the root and the field.
    """
    settings = settings or get_settings()
    shipped = Path(str(files("spymaster"))) / "config" / "instruments.toml"
    defaults, tables = _read(shipped)
    origin = dict.fromkeys(tables, shipped)
    if settings.instruments_file is not None:
        extension = Path(settings.instruments_file)
        user_defaults, user_tables = _read(extension)
        defaults = {**defaults, **user_defaults}
        for root, fields in user_tables.items():
            tables[root] = {**tables.get(root, {}), **fields}
            origin[root] = extension
    return {root: _instrument(root, {**defaults, **fields}, origin[root]) for root, fields in tables.items()}


def instrument(root: str, settings: Settings | None = None) -> Instrument:
    """The instrument of a root. Raises UnknownInstrumentError naming the known roots and the file to extend."""
    settings = settings or get_settings()
    known = load_instruments(settings)
    if root not in known:
        where = settings.instruments_file or "a TOML file of your own, named in the setting `instruments_file`"
        raise UnknownInstrumentError(
            f"unknown instrument root {root!r}; known roots: {', '.join(sorted(known))}",
            hint=f"Add a table [instruments.{root}] with exchange, tick_size and multiplier to {where}.",
        )
    return known[root]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise InstrumentConfigError(f"cannot read instrument file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InstrumentConfigError(f"instrument file {path} is not valid TOML: {error}") from error
    unknown = sorted(set(content) - {"defaults", "instruments"})
    if unknown:
        raise InstrumentConfigError(
            f"instrument file {path}: unknown top-level table {unknown[0]!r}",
            hint="Instruments are tables named [instruments.ROOT]; common fields go to [defaults].",
        )
    defaults, instruments = content.get("defaults", {}), content.get("instruments", {})
    if not isinstance(defaults, dict) or not isinstance(instruments, dict):
        raise InstrumentConfigError(f"instrument file {path}: `defaults` and `instruments` must be tables")
    for root, fields in instruments.items():
        if not isinstance(fields, dict):
            raise InstrumentConfigError(f"instrument file {path}: [instruments.{root}] must be a table, not {fields!r}")
    return defaults, instruments


def _instrument(root: str, fields: Mapping[str, Any], path: Path) -> Instrument:
    def bad(field: str, why: str) -> InstrumentConfigError:
        return InstrumentConfigError(f"instrument file {path}: [instruments.{root}] {field} {why}")

    names = {"tick_size" if name == "tick_size_int" else name for name in Instrument.__dataclass_fields__} - {"root"}
    defaulted = {"bucket_ticks": 1, "name": root, "session_close": "", **fields}
    for field in sorted(names - set(defaulted)):
        raise bad(field, "is missing")
    for field in sorted(set(defaulted) - names):
        raise bad(field, f"is not a field; fields are {', '.join(sorted(names))}")

    def text(field: str) -> str:
        value = defaulted[field]
        if not isinstance(value, str) or not value:
            raise bad(field, f"must be a non-empty string, not {value!r}")
        return value

    def positive(field: str) -> Decimal:
        value = defaulted[field]
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise bad(field, f"must be a number, not {value!r}")
        if not Decimal(value).is_finite() or not 0 < value < 10**9:
            raise bad(field, f"must be a number above 0, not {value!r}")
        return Decimal(value)

    tick = positive("tick_size") * PRICE_SCALE
    if tick != int(tick):
        raise bad("tick_size", f"{defaulted['tick_size']} is not a multiple of 1e-9")
    bucket = positive("bucket_ticks")
    if bucket != int(bucket):
        raise bad("bucket_ticks", f"must be a whole number of ticks, not {bucket}")
    try:
        session_close = time.fromisoformat(defaulted["session_close"]) if defaulted["session_close"] else None
    except (TypeError, ValueError) as error:
        raise bad(
            "session_close", f"must be a wall time such as '16:00', not {defaulted['session_close']!r}"
        ) from error
    return Instrument(
        root=root,
        name=text("name"),
        exchange=text("exchange"),
        currency=text("currency"),
        tick_size_int=int(tick),
        multiplier=float(positive("multiplier")),
        calendar=text("calendar"),
        session_close=session_close,
        rth_calendar=text("rth_calendar"),
        eps_qty=float(positive("eps_qty")),
        bucket_ticks=int(bucket),
    )
