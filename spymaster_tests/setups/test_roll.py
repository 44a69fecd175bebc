"""What a roll is worth, from the snapshot that a date's records open with."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from spymaster.lake import Lake, Partition
from spymaster.settings import Settings
from spymaster.setups.averages import session_candles
from spymaster.setups.roll import opening_mid2, roll_adjustment
from spymaster.tables.future_mbo import FutureMbo
from spymaster_tests.setups.markets import Held, ns, quotes, seconds, trades
from spymaster_tests.tables.samples import frame_of

DT = date(2024, 3, 6)
POINT = 1_000_000_000
SNAPSHOT, LIVE = 0x28, 0x82


def order(contract: str, side: str, price: float, *, flags: int = SNAPSHOT, action: str = "A", at: int = 0) -> dict:
    stamp = 1_709_683_200 * POINT + at
    return {
        "contract": contract, "instrument_id": 1 if contract == "ESH4" else 2, "publisher_id": 1, "ts_event": stamp,
        "ts_recv": stamp, "order_id": 7 + at, "price_int": None if action == "R" else round(price * POINT), "size": 1,
        "flags": flags, "channel_id": 0, "action": action, "side": side, "ts_in_delta": 0, "sequence": at,
    }  # fmt: skip


@pytest.fixture
def mbo(tmp_path: Path) -> Partition:
    rows = [
        order("ESH4", "N", 0, action="R"),
        order("ESH4", "B", 4799.00, at=1),
        order("ESH4", "A", 4799.50, at=2),
        order("ESH4", "B", 4798.00, at=3),
        order("ESH4", "A", 4900.00, at=4),
        order("ESH4", "B", 4799.25, flags=LIVE, at=5),  # after the opening: of no importance
        order("ESM4", "B", 4850.25, at=6),
        order("ESM4", "A", 4850.75, at=7),
        order("ESU4", "B", 4900.00, at=8),
    ]
    lake = Lake.open(tmp_path / "lake", create=True, kind="simulated")
    with lake.writer(FutureMbo, "ES", DT) as writer:
        writer.write(frame_of(FutureMbo, rows))
        writer.commit(provenance="simulated")
    return lake.partition(FutureMbo, "ES", DT)


def test_mids_are_of_the_opening_snapshot_alone(mbo: Partition):
    assert opening_mid2(mbo, "ESH4") == round((4799.00 + 4799.50) * POINT)
    assert opening_mid2(mbo, "ESM4") == round((4850.25 + 4850.75) * POINT)


def test_a_roll_is_worth_the_difference_of_the_mids(mbo: Partition):
    assert roll_adjustment(mbo, old="ESH4", new="ESM4") == round(51.25 * POINT)
    assert roll_adjustment(mbo, old="ESM4", new="ESH4") == -round(51.25 * POINT)


@pytest.mark.parametrize("other", ["ESU4", "ESZ4"])
def test_a_one_sided_or_missing_book_has_no_worth(mbo: Partition, other: str):
    assert roll_adjustment(mbo, old="ESH4", new=other) is None


def candles_of(mbo: Partition, contracts: dict[date, str | None], *, halted: tuple[date, ...] = ()) -> pl.DataFrame:
    """Candles of the last date: two each of dates with a contract, of `halted` ones seconds without trading hours."""
    held: dict[str, list[Any]] = {"trades": [], "quotes": [], "snapshots": []}
    for dt, contract in contracts.items():
        start = ns("09:30", dt)
        phase = "pre_open" if dt in halted else "continuous"
        frames = trades(start, [(1, 0, 1)] if contract else []), quotes([(0, -1, 1)])
        second = seconds(start, 240 if contract else 0, contract=contract or "", phase=phase)
        for name, frame in zip(held, (*frames, second), strict=True):
            held[name].append(Held(dt, frame))
    ticks = pl.DataFrame({"contract": ["ESH4", "ESM4"], "tick_size_int": [POINT // 4] * 2})
    definitions: Any = Held(max(contracts), ticks)
    return session_candles(**held, mbo=[mbo], definitions=definitions, settings=Settings())


@pytest.mark.parametrize("between", [None, "ESM4"])
def test_a_roll_is_not_lost_over_a_date_without_candles(mbo: Partition, between: str | None):
    """Whether that date has no seconds at all, or none of trading hours, be it of the new contract already."""
    days = [date(2024, 3, 4), date(2024, 3, 5), DT]
    contracts = {days[0]: "ESH4", days[1]: between, DT: "ESM4"}
    found = candles_of(mbo, contracts, halted=(days[1],))
    assert found["roll_adj_int"].to_list() == [round(51.25 * POINT)] * 2
    assert candles_of(mbo, {days[1]: None, DT: "ESM4"})["roll_adj_int"].to_list() == [0, 0]
    assert candles_of(mbo, {days[0]: "ESM4", days[1]: None, DT: "ESM4"})["roll_adj_int"].to_list() == [0, 0]
