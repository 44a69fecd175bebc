"""Makes a file of orders wrong as planned: the market's records pass through, and what is done to them is logged.

Faults are made in the file only. The market, its truth tables and the figures of the report are those without faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_NONE,
    F_BAD_TS_RECV,
    F_LAST,
    F_MAYBE_BAD_BOOK,
    RECORD_BYTES,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
    SIM_PUBLISHER,
    UNDEF_PRICE,
    Records,
    mbo_records,
)
from spymaster.simulator.fault_plan import (
    BadReceiveTime,
    ClockStep,
    CrossedBook,
    DuplicateEvents,
    MaybeBadBook,
    MidDaySnapshot,
    NoSnapshot,
    PartialCancel,
    PlannedFault,
    ReusedId,
    SequenceGap,
    TruncatedFile,
    UndefinedPrice,
    UnknownId,
)
from spymaster.simulator.layout import BID, FRONT
from spymaster.simulator.market import MarketDay
from spymaster.simulator.schedule import SECOND_NS

_UNUSED_IDS = 6_300_000_000_000
"""Below every id that the exchange gives."""
_LEAST_LAG_NS = 80_000


@dataclass
class LoggedFault:
    """A fault that was made: the file's record (from 0) at which it begins, and how many records it is about.

    `left` is what remains to be done of it, `price` where the order of a crossed book rests.
    """

    fault: PlannedFault
    record_index: int
    records: int = 0
    left: int = 0
    price: int = 0


class FaultInjector:
    """Passes on the blocks of a market that stops at `fault_plan.pauses_of(faults)`, with the faults made in them.

    `log` says what was made. `tail` holds the bytes that end a truncated file, after the last block.
    """

    def __init__(self, market: MarketDay, faults: tuple[PlannedFault, ...]) -> None:
        self.log: list[LoggedFault] = []
        self.tail = b""
        self._market = market
        self._waiting = list(faults)
        self._active: list[LoggedFault] = []
        self._written = 0
        late = next((fault for fault in faults if isinstance(fault.section, NoSnapshot)), None)
        self._missing = self._note(late) if late is not None else None
        self._open = late is None

    def through(self, block: Records) -> Iterator[Records]:
        """What becomes of the market's next block."""
        for part in [self._changed(block)] if len(block) else self._at_pause():
            if self._open and len(part):
                self._written += len(part)
                yield part
            elif self._missing is not None:
                self._missing.records += len(part)

    def _note(self, fault: PlannedFault, records: int = 0, left: int = 0) -> LoggedFault:
        self.log.append(LoggedFault(fault, self._written, records, left))
        return self.log[-1]

    # at a pause

    def _at_pause(self) -> Iterator[Records]:
        """Let the faults end and begin whose time it is; yields what they put into the file."""
        now = int(self._market.state["clock"])
        for one in [one for one in self._active if one.fault.start_ns < one.fault.end_ns <= now]:
            self._active.remove(one)
            if isinstance(one.fault.section, CrossedBook):
                made = self._event(now, ACTION_CANCEL, SIDE_BID, self._own_id(one.fault), one.price, 1)
                one.records += len(made)
                yield made
        while self._waiting and self._waiting[0].start_ns <= now:
            fault = self._waiting.pop(0)
            if isinstance(fault.section, NoSnapshot):
                self._open, self._missing = True, None
            elif self._open:
                yield from self._begin(fault, now)

    def _begin(self, fault: PlannedFault, now: int) -> Iterator[Records]:
        section = fault.section
        if isinstance(section, MaybeBadBook | BadReceiveTime | ClockStep):
            self._active.append(self._note(fault))
        elif isinstance(section, SequenceGap):
            self._active.append(self._note(fault, left=section.records))
        elif isinstance(section, DuplicateEvents):
            self._active.append(self._note(fault, left=section.events))
        elif isinstance(section, UndefinedPrice):
            self._active.append(LoggedFault(fault, 0))  # noted when the record is there
        elif isinstance(section, TruncatedFile):
            self._note(fault, 1)
            self.tail = mbo_records(1).tobytes()[: RECORD_BYTES // 2]
            self._open = False
        elif isinstance(section, MidDaySnapshot):
            made = self._market.snapshot(now, "clear_terminated")
            self._note(fault, len(made))
            yield made
        else:
            made = self._odd_event(fault, now)
            noted = self._note(fault, len(made))
            if isinstance(section, CrossedBook):
                noted.price = int(made["price"][0])
                self._active.append(noted)
            yield made

    def _odd_event(self, fault: PlannedFault, now: int) -> Records:
        """The one record of a fault that tells something odd about an order of the first contract."""
        section, row = fault.section, self._market.state["inst"][FRONT]
        tick, origin = int(row["tick_size"]), int(row["origin"])
        bid, ask = origin + int(row["bid"]) * tick, origin + int(row["ask"]) * tick
        if isinstance(section, UnknownId):
            return self._event(now, ord(section.action), SIDE_BID, self._own_id(fault), bid, 1)
        if isinstance(section, CrossedBook):
            return self._event(now, ACTION_ADD, SIDE_BID, self._own_id(fault), ask + section.ticks * tick, 1)
        orders = self._market.resting(FRONT)
        if isinstance(section, ReusedId):
            last = int(np.flatnonzero(orders.side == BID)[-1])
            return self._event(now, ACTION_ADD, SIDE_BID, int(orders.order_id[last]), int(orders.price[last]) - tick, 1)
        assert isinstance(section, PartialCancel)
        largest = int(np.argmax(orders.size))
        side = SIDE_BID if orders.side[largest] == BID else SIDE_ASK
        return self._event(now, ACTION_CANCEL, side, int(orders.order_id[largest]), int(orders.price[largest]), 1)

    def _own_id(self, fault: PlannedFault) -> int:
        return _UNUSED_IDS + fault.fault_id

    def _event(self, ts: int, action: int, side: int, order_id: int, price: int, size: int) -> Records:
        """One record of the first contract as an event of its own, closed as the feed closes events at that time."""
        m = self._market.state
        sentinel = ts >= int(m["closing_from"])
        records = mbo_records(1 + sentinel)
        records["publisher_id"], records["instrument_id"] = SIM_PUBLISHER, self._market.contracts[FRONT].instrument_id
        records["ts_event"], records["ts_recv"] = ts, max(int(m["last_recv"]), ts + _LEAST_LAG_NS)
        records["sequence"], records["ts_in_delta"] = int(m["sequence"]), 15_000
        first = records[:1]
        first["action"], first["side"], first["order_id"], first["price"], first["size"] = (
            action, side, order_id, price, size,
        )  # fmt: skip
        if sentinel:
            last = records[1:]
            last["action"], last["side"], last["price"], last["flags"] = ACTION_NONE, SIDE_NONE, UNDEF_PRICE, F_LAST
        else:
            first["flags"] = int(m["last_flag"])
        return records

    # between pauses

    def _changed(self, block: Records) -> Records:
        """A block with the faults that are going on."""
        if not self._active:
            return block
        kept = np.arange(len(block))
        for one in list(self._active):
            if isinstance(one.fault.section, SequenceGap):
                dropped = min(one.left, len(kept))
                kept = kept[dropped:]
                one.records += dropped
                self._use_up(one, dropped)
        part = block[kept]
        for one in list(self._active):
            if isinstance(one.fault.section, DuplicateEvents):
                part = self._doubled(part, one)
        part = part.copy()
        for one in list(self._active):
            section = one.fault.section
            if isinstance(section, MaybeBadBook):
                part["flags"] |= F_MAYBE_BAD_BOOK
                one.records += len(part)
            elif isinstance(section, BadReceiveTime):
                part["flags"] |= F_BAD_TS_RECV
                part["ts_recv"] -= np.uint64(SECOND_NS)
                one.records += len(part)
            elif isinstance(section, ClockStep):
                part["ts_recv"] = part["ts_recv"].astype(np.int64) + section.step_ms * 1_000_000
                one.records += len(part)
            elif isinstance(section, UndefinedPrice):
                self._without_price(part, one, ord(section.action))
        return part

    def _use_up(self, one: LoggedFault, done: int) -> None:
        one.left -= done
        if one.left == 0:
            self._active.remove(one)

    def _doubled(self, part: Records, one: LoggedFault) -> Records:
        """The first events of a block twice each; an event is what shares a time."""
        ends = np.append(np.flatnonzero(np.diff(part["ts_event"].astype(np.int64))) + 1, len(part))[: one.left]
        starts = np.append(0, ends[:-1])
        order = [np.arange(low, high) for low, high in zip(starts, ends, strict=True) for _ in range(2)]
        rest = np.arange(ends[-1] if len(ends) else 0, len(part))
        one.records += int(ends[-1]) if len(ends) else 0
        self._use_up(one, len(ends))
        return part[np.concatenate([*order, rest])]

    def _without_price(self, part: Records, one: LoggedFault, action: int) -> None:
        front = part["instrument_id"] == self._market.contracts[FRONT].instrument_id
        found = np.flatnonzero(front & (part["action"] == action))
        if len(found):
            part["price"][found[0]] = UNDEF_PRICE
            self._active.remove(one)
            one.record_index, one.records = self._written + int(found[0]), 1
            self.log.append(one)
