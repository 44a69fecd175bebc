"""Days that follow one another, days that repeat, and the hours in which the exchange is open."""

from __future__ import annotations

from datetime import date, time

import numpy as np
import pytest

from spymaster.market.calendar import CLOSED, CONTINUOUS, PRE_OPEN
from spymaster.simulator.layout import FIRST_DAYS_LONG, INSTRUMENTS
from spymaster.simulator.market import Feed
from spymaster.simulator.profile import load_profile
from spymaster.simulator.schedule import SECOND_NS, intraday_shape, midnight_ns, segments
from spymaster_tests.simulator.days import MORNING, TUESDAY, small_day

WEDNESDAY = date(2026, 1, 7)


@pytest.mark.parametrize("form", ["clear_terminated", "plain_terminated"])
def test_snapshot_of_the_next_day_is_the_last_book_without_day_orders(form) -> None:
    first = small_day(feed=Feed(snapshot_form=form))
    second = small_day(dt=WEDNESDAY, carried=first.market.carried(), feed=Feed(snapshot_form=form), messages=3_000)
    snapshot = second.records[second.records["flags"] & 0x20 != 0]
    snapshot = snapshot[snapshot["action"] == ord("A")]
    for inst in range(INSTRUMENTS):
        book = first.market.resting(inst)
        kept = book.cls >= FIRST_DAYS_LONG
        contract = first.market.contracts[inst]
        mine = snapshot[snapshot["instrument_id"] == contract.instrument_id]
        expected = {(i, p, s) for i, p, s in zip(book.order_id[kept], book.price[kept], book.size[kept], strict=True)}
        found = set(zip(mine["order_id"].astype(int), mine["price"], mine["size"].astype(int), strict=True))
        assert found == expected
        assert 0 < kept.sum() < len(kept)
    live = second.live
    assert live["order_id"][live["action"] == ord("A")].min() > first.live["order_id"].max()


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    one, same, other = small_day(), small_day(), small_day(seed=8)
    assert one.records.tobytes() == same.records.tobytes()
    assert one.records.tobytes() != other.records.tobytes()


def test_closing_form_leaves_the_market_alone() -> None:
    """A choice of the feed layer draws from no other layer's stream."""
    plain = small_day(messages=5_000, feed=Feed(publisher_bit=True, snapshot_form="plain_unterminated"))
    other = small_day(messages=5_000)
    assert plain.live["order_id"].tolist() == other.live["order_id"].tolist()
    assert set(np.unique(plain.live["flags"])) == {0, 0x82}


def test_message_count_is_the_plans() -> None:
    day = small_day(messages=160_000, span=(time(10), time(10, 40)), profile=load_profile("es"))
    assert len(day.live) == pytest.approx(160_000, rel=0.03)


@pytest.mark.parametrize(
    ("dt", "close_hour", "close_minute"),
    [
        (date(2026, 1, 6), 22, 0),  # standard time
        (date(2026, 7, 7), 21, 0),  # daylight time
        (date(2026, 3, 9), 21, 0),  # the Monday after the clocks changed
    ],
)
def test_halt_and_reopening_follow_chicago(dt: date, close_hour: int, close_minute: int) -> None:
    close = midnight_ns(dt) + (close_hour * 60 + close_minute) * 60 * SECOND_NS
    parts = {(part.phase, part.start_ns) for part in segments(dt, "ES", None)}
    assert (CLOSED, close) in parts
    assert (PRE_OPEN, close + 45 * 60 * SECOND_NS) in parts
    assert (CONTINUOUS, close + 60 * 60 * SECOND_NS) in parts


def test_holiday_closes_early() -> None:
    parts = segments(date(2025, 11, 28), "ES", None)
    assert parts[0].phase == CONTINUOUS
    assert parts[0].end_ns - midnight_ns(date(2025, 11, 28)) < 19 * 3600 * SECOND_NS


def test_shape_of_the_day_is_new_yorks() -> None:
    activity = load_profile("es").activity
    for dt, utc_open in ((date(2026, 1, 6), 14.5), (date(2026, 7, 7), 13.5)):
        shape = intraday_shape(dt, activity)
        second = int(utc_open * 3600)
        assert shape[second] > 2 * shape[second - 3600 - 1]


def test_span_is_cut_from_the_day() -> None:
    (part,) = segments(TUESDAY, "ES", MORNING)
    assert part.end_ns - part.start_ns == 600 * SECOND_NS
    assert part.start_ns == midnight_ns(TUESDAY) + 15 * 3600 * SECOND_NS
    assert time(10) == MORNING[0]
