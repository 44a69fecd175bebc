"""Controls have nothing to find, and what was planted is gone in them."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import controls
from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.controls import Control, busiest_hour, jittered, most_by_chance, passes, run_controls, shuffled
from spymaster.evidence.families import Profile, run_tests
from spymaster_tests.evidence.markets import MS, START, Market

SMALL = Profile(39, None, 2)


def planted(seed: int) -> DayArrays:
    """Orders that die at 20 ms, and others that answer trades after 30 ms."""
    market = Market(150, seed).background(orders=60)
    add = market.times(8)
    market.place(add, add + 20 * MS)
    answer = market.trade_times(0) + 30 * MS
    market.place(answer, answer + 10**9, side=0)
    return market.day()


def market_of(day: DayArrays) -> controls.Market:
    """Trades and quotes of a day."""
    return controls.Market(day.trades, day.quotes, day.start)


def withdrawing(seed: int) -> DayArrays:
    """Four large bids that go 150 ms after each of some purchases, at other times every day."""
    market = Market(600, seed).background(orders=5, trades=0.3)
    moments = np.sort(market.rng.integers(5 * 10**9, 590 * 10**9, 40))
    for number in range(4):
        market.place(
            moments - (900 - 100 * number) * MS, moments + (150 + number) * MS, size=40, side=0, distance=1 + number
        )
    market.trade(moments, aggressor=0)
    return market.day()


def test_shuffled_days_are_the_control_of_what_other_kinds_do_not_destroy() -> None:
    """Withdrawals after trades are found on the day, volume pulled on the day jittered by 50 ms too, neither after
    another's trades.
    """
    day, profile = withdrawing(1), Profile(99, None, None)

    def found(one: DayArrays) -> list[str]:
        judged = run_tests(one, seed=1, profile=profile, tests=["E7"])
        return sorted(each.result.sub_id for each in judged if (each.q_bh or 1.0) <= 0.05 and each.stratum.side != "A")

    assert found(day) == ["contra_pull", "episodes", "episodes"]
    assert found(jittered(day, 50 * MS, 1)) == ["contra_pull"]
    assert found(shuffled(day, market_of(withdrawing(2)))) == []
    without = run_controls(day, extent="full", seed=1, profile=profile, tests=["E7"])
    assert [one.families for one in without] == [{}]
    other = run_controls(day, extent="full", seed=1, profile=profile, other=market_of(withdrawing(2)), tests=["E7"])
    assert [(one.kind, one.families) for one in other[1:]] == [("shuffled_days", {"E7": False})]


def test_a_jittered_day_keeps_its_events_and_orders_but_not_its_ages() -> None:
    day = planted(1)
    other = jittered(day, 50 * MS, 1)
    assert np.all(np.diff(other.messages.ts) >= 0)
    assert np.array_equal(np.sort(other.messages.order), np.sort(day.messages.order))
    assert np.all(other.lives.ts_end > other.lives.ts_add)
    before, after = (
        dict(zip(one.messages.event.tolist(), one.messages.ts.tolist(), strict=True)) for one in (day, other)
    )
    assert max(abs(after[event] - ts) for event, ts in before.items()) < 50 * MS
    assert before != after
    by_order = dict(zip(other.lives.order.tolist(), other.lives.ts_add.tolist(), strict=True))
    adds = other.messages.kind == 0
    assert all(
        by_order[order] == ts
        for order, ts in zip(other.messages.order[adds].tolist(), other.messages.ts[adds].tolist(), strict=True)
    )
    ages = (day.lives.ts_end - day.lives.ts_add, other.lives.ts_end - other.lives.ts_add)
    spikes = [np.mean(np.abs(one - 20 * MS) < MS / 10) for one in ages]
    assert spikes[1] < spikes[0] / 10


def test_what_is_found_on_the_day_is_not_found_on_its_controls() -> None:
    day = planted(2)
    tests = ["E1", "E3"]
    assert any((one.q_bh or 1) <= 0.05 for one in run_tests(day, seed=1, profile=Profile(99, None, 2), tests=["E1"]))
    found = run_controls(day, extent="full", seed=1, profile=SMALL, other=market_of(planted(3)), tests=tests)
    assert [one.kind for one in found] == ["jittered", "shuffled_days"]
    assert {test for one in found[0].judged for test in (one.result.test_id,)} == {"E1", "E3"}
    assert {one.result.test_id for one in found[1].judged} == {"E3"}
    assert passes(found)
    assert run_controls(day, extent="none", seed=1, profile=SMALL) == ()


def test_a_market_without_agents_is_as_long_as_the_part_that_is_controlled() -> None:
    day, quiet = Market(2 * 3600 + 60, 4).background(orders=1, trades=0.1).day(), planted(2)
    asked = []

    def background(part: DayArrays) -> DayArrays | None:
        asked.append((part.start, part.end))
        return quiet if len(asked) == 1 else None

    enough = Profile(99, None, 2)
    found = run_controls(day, extent="sample", seed=1, profile=enough, background=background, tests=["E1"])
    assert [(one.kind, one.provenance) for one in found] == [("jittered", ""), ("no_agents", "simulated")]
    assert found[1].day is quiet
    assert found[1].families == {"E1": True}  # agents are in this one
    without = run_controls(day, extent="full", seed=1, profile=SMALL, background=background, tests=["E1"])
    assert [one.kind for one in without] == ["jittered"]
    hour = busiest_hour(day)
    assert asked == [(hour.start, hour.end), (day.start, day.end)]


def test_a_sample_is_the_busiest_hour() -> None:
    day = Market(2 * 3600 + 60, 4).background(orders=1, trades=0.1).day()
    hour = busiest_hour(day)
    assert hour.end - hour.start == 3600 * 10**9
    usable = [int(np.sum((day.messages.ts - START) // (3600 * 10**9) == k)) for k in range(3)]
    assert int(hour.messages.usable.sum()) == max(usable)


def test_shuffled_days_have_trades_of_another_day_at_the_same_time() -> None:
    day, other = planted(5), planted(6)
    mixed = shuffled(day, market_of(other))
    assert np.array_equal(mixed.trades.ts, other.trades.ts)
    assert not np.isin(mixed.trades.event, day.messages.event).any()
    assert mixed.messages is day.messages


@pytest.mark.parametrize(("families", "most"), [(1, 1), (7, 2), (20, 3), (100, 10)])
def test_one_family_in_twenty_finds_something_by_chance(families: int, most: int) -> None:
    assert most_by_chance(families) == most


def test_too_many_discoveries_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Control, "families", property(lambda one: dict.fromkeys(map(str, range(7)), True)))
    assert not passes([Control("jittered", planted(1), ())])
    assert controls.passes([])
