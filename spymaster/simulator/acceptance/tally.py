"""What a date of one contract looks like: the samples behind the report, gathered while the records pass by.

Works on any records in file order, simulated or real, and on nothing else: no truth is asked. Samples are of one
contract in a window, regular trading hours where the file has them, else the whole of continuous trading.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from spymaster.market.calendar import CONTINUOUS, rth_window
from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_NONE,
    ACTION_TRADE,
    F_SNAPSHOT,
    SIDE_BID,
    SIDE_NONE,
    Records,
)
from spymaster.simulator.acceptance.replay import Replay
from spymaster.simulator.layout import LEVELS
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, Segment, midnight_ns
from spymaster.simulator.truth import pattern_text

ACTIONS = {"A": ACTION_ADD, "C": ACTION_CANCEL, "M": ACTION_MODIFY, "F": ACTION_FILL, "T": ACTION_TRADE}
_LEAST_BLOCK_NS, _LONGEST_BLOCK_NS, _BLOCKS = 60 * SECOND_NS, 1_800 * SECOND_NS, 12


def measured_window(dt: date, root: str, parts: list[Segment]) -> tuple[int, int]:
    """[start, end) in ns of what is measured: regular hours inside continuous trading, else all of that."""
    trading = [part for part in parts if part.phase == CONTINUOUS]
    span = (trading[0].start_ns, trading[-1].end_ns) if trading else (midnight_ns(dt), midnight_ns(dt))
    rth = rth_window(dt, root)
    inside = (max(span[0], rth[0]), min(span[1], rth[1])) if rth is not None else span
    return inside if inside[0] < inside[1] else span


class Tally:
    """Samples of one contract on one date: `add` the blocks of its file, then ask."""

    def __init__(self, dt: date, instrument_id: int, tick_size_int: int, window: tuple[int, int]) -> None:
        self.dt, self.window = dt, window
        self.start_ns = midnight_ns(dt)
        self.instrument_id = np.uint32(instrument_id)
        self.tick_size = tick_size_int
        self.replay = Replay(tick_size_int, window)
        length = min(max((window[1] - window[0]) // _BLOCKS, _LEAST_BLOCK_NS), _LONGEST_BLOCK_NS)
        self.block_ns = length
        self.blocks = max(-(-(window[1] - window[0]) // length), 1)
        self.actions = np.zeros((self.blocks, 256))
        self.per_second = np.zeros(DAY_SECONDS, np.int64)
        self.records = 0
        self._trades: list[np.ndarray] = []
        self._latency: list[np.ndarray] = []
        self._free_latency: list[np.ndarray] = []

    def add(self, block: Records) -> None:
        """Take a block of the file, snapshot included; other contracts only count as messages."""
        live = block[block["flags"] & F_SNAPSHOT == 0]
        mine = block[block["instrument_id"] == self.instrument_id]
        self.replay.feed(mine)
        if not len(live):
            return
        self.records += int(np.count_nonzero(live["action"] != ACTION_NONE))
        seconds = (live["ts_event"].astype(np.int64) - self.start_ns) // SECOND_NS
        self.per_second += np.bincount(seconds.clip(0, DAY_SECONDS - 1), minlength=DAY_SECONDS)
        mine = mine[mine["flags"] & F_SNAPSHOT == 0]
        ts = mine["ts_event"].astype(np.int64)
        inside = (ts >= self.window[0]) & (ts < self.window[1])
        mine, ts = mine[inside], ts[inside]
        if not len(mine):
            return
        flat = np.bincount(self.block(ts) * 256 + mine["action"], minlength=self.blocks * 256)
        self.actions += flat.reshape(self.blocks, 256)
        recv = mine["ts_recv"].astype(np.int64)
        self._latency.append((recv - ts)[::16])
        self._free_latency.append((recv[1:] - ts[1:])[ts[1:] > recv[:-1]])
        trades = mine[mine["action"] == ACTION_TRADE]
        self._trades.append(trades[["ts_event", "side", "price", "size", "order_id"]].copy())

    def block(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the block of time in which each time (ns) lies."""
        return np.clip((ts - self.window[0]) // self.block_ns, 0, self.blocks - 1)

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return (self.window[1] - self.window[0]) / SECOND_NS

    # samples

    def trades(self) -> np.ndarray:
        """Prints: ts_event, side, price, size, order_id."""
        return _joined(self._trades)

    def aggressors(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Time, sign (+1 buys) and traded quantity of each aggressor; its prints at several prices count once."""
        trades = self.trades()
        if not len(trades):
            return np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64)
        trades = trades[trades["side"] != SIDE_NONE]
        first = np.flatnonzero(np.append(True, np.diff(trades["order_id"].astype(np.int64)) != 0)[: len(trades)])
        quantity = np.add.reduceat(trades["size"].astype(np.int64), first) if len(first) else np.zeros(0, np.int64)
        sign = np.where(trades["side"][first] == SIDE_BID, 1.0, -1.0)
        return trades["ts_event"][first].astype(np.int64), sign, quantity

    def latencies(self) -> NDArray[np.int64]:
        """Capture latency of every 16th record, ns."""
        return _joined(self._latency)

    def free_latencies(self) -> NDArray[np.int64]:
        """Capture latency of records that did not have to wait for the one ahead of them, ns."""
        return _joined(self._free_latency)

    def adds(self) -> np.ndarray:
        """Adds of resting orders: `replay.ADDED`."""
        return _joined(self.replay.rows.adds)

    def gone(self) -> np.ndarray:
        """Orders filled, or cancelled in an event of its own: `replay.GONE`."""
        return _joined(self.replay.rows.gone)

    def cancels(self) -> np.ndarray:
        """Cancels that are events of their own: `replay.GONE`."""
        rows = self.gone()
        return rows[rows["filled"] == 0] if len(rows) else rows

    def lifetimes(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Time of cancel, and seconds since the add, of orders whose add the file has."""
        rows = self.cancels()
        rows = rows[rows["life"] >= 0] if len(rows) else rows
        return rows["ts"] if len(rows) else np.zeros(0, np.int64), rows["life"] / SECOND_NS if len(rows) else np.zeros(
            0
        )

    def events(self) -> np.ndarray:
        """Events of several records: `replay.EVENT`."""
        return _joined(self.replay.rows.events)

    def quotes(self) -> np.ndarray:
        """Changes of the best prices: `replay.QUOTE`."""
        return _joined(self.replay.rows.quotes)

    def levels(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Ends (ns) of seconds with both sides, and the book then: (n, side, (tick, quantity, orders), 20)."""
        rows = self.replay.rows
        if not rows.seconds:
            return np.zeros(0, np.int64), np.zeros((0, 2, 3, LEVELS), np.int32)
        ends, levels = np.concatenate(rows.seconds), np.concatenate(rows.levels)
        whole = (levels[:, :, 2, 0] > 0).all(axis=1)
        return ends[whole], levels[whole]

    def mids(self) -> NDArray[np.float64]:
        """Mid price in ticks at the ends of seconds."""
        _, levels = self.levels()
        return 0.5 * (levels[:, 0, 0, 0].astype(np.float64) + levels[:, 1, 0, 0])

    def patterns(self) -> dict[str, int]:
        """Events of several records by pattern, most frequent first."""
        events = self.events()
        if not len(events):
            return {}
        found, many = np.unique(events["pattern"], return_counts=True)
        order = np.argsort(-many, kind="stable")
        return {pattern_text(int(found[k])): int(many[k]) for k in order}

    def resting_prices(self) -> tuple[int, int, int]:
        """Orders that rest after the last record, and on how many bid and ask prices."""
        orders = self.replay.resting()
        ticks = [np.unique(orders["tick"][(orders["side"] == side) & (orders["tick"] >= 0)]) for side in (0, 1)]
        return len(orders), len(ticks[0]), len(ticks[1])


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(blocks) if blocks else np.zeros(0)
