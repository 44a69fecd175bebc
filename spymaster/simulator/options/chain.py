"""Which options are listed on a date: expiries, strikes, and their names and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from itertools import pairwise

from spymaster.market.calendar import is_session_date, wall_time_ns
from spymaster.simulator.contracts import MONTHS, Contract, instrument_id
from spymaster.simulator.schedule import Segment

TICK_INT = 50_000_000
"""Least price step of an option, 1e-9; from `WIDE_ABOVE` units of it on, prices are multiples of `WIDE_TICK` units."""
WIDE_ABOVE, WIDE_TICK = 100, 5
FUTURE_STEP = 0.125
"""Half a tick of the future, in points: what the middle of its best prices is a multiple of."""
MULTIPLIER = 50
_CLOSE = time(16)
_WEEKDAYS = "ABCD"


@dataclass(frozen=True)
class ChainSize:
    """How much of a chain a preset lists: dailies, then month end and quarterly; `reach` strikes each side or all."""

    dailies: int
    reach: int | None
    messages: int
    earlier_messages: int = 0


CHAIN_SIZES = {
    "ci": ChainSize(1, 15, 100_000),
    "demo": ChainSize(1, 40, 1_000_000, 250_000),
    "rth": ChainSize(3, 40, 3_000_000),
    "full_day": ChainSize(5, None, 30_000_000),
}
"""Chains of the presets; `earlier_messages` are those of the dates before the main one."""


@dataclass(frozen=True)
class Expiry:
    """One expiration: last trade in ns UTC, root of its symbols, the future it is on (0 first, 1 second contract)."""

    root: str
    month: str
    expiration_ns: int
    underlying: int
    quarterly: bool = False


@dataclass(frozen=True)
class Option:
    """One series: `right` is C or P, `strike` in points; a `late` one is listed during the date."""

    symbol: str
    instrument_id: int
    expiry: int
    strike: int
    right: str
    late: bool = False


@dataclass(frozen=True)
class Chain:
    """Everything listed on a date, by expiry, strike, call before put; then what is listed at `listing_ns` (UTC)."""

    expiries: tuple[Expiry, ...]
    options: tuple[Option, ...]
    listing_ns: int = 0


def build_chain(
    dt: date,
    root: str,
    spot: float,
    contracts: tuple[Contract, ...],
    size: ChainSize,
    before: Mapping[int, frozenset[int]] | None = None,
    listing_ns: int = 0,
) -> Chain:
    """The chain of a date around the price `spot` of the first future.

    Strikes that were listed the date `before` (by expiration, ns) stay until their expiry is over. With `listing_ns`
    the next strike above those of the first expiry is listed at that time.
    """
    expiries = tuple(_expiries(dt, root, contracts, size))
    around = strikes(spot, size.reach)
    options: list[Option] = []
    above = 0
    for number, expiry in enumerate(expiries):
        listed = sorted({*around, *(before or {}).get(expiry.expiration_ns, ())})
        options += [_option(expiry, number, strike, right) for strike in listed for right in "CP"]
        if number == 0:
            above = 2 * listed[-1] - listed[-2]
    if listing_ns:
        options += [replace(_option(expiries[0], 0, above, right), late=True) for right in "CP"]
    return Chain(expiries, tuple(options), listing_ns)


def _option(expiry: Expiry, number: int, strike: int, right: str) -> Option:
    symbol = f"{expiry.root}{expiry.month} {right}{strike}"
    return Option(symbol, instrument_id(f"{symbol}:{expiry.expiration_ns}"), number, strike, right)


def listing_time(parts: Sequence[Segment]) -> int:
    """When a date lists another strike: a third of the file after its start, ns UTC."""
    return parts[0].start_ns + (parts[-1].end_ns - parts[0].start_ns) // 3


def strikes(spot: float, reach: int | None) -> list[int]:
    """Strikes around a price: five points apart near it, then 25, 50 and 100; or `reach` each side, five apart."""
    middle = round(spot / 5) * 5
    if reach is not None:
        return [middle + 5 * step for step in range(-reach, reach + 1)]
    found = set()
    for step, distance in ((5, 0.025), (25, 0.06), (50, 0.12), (100, 0.25)):
        low, high = int(spot * (1 - distance)), int(spot * (1 + distance))
        found.update(range(low - low % step + step, high + 1, step))
    return sorted(found)


def _expiries(dt: date, root: str, contracts: tuple[Contract, ...], size: ChainSize) -> list[Expiry]:
    days: list[date] = []
    day = dt
    while len(days) < size.dailies:
        if day.weekday() < 5 and is_session_date(day, root):
            days.append(day)
        day += timedelta(days=1)
    if size.dailies >= 5:
        days.append(_month_end(days[-1], root))
    found = [_expiry(day, root, contracts) for day in days]
    if size.dailies >= 5:
        quarterly = contracts[0]
        ns = quarterly.expiration_ns
        found.append(Expiry(root, quarterly.symbol.removeprefix(root), ns, 0, quarterly=True))
    unique = {expiry.expiration_ns: expiry for expiry in found}
    ordered = [unique[ns] for ns in sorted(unique)]
    assert all(a.expiration_ns < b.expiration_ns for a, b in pairwise(ordered))
    return ordered


def _month_end(after: date, root: str) -> date:
    day = (after.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    while day.weekday() > 4 or not is_session_date(day, root):
        day -= timedelta(days=1)
    return day


def _expiry(day: date, root: str, contracts: tuple[Contract, ...]) -> Expiry:
    ns = wall_time_ns(day, _CLOSE)
    following = day + timedelta(days=1)
    while following.weekday() > 4:
        following += timedelta(days=1)
    week = (day.day - 1) // 7 + 1
    if following.month != day.month:
        name = "EW"
    elif day.weekday() == 4:
        name = f"EW{week}"
    else:
        name = f"E{week}{_WEEKDAYS[day.weekday()]}"
    underlying = 0 if contracts[0].expiration_ns >= ns else 1
    return Expiry(name, f"{MONTHS[day.month - 1]}{day.year % 10}", ns, underlying)
