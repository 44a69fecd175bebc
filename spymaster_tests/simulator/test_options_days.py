"""One date of a chain after another (S6), and the same bytes from every process (S7)."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, time

import numpy as np
import pytest

from spymaster.simulator.options.interest import interest_after
from spymaster_tests.simulator.chains import MORNING, SMALL, FinishedChain, digest, finished_chain, walk

WEDNESDAY = date(2026, 1, 7)
PAST_MIDNIGHT = (time(18, 30), time(19))
"""New York times: the last half hour of the UTC date, in the middle of a session."""


def two_days(span: tuple[time, time]) -> tuple[FinishedChain, FinishedChain]:
    one = finished_chain(span=span, size=SMALL, messages=6_000, quotes=walk(span=span, moves=1_000))
    settled = interest_after(one.day.chain, one.interest, one.day.held_before, one.day.series["inventory"])
    carried = one.day.carried(settled)
    quotes = walk(2, WEDNESDAY, MORNING, 6_830.0, 1_000)
    return one, finished_chain(dt=WEDNESDAY, size=SMALL, messages=6_000, quotes=quotes, carried=carried)


@pytest.fixture(scope="module", params=[MORNING, PAST_MIDNIGHT], ids=["session over", "session running"])
def days(request: pytest.FixtureRequest) -> tuple[FinishedChain, FinishedChain]:
    return two_days(request.param)


def book_after(records: np.ndarray) -> dict[int, tuple[int, int, int]]:
    """What rests at the end of a file: price, side and size by order id."""
    book: dict[int, tuple[int, int, int]] = {}
    for row in records:
        order, action = int(row["order_id"]), chr(row["action"])
        if action in "AM":
            book[order] = int(row["price"]), int(row["side"]), int(row["size"])
        elif action == "C":
            del book[order]
    return book


def test_the_snapshot_is_the_book_that_the_date_before_left(days: tuple[FinishedChain, FinishedChain]) -> None:
    one, two = days
    left = book_after(one.records)
    told = {int(row["order_id"]): (int(row["price"]), int(row["side"]), int(row["size"])) for row in two.snapshot}
    assert len(told) == len(two.snapshot)
    kept = {order: left[order] for order in told if order in left}
    assert kept == {order: told[order] for order in kept}
    assert len(kept) > 5
    listed = {option.instrument_id for option in two.day.chain.options}
    running = one.day.trading_hours()[1] == (one.records["ts_recv"][0] + 86_400 * 10**9)
    lost = set(left) - set(told)
    added = one.records[np.isin(one.records["order_id"], list(lost)) & (one.records["action"] == ord("A"))]
    if running:
        # nothing is lost but what expired
        assert not set(added["instrument_id"].tolist()) & listed
        assert len(kept) > 60
    new = [row for row in two.snapshot if int(row["order_id"]) not in left]
    known = {option.instrument_id for option in one.day.chain.options}
    assert not {int(row["instrument_id"]) for row in new} & known


def test_order_ids_go_on_and_expired_chains_drop_out(days: tuple[FinishedChain, FinishedChain]) -> None:
    one, _ = days
    first, second = (day.live[day.live["action"] == ord("A")]["order_id"] for day in days)
    assert second.min() > first.max()
    assert not set(second.tolist()) & set(one.records["order_id"].tolist())
    ends = [{expiry.expiration_ns for expiry in day.day.chain.expiries} for day in days]
    assert len(ends[0] & ends[1]) == 1
    assert min(ends[1]) > min(ends[0])
    shared = (ends[0] & ends[1]).pop()
    strikes = [
        {o.strike for o in day.day.chain.options if day.day.chain.expiries[o.expiry].expiration_ns == shared}
        for day in days
    ]
    assert strikes[0] < strikes[1]


def test_inventory_and_open_interest_go_on(days: tuple[FinishedChain, FinishedChain]) -> None:
    one, two = days
    number = {option.instrument_id: i for i, option in enumerate(one.day.chain.options)}
    before, after = one.interest.final, two.interest.final
    changed = 0
    for j, option in enumerate(two.day.chain.options):
        i = number.get(option.instrument_id)
        assert abs(two.day.held_before[j]) <= after[j]
        if i is None:
            continue
        held, grown = int(one.day.series[i]["inventory"]), int(abs(one.day.series[i]["inventory"]))
        grown -= int(abs(one.day.held_before[i]))
        assert two.day.held_before[j] == held
        assert after[j] == max(before[i] + grown, abs(held))
        changed += grown != 0
    assert changed > 5


GOLDEN = "ed43e91873da3a909f475168791e992523ef739b75a64c6ef0368de58fa247f8"
"""Records of a small chain without a scene. Change it only together with what the simulator is meant to write."""


def test_records_of_a_chain_without_a_scene_are_the_known_ones() -> None:
    assert digest() == GOLDEN


def test_another_process_writes_the_same_bytes() -> None:
    command = f"from {digest.__module__} import digest; print(digest())"
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == digest()
