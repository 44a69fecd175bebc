"""The project's book engine and the simulator's own book agree at every second, order by order."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from spymaster.book.engine import BookEngine, EngineConfig
from spymaster.simulator.handover import Feed
from spymaster.simulator.ladder import book_checksum
from spymaster.simulator.layout import INSTRUMENTS
from spymaster.simulator.snapshot import SNAPSHOT_FORMS
from spymaster_tests.simulator.days import AROUND_THE_HALT, MORNING, SmallDay, small_day

COMBINATIONS = [
    pytest.param(
        Feed(sentinel, bit, form), id=f"{'sentinel' if sentinel else 'last'}-{form}-{'bit' if bit else 'plain'}"
    )
    for sentinel, form, bit in product((False, True), SNAPSHOT_FORMS, (False, True))
]


def assert_books_agree(day: SmallDay, inst: int) -> int:
    """Compare checksum, order count and 20 levels at every second of the truth; returns the number of seconds."""
    contract, row = day.market.contracts[inst], day.market.state["inst"][inst]
    origin, tick = int(row["origin"]), int(row["tick_size"])
    engine = BookEngine(
        tick_size_int=tick, instrument_id=contract.instrument_id, config=EngineConfig(grid_ticks=40), emit=frozenset()
    )
    seconds, levels = day.truth("seconds"), day.truth("levels")
    mine = seconds["inst"] == inst
    live = day.records["flags"] & 0x20 == 0
    event_time = np.where(live, day.records["ts_event"], day.records["ts_recv"]).astype(np.int64)
    ends = np.searchsorted(event_time, seconds["end"][mine])
    fed = 0
    for end, truth, depth in zip(ends, seconds[mine], levels[mine], strict=True):
        engine.feed(day.records[fed:end].copy())
        fed = end
        book = engine.resting_orders()
        side = np.where(book["side"] == "B", 0, 1)
        ids = book["order_id"].astype(np.int64)
        assert len(ids) == truth["n_orders"], truth["end"]
        total = book_checksum(ids, book["price_int"].astype(np.int64), side, book["qty"].astype(np.int64))
        assert int(total) == int(truth["checksum"]), truth["end"]
        ladder = engine.ladder(20)
        for number, name in enumerate("BA"):
            here = ladder["side"] == name
            count = int(here.sum())
            expected = depth[number][:, :count]
            assert (ladder["price_int"][here] == origin + expected[0].astype(np.int64) * tick).all()
            assert (ladder["qty"][here] == expected[1]).all()
            assert (ladder["orders"][here] == expected[2]).all()
            assert (depth[number][2, count:] == 0).all()
    assert engine.counters["unknown_cancel"] == engine.counters["modify_as_add"] == 0
    return int(mine.sum())


@pytest.mark.parametrize("feed", COMBINATIONS)
def test_books_agree_every_second_in_every_form(feed: Feed) -> None:
    day = small_day(feed=feed, messages=6_000, span=(MORNING[0], MORNING[0].replace(minute=3)))
    assert [assert_books_agree(day, inst) for inst in range(INSTRUMENTS)] == [180] * INSTRUMENTS


@pytest.mark.parametrize("feed", [Feed(), Feed(True, True, "plain_unterminated")], ids=["last", "sentinel"])
def test_books_agree_across_close_halt_crossed_pre_open_and_auction(feed: Feed) -> None:
    day = small_day(span=AROUND_THE_HALT, feed=feed, messages=9_000)
    assert assert_books_agree(day, 0) > 1_200


def test_books_agree_in_walk_mode_and_with_fills_out_of_turn() -> None:
    day = small_day(walk=True, feed=Feed(fifo_slip=0.07))
    for inst in range(INSTRUMENTS):
        assert_books_agree(day, inst)
