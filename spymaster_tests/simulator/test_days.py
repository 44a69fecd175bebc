"""Days that follow one another, days that repeat, and the hours in which the exchange is open."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from pathlib import Path

import databento
import numpy as np
import pytest

from spymaster.feed.reader import MboFile
from spymaster.lake import Lake, raw_files
from spymaster.market.calendar import CLOSED, CONTINUOUS, PRE_OPEN
from spymaster.simulator.acceptance import judged_beside, targets
from spymaster.simulator.handover import Feed
from spymaster.simulator.layout import FIRST_DAYS_LONG, INSTRUMENTS
from spymaster.simulator.profile import load_profile
from spymaster.simulator.request import Request, plan, session_dates
from spymaster.simulator.schedule import (
    DAY_SECONDS,
    PRE_OPEN_SECONDS,
    SECOND_NS,
    intraday_shape,
    midnight_ns,
    segments,
)
from spymaster.simulator.simulate import simulate
from spymaster_tests.simulator.days import MORNING, TUESDAY, small_day, usual_day

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
    one, same, other = usual_day(), small_day(), small_day(seed=8)
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


@pytest.mark.parametrize(
    ("dt", "span", "close", "reopen"),
    [
        pytest.param(date(2026, 1, 6), (time(16, 58), time(18, 2)), "22:00", "23:00", id="standard time"),
        pytest.param(date(2026, 7, 7), (time(16, 58), time(18, 2)), "21:00", "22:00", id="daylight time"),
        pytest.param(date(2026, 3, 8), None, None, "22:00", id="the Sunday on which clocks go forward"),
        pytest.param(date(2026, 11, 1), None, None, "23:00", id="the Sunday on which clocks go back"),
        pytest.param(date(2025, 11, 28), (time(12, 55), time(14)), "18:00", None, id="an early close"),
    ],
)
def test_files_are_silent_while_the_exchange_is_closed(dt, span, close: str | None, reopen: str | None) -> None:
    day = small_day(dt=dt, span=span, messages=3_000)
    ts, action = day.live["ts_event"].astype(np.int64), day.live["action"]

    def ns(hour: str) -> int:
        return int(np.datetime64(f"{dt}T{hour}", "ns").astype(np.int64))

    last = ns(close) if close else midnight_ns(dt)
    first = ns(reopen) if reopen else midnight_ns(dt) + DAY_SECONDS * SECOND_NS
    assert not ((ts >= last) & (ts < first - PRE_OPEN_SECONDS * SECOND_NS)).any()
    before_open = (ts >= last) & (ts < first)
    trades = action == ord("T")
    assert not (trades & before_open).any()
    if close:
        assert 0 <= last - ts[ts < last].max() < SECOND_NS
        assert (trades & (ts < last)).any()
    if reopen:
        assert before_open.any()
        assert 0 <= ts[trades & (ts >= first)].min() - first < SECOND_NS


def test_sunday_evenings_have_files_when_asked_for(tmp_path: Path) -> None:
    friday, monday = date(2026, 1, 9), date(2026, 1, 12)
    dates = session_dates(friday, monday, "ES", weekend_files=True)
    assert [dt.day for dt in dates] == [9, 11, 12]
    assert [dt.day for dt in session_dates(friday, monday, "ES")] == [9, 12]
    request = Request(preset="ci", dates=(friday, monday), weekend_files=True, options=True)
    days = plan(request).days
    assert [day.dt for day in days] == list(dates)
    assert [day.option_messages > 0 for day in days] == [True, False, True]
    assert days[1].messages == pytest.approx(430_000 * 0.1, rel=0.6)
    small = replace(plan(request), days=tuple(replace(day, messages=3_000, option_messages=0) for day in days))
    run = simulate(small, tmp_path)
    evening = judged_beside(
        targets(run.days[1].tally, 3_000, "es", "emergent"), planted=0.0, scripted=False, evening=True
    )
    assert {one.number for one in evening if one.passed is not None} == {3, 17, 18}
    assert {one.reason for one in evening if one.number == 5} == {"no regular hours"}
    books = []
    for dt in dates:
        (file,) = raw_files(Lake.open(tmp_path), "ES", "market_by_order_dbn", dt)
        records = np.concatenate([chunk.copy() for chunk in MboFile.open(file.path).chunks()])
        snapshot = records["flags"] & 0x20 > 0
        assert snapshot.any()
        books.append((set(records["order_id"][snapshot].tolist()), set(records["order_id"].tolist())))
    # a book goes from file to file, and the evening's orders are there on Monday
    assert books[1][0] <= books[0][1]
    assert books[2][0] <= books[1][1]
    assert books[2][0] - books[0][1]
    (status,) = raw_files(Lake.open(tmp_path), "ES", "status", dates[1])
    assert len(databento.DBNStore.from_file(status.path).to_df()) == 3 * 3


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
