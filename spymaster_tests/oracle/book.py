"""A slow order-book engine, written from the specification alone, that the fast engine is compared with.

Plain dictionaries and lists; every rule of 10-market-data.md and 20-book-and-surfaces.md §1-§2 in the most literal form
that a reader can check. `replay` runs one instrument's records through it, `oracle_tables` gives the Silver tables.
Nothing here is imported from, or was written by looking at, `spymaster.book`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from spymaster_tests.oracle import frames
from spymaster_tests.oracle.ledger import Cell, Flow, Ledger, Order
from spymaster_tests.oracle.records import F_MAYBE_BAD_BOOK, Event, Record, Snapshot, group, to_records

EMPTY, SNAPSHOT, LIVE = "empty", "snapshot", "live"
PASSIVE = {"B": "A", "A": "B"}


@dataclass
class Window:
    """What has to be remembered between the start and the end of the current window."""

    start: int
    valid_throughout: bool
    bad_at_an_event: bool = False
    crossed: bool = False
    sequence_gap: bool = False
    message_count: int = 0
    trade_prices: list[int] = field(default_factory=list)
    trade_count: int = 0
    volume: dict[str, int] = field(default_factory=lambda: {"B": 0, "A": 0, "N": 0})


@dataclass
class CellState:
    """A (side, price) at the last window end: what its next row is measured against."""

    depth: int = 0
    d1: int = 0
    d2: int = 0


@dataclass
class Replay:
    """One pass over one instrument's records. Run once, then read its fields.

    `cells` holds a row (see `frames.CELL_COLUMNS`) for every window in which a (side, price) was anything but
    unchanged; until its next row a cell keeps its depth, without flow and with all differences zero.
    """

    window_ns: int
    rest_ns: int
    tick: int
    ledger: Ledger = field(init=False)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    cells: list[tuple[int, ...]] = field(default_factory=list)
    trades: list[dict[str, Any]] = field(default_factory=list)
    bbo_changes: list[dict[str, Any]] = field(default_factory=list)
    counters: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("crossed_events", "bad_book_flags", "sequence_gaps", "events"), 0)
    )

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.rest_ns)
        self.state = EMPTY
        self.origin_known = False  # LIVE was reached through a complete snapshot or an R
        self.bad_pending = False
        self.window: Window | None = None
        self.states: dict[Cell, CellState] = {}
        self.moving: set[Cell] = set()  # cells whose next row may differ from 'unchanged' without any flow
        self.last_trade: Record | None = None
        self.last_sequence: int | None = None
        self.last_bbo: tuple[Any, ...] | None = None

    # -- the stream ------------------------------------------------------------------------------

    def run(self, records: Sequence[Record]) -> Replay:
        for part in group(records):
            if isinstance(part, Snapshot):
                self._snapshot(part)
            else:
                self._event(part)
        if self.window is not None:
            self._close_window(is_partial=True)
        self.counters.update(self.ledger.counters)
        return self

    @property
    def book_valid(self) -> bool:
        return self.state == LIVE and self.origin_known and not self.bad_pending

    def _snapshot(self, snapshot: Snapshot) -> None:
        now = snapshot.records[0].ts_recv
        if self.window is not None:
            now = max(now, self.window.start)
            self._advance_to(now)
            self.window.valid_throughout = False
        self.state, self.origin_known = SNAPSHOT, False
        self.ledger.clear(now)
        for record in snapshot.records:
            self.ledger.apply(record, now)
        self.bad_pending = self._has_bad_flag(snapshot.records)
        if snapshot.closed:
            self.state, self.origin_known = LIVE, True

    def _event(self, event: Event) -> None:
        first = event.records[0]
        if self.window is None:
            self._become_live()
            self._open_window(first.ts_event - first.ts_event % self.window_ns, first_window=True)
        else:
            self._advance_to(first.ts_event)
            self._become_live()
        window = self.window
        assert window is not None

        has_prints = any(record.action == "T" for record in event.records)
        best_before = {side: self.ledger.best(side) for side in "BA"} if has_prints else {}
        fills: list[tuple[Order, list[Order]]] = []
        for record in event.records:
            self._count(record, window)
            if record.action == "R":
                self.origin_known = True
                window.valid_throughout = False
            if record.action == "F" and (order := self.ledger.named_by(record)) is not None:
                fills.append((order, self.ledger.ahead_of(order)))
            self.ledger.apply(record, record.ts_event)
        self.ledger.judge_fifo(fills)

        self.bad_pending = self._has_bad_flag(event.records)
        window.bad_at_an_event |= self.bad_pending
        window.valid_throughout &= self.book_valid
        if has_prints:
            self._trade_row(event, best_before)
        self._bbo_row(event, window)
        self.counters["events"] += 1

    def _become_live(self) -> None:
        """The first live record ends a snapshot, which is complete then; without one, live is not valid."""
        if self.state == SNAPSHOT:
            self.origin_known = True
        self.state = LIVE

    def _has_bad_flag(self, records: Sequence[Record]) -> bool:
        flagged = sum(bool(record.flags & F_MAYBE_BAD_BOOK) for record in records)
        self.counters["bad_book_flags"] += flagged
        return flagged > 0

    def _count(self, record: Record, window: Window) -> None:
        # A separate closing record (action N) must not make a difference: it is not counted.
        window.message_count += record.action != "N"
        if self.last_sequence is not None and record.sequence < self.last_sequence:
            self.counters["sequence_gaps"] += 1
            window.sequence_gap = True
        self.last_sequence = record.sequence
        if record.action == "T":
            assert record.price is not None, "a trade without a price has no meaning"
            self.last_trade = record
            window.trade_count += 1
            window.trade_prices.append(record.price)
            window.volume[record.side] += record.size

    # -- events ----------------------------------------------------------------------------------

    def _trade_row(self, event: Event, best_before: dict[str, tuple[int, int, int] | None]) -> None:
        prints = [record for record in event.records if record.action == "T"]
        prices = [record.price or 0 for record in prints]
        quantity = sum(record.size for record in prints)
        value = sum(price * record.size for price, record in zip(prices, prints, strict=True))
        aggressor = prints[0].side
        passive_best = best_before.get(PASSIVE.get(aggressor, ""))
        self.trades.append(
            {
                "ts_event": event.records[0].ts_event,
                "ts_recv": event.records[0].ts_recv,
                "event_id": self.counters["events"],
                "price_int": prices[-1],
                "vwap_price_int": value // quantity if quantity else prices[-1],
                "qty": quantity,
                "aggressor": aggressor,
                "levels_consumed": len(set(prices)),
                "l1_qty_before": passive_best[1] if passive_best else None,
                "n_fills": sum(record.action == "F" for record in event.records),
                "is_implied": prints[0].order_id == 0,
            }
        )

    def _bbo_row(self, event: Event, window: Window) -> None:
        bid, ask = self.ledger.best("B"), self.ledger.best("A")
        crossed = bid is not None and ask is not None and bid[0] >= ask[0]
        self.counters["crossed_events"] += crossed
        window.crossed |= crossed
        if (bid, ask) == self.last_bbo:
            return
        self.last_bbo = (bid, ask)
        row: dict[str, Any] = {
            "ts_event": event.records[0].ts_event,
            "ts_recv": event.records[0].ts_recv,
            "event_id": self.counters["events"],
        }
        for name, best in (("bid", bid), ("ask", ask)):
            row |= zip((f"{name}_price_int", f"{name}_qty", f"{name}_orders"), best or (None,) * 3, strict=True)
        self.bbo_changes.append(row | {"crossed": crossed, "book_valid": self.book_valid})

    # -- windows ---------------------------------------------------------------------------------

    def _open_window(self, start: int, *, first_window: bool = False) -> None:
        self.window = Window(start, valid_throughout=self.book_valid)
        self.ledger.flows = {}
        if first_window:  # what rests when the clock starts has been there for ever
            for side, queues in self.ledger.queues.items():
                for price in queues:
                    self.states[side, price] = CellState(self.ledger.quantity((side, price)))
            self.moving = set(self.states)

    def _advance_to(self, now: int) -> None:
        """Close every window that ends at or before `now`. A time before the current window belongs to it."""
        while self.window is not None and now >= self.window.start + self.window_ns:
            start = self.window.start
            self._close_window(is_partial=False)
            self._open_window(start + self.window_ns)

    def _close_window(self, *, is_partial: bool) -> None:
        window = self.window
        assert window is not None
        end = window.start + self.window_ns
        bid, ask = self.ledger.best("B"), self.ledger.best("A")
        both = (bid[0], bid[1], ask[0], ask[1]) if bid and ask else None
        trade = self.last_trade
        spot = trade.price if trade else bid[0] if bid and self.book_valid else None
        row: dict[str, Any] = {"window_start": window.start, "window_end": end}
        for name, best in (("best_bid", bid), ("best_ask", ask)):
            row |= zip((f"{name}_price_int", f"{name}_qty", f"{name}_orders"), best or (None,) * 3, strict=True)
        self.snapshots.append(
            row
            | _middle(both, self.tick)
            | {
                "last_trade_price_int": trade.price if trade else None,
                "spot_ref_price_int": spot,
                "trade_open_price_int": window.trade_prices[0] if window.trade_prices else None,
                "trade_high_price_int": max(window.trade_prices, default=None),
                "trade_low_price_int": min(window.trade_prices, default=None),
                "buy_volume": window.volume["B"],
                "sell_volume": window.volume["A"],
                "none_volume": window.volume["N"],
                "trade_count": window.trade_count,
                "message_count": window.message_count,
                "crossed": window.crossed,
                "book_state": self.state,
                "maybe_bad_book": window.bad_at_an_event or self.bad_pending,
                "sequence_gap": window.sequence_gap,
                "is_partial": is_partial,
                "spot_age_s": (end - trade.ts_event) / 1e9 if trade else None,
                "book_valid": self.book_valid,
                "window_valid": window.valid_throughout and self.book_valid,
            }
        )
        self._close_cells(end)

    def _close_cells(self, end: int) -> None:
        index = len(self.snapshots) - 1
        moving: set[Cell] = set()
        for cell in self.moving | set(self.ledger.flows):
            before = self.states.setdefault(cell, CellState())
            flow = self.ledger.flows.get(cell, Flow())
            depth, rest = self.ledger.quantity(cell), self.ledger.resting(cell, end)
            assert depth == before.depth + flow.add - flow.pull - flow.fill, f"identity broken at {cell}"
            d1 = depth - before.depth
            d2 = d1 - before.d1
            d3 = d2 - before.d2
            amounts = (flow.add, flow.pull, flow.pull_rest, flow.fill, flow.refill, flow.away, flow.toward)
            orders = self.ledger.count(cell)
            side = frames.SIDES.index(cell[0])
            self.cells.append((index, cell[1], side, before.depth, depth, rest, orders, *amounts, d1, d2, d3))
            self.states[cell] = CellState(depth, d1, d2)
            # The next row is 'unchanged' once no order is still becoming resting and the differences have died away.
            if rest != depth or d1 or d2:
                moving.add(cell)
        self.moving = moving


def _middle(both: tuple[int, int, int, int] | None, tick: int) -> dict[str, Any]:
    if both is None:
        return dict.fromkeys(("mid_price", "mid_price_int", "micro_price", "spread_ticks"))
    bid, bid_qty, ask, ask_qty = both
    return {
        "mid_price": (bid + ask) / 2 / 1e9,
        "mid_price_int": (bid + ask) // 2,
        "micro_price": (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty) / 1e9,
        "spread_ticks": (ask - bid) // tick,
    }


def replay(
    records: np.ndarray | Sequence[Record],
    *,
    instrument_id: int | None = None,
    tick_size_int: int,
    window_ns: int = 1_000_000_000,
    rest_ns: int = 500_000_000,
) -> Replay:
    """Run one instrument's records (structured array or `Record`s) and return the finished replay with its book."""
    listed = to_records(records, instrument_id) if isinstance(records, np.ndarray) else records
    return Replay(int(window_ns), int(rest_ns), tick_size_int).run(listed)


