"""The control without agents: as long and as busy as what it stands beside, the same in every run, and quiet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spymaster.evidence.arrays import SECOND_NS, DayArrays
from spymaster.evidence.families import Profile, run_tests
from spymaster.evidence.halves import within
from spymaster.evidence.no_agents import quiet_market
from spymaster.market.instruments import instrument
from spymaster_tests.evidence.markets import START, Market

ES = instrument("ES")
TEN_MINUTES = 600 * SECOND_NS


@pytest.fixture(scope="module")
def part() -> DayArrays:
    """Ten minutes from the middle of a busier date."""
    day = Market(1200, 3).background(orders=20).day()
    return within(day, START + TEN_MINUTES // 2, START + TEN_MINUTES // 2 + TEN_MINUTES)


def test_it_is_as_long_and_as_busy(part: DayArrays) -> None:
    quiet = quiet_market(part, ES, 1)
    assert quiet is not None
    assert (quiet.start, quiet.end, quiet.tick) == (part.start, part.end, ES.tick_size_int)
    inside = int(part.messages.usable.sum())
    assert len(quiet.messages.ts) == pytest.approx(inside, rel=0.15)
    assert quiet.messages.usable.mean() > 0.9
    assert min(len(one.ts) for one in (quiet.trades, quiet.quotes)) > 100
    assert not quiet.law.dates  # its own


def test_it_is_drawn_by_seed_and_date_alone(part: DayArrays) -> None:
    one, again, other = (quiet_market(part, ES, seed) for seed in (1, 1, 2))
    assert one is not None
    assert again is not None
    assert other is not None
    for name in ("ts", "order", "price", "qty"):
        assert np.array_equal(getattr(one.messages, name), getattr(again.messages, name))
    assert not np.array_equal(one.messages.ts[:100], other.messages.ts[:100])
    later = quiet_market(_moved(part, 24 * 3600 * SECOND_NS), ES, 1)
    assert later is not None
    assert not np.array_equal(later.messages.ts[:100] - later.start, one.messages.ts[:100] - one.start)


def test_nobody_in_it_is_automatic(part: DayArrays) -> None:
    quiet = quiet_market(part, ES, 1)
    assert quiet is not None
    found = run_tests(quiet, seed=1, profile=Profile(99, None, 2), tests=["E1", "E2", "E10"])
    assert found
    assert not [one.result.test_id for one in found if (one.q_bh or 1) <= 0.05]


def test_where_nothing_trades_or_no_market_is_known_there_is_none(part: DayArrays) -> None:
    assert quiet_market(part, replace(ES, root="XX"), 1) is None
    assert quiet_market(_moved(part, 4 * 24 * 3600 * SECOND_NS), ES, 1) is None  # a Saturday
    assert quiet_market(replace(part, messages=replace(part.messages, ts=part.messages.ts - 10**15)), ES, 1) is None


def _moved(part: DayArrays, by: int) -> DayArrays:
    """The same at another time: what a market without agents is made from."""
    messages = replace(part.messages, ts=part.messages.ts + by)
    return replace(part, messages=messages, start=part.start + by, end=part.end + by)
