"""Helpers of the lake's tests: frames that are easy to tell apart, and a one-line way to store them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from spymaster.lake import Lake, Manifest, Partition
from spymaster.tables import table
from spymaster_tests.tables.samples import START, TICK, frame_of

DT = date(2024, 1, 2)
TRADE = table("silver.trade")
MBO = table("bronze.future_mbo")


def trades(rows: int, *, first: int = 0, qty: int = 4, contract: str = "ESH4") -> pl.DataFrame:
    """`rows` trade events numbered from `first`, all of quantity `qty`."""
    return frame_of(
        TRADE,
        [
            {
                "ts_event": START + number,
                "ts_recv": START + number + 90_000,
                "contract": contract,
                "event_id": number,
                "price_int": TICK * (19_200 + number % 7),
                "vwap_price_int": TICK * (19_200 + number % 7),
                "qty": qty,
                "aggressor": "BA"[number % 2],
                "levels_consumed": 1,
                "l1_qty_before": 22,
                "n_fills": 1,
                "is_implied": False,
            }
            for number in range(first, first + rows)
        ],
    )


def orders(contract: str, rows: int, *, first: int = 0) -> pl.DataFrame:
    """`rows` add records of one contract."""
    return frame_of(
        MBO,
        [
            {
                "contract": contract,
                "instrument_id": 17077,
                "publisher_id": 1,
                "ts_event": START + number,
                "ts_recv": START + number + 90_000,
                "order_id": 6_413_000_000_000 + number,
                "price_int": TICK * (19_200 + number % 11),
                "size": 1 + number % 3,
                "flags": 0x82,
                "channel_id": 0,
                "action": "A",
                "side": "BA"[number % 2],
                "ts_in_delta": 14_000,
                "sequence": number,
            }
            for number in range(first, first + rows)
        ],
    )


def store(
    lake: Lake, frames: pl.DataFrame | Sequence[pl.DataFrame], *, model: Any = TRADE, dt: date = DT, **commit: Any
) -> Manifest:
    """Store frames as the partition of ES at `dt`; real data unless the lake or the inputs say otherwise."""
    if not {"provenance", "dataset", "inputs"} & set(commit) and lake.kind is None:
        commit["provenance"] = "real"
    with lake.writer(model, "ES", dt) as writer:
        for frame in [frames] if isinstance(frames, pl.DataFrame) else frames:
            writer.write(frame)
        return writer.commit(**commit)


def leftovers(lake: Lake) -> list[str]:
    """Names of files in the staging and lock folders: there should be none when nobody writes."""
    return [path.name for folder in ("_staging", "_locks") for path in sorted((lake.root / folder).glob("*"))]


def partition(lake: Lake, dt: date = DT, model: Any = TRADE) -> Partition:
    return lake.partition(model, "ES", dt)
