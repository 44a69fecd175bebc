"""The random streams of the tests are legal, reproducible, and really contain the odd things they promise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_NONE,
    ACTION_TRADE,
    F_LAST,
    F_MAYBE_BAD_BOOK,
    F_SNAPSHOT,
    F_TOB,
    SIDE_NONE,
    UNDEF_PRICE,
    Records,
)
from spymaster_tests.stream_events import SNAPSHOT_FORMS, SnapshotForm
from spymaster_tests.streams import (
    DAY,
    day_ns,
    interleave,
    random_stream,
    to_sentinel_form,
)


def live(records: Records) -> Records:
    return records[records["flags"] & F_SNAPSHOT == 0]


def test_a_seed_always_gives_the_same_records() -> None:
    assert random_stream(3, 2_000).tobytes() == random_stream(3, 2_000).tobytes()
    assert random_stream(3, 2_000).tobytes() != random_stream(4, 2_000).tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_streams_are_legal(seed: int) -> None:
    records = random_stream(seed, 3_000)
    assert len(live(records)) >= 2_500
    assert set(records["rtype"]) == {160}
    assert set(records["length"]) == {14}
    assert (np.diff(live(records)["ts_event"].astype(np.int64)) >= 0).all()
    assert (np.diff(records["ts_recv"].astype(np.int64)) >= 0).all()
    assert live(records)["flags"][-1] & F_LAST
    assert (records["ts_event"] < day_ns(DAY) + 86_400 * 10**9).all()


def test_every_oddity_occurs() -> None:
    records = random_stream(1, 60_000)
    actions = Counter(records["action"].tolist())
    wanted = (ACTION_ADD, ACTION_CANCEL, ACTION_MODIFY, ACTION_CLEAR, ACTION_TRADE, ACTION_FILL, ACTION_NONE)
    assert all(actions[action] > 5 for action in wanted)
    flags = records["flags"]
    assert all((flags & bit != 0).any() for bit in (F_LAST, F_TOB, F_SNAPSHOT, F_MAYBE_BAD_BOOK))
    stream = live(records)
    assert (np.diff(stream["ts_event"].astype(np.int64)) > 5 * 10**9).any()
    assert (np.diff(stream["sequence"].astype(np.int64)) < 0).any()
    prints = stream[(stream["action"] == ACTION_TRADE) & (stream["order_id"] == 0)]
    assert set(prints["side"]) == {SIDE_NONE}
    adds = stream[stream["action"] == ACTION_ADD]
    assert len(np.unique(adds["order_id"])) < len(adds)  # duplicates
    price = stream["price"][stream["price"] != UNDEF_PRICE]
    assert np.ptp(price) > 15_000 * 250_000_000  # far ones


@pytest.mark.parametrize("form", SNAPSHOT_FORMS)
def test_the_three_forms_of_a_snapshot(form: SnapshotForm) -> None:
    records = random_stream(2, 500, snapshot=form, weights={"snapshot": 0.0})
    head = records[records["flags"] & F_SNAPSHOT != 0]
    assert (head["action"][0] == ACTION_CLEAR) == (form == "clear_terminated")
    assert bool(head["flags"][-1] & F_LAST) == (form != "plain_unterminated")
    assert not (head["flags"][:-1] & F_LAST).any()
    assert set(head["ts_recv"]) == {day_ns(DAY)}
    assert (head["ts_event"][1:] < day_ns(DAY)).all()


def test_the_sentinel_form_has_the_same_events_and_nothing_else() -> None:
    records = random_stream(5, 5_000)
    sentinel = to_sentinel_form(records)
    closing = (sentinel["action"] == ACTION_NONE) & (sentinel["flags"] & F_LAST != 0)
    events = int((live(records)["flags"] & F_LAST != 0).sum())
    assert int(closing.sum()) == events
    assert not (live(sentinel[~closing])["flags"] & F_LAST).any()
    kept = sentinel[sentinel["action"] != ACTION_NONE].copy()
    original = records[records["action"] != ACTION_NONE].copy()
    kept["flags"] &= F_SNAPSHOT
    original["flags"] &= F_SNAPSHOT
    assert kept.tobytes() == original.tobytes()
    at = np.flatnonzero(closing)
    at = at[(sentinel["action"][at - 1] != ACTION_NONE) & (sentinel["flags"][at - 1] & F_SNAPSHOT == 0)]
    assert len(at) > 1_000
    assert (sentinel["ts_event"][at] == sentinel["ts_event"][at - 1]).all()


def test_interleaving_keeps_each_stream_in_order() -> None:
    one, two = random_stream(1, 500), random_stream(2, 700, instrument_id=9)
    both = interleave(one, two)
    assert both[both["instrument_id"] == 17077].tobytes() == one.tobytes()
    assert both[both["instrument_id"] == 9].tobytes() == two.tobytes()
    assert (np.diff(both["instrument_id"].astype(np.int64)) != 0).sum() > 40
