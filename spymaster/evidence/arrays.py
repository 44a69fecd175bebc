"""A day as the tests see it: sorted columns of messages, lives, trades and quotes, and what is left out of all tests.

Left out everywhere: what happened while the book was not valid, outside continuous trading, in the first minute after
an open, and mass cancels. Times are int64 ns of the matching engine (`ts_event`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.evidence.errors import EvidenceInputError
from spymaster.evidence.law import Law, measure, pool
from spymaster.jit import kernel
from spymaster.tables.types import AGGRESSORS, LIFE_ENDS, MESSAGE_KINDS, SIDES

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

SECOND_NS = 1_000_000_000
AFTER_OPEN_S = 60
MASS_CANCELS, MASS_WITHIN_NS = 20, 50_000
"""More cancels than this within that time, or in one event, are a mass cancel. Each second is judged by itself, so that
nothing that is said of one depends on the next."""

SIZES = ("1", "2", "3-5", "6-10", "11-50", "51+")
_SIZE_FROM = np.array([1, 2, 3, 6, 11, 51])
DISTANCES = ("improve", "0", "1", "2", "3-5", "6-10", "11+", "unknown")
_DISTANCE_FROM = np.array([0, 1, 2, 3, 6, 11])
UNKNOWN_DISTANCE = np.iinfo(np.int32).max
SEGMENTS = ("overnight", "open", "mid", "close", "late")
"""18:00-09:30, to 10:30, to 15:00, to 16:00, to 18:00 New York."""
_SEGMENT_FROM = np.array([0, 570, 630, 900, 960, 1080])
_SEGMENT_OF = np.array([0, 1, 2, 3, 4, 0], np.uint8)

SCHEDULED_MINUTES = (570, 960, 1020, 1080)
"""New York: regular hours begin, end (and settle), the session ends, the next one begins."""
AROUND_SCHEDULED_S = 5
"""Seconds before and after a scheduled moment in which everybody follows the clock."""

EVENT_COLUMNS = (
    "ts_event", "event_id", "kind", "side", "order_id", "price_int", "prev_price_int", "qty", "size_after",
    "dist_ticks", "book_valid",
)  # fmt: skip
LIFE_COLUMNS = (
    "order_id", "side", "ts_add", "ts_end", "event_id_add", "event_id_end", "end_reason", "known_add", "size0",
    "price_int_add", "dist_add", "filled_qty", "max_displayed", "n_reprice", "n_size_up",
    "n_refill",
)  # fmt: skip
TRADE_COLUMNS = ("ts_event", "event_id", "aggressor", "qty")
QUOTE_COLUMNS = ("ts_event", "event_id", "bid_price_int", "ask_price_int")
SNAPSHOT_COLUMNS = ("window_end", "phase", "window_valid")


def kind(name: str) -> int:
    """Code of a kind of message."""
    return MESSAGE_KINDS.index(name)


@dataclass(frozen=True)
class Messages:
    """`silver.order_event`, in file order; `usable` is false where no test may look."""

    ts: Ints
    event: Ints
    kind: Codes
    side: Codes
    order: NDArray[np.uint64]
    price: Ints
    previous: Ints
    """Price before a reprice; 0 in other kinds."""
    qty: NDArray[np.int32]
    size_after: NDArray[np.int32]
    dist: NDArray[np.int32]
    size_code: Codes
    dist_code: Codes
    segment: Codes
    usable: Flags


@dataclass(frozen=True)
class Lives:
    """`silver.order_life`; `usable` lives have a seen entry, and entry and end where tests may look."""

    order: NDArray[np.uint64]
    side: Codes
    ts_add: Ints
    ts_end: Ints
    event_add: Ints
    event_end: Ints
    """-1 where unknown."""
    reason: Codes
    size: NDArray[np.int32]
    price: Ints
    filled: NDArray[np.int32]
    largest: NDArray[np.int32]
    reprices: NDArray[np.int32]
    ups: NDArray[np.int32]
    """Times that its size was raised at its price."""
    refills: NDArray[np.int32]
    size_code: Codes
    dist_code: Codes
    segment: Codes
    usable: Flags
    entered: Flags
    """Its entry was seen, where tests may look: what is known of it while it lives."""
    aggressive: Flags
    """The entry shares its event with a trade: the rest of an order that took liquidity."""


@dataclass(frozen=True)
class Trades:
    """`silver.trade`; aggressor 0 buyer, 1 seller, 2 none."""

    ts: Ints
    event: Ints
    aggressor: Codes
    qty: Ints
    usable: Flags


@dataclass(frozen=True)
class Quotes:
    """`silver.bbo_change` where a best price changed: `bid_move`, `ask_move` are the signs of the changes."""

    ts: Ints
    event: Ints
    bid_move: NDArray[np.int8]
    ask_move: NDArray[np.int8]
    usable: Flags


@dataclass(frozen=True)
class Market:
    """What a day's messages may answer, of a day that starts at `start`."""

    trades: Trades
    quotes: Quotes
    start: int


