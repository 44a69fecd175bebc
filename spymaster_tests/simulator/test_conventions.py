"""The feed conventions: every one of them occurs in a simulated day, and is well formed wherever it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import time

import numpy as np
import pytest

from spymaster.market.calendar import wall_time_ns
from spymaster.simulator.handover import Feed
from spymaster.simulator.layout import (
    EVENT_KINDS,
    FRONT,
    INSTRUMENTS,
    K_AUCTION,
    K_IMPLIED,
    K_OVERSIZE,
    K_UNKNOWN,
    NEVER,
    NEXT,
    SPREAD,
)
from spymaster.simulator.profile import load_profile
from spymaster.simulator.schedule import SECOND_NS
from spymaster_tests.simulator.days import AROUND_THE_HALT, TUESDAY, SmallDay, small_day, thin
from spymaster_tests.simulator.test_book_oracle import assert_books_agree

GRAMMAR = re.compile(r"([ACMR]|(TF*)+[CMA]*)N?")
ODD = {"iceberg": 0.05, "stop": 0.03, "self_match": 0.2, "unknown_fill": 0.05, "oversize_fill": 0.05}


@pytest.fixture(scope="module")
def day() -> SmallDay:
    """Twenty minutes of background flow in which the odd things are ten times as frequent as usual."""
    return small_day(messages=40_000, profile=thin(load_profile("es"), **ODD), feed=Feed(fifo_slip=0.07))


@pytest.fixture(scope="module")
def session_edge() -> SmallDay:
    """Close, halt, pre-open, auction."""
    return small_day(span=AROUND_THE_HALT)


def events(records: np.ndarray) -> Iterator[np.ndarray]:
    """Records of one instrument, event by event."""
    yield from np.split(records, np.flatnonzero(records["flags"] & 0x80)[:-1] + 1)


def word(event: np.ndarray) -> str:
    return event["action"].tobytes().decode()


def assert_grammar(day: SmallDay, closing_from: int) -> None:
    """Every event of every instrument is one that the feed can tell, and closed in the form of its time."""
    for inst in range(INSTRUMENTS):
        for event in events(day.of(inst)):
            sentinel = int(event["ts_event"][0]) >= closing_from
            assert GRAMMAR.fullmatch(word(event)), word(event)
            assert (event["ts_event"] == event["ts_event"][0]).all()
            assert (event["flags"][:-1] == 0).all()
            assert event["flags"][-1] == 0x80
            assert (event["action"] == ord("N")).sum() == sentinel


def test_every_event_follows_the_grammar(day: SmallDay) -> None:
    assert_grammar(day, NEVER)


def test_every_event_follows_the_grammar_at_the_edges_of_a_session(session_edge: SmallDay) -> None:
    assert_grammar(session_edge, NEVER)


@pytest.mark.parametrize("mixed", [False, True])
def test_every_event_follows_the_grammar_with_closing_records(mixed: bool) -> None:
    switch = wall_time_ns(TUESDAY, time(10, 4)) if mixed else 0
    day = small_day(messages=6_000, feed=Feed(sentinel=not mixed, switch_ns=switch if mixed else None))
    assert_grammar(day, switch)
    closings = day.live["action"] == ord("N")
    assert 0.1 < closings.mean() < 0.6
    assert [assert_books_agree(day, inst) for inst in range(INSTRUMENTS)] == [600] * INSTRUMENTS


def test_every_filled_order_gets_exactly_one_book_change_unless_nobody_has_seen_it(day: SmallDay) -> None:
    known = set(day.records["order_id"][day.records["action"] == ord("A")].tolist())
    unseen = 0
    for inst in range(INSTRUMENTS):
        for event in events(day.of(inst)):
            filled = set(event["order_id"][event["action"] == ord("F")].tolist())
            changed = event["order_id"][np.isin(event["action"], [ord("C"), ord("M")])].tolist()
            assert len(changed) == len(set(changed))
            assert filled - set(changed) == filled - known
            unseen += len(filled - known)
    assert unseen > 0


def test_prints_equal_fills_but_for_the_odd_kinds(day: SmallDay, session_edge: SmallDay) -> None:
    checked = dict.fromkeys(("plain", "unknown", "oversize", "implied", "auction"), 0)
    for one in (day, session_edge):
        known = one.records["order_id"][one.records["action"] == ord("A")]
        rows = {int(row["ts"]): int(row["kind"]) for row in one.truth("events")}
        prints = (event for inst in range(INSTRUMENTS) for event in events(one.of(inst)) if word(event)[0] == "T")
        for event in prints:
            kind = rows.get(int(event["ts_event"][0]), 0)
            trades, fills = (event[event["action"] == ord(letter)] for letter in "TF")
            traded, filled = int(trades["size"].sum()), int(fills["size"].sum())
            seen = int(fills["size"][np.isin(fills["order_id"], known)].sum())
            if kind & K_IMPLIED:
                # the legs have fills, the spread's own print has none
                assert seen in (0, traded) or (kind & K_OVERSIZE and seen > traded)
                checked["implied"] += 1
            elif kind & K_AUCTION:
                # one print for the fills of both sides
                assert filled == 2 * traded or (kind & K_OVERSIZE and filled > 2 * traded)
                checked["auction"] += 1
            elif kind & K_OVERSIZE:
                assert filled > traded
                checked["oversize"] += 1
            elif kind & K_UNKNOWN:
                assert seen == traded < filled
                checked["unknown"] += 1
            else:
                assert filled == traded
                checked["plain"] += 1
    assert min(checked.values()) > 0
    assert checked["plain"] > 200


def test_fills_name_the_front_of_the_queue_unless_told_otherwise(day: SmallDay) -> None:
    slipped = sum(bool(row["kind"] & EVENT_KINDS["fifo_slip"]) for row in day.truth("events"))
    assert slipped > 5


def test_every_odd_thing_occurs(day: SmallDay) -> None:
    seen = 0
    for row in day.truth("events"):
        seen |= int(row["kind"])
    missing = [name for name, bit in EVENT_KINDS.items() if not seen & bit and name != "auction"]
    assert missing == []


def test_trade_and_its_fills_share_sequence_and_capture_time(day: SmallDay) -> None:
    for event in events(day.of(FRONT)):
        if event["action"][0] == ord("T"):
            told = np.isin(event["action"], [ord("T"), ord("F")])
            assert len(np.unique(event["sequence"][told])) == len(np.unique(event["ts_recv"][told])) == 1
            assert event["sequence"][~told].max(initial=0) <= event["sequence"][0] + 1


def test_sequence_and_capture_time_never_go_back(day: SmallDay) -> None:
    live = day.live
    for name in ("sequence", "ts_recv", "ts_event"):
        assert (np.diff(live[name].astype(np.int64)) >= 0).all(), name
    assert (live["ts_recv"] >= live["ts_event"] + 80_000).all()


def test_order_ids_of_adds_only_grow(day: SmallDay) -> None:
    live = day.live
    adds = live["order_id"][live["action"] == ord("A")].astype(np.int64)
    steps = np.diff(adds)
    assert (steps > 0).all()
    assert 1 <= np.median(steps) <= 4


def test_implied_trades_print_in_both_legs_and_the_spread(day: SmallDay) -> None:
    implied = [row for row in day.truth("events") if row["kind"] & K_IMPLIED]
    assert implied
    live = day.live
    for row in implied:
        event = live[live["ts_event"] == row["ts"]]
        prints = event[event["action"] == ord("T")]
        ids = [contract.instrument_id for contract in day.market.contracts]
        assert sorted(prints["instrument_id"]) == sorted(ids)
        legs = prints[np.isin(prints["instrument_id"], ids[:SPREAD])]
        assert (legs["order_id"] == 0).all()
        assert (legs["side"] == ord("N")).all()
        assert (event["side"][event["action"] == ord("F")] == ord("N")).all()
        near, far, spread = (int(prints["price"][prints["instrument_id"] == i][0]) for i in ids)
        assert spread == far - near
        assert all(np.count_nonzero(event["flags"][event["instrument_id"] == i]) == 1 for i in ids)


def test_closing_record_form_has_the_same_records(day: SmallDay) -> None:
    one = small_day(messages=4_000)
    other = small_day(messages=4_000, feed=Feed(sentinel=True))
    sentinels = other.live["action"] == ord("N")
    assert (other.live["flags"][sentinels] == 0x80).all()
    assert (other.live["flags"][~sentinels] == 0).all()
    assert (other.live["order_id"][sentinels] == 0).all()
    assert sentinels.sum() > 1_000
    assert one.live["order_id"][:1000].tolist() == other.live["order_id"][~sentinels][:1000].tolist()


def test_second_contract_keeps_to_the_first(day: SmallDay) -> None:
    seconds, levels = day.truth("seconds"), day.truth("levels")
    near, far = (levels[seconds["inst"] == inst][:, :, 0, 0].astype(int) for inst in (FRONT, NEXT))
    assert (np.abs(near[60:] - far[60:]) <= 6).mean() > 0.95


def test_silence_in_the_halt_crossed_book_before_the_open_and_one_auction_print(session_edge: SmallDay) -> None:
    parts = session_edge.market._parts
    close, reopen, opening = parts[0].end_ns, parts[1].end_ns, parts[2].end_ns
    front = session_edge.of(FRONT)
    ts = front["ts_event"].astype(np.int64)
    assert not ((ts >= close) & (ts < reopen)).any()
    assert ((ts >= close - SECOND_NS) & (ts < close) & (front["action"] == ord("C"))).sum() > 20
    before_open = (ts >= reopen) & (ts < opening)
    assert before_open.sum() > 100
    assert not np.isin(front["action"][before_open], [ord("T"), ord("F")]).any()
    seconds, levels = session_edge.truth("seconds"), session_edge.truth("levels")
    mine = seconds["inst"] == FRONT
    bid, ask = levels[mine][:, 0, 0, 0], levels[mine][:, 1, 0, 0]
    crossed = (bid >= ask) & (levels[mine][:, 0, 2, 0] > 0) & (levels[mine][:, 1, 2, 0] > 0)
    ends = seconds["end"][mine]
    assert crossed[(ends > reopen) & (ends <= opening)].sum() > 60
    assert not crossed[(ends <= close) | (ends > opening + SECOND_NS)].any()
    auctions = [row for row in session_edge.truth("events") if row["kind"] & K_AUCTION]
    event = front[ts == auctions[0]["ts"]]
    trades = event[event["action"] == ord("T")]
    assert auctions[0]["ts"] - opening < SECOND_NS
    assert (trades["order_id"] == 0).all()
    assert (trades["side"] == ord("N")).all()
    assert (event["side"][event["action"] == ord("F")] == ord("N")).all()


def test_expired_day_orders_are_gone_when_the_market_reopens(session_edge: SmallDay) -> None:
    parts = session_edge.market._parts
    records = session_edge.records
    of_front = records[records["instrument_id"] == session_edge.market.contracts[FRONT].instrument_id]
    before = of_front[of_front["ts_event"].astype(np.int64) < parts[0].end_ns]
    added = set(before["order_id"][before["action"] == ord("A")].tolist())
    after = of_front[of_front["ts_event"].astype(np.int64) >= parts[0].end_ns]
    touched = set(after["order_id"][after["action"] != ord("A")].tolist())
    classes = {int(row["id"]): int(row["cls"]) for row in session_edge.truth("tags")}
    assert all(classes.get(order, 7) >= 4 for order in touched & added)
