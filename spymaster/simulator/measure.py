"""What a simulated date looks like: the figures behind the report, gathered while the records pass by.

`Tally.add` takes each block of records once and keeps little of it; `Tally.finish` adds what the truth knows. All
figures are of the first contract in regular trading hours, or in the whole span where it has none, unless they say
otherwise.
"""

from __future__ import annotations

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
from spymaster.simulator.layout import FRONT, K_IMPLIED, K_PARTIAL, K_REFILL, TICKS
from spymaster.simulator.market import Truth
from spymaster.simulator.request import DayPlan
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, midnight_ns
from spymaster.simulator.truth import pattern_text

_KEPT = 1_000_000
"""Adds and cancels that are kept for lifetimes and sizes."""


class Tally:
    """Figures of one date."""

    def __init__(self, day: DayPlan, root: str) -> None:
        self.day = day
        self.start_ns = midnight_ns(day.dt)
        self._front = np.uint32(day.contracts[FRONT].instrument_id)
        open_parts = [part for part in day.parts if part.phase == CONTINUOUS]
        span = (open_parts[0].start_ns, open_parts[-1].end_ns) if open_parts else (self.start_ns, self.start_ns)
        rth = rth_window(day.dt, root)
        inside = (max(span[0], rth[0]), min(span[1], rth[1])) if rth is not None else span
        self.window: tuple[int, int] = inside if inside[0] < inside[1] else span
        self.actions = np.zeros(256, np.int64)
        self.per_second = np.zeros(DAY_SECONDS, np.int64)
        self.records = 0
        self._kept = 0
        self._adds: list[np.ndarray] = []
        self._cancels: list[np.ndarray] = []
        self._trades: list[np.ndarray] = []
        self._latency: list[np.ndarray] = []
        self.truth: Truth | None = None

    def add(self, block: Records) -> None:
        """Take a block of the file, snapshot included."""
        if not len(block) or block["flags"][0] & F_SNAPSHOT:
            return
        ts = block["ts_event"].astype(np.int64)
        self.records += int(np.count_nonzero(block["action"] != ACTION_NONE))
        seconds = (ts - self.start_ns) // SECOND_NS
        first = int(seconds[0])
        counts = np.bincount(seconds - first)
        self.per_second[first : first + len(counts)] += counts
        low, high = np.searchsorted(ts, self.window)
        inside = block[low:high]
        action = inside["action"][inside["instrument_id"] == self._front]
        self.actions += np.bincount(action, minlength=256)
        if not len(action):
            return
        self._latency.append(block["ts_recv"][low:high:64].astype(np.int64) - ts[low:high:64])
        front = inside[inside["instrument_id"] == self._front]
        trades = front[front["action"] == ACTION_TRADE]
        self._trades.append(trades[["ts_event", "side", "price", "size", "order_id"]].copy())
        if self._kept < _KEPT:
            self._keep_lives(front)

    def _keep_lives(self, front: Records) -> None:
        self._kept += len(front)
        adds = front[front["action"] == ACTION_ADD]
        self._adds.append(adds[["order_id", "ts_event", "size"]].copy())
        ts = front["ts_event"]
        alone = np.ones(len(front), bool)
        alone[1:] &= ts[1:] != ts[:-1]
        alone[:-1] &= (ts[1:] != ts[:-1]) | (front["action"][1:] == ACTION_NONE)
        cancels = front[alone & (front["action"] == ACTION_CANCEL)]
        self._cancels.append(cancels[["order_id", "ts_event"]].copy())

    def finish(self, truth: Truth) -> None:
        """Take the truth of the date."""
        self.truth = truth

    # figures

    def shares(self) -> dict[str, float]:
        """Share of each action among A, C, M, F, T."""
        names = {"A": ACTION_ADD, "C": ACTION_CANCEL, "M": ACTION_MODIFY, "F": ACTION_FILL, "T": ACTION_TRADE}
        total = max(sum(int(self.actions[code]) for code in names.values()), 1)
        return {name: int(self.actions[code]) / total for name, code in names.items()}

    def trades(self) -> np.ndarray:
        """Prints: ts_event, side, price, size, order_id."""
        return _joined(self._trades)

    def signs(self) -> NDArray[np.float64]:
        """Sign of each aggressor in order, +1 buys; several prints of one aggressor count once."""
        trades = self.trades()
        trades = trades[trades["side"] != SIDE_NONE]
        first = np.append(True, np.diff(trades["order_id"].astype(np.int64)) != 0)[: len(trades)]
        return np.where(trades["side"][first] == SIDE_BID, 1.0, -1.0)

    def latencies(self) -> NDArray[np.int64]:
        """A sample of capture latencies, ns."""
        return _joined(self._latency)

    def lifetimes(self) -> NDArray[np.float64]:
        """Seconds between add and cancel of cancelled orders."""
        adds, cancels = _joined(self._adds), _joined(self._cancels)
        if not len(adds) or not len(cancels):
            return np.zeros(0)
        at = np.searchsorted(adds["order_id"], cancels["order_id"]).clip(max=len(adds) - 1)
        known = adds["order_id"][at] == cancels["order_id"]
        lives = cancels["ts_event"][known].astype(np.int64) - adds["ts_event"][at[known]].astype(np.int64)
        return lives / SECOND_NS

    def cancelled_share(self) -> float:
        """Cancelled over added orders; fills are not cancels."""
        adds, cancels = _joined(self._adds), _joined(self._cancels)
        return len(cancels) / max(len(adds), 1)

    def sizes(self) -> NDArray[np.int64]:
        """Sizes of added orders."""
        return _joined(self._adds)["size"].astype(np.int64) if self._adds else np.zeros(0, np.int64)

    def patterns(self) -> dict[str, int]:
        """Events of several records by pattern, most frequent first."""
        events = self._events()
        found, counts = np.unique(events["pattern"], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {pattern_text(int(found[k])): int(counts[k]) for k in order}

    def longest_event(self) -> int:
        """Most records of an event of the date."""
        return int(self._events(all_day=True)["n"].max(initial=1))

    def kinds(self) -> dict[str, int]:
        """How many events had partial fills, refills and implied prints."""
        kind = self._events()["kind"]
        bits = (("partial", K_PARTIAL), ("refill", K_REFILL), ("implied", K_IMPLIED))
        return {name: int(np.count_nonzero(kind & bit)) for name, bit in bits}

    def single_share(self) -> float:
        """Share of events that have one record."""
        assert self.truth is not None
        several = self._events()
        records = int(self.actions.sum())
        singles = records - int(several["n"].sum())
        return singles / max(singles + len(several), 1)

    def mids(self) -> NDArray[np.float64]:
        """Mid price in ticks at the end of each second of the window."""
        assert self.truth is not None
        seconds, levels = np.concatenate(self.truth.seconds), np.concatenate(self.truth.levels)
        mine = (seconds["inst"] == FRONT) & (seconds["end"] > self.window[0]) & (seconds["end"] <= self.window[1])
        return 0.5 * (levels[mine, 0, 0, 0] + levels[mine, 1, 0, 0])

    def depth(self) -> NDArray[np.float64]:
        """Mean quantity of the first 20 levels, both sides together."""
        assert self.truth is not None
        seconds, levels = np.concatenate(self.truth.seconds), np.concatenate(self.truth.levels)
        mine = (seconds["inst"] == FRONT) & (seconds["end"] > self.window[0]) & (seconds["end"] <= self.window[1])
        return levels[mine][:, :, 1].mean(axis=(0, 1))

    def spread_share(self) -> float:
        """Share of time in which the spread is one tick."""
        ts, bid, ask = self._quotes()
        held = np.diff(ts)
        narrow = (ask - bid)[:-1] == 1
        return float(held[narrow].sum() / max(held.sum(), 1))

    def crossed(self) -> int:
        """Completed events while trading after which the bid was not below the ask."""
        _, bid, ask = self._quotes()
        return int(np.count_nonzero((bid >= ask) & (bid >= 0) & (ask < TICKS)))

    def order_flow(self, seconds: int = 10) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Order-flow imbalance and mid change (ticks) of consecutive stretches (Cont, Kukanov & Stoikov 2014).

        From the best quotes at the ends of seconds, so a coarse version of the published one.
        """
        assert self.truth is not None
        rows, levels = np.concatenate(self.truth.seconds), np.concatenate(self.truth.levels)
        mine = (rows["inst"] == FRONT) & (rows["end"] > self.window[0]) & (rows["end"] <= self.window[1])
        best = levels[mine][:, :, :, 0].astype(np.float64)
        bid, bid_qty, ask, ask_qty = best[:, 0, 0], best[:, 0, 1], best[:, 1, 0], best[:, 1, 1]
        flow = (bid[1:] >= bid[:-1]) * bid_qty[1:] - (bid[1:] <= bid[:-1]) * bid_qty[:-1]
        flow -= (ask[1:] <= ask[:-1]) * ask_qty[1:] - (ask[1:] >= ask[:-1]) * ask_qty[:-1]
        n = len(flow) // seconds * seconds
        mid = 0.5 * (bid + ask)
        return flow[:n].reshape(-1, seconds).sum(axis=1), np.diff(mid[: n + 1 : seconds])

    def resting_at_end(self) -> tuple[int, int, int]:
        """Resting orders of the first contract, and bid and ask prices among its best 20, at the last second."""
        assert self.truth is not None
        seconds, levels = np.concatenate(self.truth.seconds), np.concatenate(self.truth.levels)
        last = np.flatnonzero(seconds["inst"] == FRONT)[-1]
        counts = (levels[last, :, 2] > 0).sum(axis=1)
        return int(seconds["n_orders"][last]), int(counts[0]), int(counts[1])

    def _quotes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert self.truth is not None
        quotes = _joined(self.truth.quotes)
        inside = (quotes["ts"] >= self.window[0]) & (quotes["ts"] < self.window[1])
        return quotes["ts"][inside], quotes["bid"][inside], quotes["ask"][inside]

    def _events(self, *, all_day: bool = False) -> np.ndarray:
        assert self.truth is not None
        events = _joined(self.truth.events)
        if all_day:
            return events
        inside = (events["ts"] >= self.window[0]) & (events["ts"] < self.window[1])
        implied = events["kind"] & K_IMPLIED > 0
        return events[inside & ((events["inst"] == FRONT) | implied)]


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(blocks) if blocks else np.zeros(0, np.dtype([("order_id", "u8"), ("ts_event", "u8")]))
