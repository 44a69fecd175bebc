"""Readings in words: the sentences of known scenes, their memory, and what they never say."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.serving.reading import (
    DWELL_S,
    LEVEL_NAMES,
    MAX_CHARS,
    Reading,
    level_name,
    move_facts,
    read,
)
from spymaster.serving.scene import Level, Prices, Scene, bucket_frame, trailing_ratio
from spymaster.tables.types import LEVEL_TYPES

PRICES = Prices(tick=250_000_000, decimals=2, bucket_ticks=4)
HALF, BUCKETS = 40, 6
SPOT = 6799 * 4
FORBIDDEN = re.compile(r"\b(buy|sell signal|will|should|guaranteed|spoof\w*)\b", re.IGNORECASE)


def quiet(rows: int = 10, spot: int = SPOT) -> Scene:
    """An even book in which nothing stands out."""
    width, buckets = (rows, 2 * HALF + 1), (rows, 2 * BUCKETS + 1)
    return Scene(
        first=100,
        t0_ns=1_767_657_600_000_000_000,
        spot=np.full(rows, spot, np.int32),
        state=np.full(rows, 3, np.uint8),
        window_valid=np.ones(rows, np.bool_),
        last_valid=np.arange(100, 100 + rows),
        rest_bid=np.full(width, 50, np.int32),
        rest_ask=np.full(width, 50, np.int32),
        add=np.full(width, 5, np.int32),
        pull=np.full(width, 5, np.int32),
        vacuum=np.full(width, 0.5),
        net=np.zeros(buckets),
        ratio_bid=np.ones(buckets),
        ratio_ask=np.ones(buckets),
    )


def pm_high() -> Scene:
    """Long outpaces short at 6799, 6800 and 6801; massive sells rest at 6802 and grow; bids are thin further down."""
    scene = quiet()
    scene.net[:, BUCKETS : BUCKETS + 3] = 0.3
    scene.ratio_ask[:, BUCKETS + 3] = 9.3
    scene.add[:, HALF + 12 : HALF + 16] = 30
    scene.rest_bid[:, HALF - 9 : HALF - 5] = 0
    return replace(scene, levels=[Level("PM High", 6800 * 4, 0, 10_000)])


def last(scene: Scene) -> Reading:
    return list(read(scene, PRICES))[-1]


def test_the_pm_high_is_told_as_a_trader_would() -> None:
    told = last(pm_high())
    assert told.above == (
        "Above: long outpaces short to 6801; at 6802 resting sells are 9.3x the median and building. "
        "PM High 6800 is 4 ticks up."
    )
    assert told.below == "Below: no wall within 20 ticks; thin from 6797.50 to 6796.75."
    assert told.facts["above"]["obstacle"] == {
        "price": 6802.0, "ticks": 12, "ratio": 9.3, "trend": "building", "balance": pytest.approx(0.71, abs=0.01)
    }  # fmt: skip


def test_nothing_is_said_to_be_nothing() -> None:
    told = last(quiet())
    assert told.above == "Above: nothing stands out within 20 ticks."
    assert told.below == "Below: nothing stands out within 20 ticks."
    assert told.moves == ""


def test_the_mirror_image_is_told_below() -> None:
    scene = quiet()
    scene.net[:, BUCKETS - 2 : BUCKETS + 1] = -0.3
    scene.ratio_bid[:, BUCKETS - 3] = 5.0
    scene.pull[:, HALF - 12 : HALF - 8] = 30
    told = last(scene)
    assert told.below == "Below: short outpaces long to 6797; at 6796 resting buys are 5.0x the median and eroding."
    assert told.above == "Above: nothing stands out within 20 ticks."


def test_an_invalid_book_is_said_and_forgets() -> None:
    scene = pm_high()
    scene.state[6:] = 1
    scene.last_valid[6:] = 105
    readings = list(read(scene, PRICES))
    assert readings[6].above == "No valid book since 19:01:46."
    assert (readings[6].below, readings[6].facts) == ("", {"valid": False})
    scene.last_valid[6:] = -1
    assert list(read(scene, PRICES))[6].above == "No valid book yet."


def test_a_window_that_is_not_valid_is_never_read() -> None:
    scene = pm_high()
    scene.window_valid[:] = False
    assert last(scene).above.startswith("No valid book")


def test_a_fact_stays_until_it_is_clearly_gone() -> None:
    scene = quiet(rows=12)
    scene.ratio_ask[:, BUCKETS + 2] = [3.9, 4.1, 3.9, 3.3, 3.3, 3.1, 3.3, 3.9, 3.1, 3.1, 3.1, 3.1]
    shown = [one.facts["above"]["obstacle"] is not None for one in read(scene, PRICES)]
    # It enters at 4, stays above 3.2, leaves below, and does not come back between.
    assert shown == [False, True, True, True, True, False, False, False, False, False, False, False]


def test_a_fact_is_not_replaced_at_once() -> None:
    scene = quiet(rows=10)
    scene.ratio_ask[2:, BUCKETS + 3] = 6.0
    scene.ratio_ask[3:, BUCKETS + 1] = 6.0
    prices = [(one.facts["above"]["obstacle"] or {}).get("price") for one in read(scene, PRICES)]
    assert prices[2:] == [6802.0] * DWELL_S + [6800.0] * (8 - DWELL_S)


def test_a_fact_that_spot_has_passed_is_not_told() -> None:
    scene = pm_high()
    scene.spot[9] = 6804 * 4
    scene.ratio_ask[9] = 1.0
    assert last(scene).facts["above"]["obstacle"] is None


@pytest.mark.parametrize(("side", "step"), [("above", 1), ("below", -1)])
def test_a_level_that_spot_has_passed_by_a_tick_is_not_told(side: str, step: int) -> None:
    scene = replace(quiet(), levels=[Level("PM High", SPOT + step, 0, 10_000)])
    assert last(scene).facts[side]["level"] is not None
    scene.spot[9] = SPOT + 2 * step
    told = last(scene)
    assert told.facts[side]["level"] is None
    assert getattr(told, side) == f"{side.capitalize()}: nothing stands out within 20 ticks."


def test_a_level_at_spot_is_told_once() -> None:
    scene = replace(quiet(), levels=[Level("PM High", SPOT - 1, 0, 10_000)])
    scene.spot[9] = SPOT - 1
    told = last(scene)
    assert told.above.endswith("PM High 6798.75 is at spot.")
    assert told.facts["below"]["level"] is None


def test_a_thin_stretch_that_spot_has_entered_is_not_told() -> None:
    scene = quiet()
    scene.rest_ask[7:9, HALF + 2 : HALF + 6] = 0
    held = last(scene).facts["above"]["thin"]
    assert held["ticks"] == 2, "held for three seconds, though it is over"
    scene.spot[9] = SPOT + 3
    assert last(scene).facts["above"]["thin"] is None


def test_what_is_not_known_is_no_part_of_what_is_usual() -> None:
    scene = quiet()
    scene.rest_ask[:, HALF + 10 :] = -1
    scene.rest_ask[:, HALF + 2 : HALF + 6] = 5
    assert last(scene).facts["above"]["thin"]["ticks"] == 2
    scene.rest_ask[:] = -1
    assert last(scene).facts["above"]["thin"] is None


def test_levels_are_told_only_while_they_are_known() -> None:
    scene = replace(quiet(), levels=[Level("ORH5", SPOT + 3, 105, 107)])
    told = [one.facts["above"]["level"] for one in read(scene, PRICES)]
    assert [number for number, one in enumerate(told) if one] == [5, 6, 7]
    assert last(replace(quiet(), levels=[Level("VWAP", SPOT - 1, 0, 999)])).below.endswith(
        "VWAP 6798.75 is 1 tick down."
    )


def test_a_level_with_a_name_is_told_before_a_nearer_average() -> None:
    near, named = (
        Level("VWAP_P2", SPOT + 1, 0, 999),
        [Level(name, SPOT + 4, 0, 999) for name in ("Call Wall", "PM High")],
    )
    assert last(replace(quiet(), levels=[near, *named])).facts["above"]["level"]["label"] == "PM High"
    assert last(replace(quiet(), levels=[near])).facts["above"]["level"]["label"] == "VWAP_P2"


def test_levels_are_called_by_their_names() -> None:
    names = {
        "PMH": "PM High", "GEXCW": "Call wall", "ORL30": "OR30 Low", "ROUND25": "Round 25", "VWAP_P1": "VWAP +1σ",
        "RVWAP_M2": "RTH VWAP \u22122σ", "NEW": "NEW",
    }  # fmt: skip
    assert {code: level_name(code) for code in names} == names
    assert set(LEVEL_NAMES) <= set(LEVEL_TYPES)


def test_moves_are_told_with_strongest_and_weakest() -> None:
    names = ("ask retreat", "ask net pull", "bid retreat", "bid net pull")
    facts = move_facts([1.0, 2.5, 0.7, -0.3], 0.4, -1.2, 0b0111, names)
    scene = replace(quiet(), moves=[facts] * 10)
    assert last(scene).moves == "Moves: 3 of 4 met, drive up; strongest ask net pull, weakest bid net pull."
    assert move_facts([1.0, math.nan, 0.0, 0.0], 0.4, 0.1, 0, names) is None


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_scene_makes_a_long_or_advising_sentence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = quiet(rows=12, spot=SPOT + int(rng.integers(-9, 9)))
    scene.net[:] = rng.uniform(-1, 1, scene.net.shape)
    scene.ratio_ask[:] = rng.uniform(0, 5, scene.net.shape)
    scene.ratio_bid[:] = rng.uniform(0, 5, scene.net.shape)
    scene.vacuum[:] = rng.uniform(0, 1, scene.vacuum.shape)
    scene.rest_ask[:] = rng.integers(-1, 200, scene.rest_ask.shape)
    scene.net[rng.random(scene.net.shape) < 0.1] = np.nan
    levels = [Level("Overnight High", SPOT + int(rng.integers(-9, 9)), 0, 999)]
    for one in read(replace(scene, levels=levels), PRICES):
        for text in (one.above, one.below, one.moves):
            assert len(text) <= MAX_CHARS
            assert not FORBIDDEN.search(text)
        assert json.loads(one.facts_json) == json.loads(json.dumps(one.facts))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 11))
def test_what_comes_later_changes_no_reading(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)

    def scene(scramble: bool) -> Scene:
        draw = np.random.default_rng(seed)
        one = quiet(rows=12)
        one.ratio_ask[:] = draw.uniform(0, 6, one.net.shape)
        one.net[:] = draw.uniform(-1, 1, one.net.shape)
        if scramble:
            one.ratio_ask[cut:] = rng.uniform(0, 9, one.ratio_ask[cut:].shape)
            one.net[cut:] = rng.uniform(-1, 1, one.net[cut:].shape)
            one.add[cut:] = 900
            one.spot[cut:] += 7
        return one

    before = [one.facts_json for one in read(scene(False), PRICES)][:cut]
    assert [one.facts_json for one in read(scene(True), PRICES)][:cut] == before


def test_buckets_are_anchored_on_prices() -> None:
    values = np.zeros((2, 21), np.int64)
    values[0, 10:14] = [1, 2, 3, 4]  # spot at a bucket's first tick
    values[1, 8:12] = [1, 2, 3, 4]  # spot at its third
    sums = bucket_frame(values, np.array([400, 402], np.int32), 4, 1)
    assert sums[:, 1].tolist() == [10.0, 10.0]
    assert bucket_frame(values, np.array([400, 402], np.int32), 4, 5)[0].tolist()[0] != 0  # beyond the grid: NaN
    values[0, 11] = -1
    assert np.isnan(bucket_frame(values, np.array([400, 402], np.int32), 4, 1)[0, 1])


def test_the_baseline_is_the_past_valid_windows_only() -> None:
    sums = np.array([[10.0], [20.0], [999.0], [30.0], [40.0], [60.0]])
    valid = np.array([True, True, False, True, True, True])
    ratio = trailing_ratio(sums, valid, window=3, least=2)[:, 0]
    assert np.isnan(ratio[:3]).all()
    assert ratio[3:].tolist() == [30 / 15, 40 / 20, 60 / 30]
