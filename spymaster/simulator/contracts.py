"""Which contracts a root trades on a date: the first and second delivery month and the calendar spread between them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, time, timedelta

from spymaster.market.calendar import wall_time_ns
from spymaster.simulator.errors import SimulationRequestError

MONTHS = "FGHJKMNQUVXZ"
_QUARTERLY = "HMUZ"
_ROLL_DAYS = 8
"""The second contract becomes the first one this many days before expiration."""


@dataclass(frozen=True)
class Contract:
    """One instrument. `instrument_class` is F or S; expiration and activation in ns UTC."""

    symbol: str
    instrument_id: int
    instrument_class: str
    expiration_ns: int
    activation_ns: int


def contracts_on(root: str, dt: date, cycle: str) -> tuple[Contract, Contract, Contract]:
    """First contract, second contract and their spread. Raises SimulationRequestError for an unknown delivery cycle."""
    if not cycle or any(month not in MONTHS for month in cycle):
        raise SimulationRequestError(f"delivery cycle {cycle!r} of {root} has letters outside {MONTHS}")
    near, far = _next_deliveries(dt, cycle)
    first, second = _outright(root, near, cycle), _outright(root, far, cycle)
    symbol = f"{first.symbol}-{second.symbol}"
    spread = Contract(symbol, instrument_id(symbol), "S", first.expiration_ns, second.activation_ns)
    return first, second, spread


def instrument_id(symbol: str) -> int:
    """A number for a symbol that does not depend on what else is simulated."""
    return 100_000 + zlib.crc32(symbol.encode()) % 900_000_000


def _next_deliveries(dt: date, cycle: str) -> tuple[tuple[int, int], tuple[int, int]]:
    months = [(year, MONTHS.index(letter) + 1) for year in (dt.year, dt.year + 1, dt.year + 2) for letter in cycle]
    ahead = [month for month in sorted(months) if _expiration(*month, cycle) - timedelta(days=_ROLL_DAYS) > dt]
    return ahead[0], ahead[1]


def _outright(root: str, month: tuple[int, int], cycle: str) -> Contract:
    year, number = month
    symbol = f"{root}{MONTHS[number - 1]}{year % 10}"
    last = _expiration(year, number, cycle)
    wall = time(9, 30) if cycle == _QUARTERLY else time(14, 30)
    return Contract(
        symbol,
        instrument_id(f"{symbol}:{year}"),
        "F",
        wall_time_ns(last, wall),
        wall_time_ns(last - timedelta(days=456), time(18)),
    )


def _expiration(year: int, month: int, cycle: str) -> date:
    """Third Friday of the delivery month, or for monthly cycles three weekdays before the 25th of the month before."""
    if cycle == _QUARTERLY:
        first = date(year, month, 1)
        return first + timedelta(days=(4 - first.weekday()) % 7 + 14)
    day = date(year, month, 1) - timedelta(days=1)
    day = day.replace(day=25)
    left = 3
    while left:
        day -= timedelta(days=1)
        left -= day.weekday() < 5
    return day
