"""Writing small streams by hand, and reading small tables: the vocabulary of the hand-worked tests.

Prices are whole ticks, times are seconds after `START`. Every call is an event of its own unless `last=False`, which
leaves the event open for the next call. `Tape.array()` gives the same stream to any other engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from spymaster.market.dbn import MBO_DTYPE, UNDEF_PRICE, mbo_records
from spymaster_tests.oracle.book import oracle_tables
from spymaster_tests.oracle.records import F_LAST, F_MAYBE_BAD_BOOK, F_SNAPSHOT, F_TOB, Record

TICK = 250_000_000
START = 1_704_067_200_000_000_000 + 15 * 3600 * 1_000_000_000
"""2024-01-01 15:00:00 UTC, a whole minute."""
INSTRUMENT = 7
RECV_DELAY_NS = 90_000


def ns(seconds: float) -> int:
    """Absolute time of `seconds` after START."""
    return START + round(seconds * 1e9)


@dataclass
class Tape:
    """A stream under construction; `at` moves the clock, every other method writes one record."""

    time: float = 0.0
    rows: list[Record] = field(default_factory=list)
    sequence: int = 100

    def at(self, seconds: float) -> Tape:
        self.time = seconds
        return self

    def write(
        self,
        action: str,
        side: str,
        order_id: int,
        ticks: int | None,
        size: int,
        *,
        flags: int = 0,
        last: bool = True,
        age: float = 0.0,
    ) -> Tape:
        """One record; `age` seconds before now is its ts_event (for snapshots)."""
        price = None if ticks is None else ticks * TICK
        flags |= F_LAST if last else 0
        recv = ns(self.time) + (0 if flags & F_SNAPSHOT else RECV_DELAY_NS)
        self.sequence += 1
        self.rows.append(Record(ns(self.time - age), recv, order_id, price, size, flags, action, side, self.sequence))
        return self

    def add(self, order_id: int, side: str, ticks: int, size: int, *, last: bool = True, bad: bool = False) -> Tape:
        return self.write("A", side, order_id, ticks, size, last=last, flags=F_MAYBE_BAD_BOOK if bad else 0)

    def cancel(self, order_id: int, side: str, ticks: int, size: int, *, last: bool = True) -> Tape:
        return self.write("C", side, order_id, ticks, size, last=last)

    def modify(self, order_id: int, side: str, ticks: int, size: int, *, last: bool = True) -> Tape:
        return self.write("M", side, order_id, ticks, size, last=last)

    def trade(self, side: str, ticks: int, size: int, *, order_id: int = 999, last: bool = False) -> Tape:
        return self.write("T", side, order_id, ticks, size, last=last)

    def fill(self, order_id: int, side: str, ticks: int, size: int, *, last: bool = False) -> Tape:
        return self.write("F", side, order_id, ticks, size, last=last)

    def nothing(self, *, last: bool = True) -> Tape:
        return self.write("N", "N", 0, None, 0, last=last)

    def clear(self, *, last: bool = True) -> Tape:
        return self.write("R", "N", 0, None, 0, last=last)

    def top_of_book(self, side: str, ticks: int | None, size: int, *, order_id: int = 0) -> Tape:
        return self.write("A", side, order_id, ticks, size, flags=F_TOB)

    def snapshot(self, *orders: tuple[int, str, int, int], closed: bool = True, age: float = 3600.0) -> Tape:
        """A snapshot taken now of (id, side, ticks, size) orders, each `age` seconds old."""
        for number, (order_id, side, ticks, size) in enumerate(orders):
            last = closed and number == len(orders) - 1
            self.write("A", side, order_id, ticks, size, flags=F_SNAPSHOT | 0x08, last=last, age=age)
        return self

    def array(self) -> np.ndarray:
        """The stream as `MBO_DTYPE` records."""
        result = mbo_records(len(self.rows))
        result["instrument_id"] = INSTRUMENT
        for name in ("ts_event", "ts_recv", "order_id", "size", "flags", "sequence"):
            result[name] = np.array([getattr(row, name) for row in self.rows], MBO_DTYPE[name])
        result["price"] = [UNDEF_PRICE if row.price is None else row.price for row in self.rows]
        result["action"] = [ord(row.action) for row in self.rows]
        result["side"] = [ord(row.side) for row in self.rows]
        return result

    def tables(self, **options: Any) -> Tables:
        return Tables(oracle_tables(self.array(), instrument_id=INSTRUMENT, tick_size_int=TICK, **options))


@dataclass
class Tables:
    """The oracle's tables of a tape, read by second, side and tick. Second 0 is the window that starts at START."""

    frames: dict[str, pl.DataFrame]

    def __getitem__(self, name: str) -> pl.DataFrame:
        return self.frames[name]

    @property
    def seconds(self) -> list[int]:
        """The seconds that have a snapshot row."""
        starts = self.frames["book_snapshot_1s"]["window_start"].to_physical().to_list()
        return [(start - START) // 1_000_000_000 for start in starts]

    def second(self, number: int) -> dict[str, Any]:
        """The snapshot row of a window; prices in ticks."""
        frame = self.frames["book_snapshot_1s"]
        row = frame.filter(pl.col("window_start").to_physical() == ns(number)).row(0, named=True)
        return _in_ticks(row)

    def column(self, name: str) -> list[Any]:
        """A column of the snapshot, one value per second; prices in ticks."""
        values = self.frames["book_snapshot_1s"][name].to_list()
        return [value // TICK if name.endswith("_int") and value is not None else value for value in values]

    def cell(self, second: int, side: str, ticks: int, table: str = "wall_surface_1s") -> dict[str, Any] | None:
        """The wall row of a cell in a window, or None where there is none."""
        rows = self.frames[table].filter(
            (pl.col("window_end").to_physical() == ns(second + 1))
            & (pl.col("price_int") == ticks * TICK)
            & (pl.col("side") == side)
        )
        return _in_ticks(rows.row(0, named=True)) if rows.height else None

    def flows(self, second: int, side: str, ticks: int) -> dict[str, int]:
        """The non-zero flows of a cell in a window, by short name."""
        row = self.cell(second, side, ticks) or {}
        names = {
            "add": "add_qty",
            "pull": "pull_qty_total",
            "pull_rest": "pull_qty_rest",
            "fill": "fill_qty",
            "refill": "refill_qty",
            "away": "reprice_away_qty",
            "toward": "reprice_toward_qty",
        }
        return {short: row[name] for short, name in names.items() if row.get(name)}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """All rows of an event table; prices in ticks."""
        return [_in_ticks(row) for row in self.frames[name].iter_rows(named=True)]

    def counters(self) -> dict[str, int]:
        """The counters that are not zero, but for the number of events."""
        row = self.frames["counters"].row(0, named=True)
        return {name: value for name, value in row.items() if value and name != "events"}


def _in_ticks(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value // TICK if name.endswith("price_int") and value is not None else value
        for name, value in row.items()
    }