def oracle_tables(
    records: np.ndarray | Sequence[Record],
    *,
    instrument_id: int | None,
    tick_size_int: int,
    rth: tuple[int, int] | None = None,
    window_ns: float = 1e9,
    rest_ns: float = 5e8,
    grid_ticks: int = 600,
    near_ticks: int = 20,
    contract: str = "TEST",
    stored: bool = False,
) -> dict[str, pl.DataFrame]:
    """The Silver tables of one instrument's records, in table column order.

    `book_snapshot_1s` (all columns but `phase`), `wall_surface_1s` in its dense form, `trade`, `bbo_change`, and
    `counters` (one row). With `stored`, also `wall_surface_1s_stored`: the sparse form that the lake keeps, where
    `rth` = (start, end) in ns is the span in which every row is kept.
    """
    done = replay(
        records,
        instrument_id=instrument_id,
        tick_size_int=tick_size_int,
        window_ns=int(window_ns),
        rest_ns=int(rest_ns),
    )
    snapshot = frames.snapshot_frame(done.snapshots, contract)
    cells = frames.cell_frame(done.cells)
    tables = {
        "book_snapshot_1s": snapshot,
        "wall_surface_1s": frames.dense_wall(cells, snapshot, tick_size_int, grid_ticks),
        "trade": frames.trade_frame(done.trades, contract),
        "bbo_change": frames.bbo_frame(done.bbo_changes, contract),
        "counters": pl.DataFrame([done.counters]),
    }
    if stored:
        tables["wall_surface_1s_stored"] = frames.stored_wall(
            cells, snapshot, tick_size_int, grid_ticks, near_ticks, rth
        )
    return tables
