"""The universe of a session: what belongs to it, what is left out and why, and what an instrument was when."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from spymaster.options.chain import FOR_GOOD, LEFT_OUT_REASONS, Chain
from spymaster.settings import OptionSettings
from spymaster_tests.options.definitions import CLOSE, CONTRACT, MIDNIGHT, definition, definitions, pairs

DT = date(2026, 1, 6)
START = int(MIDNIGHT.timestamp()) * 1_000_000_000
SECOND = 1_000_000_000


def universe(*rows: dict, **settings) -> Chain:
    return Chain.universe(definitions(rows), DT, CONTRACT, OptionSettings(**settings))


def test_series_come_by_instrument_with_what_their_definitions_say():
    chain = universe(*pairs([6_800, 6_805]), *pairs([6_800], first_id=100, expiration=CLOSE + timedelta(days=1)))
    assert chain.instrument_id.tolist() == [100, 101, 1_000, 1_001, 1_002, 1_003]
    assert chain.is_call.tolist() == [True, False] * 3
    assert chain.strike_price_int[-1] == 6_805_000_000_000
    assert chain.expiry.tolist() == [1, 1, 0, 0, 0, 0]
    assert (chain.expirations[chain.expiry] == chain.expiration).all()
    assert chain.expirations[0] == int(CLOSE.timestamp()) * SECOND
    assert chain.underlyings == (CONTRACT, CONTRACT)
    assert set(chain.underlying) == {CONTRACT}
    assert (chain.multiplier == 50).all()
    assert (chain.known_until == FOR_GOOD).all()
    assert chain.left_out == {}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"right": None, "strike_price_int": None}, "neither_call_nor_put"),
        ({"is_user_defined": True}, "user_defined"),
        ({"strike_price_int": 0}, "no_positive_strike"),
        ({"strike_price_int": -5_000_000_000}, "no_positive_strike"),
        ({"expiration": None}, "no_expiration"),
        ({"underlying": None}, "no_underlying"),
        ({"expiration": MIDNIGHT - timedelta(seconds=1)}, "expired"),
        ({"expiration": MIDNIGHT + timedelta(days=8)}, "beyond_max_days"),
        ({"underlying": "ESM6"}, "other_underlying"),
    ],
)
def test_what_is_not_priced_is_counted_by_reason(fields: dict, reason: str):
    chain = universe(definition(1), definition(2, **fields))
    assert chain.instrument_id.tolist() == [1]
    assert chain.left_out == {reason: 1}
    assert reason in LEFT_OUT_REASONS


def test_the_last_day_and_todays_expiration_belong():
    last = MIDNIGHT + timedelta(days=8) - timedelta(seconds=1)
    assert len(universe(definition(1, expiration=last), definition(2, expiration=MIDNIGHT))) == 2
    assert universe(definition(1, expiration=CLOSE + timedelta(days=1)), max_days=0).left_out == {"beyond_max_days": 1}


def test_options_on_every_future_belong_where_the_settings_say_so():
    chain = universe(definition(1), definition(2, underlying="ESM6"), underlying="all")
    assert chain.instrument_id.tolist() == [1, 2]
    assert chain.expirations.tolist() == [int(CLOSE.timestamp()) * SECOND] * 2, "one expiration, two futures"
    assert chain.underlyings == ("ESH6", "ESM6")


def test_a_version_holds_until_the_next_and_a_withdrawn_one_until_it_is_withdrawn():
    later, gone = MIDNIGHT + timedelta(seconds=10), MIDNIGHT + timedelta(seconds=20)
    chain = universe(
        definition(1),
        definition(1, ts_recv=later, strike_price_int=6_900_000_000_000),
        definition(1, ts_recv=gone, is_deleted=True),
        definition(2, ts_recv=later),
    )
    assert chain.known_from.tolist() == [START, START + 10 * SECOND, START + 10 * SECOND]
    assert chain.known_until.tolist() == [START + 10 * SECOND, START + 20 * SECOND, FOR_GOOD]
    assert chain.changes.tolist() == [START, START + 10 * SECOND, START + 20 * SECOND]
    ends = START + np.array([0, 1, 10, 11, 20, 21]) * SECOND
    assert chain.series_of(np.full(6, 1), ends).tolist() == [-1, 0, 0, 1, 1, -1]
    assert chain.series_of(np.full(6, 2), ends).tolist() == [-1, -1, -1, 2, 2, 2]
    assert chain.series_of([0, 3, 99], START + SECOND).tolist() == [-1, -1, -1]


def test_a_version_that_leaves_the_universe_ends_the_one_before_it():
    later = MIDNIGHT + timedelta(seconds=10)
    chain = universe(definition(1), definition(1, ts_recv=later, expiration=MIDNIGHT + timedelta(days=30)))
    assert chain.known_until.tolist() == [START + 10 * SECOND]
    assert chain.left_out == {"beyond_max_days": 1}


def test_series_of_is_that_of_a_search_by_hand():
    rng = np.random.default_rng(1)
    rows = [
        definition(int(one), ts_recv=MIDNIGHT + timedelta(seconds=int(at)), is_deleted=bool(rng.random() < 0.2))
        for one in range(20, 40)
        for at in np.unique(rng.integers(0, 50, 5))
    ]
    chain = universe(*rows)
    ids, ends = rng.integers(18, 43, 500), START + rng.integers(0, 60, 500) * SECOND
    by_hand = [
        next((k for k in range(len(chain)) if chain.instrument_id[k] == one
              and chain.known_from[k] < end <= chain.known_until[k]), -1)
        for one, end in zip(ids, ends, strict=True)
    ]  # fmt: skip
    assert chain.series_of(ids, ends).tolist() == by_hand
    assert -1 in by_hand
    assert max(by_hand) > 20


def test_order_of_the_definitions_does_not_matter():
    frame = definitions(pairs([6_800, 6_805, 6_810]))
    mixed = frame.sample(fraction=1, shuffle=True, seed=3)
    one, other = (Chain.universe(each, DT, CONTRACT, OptionSettings()) for each in (frame, mixed))
    assert one.instrument_id.tolist() == other.instrument_id.tolist()
    assert one.strike_price_int.tolist() == other.strike_price_int.tolist()


def test_no_definitions_make_an_empty_chain():
    chain = Chain.universe(definitions([]), DT, CONTRACT, OptionSettings())
    assert len(chain) == 0 == len(chain.expirations)
    assert chain.series_of([1], [START]).tolist() == [-1]
    assert chain.changes.tolist() == []
