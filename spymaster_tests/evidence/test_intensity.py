"""Attribution of messages to known habits, second by second: what is weighed, and that nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from spymaster.evidence.arrays import SECOND_NS, DayArrays
from spymaster.evidence.attribution import FAMILIES, attribute
from spymaster.evidence.frozen import FrozenList, Listed
from spymaster.evidence.intensity import baseline, count, rows_of, with_baseline
from spymaster.evidence.law import Law
from spymaster.evidence.session_intensity import frozen_list
from spymaster.evidence.strata import Stratum
from spymaster.tables.algo_intensity_1s import AlgoIntensity1s, share_column
from spymaster_tests.evidence.habits import EVERY, LAW, ROWS, habits, with_another_future
from spymaster_tests.evidence.markets import MS, START, Market
from spymaster_tests.tables.evidence_samples import replication

SECONDS = 60
SECONDS_OF_HABITS, CUTS = 270, (131, 240, 251)
"""A line weighs from the third minute on; 240 s ends a window of its search."""
FLEETING = ROWS["fleeting"]


def planted(seconds: int = SECONDS) -> Market:
    """Background, and orders that die at 20.5 ms and answer buyers after 30.5 ms."""
    market = Market(seconds, 3).background(orders=120)
    add = market.times(10)
    market.place(add, add + 20 * MS + MS // 2)
    late = market.trade_times(0) + 30 * MS + MS // 2
    return market.place(late - 700 * MS, late, side=0)


def intensity(day: DayArrays, frozen: FrozenList | None) -> pl.DataFrame:
    away = (np.arange(len(day.messages.ts)) % 25).astype(np.float64)
    return rows_of(count(day, away, frozen, np.ones(len(day.open), np.bool_)))


@pytest.fixture(scope="module")
def day() -> DayArrays:
    return planted().day()


def test_only_the_cancels_of_fleeting_orders_weigh(day: DayArrays) -> None:
    weights = attribute(day, FrozenList((FLEETING,)))
    found = np.flatnonzero(weights["fleeting"])
    assert set(day.messages.kind[found].tolist()) == {1}
    assert set(np.unique(weights["fleeting"][found]).tolist()) == {np.float32(0.8)}
    usable = day.lives.usable & (day.lives.reason == 0)
    ages = (day.lives.ts_end - day.lives.ts_add)[usable]
    assert len(found) == np.sum((ages >= 20 * MS) & (ages < 21 * MS))


def test_answers_weigh_and_a_message_takes_the_largest_weight(day: DayArrays) -> None:
    weights = attribute(day, EVERY)
    assert (weights["reaction"] > 0).sum() > 100
    assert np.array_equal(weights["all"], np.maximum.reduce([weights[name] for name in FAMILIES]))


def test_steered_orders_weigh_from_their_tenth_reprice_on() -> None:
    market = Market(10, 1).background(orders=20)
    market.place(np.array([SECOND_NS]), np.array([9 * SECOND_NS]))
    at = 2 * SECOND_NS + np.arange(13) * 100 * MS
    market.reprice(at, market.last)
    day = market.day()
    weights = attribute(day, FrozenList(()))["chain"]
    assert day.messages.ts[weights > 0].tolist() == (START + at[9:]).tolist()


LAYERS = Listed("E7", "episodes", Stratum(side="B"), "ns", ((490.0 * MS, 500.0 * MS, 0.6),), 3.0)


def layered(*more: tuple[float, float, int]) -> tuple[Market, np.ndarray]:
    """Four bids that enter at 5 s and go around 7 s, 495 ms after a purchase, and what else goes: (entry and end in s,
    ticks behind); also their ends.
    """
    market = Market(20, 1).background(orders=20, trades=0)
    ends = 7 * SECOND_NS + np.array([-6, -3, 1, 2]) * MS
    for place in range(4):
        add = np.array([5 * SECOND_NS + place])
        market.place(add, ends[place : place + 1], size=50, side=0, distance=1 + place)
    for add, end, distance in more:
        at, gone = (np.array([round(one * SECOND_NS)]) for one in (add, end))
        market.place(at, gone, size=200, side=0, distance=distance)
    market.trade(ends[:1] - 495 * MS, aggressor=0)
    return market, ends


def weighed(market: Market, row: Listed = LAYERS) -> dict[float, float]:
    """Weights of layering by ms after the start."""
    day = market.day()
    weights = attribute(day, FrozenList((row,), Law(50, 40, 10_000, ())))["layering"]
    found = np.flatnonzero(weights)
    return dict(zip(((day.messages.ts[found] - START) / MS).tolist(), weights[found].tolist(), strict=True))


def test_layers_weigh_from_the_second_on_in_which_the_group_was_seen_to_go() -> None:
    """Two of four go in the second before, when they were no group yet."""
    market, ends = layered()
    found = weighed(market)
    assert list(found) == (ends[2:] / MS).tolist()
    assert list(found.values()) == pytest.approx([0.6] * 2)


def test_layers_weigh_by_the_delay_that_was_listed() -> None:
    market, ends = layered()
    both = ((480.0 * MS, 490.0 * MS, 0.9), (490.0 * MS, 500.0 * MS, 0.3))
    assert list(weighed(market, replace(LAYERS, bins=both)).values()) == pytest.approx([0.3] * 2)
    assert weighed(market, replace(LAYERS, bins=both[:1])) == {}
    assert weighed(market, replace(LAYERS, bins=())) == {}
    assert list(weighed(market, replace(LAYERS, stratum=Stratum()))) == (ends[2:] / MS).tolist()
    assert weighed(market, replace(LAYERS, stratum=Stratum(side="A"))) == {}


@pytest.mark.parametrize(
    ("other", "weighs"),
    [
        ((5.0, 12.0, 2), False),  # stays
        ((5.0, 7.012, 2), False),  # goes later than the others
        ((2.0, 7.003, 2), False),  # was there long before
        ((5.0, 7.003, 2), True),
    ],
)
def test_an_order_that_stays_changes_nothing_for_those_that_go(other: tuple[float, float, int], weighs: bool) -> None:
    market, ends = layered(other)
    assert list(weighed(market)) == [*(ends[2:] / MS), *[7003.0] * weighs]


@pytest.mark.parametrize(("moved_at", "weighs"), [(None, True), (6.8, False)])
def test_an_order_that_was_moved_is_in_no_group(moved_at: float | None, weighs: bool) -> None:
    """Without the one that was moved there are two."""
    market = Market(20, 1).background(orders=20, trades=0)
    for distance in (1, 2, 3):
        end = np.array([7 * SECOND_NS + distance * MS])
        market.place(np.array([5 * SECOND_NS]), end, size=50, side=0, distance=distance)
    if moved_at is not None:
        market.reprice(np.array([round(moved_at * SECOND_NS)]), market.last)
    market.trade(np.array([6 * SECOND_NS + 510 * MS]), aggressor=0)
    assert bool(weighed(market)) == weighs


def test_no_pair_of_twins_is_left_out_for_want_of_room() -> None:
    """Six bids and six offers in one microsecond are 36 pairs of twelve orders: how many others follow is no matter."""
    found = []
    for others in (0, 100):
        market = Market(20, 1)
        for side in range(2):
            add = SECOND_NS + 100 * side + 10 * np.arange(6)
            market.place(add, add + 100 * MS, size=7, side=side)
        later = 5 * SECOND_NS + np.arange(others) * 100 * MS
        market.place(later, later + 10 * MS, size=1, side=0)
        day = market.day()
        row = Listed("E10", "10us", Stratum(), "cell", ((466.0, 467.0, 0.9),), 0.1)
        weights = attribute(day, FrozenList((row,)))["coplace"]
        found.append(int(np.sum(weights[day.messages.ts < START + 2 * SECOND_NS] > 0)))
    assert found == [12, 12]


@pytest.mark.parametrize(("hertz", "listed"), [(10.0, 10.02), (40.0, 39.99)])
def test_a_periodic_sender_weighs_from_the_two_minutes_after_it_was_seen(hertz: float, listed: float) -> None:
    market = Market(360, 4).background(orders=10)
    at = np.arange(0, 300 * SECOND_NS, round(SECOND_NS / hertz))
    market.place(at - SECOND_NS, at, side=0)
    day = market.day()
    row = Listed("E5", "slow", Stratum(kind="cancel"), "Hz", ((listed - 0.01, listed + 0.01, 0.5),), 0.5)
    weights = attribute(day, FrozenList((row,)))["periodic"]
    minute = (day.messages.ts - START) // (60 * SECOND_NS)
    assert weights[minute < 2].max() == 0
    assert 0.3 < weights[(minute >= 2) & (minute < 4)].max() <= 1
    assert np.median(weights[(minute >= 4) & (weights > 0)]) == pytest.approx(weights[minute >= 4].max())


def test_shares_are_of_messages_and_add_up_over_sides_and_bands(day: DayArrays) -> None:
    rows = intensity(day, EVERY)
    whole = rows.filter(side="all", band="all")
    assert whole.height == SECONDS
    by_side = rows.filter((pl.col("side") != "all") & (pl.col("band") == "all"))
    assert by_side["n_msgs"].sum() == whole["n_msgs"].sum()
    assert by_side["n_attr"].sum() == pytest.approx(whole["n_attr"].sum(), rel=1e-4)
    near = rows.filter((pl.col("side") == "all") & (pl.col("band") != "all"))
    assert 0 < near["n_msgs"].sum() < whole["n_msgs"].sum()  # 21 ticks and more are in no band
    assert whole["share_msgs"].to_numpy() == pytest.approx((whole["n_attr"] / whole["n_msgs"]).to_numpy(), rel=1e-5)


def test_without_an_earlier_list_shares_are_null_and_messages_are_counted(day: DayArrays) -> None:
    rows = intensity(day, None)
    assert rows["share_msgs"].null_count() == rows["n_attr"].null_count() == rows.height
    assert rows["n_msgs"].sum() > 0


@pytest.fixture(scope="module")
def full() -> tuple[Market, DayArrays]:
    market = habits(SECONDS_OF_HABITS)
    return market, market.day()


@pytest.mark.parametrize("second", CUTS)
def test_every_kind_of_habit_is_there_before_the_moments_that_are_looked_at(
    full: tuple[Market, DayArrays], second: int
) -> None:
    day = full[1]
    before = day.messages.ts < START + second * SECOND_NS
    facts = attribute(day, FrozenList((), LAW))
    assert all((facts[family][before] > 0).any() for family in ("chain", "iceberg"))
    for name, row in ROWS.items():
        weights = attribute(day, FrozenList((row,), LAW))
        alone = np.maximum.reduce([weights[family] - facts[family] for family in FAMILIES])
        assert (alone[before] > 0).any(), name


@pytest.mark.parametrize("second", CUTS)
def test_what_comes_later_changes_nothing(full: tuple[Market, DayArrays], second: int) -> None:
    """Everything after a second is drawn anew; its rows and those before are the same to the last bit."""
    cut = second * SECOND_NS
    days = (full[1], with_another_future(full[0], cut).day())
    end = pl.lit(START + cut).cast(pl.Datetime("ns", "UTC"))
    rows = [intensity(day, EVERY) for day in days]
    known, later = (
        [one.filter(part) for one in rows] for part in (pl.col("window_end") <= end, pl.col("window_end") > end)
    )
    for family in FAMILIES:
        column = share_column(family)
        assert (
            known[0]
            .select("window_end", "side", "band", column)
            .equals(known[1].select("window_end", "side", "band", column))
        ), family
        assert known[0][column].sum() > 0, family
        assert (
            not later[0]
            .select("window_end", "side", "band", column)
            .equals(later[1].select("window_end", "side", "band", column))
        ), family
    assert known[0].equals(known[1])


def test_expected_share_and_z_come_from_earlier_sessions(day: DayArrays) -> None:
    rows = intensity(day, EVERY)
    usual = baseline([rows, rows.with_columns(pl.col("share_msgs") * 0.5)])
    scored = with_baseline(rows, usual, least_sessions=2)
    both = pl.concat([rows["share_msgs"], rows["share_msgs"] * 0.5])
    part = pl.concat([rows["side"], rows["side"]]) == "all"
    part &= pl.concat([rows["band"], rows["band"]]) == "all"
    median = both.filter(part).median()
    whole = scored.filter(side="all", band="all")
    assert whole["expected_share"][0] == pytest.approx(median, rel=1e-5)
    assert np.abs(whole["intensity_z"].drop_nulls().to_numpy()).max() <= 8
    assert with_baseline(rows, usual, least_sessions=3)["intensity_z"].null_count() == rows.height
    assert with_baseline(rows, baseline([intensity(day, None)]), 1)["expected_share"].null_count() == rows.height


def test_the_list_holds_what_discovery_dates_showed() -> None:
    frame = pl.DataFrame([replication(index) for index in range(4)])
    law = Law(20, 7, 180, (7,), (date(2024, 1, 2),))
    frozen = frozen_list(frame, law)
    assert [(row.test_id, row.bins) for row in frozen.rows] == [
        ("E1", ((20e6, 21e6, 0.75),)), ("E1", ((20e6, 21e6, 0.75),)), ("E6", ()),
    ]  # fmt: skip
    assert frozen.law == law
    assert frozen.hash != frozen_list(frame.head(1), law).hash


def test_rows_keep_the_contract(day: DayArrays) -> None:
    rows = with_baseline(intensity(day, EVERY), baseline([]), 2).with_columns(
        contract=pl.lit("ESH4"), session_date=pl.lit(date(2024, 1, 2)), attribution_hash=pl.lit(EVERY.hash),
        provenance=pl.lit("simulated"),
    )  # fmt: skip
    AlgoIntensity1s.validate(
        rows.select([pl.col(name).cast(column.dtype) for name, column in AlgoIntensity1s.columns.items()])
    )