@dataclass(frozen=True)
class DayArrays:
    """One contract-day from `start` to `end`; `n_mass_cancel` cancels are left out."""

    messages: Messages
    lives: Lives
    trades: Trades
    quotes: Quotes
    tick: int
    open: Flags
    """By second from `start`: whether tests may look."""
    scheduled: Flags
    """By second from `start`: within 5 s of a scheduled open or close."""
    start: int
    end: int
    n_mass_cancel: int
    law: Law
    """What counts as large, and favourite sizes."""

    @property
    def minutes(self) -> int:
        """Blocks of 60 s that the bootstrap draws from."""
        return -(-(self.end - self.start) // (60 * SECOND_NS))


@kernel()
def mark_mass(times, events, most, within, marked):
    """Mark more than `most` sorted times within `within` ns of each other, or in one event."""
    n = times.shape[0]
    end = 0
    for i in range(n):
        end = max(end, i)
        while end < n and (times[end] - times[i] <= within or events[end] == events[i]):
            end += 1
        if end - i > most:
            for k in range(i, end):
                marked[k] = True


def _seconds_apart(times: Ints) -> Ints:
    """Times with a gap after every second that no mass cancel reaches across."""
    return times + times // SECOND_NS * (2 * MASS_WITHIN_NS)


def size_codes(qty: NDArray) -> Codes:
    """Place in `SIZES`."""
    return (np.searchsorted(_SIZE_FROM, np.maximum(qty, 1), side="right") - 1).astype(np.uint8)


def distance_codes(dist: NDArray) -> Codes:
    """Place in `DISTANCES`; `UNKNOWN_DISTANCE` is the last."""
    codes = np.searchsorted(_DISTANCE_FROM, dist, side="right").astype(np.uint8)
    codes[dist == UNKNOWN_DISTANCE] = len(DISTANCES) - 1
    return codes


def day_arrays(
    events: pl.DataFrame,
    lives: pl.DataFrame,
    trades: pl.DataFrame,
    quotes: pl.DataFrame,
    snapshot: pl.DataFrame,
    *,
    tick_size_int: int,
    law: Law | None = None,
) -> DayArrays:
    """The arrays of a day from the columns named above of its five tables, in stored order.

    law: of earlier days; without it, the day's own. Raises `EvidenceInputError` if the day has no seconds, or messages
    before them.
    """
    if snapshot.is_empty():
        raise EvidenceInputError("the day has no seconds: silver.book_snapshot_1s is empty")
    clock = _Clock(snapshot)
    messages, mass = _messages(events, clock)
    traded = np.unique(trades["event_id"].to_numpy())
    return DayArrays(
        messages,
        _lives(lives, clock, traded),
        _trades(trades, clock),
        _quotes(quotes, clock),
        tick_size_int,
        clock.open,
        clock.scheduled,
        clock.start,
        clock.start + len(clock.open) * SECOND_NS,
        mass,
        law or pool([measure(events, lives)]),
    )


def market_arrays(trades: pl.DataFrame, quotes: pl.DataFrame, snapshot: pl.DataFrame) -> Market:
    """Trades and quotes of a day without its messages. Raises `EvidenceInputError` if the day has no seconds."""
    if snapshot.is_empty():
        raise EvidenceInputError("the day has no seconds: silver.book_snapshot_1s is empty")
    clock = _Clock(snapshot)
    return Market(_trades(trades, clock), _quotes(quotes, clock), clock.start)


class _Clock:
    """What the seconds of a day say: whether tests may look, and which segment it is."""

    def __init__(self, snapshot: pl.DataFrame) -> None:
        ends = _ns(snapshot["window_end"])
        trading = (snapshot["phase"].cast(pl.String) == "continuous").to_numpy()
        valid = snapshot["window_valid"].to_numpy()
        self.start = int(ends[0]) - SECOND_NS
        place = (ends - ends[0]) // SECOND_NS
        self.open = np.zeros(int(place[-1]) + 1, np.bool_)
        self.open[place] = trading & valid
        opened = np.flatnonzero(trading[1:] & ~trading[:-1]) + 1
        for first in place[opened].tolist():
            self.open[first : first + AFTER_OPEN_S] = False
        local = pl.Series(ends - SECOND_NS).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("America/New_York")
        minute = local.dt.hour().cast(pl.Int32).to_numpy() * 60 + local.dt.minute().to_numpy()
        second = minute * 60 + local.dt.second().to_numpy()
        self.scheduled = np.zeros(len(self.open), np.bool_)
        for moment in SCHEDULED_MINUTES:
            self.scheduled[
                place[(second >= moment * 60 - AROUND_SCHEDULED_S) & (second < moment * 60 + AROUND_SCHEDULED_S)]
            ] = True
        self.segment = np.zeros(len(self.open), np.uint8)
        self.segment[place] = _SEGMENT_OF[np.searchsorted(_SEGMENT_FROM, minute, side="right") - 1]

    def seconds(self, ts: Ints) -> Ints:
        """Place of each time's second; times before the first second count as in it, and after the last likewise."""
        return np.clip((ts - self.start) // SECOND_NS, 0, len(self.open) - 1)

    def usable(self, ts: Ints) -> Flags:
        inside = (ts >= self.start) & (ts < self.start + len(self.open) * SECOND_NS)
        return self.open[self.seconds(ts)] & inside


def _messages(frame: pl.DataFrame, clock: _Clock) -> tuple[Messages, int]:
    ts, event = _ns(frame["ts_event"]), frame["event_id"].to_numpy()
    if len(ts) and (ts[0] < clock.start or np.any(np.diff(ts) < 0)):
        raise EvidenceInputError("messages begin before the day's first second, or are not in order of time")
    kinds = _codes(frame["kind"], MESSAGE_KINDS)
    usable = clock.usable(ts) & frame["book_valid"].to_numpy()
    cancels = np.flatnonzero(kinds == kind("cancel"))
    mass = np.zeros(len(cancels), np.bool_)
    mark_mass(_seconds_apart(ts[cancels]), event[cancels], MASS_CANCELS, MASS_WITHIN_NS, mass)
    usable[cancels[mass]] = False
    qty = frame["qty"].to_numpy()
    dist = frame["dist_ticks"].fill_null(UNKNOWN_DISTANCE).to_numpy()
    made = Messages(
        ts,
        event,
        kinds,
        _codes(frame["side"], AGGRESSORS),
        frame["order_id"].to_numpy(),
        frame["price_int"].to_numpy(),
        frame["prev_price_int"].fill_null(0).to_numpy(),
        qty,
        frame["size_after"].fill_null(0).to_numpy(),
        dist,
        size_codes(qty),
        distance_codes(dist),
        clock.segment[clock.seconds(ts)],
        usable,
    )
    return made, int(mass.sum())


def _lives(frame: pl.DataFrame, clock: _Clock, traded: Ints) -> Lives:
    add, end = _ns(frame["ts_add"]), _ns(frame["ts_end"])
    event_add = frame["event_id_add"].fill_null(-1).to_numpy()
    event_end = frame["event_id_end"].fill_null(-1).to_numpy()
    reason = _codes(frame["end_reason"], LIFE_ENDS)
    cancels = np.flatnonzero(reason == LIFE_ENDS.index("cancel"))
    mass = np.zeros(len(cancels), np.bool_)
    mark_mass(_seconds_apart(end[cancels]), event_end[cancels], MASS_CANCELS, MASS_WITHIN_NS, mass)
    entered = frame["known_add"].to_numpy() & clock.usable(add)
    usable = entered & clock.usable(end) & (event_add != event_end)
    usable[cancels[mass]] = False
    size = frame["size0"].to_numpy()
    return Lives(
        frame["order_id"].to_numpy(),
        _codes(frame["side"], SIDES),
        add,
        end,
        event_add,
        event_end,
        reason,
        size,
        frame["price_int_add"].to_numpy(),
        frame["filled_qty"].to_numpy(),
        frame["max_displayed"].to_numpy(),
        frame["n_reprice"].to_numpy(),
        frame["n_size_up"].to_numpy(),
        frame["n_refill"].to_numpy(),
        size_codes(size),
        distance_codes(frame["dist_add"].fill_null(UNKNOWN_DISTANCE).to_numpy()),
        clock.segment[clock.seconds(end)],
        usable,
        entered,
        np.isin(event_add, traded),
    )


def _trades(frame: pl.DataFrame, clock: _Clock) -> Trades:
    ts = _ns(frame["ts_event"])
    return Trades(
        ts,
        frame["event_id"].to_numpy(),
        _codes(frame["aggressor"], AGGRESSORS),
        frame["qty"].cast(pl.Int64).to_numpy(),
        clock.usable(ts),
    )


def _quotes(frame: pl.DataFrame, clock: _Clock) -> Quotes:
    moved = {
        name: frame[f"{name}_price_int"].diff().sign().fill_null(0).cast(pl.Int8).to_numpy() for name in ("bid", "ask")
    }
    changed = (moved["bid"] != 0) | (moved["ask"] != 0)
    ts = _ns(frame["ts_event"])[changed]
    return Quotes(
        ts, frame["event_id"].to_numpy()[changed], moved["bid"][changed], moved["ask"][changed], clock.usable(ts)
    )


def _ns(column: pl.Series) -> Ints:
    return column.to_physical().cast(pl.Int64).to_numpy()


def _codes(column: pl.Series, names: tuple[str, ...]) -> Codes:
    return column.cast(pl.Enum(names)).to_physical().cast(pl.UInt8).to_numpy()
