"""The order book of one contract at a moment: which records to apply, and the ladder after them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

import numpy as np

from spymaster.errors import SpymasterError
from spymaster.market.dbn import F_SNAPSHOT

_CONTRACT = re.compile(r"(?P<root>.+?)[FGHJKMNQUVXZ]\d{1,2}")
_HIVE_SYMBOL = re.compile(r"symbol=([A-Z0-9]+)")


class WhichContractError(SpymasterError):
    """The file holds several contracts and none, or an unknown one, was named."""


class UnknownRootError(SpymasterError):
    """Neither the path nor the contract says which instrument this is."""


@dataclass(frozen=True)
class Ladder:
    """Levels of both sides, best first, as (price_int, quantity, orders), and what the engine counted."""

    bids: list[tuple[int, int, int]]
    asks: list[tuple[int, int, int]]
    counters: dict[str, int]
    last_event_ns: int | None


def parse_time(text: str, dt: date) -> int:
    """`14:30`, `14:30:00.5` on `dt`, or a full ISO time, as ns; UTC unless it says otherwise. Raises ValueError."""
    text = text.strip()
    if "T" in text or " " in text or "-" in text[:5]:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    else:
        moment = datetime.combine(dt, time.fromisoformat(text.removesuffix("Z")))
    if moment.tzinfo is not None:
        offset = moment.utcoffset()
        moment = moment.replace(tzinfo=None) - offset if offset else moment.replace(tzinfo=None)
    return int(np.datetime64(moment, "ns").astype(np.int64))


def until(chunks: Iterable[np.ndarray], instrument_id: int, at_ns: int | None) -> Iterator[np.ndarray]:
    """Records of one instrument up to a time: live ones before it, snapshots taken at it or before.

    The records of an event share their time, so an event is never cut.
    """
    for chunk in chunks:
        mine = chunk[chunk["instrument_id"] == instrument_id]
        if at_ns is not None:
            in_snapshot = mine["flags"] & F_SNAPSHOT != 0
            late = np.where(in_snapshot, mine["ts_recv"] > np.uint64(at_ns), mine["ts_event"] >= np.uint64(at_ns))
            first = int(late.argmax()) if late.any() else len(mine)
            if first < len(mine):
                yield mine[:first]
                return
        yield mine


def ladder_at(
    chunks: Iterable[np.ndarray], *, instrument_id: int, tick_size_int: int, at_ns: int | None, levels: int
) -> Ladder:
    """Apply the records up to a time (None: all) and read the `levels` best levels of each side."""
    from spymaster.book.engine import BookEngine

    engine = BookEngine(tick_size_int=tick_size_int, instrument_id=instrument_id, emit=frozenset())
    last: int | None = None
    for records in until(chunks, instrument_id, at_ns):
        if len(records):
            engine.feed(records)
            engine.take()
            live = records["ts_event"][records["flags"] & F_SNAPSHOT == 0]
            last = int(live[-1]) if len(live) else last
    found = engine.ladder(levels)
    rows = list(zip(*(found[name].tolist() for name in ("side", "price_int", "qty", "orders")), strict=True))
    bids = [(price, qty, orders) for side, price, qty, orders in rows if side == "B"]
    asks = [(price, qty, orders) for side, price, qty, orders in rows if side == "A"]
    return Ladder(bids, asks, engine.counters, last)


def choose_contract(symbols: dict[int, str], wanted: str | None, where: object) -> tuple[int, str]:
    """Instrument id and name of the wanted contract, or of the only one."""
    by_name = {name: number for number, name in symbols.items()}
    if wanted is not None and wanted in by_name:
        return by_name[wanted], wanted
    if wanted is None and len(by_name) == 1:
        name, number = next(iter(by_name.items()))
        return number, name
    names = sorted(by_name)
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    what = f"does not hold {wanted}" if wanted else f"holds {len(names)} contracts"
    raise WhichContractError(f"{where} {what}", hint=f"name one with --contract: {listed}")


def root_of(path: Path, contract: str) -> str:
    """Root symbol of a file: from its place in a lake, else from the name of the contract (ESH4 is of ES)."""
    if match := _HIVE_SYMBOL.search(path.as_posix()):
        return match.group(1)
    if match := _CONTRACT.fullmatch(contract):
        return match.group("root")
    raise UnknownRootError(f"cannot tell the root symbol of {contract} in {path}", hint="name it with --symbol")
