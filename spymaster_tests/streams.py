"""Random but legal MBO streams for tests: everything a real feed does, and the odd things, far more often than it does.

`random_stream` keeps a plain dictionary book so that most events are consistent with what rests; the rest of them (ids
never added, fills above the size, duplicate adds, crossed books, far prices ...) are what an engine must survive. The
same seed always gives the same records. Not a market model: that is the simulator.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from spymaster.market.dbn import (
    ACTION_NONE,
    F_LAST,
    F_SNAPSHOT,
    MBO_DTYPE,
    SIDE_NONE,
    SIM_DATASET,
    SIM_PUBLISHER,
    UNDEF_PRICE,
    Records,
    write_dbn,
)
from spymaster_tests.stream_events import DAY_NS, SECOND_NS, SnapshotForm, Stream

DAY = datetime.date(2024, 3, 6)
"""Default date of generated streams: a Wednesday in standard time."""

WEIGHTS: dict[str, float] = {
    "add": 30.0,
    "cancel": 14.0,
    "reprice": 8.0,
    "size_up": 2.5,
    "size_down": 2.5,
    "modify_nothing": 0.5,
    "trade": 10.0,
    "several_adds": 2.0,
    # odd, all legal
    "partial_cancel": 1.5,
    "oversize_cancel": 0.5,
    "unknown_cancel": 0.7,
    "unknown_modify": 0.7,
    "modify_side": 0.2,
    "modify_to_zero": 0.3,
    "duplicate_add": 0.7,
    "crossing_add": 0.6,
    "far_add": 0.6,
    "iceberg": 1.5,
    "print_without_order": 0.8,
    "fill_unknown": 0.5,
    "fill_over_size": 0.7,
    "stop_cascade": 0.5,
    "sentinel_only": 0.3,
    "bad_book": 0.3,
    "top_of_book_add": 0.05,
    "clear": 0.03,
    "snapshot": 0.06,
    "sequence_reset": 0.1,
}
"""Relative frequency of each kind of event; `random_stream(weights=...)` overrides single ones (0 removes a kind)."""


def day_ns(day: datetime.date) -> int:
    """Midnight UTC of a date, in ns."""
    return int(np.datetime64(day, "ns").astype(np.int64))


def random_stream(
    seed: int,
    n: int,
    *,
    tick: int = 250_000_000,
    instrument_id: int = 17077,
    publisher_id: int = SIM_PUBLISHER,
    mid_price: int = 4_800_000_000_000,
    start_ns: int | None = None,
    end_ns: int | None = None,
    snapshot: SnapshotForm | None = "plain_terminated",
    snapshot_orders: int = 60,
    mean_gap_ns: int = 40_000_000,
    publisher_bit: bool = True,
    weights: Mapping[str, float] | None = None,
) -> Records:
    """Generate one instrument's stream: a snapshot at the head (unless None), then at least `n` live records.

    The last event is always complete, so the length is a little above `n`, and less if `end_ns` cuts it off.

    Parameters
    ----------
    tick, mid_price
        In 1e-9. Most prices lie within 25 ticks of a slowly walking mid; some thousands of ticks away.
    start_ns, end_ns
        The stream lies in [start_ns, end_ns); the default is 14:00 UTC of `DAY` to the end of that day. The head
        snapshot's `ts_recv` is midnight UTC of the start's date, its `ts_event` hours to weeks older.
    mean_gap_ns
        Mean time between events; a few gaps are many seconds, some are zero, some end exactly on a second.
    """
    start = day_ns(DAY) + 14 * 3600 * SECOND_NS if start_ns is None else start_ns
    end = start - start % DAY_NS + DAY_NS if end_ns is None else end_ns
    stream = Stream(seed, tick, instrument_id, publisher_id, mid_price, start, mean_gap_ns, publisher_bit)
    if snapshot is not None:
        stream.head_snapshot(snapshot, snapshot_orders)
    merged = {**WEIGHTS, **(weights or {})}
    kinds, odds = list(merged), list(merged.values())
    head = len(stream.rows)
    while len(stream.rows) - head < n and stream.advance(end):
        getattr(stream, stream.random.choices(kinds, odds)[0])()
        stream.close_event()
    return stream.records()


def to_sentinel_form(records: Records) -> Records:
    """The same stream with each live event closed by a separate `N` record, as newer GLBX data does it.

    F_LAST moves from an event's last record to an inserted record of action N, side N, no order, no price and the same
    times and sequence. Events that already end in an N record, and snapshots, stay as they are.
    """
    flags = records["flags"]
    closes = (flags & F_LAST != 0) & (flags & F_SNAPSHOT == 0) & (records["action"] != ACTION_NONE)
    position = np.arange(len(records)) + np.concatenate(([0], np.cumsum(closes)[:-1]))
    result = np.empty(len(records) + int(closes.sum()), MBO_DTYPE)
    result[position] = records
    result["flags"][position[closes]] &= 0xFF ^ F_LAST
    sentinel = records[closes].copy()
    sentinel["action"], sentinel["side"], sentinel["flags"] = ACTION_NONE, SIDE_NONE, F_LAST
    sentinel["order_id"], sentinel["size"], sentinel["price"] = 0, 0, UNDEF_PRICE
    result[position[closes] + 1] = sentinel
    return result


def interleave(*streams: Records) -> Records:
    """Merge several instruments' streams into one file order by capture time, keeping the order inside each."""
    joined = np.concatenate(streams)
    clock = np.concatenate([np.maximum.accumulate(stream["ts_recv"]) for stream in streams])
    return joined[np.argsort(clock, kind="stable")]


def write_raw_day(
    lake_root: Path,
    symbol: str,
    dt: datetime.date,
    records: Records,
    *,
    contract: str | None = None,
    contracts: Mapping[str, int] | None = None,
    version: int = 3,
    compression: Literal["zstd"] | None = "zstd",
    dataset: str = SIM_DATASET,
    product_type: str = "future",
) -> Path:
    """Write a day's MBO file into the raw layout of a lake, as the simulator would, and return its path.

    `contracts` names every instrument of the file; with `contract` (default `{symbol}H4`) the file has one only.
    """
    if contracts is None:
        ids = np.unique(records["instrument_id"])
        assert len(ids) <= 1, "several instruments: name them with `contracts`"
        contracts = {contract or f"{symbol}H4": int(ids[0]) if len(ids) else 17077}
    suffix = ".dbn.zst" if compression == "zstd" else ".dbn"
    folder = f"raw/source=simulated/product_type={product_type}/symbol={symbol}/table=market_by_order_dbn"
    return write_dbn(
        Path(lake_root) / folder / f"sim-{dt:%Y%m%d}.mbo{suffix}",
        records,
        dataset=dataset,
        symbols=contracts,
        start_ns=day_ns(dt),
        end_ns=day_ns(dt) + DAY_NS,
        version=version,
        compression=compression,
    )
