"""A generated order-level stream with the message mix of a real ES day, for benchmarks and documentation pictures.

It is a plain order-flow machine, not a market model: no strategies, no calibration, no truth tables. What it does keep
is everything that decides how fast a reader runs and whether its result is right: one consistent FIFO book (a cancel
never names an order that is not there), the shares of the actions, the depth profile around a moving touch, far
orders, lifetimes, event structure (``T F.. C/M..`` closed by F_LAST) and a day's shape in time.

The result depends on the configuration only, not on the chunk size. As a program it writes a file that every command of
Spymaster reads as simulated data::

    python -m benchmarks.stream day.mbo.dbn.zst --messages 500000
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.stream_kernel import (
    ANCHOR,
    BEST_ASK,
    CLOCK,
    FREE,
    MAX_EVENT,
    NEXT_ID,
    NS,
    RING,
    SEQUENCE,
    SLOTS,
    TARGET_ORDERS,
    TICKS,
    TOTAL,
    birth,
    fill_chunk,
)
from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CLEAR,
    F_BAD_TS_RECV,
    F_LAST,
    F_SNAPSHOT,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
    SIM_DATASET,
    SIM_PUBLISHER,
    UNDEF_PRICE,
    DbnWriter,
    mbo_records,
)


@dataclass(frozen=True)
class StreamConfig:
    """What to generate: `messages` live records (a few more, to end on an event) on one UTC day."""

    messages: int
    seed: int = 1
    day: dt.date = dt.date(2026, 1, 6)
    raw_symbol: str = "ESH6"
    instrument_id: int = 42_140_864
    tick_size_int: int = 250_000_000
    start_price_ticks: int = 27_600
    start_hour: float = 0.0
    end_hour: float = 24.0

    @property
    def start_ns(self) -> int:
        """First nanosecond of the UTC day."""
        return int(dt.datetime.combine(self.day, dt.time(), dt.UTC).timestamp()) * NS


class Stream:
    """One generated day: `snapshot()` first, then `chunks()`."""

    def __init__(self, config: StreamConfig) -> None:
        self.config = config
        self.scalars = np.zeros(12, np.int64)
        self.rng = np.array([(config.seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % (1 << 64) or 1], np.uint64)
        shape = (SLOTS,)
        self._ids = np.zeros(shape, np.int64)
        self._tick, self._size = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._side = np.zeros(shape, np.int64)
        self._prv, self._nxt = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
        self._where, self._live = np.full(shape, -1, np.int64), np.zeros(shape, np.int64)
        self._free = np.arange(SLOTS, dtype=np.int64)[::-1].copy()
        self._head, self._tail = np.full((2, TICKS), -1, np.int64), np.full((2, TICKS), -1, np.int64)
        self._ring = np.full(RING, -1, np.int64)
        s = self.scalars
        s[FREE], s[BEST_ASK] = SLOTS, TICKS - 1
        s[NEXT_ID], s[SEQUENCE], s[ANCHOR] = 6_800_000_000_000, 1_000_000, config.start_price_ticks
        self._snapshot = self._seed_book()
        s[CLOCK] = config.start_ns
        self.quota = message_quota(config)

    def _seed_book(self) -> np.ndarray:
        """Fill the book with its usual depth profile and describe it as a snapshot in queue order."""
        config, draw = self.config, np.random.default_rng(self.config.seed)
        n = TARGET_ORDERS
        kind = draw.random(n)
        distance = np.select(
            [kind < 0.30, kind < 0.78, kind < 0.975],
            [draw.exponential(12, n), draw.exponential(50, n), draw.exponential(240, n)],
            600 + draw.random(n) * 8_000,
        ).astype(np.int64)
        side = draw.integers(0, 2, n)
        # Both sides start with a filled touch: distance 0 is one tick from the other side.
        tick = np.where(side == 0, config.start_price_ticks - 1 - distance, config.start_price_ticks + distance)
        tick = np.where(distance > 250, tick - tick % 20, np.where(distance > 40, tick - tick % 4, tick))
        tick = np.clip(tick, 1, TICKS - 2)
        size = np.where(draw.random(n) < 0.55, 1, 2 + draw.exponential(3, n).astype(np.int64))
        records = mbo_records(n + 1)
        order = np.lexsort((np.arange(n), np.where(side == 0, -tick, tick), side))
        for at, k in enumerate(order, start=1):
            slot = birth(int(tick[k]), int(side[k]), int(size[k]), *self._state())
            records["order_id"][at] = self._ids[slot]
        records["price"][1:] = tick[order] * config.tick_size_int
        records["size"][1:] = size[order]
        records["side"][1:] = np.where(side[order] == 0, SIDE_BID, SIDE_ASK)
        records["action"] = ACTION_ADD
        records["flags"] = F_SNAPSHOT | F_BAD_TS_RECV
        records["publisher_id"], records["instrument_id"] = SIM_PUBLISHER, config.instrument_id
        age = draw.integers(3600 * NS, 30 * 3600 * NS, n)
        records["ts_event"][1:] = config.start_ns - age
        records["ts_event"][0] = config.start_ns
        records["ts_recv"] = config.start_ns
        records["sequence"][1:] = np.minimum(age // 10**8, 900_000)
        records["action"][0], records["side"][0], records["price"][0] = ACTION_CLEAR, SIDE_NONE, UNDEF_PRICE
        records["flags"][-1] |= F_LAST
        return records

    def _state(self) -> tuple[np.ndarray, ...]:
        return (
            self._ids, self._tick, self._side, self._size, self._prv, self._nxt, self._where, self._live, self._free,
            self._head, self._tail, self._ring, self.scalars,
        )  # fmt: skip

    def snapshot(self) -> np.ndarray:
        """The records at the head of the file: a clear and ~11,000 adds, flagged as a snapshot."""
        return self._snapshot

    def chunks(self, records: int = 1 << 18) -> Iterator[np.ndarray]:
        """Live records in blocks of whole events of about `records`; the buffer is reused."""
        config = self.config
        buffer = mbo_records(records + MAX_EVENT)
        while self.scalars[TOTAL] < config.messages:
            n = fill_chunk(
                buffer, records, config.messages, self.quota, config.start_ns, config.tick_size_int,
                config.instrument_id, self.rng, *self._state(),
            )  # fmt: skip
            yield buffer[:n]


def message_quota(config: StreamConfig) -> np.ndarray:
    """Messages sent by the end of each second of the UTC day (cumulative).

    Cash hours (14:30-21:00 UTC, winter) hold four fifths, busiest at both ends; 22:00-23:00 is the daily break.
    """
    second = np.arange(86_400)
    hour = second / 3600
    weight = np.full(86_400, 1.0)
    cash = (hour >= 14.5) & (hour < 21)
    through = (hour[cash] - 14.5) / 6.5
    weight[cash] = 12.0 + 16.0 * np.exp(-through * 8) + 6.0 * np.exp(-(1 - through) * 12)
    weight[(hour >= 8) & (hour < 14.5)] = 2.0
    weight[(hour >= 22) & (hour < 23)] = 0.0
    weight[(hour < config.start_hour) | (hour >= config.end_hour)] = 0.0
    noise = np.random.default_rng(config.seed + 7)
    weight *= noise.lognormal(0.0, 0.6, 86_400)
    cumulative = np.cumsum(weight)
    quota = np.ceil(cumulative / cumulative[-1] * config.messages).astype(np.int64)
    quota[-1] = config.messages + MAX_EVENT
    return quota


def generate(config: StreamConfig) -> np.ndarray:
    """The whole stream, snapshot included, as one array of MBO_DTYPE (56 bytes per record)."""
    stream = Stream(config)
    head = stream.snapshot()
    out = mbo_records(len(head) + config.messages + MAX_EVENT)
    out[: len(head)] = head
    n = len(head)
    for chunk in stream.chunks():
        out[n : n + len(chunk)] = chunk
        n += len(chunk)
    return out[:n]


def write_stream(path: Path, config: StreamConfig) -> int:
    """Write the stream as a DBN file (zstd when the name ends in .zst) with bounded memory; returns its records."""
    stream = Stream(config)
    total = 0
    with DbnWriter(
        path, dataset=SIM_DATASET, symbols={config.raw_symbol: config.instrument_id}, start_ns=config.start_ns,
        end_ns=config.start_ns + 86_400 * NS, compression="zstd" if path.suffix == ".zst" else None,
    ) as writer:  # fmt: skip
        head = stream.snapshot()
        writer.write(head)
        total += len(head)
        for chunk in stream.chunks():
            writer.write(chunk)
            total += len(chunk)
    return total


def main() -> None:
    """Write one generated day to a file."""
    parser = argparse.ArgumentParser(description="Write a generated MBO day as a DBN file.")
    parser.add_argument("path", type=Path, help="file to write, .dbn or .dbn.zst")
    parser.add_argument("--messages", type=int, default=500_000, help="live records")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", type=dt.date.fromisoformat, default=dt.date(2026, 1, 6), help="UTC date")
    parser.add_argument("--symbol", default="ESH6", help="raw symbol of the contract")
    parser.add_argument("--start-hour", type=float, default=0.0, help="first hour (UTC) with live messages")
    parser.add_argument("--end-hour", type=float, default=24.0, help="hour (UTC) at which they end")
    arguments = parser.parse_args()
    config = StreamConfig(
        messages=arguments.messages,
        seed=arguments.seed,
        day=arguments.day,
        raw_symbol=arguments.symbol,
        start_hour=arguments.start_hour,
        end_hour=arguments.end_hour,
    )
    records = write_stream(arguments.path, config)
    print(f"{arguments.path}: {records:,} records, {arguments.path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
