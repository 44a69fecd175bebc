"""Meetings of the random walk and levels: when the touch comes, what is made of it, what is done before."""

from __future__ import annotations

from datetime import time

import numpy as np
import pytest

from spymaster.simulator.errors import SimulationRequestError, SimulatorConfigError
from spymaster.simulator.layout import FIRST_SCRIPT
from spymaster.simulator.meetings import load_meetings
from spymaster.simulator.request import Request, plan
from spymaster.simulator.script import Script
from spymaster.simulator.script_truth import episode_columns
from spymaster.simulator.scripts import FLOW
from spymaster_tests.simulator.days import SmallDay, small_day


@pytest.fixture(scope="module")
def day() -> SmallDay:
    """An hour and a half of meetings, at few messages a second."""
    script = Script("g6", meetings=load_meetings("g6"))
    return small_day(span=(time(9, 30), time(11)), messages=160_000, walk=True, script=script)


@pytest.fixture(scope="module")
def told(day: SmallDay) -> dict[str, list]:
    columns = episode_columns(day.market.script, day.market.state, day.truth("quotes"))
    return {
        name: column.tolist() if hasattr(column, "tolist") else column.to_pylist() for name, column in columns.items()
    }


def test_touches_come_when_they_were_drawn_and_not_before(day: SmallDay, told: dict[str, list]) -> None:
    meetings = day.market.state["meetings"][: len(told["ts_touch"])]
    assert len(meetings) >= 12
    quotes, front = day.truth("quotes"), day.market.state["inst"][0]
    for row in meetings:
        wait = (row["touch"] - row["start"]) / 1e9
        assert 20 <= wait <= 60
        inside = (quotes["ts"] > row["start"]) & (quotes["ts"] <= row["touch"])
        mids = (quotes["bid"] + quotes["ask"])[inside]
        away = (2 * row["level"] - mids) * row["direction"]
        assert away[-1] == 1  # half a tick
        assert quotes["ts"][inside][-1] == row["touch"]
        assert (away[:-1] > 2).all()
    price = front["origin"] + meetings["level"] * front["tick_size"]
    assert (price % (6 * 10**9) == 0).all()


def test_outcomes_lean_to_what_was_planted(told: dict[str, list]) -> None:
    pairs = [
        (target, found)
        for target, found in zip(told["target_outcome"], told["realised_outcome"], strict=True)
        if target != "fair" and found in ("reject", "break")
    ]
    right = sum(target == found for target, found in pairs)
    # nine in ten are meant to come true; three standard errors of so few
    assert right / len(pairs) > 0.9 - 3 * (0.09 / len(pairs)) ** 0.5


def test_conditions_are_planted_in_the_last_ten_seconds_only(day: SmallDay, told: dict[str, list]) -> None:
    answers = day.truth("responses")
    answers = answers[answers["agent"] == FIRST_SCRIPT + FLOW]
    meetings = day.market.state["meetings"][: len(told["ts_touch"])]
    before = np.zeros(len(answers), bool)
    for row in meetings:
        near = (answers["ts_trigger"] >= row["touch"] - 10 * 10**9) & (answers["ts_trigger"] <= row["touch"])
        if told["variant"][int(np.flatnonzero(meetings["touch"] == row["touch"])[0])] == "none":
            assert not near.any()
        before |= near
    assert len(answers) > 100
    assert before.all()
    assert ((answers["ts"] - answers["ts_trigger"]) // 10**6 == 20).all()


def test_meetings_belong_to_the_walk() -> None:
    assert plan(Request(preset="ci", scripts="decoys", price_mode="walk", options=False)).days[0].label == "decoys"
    with pytest.raises(SimulationRequestError, match="random walk"):
        plan(Request(preset="ci", scripts="g6"))
    with pytest.raises(SimulationRequestError, match="no random walk"):
        plan(Request(preset="ci", scripts="pm_high", price_mode="walk"))
    with pytest.raises(SimulatorConfigError, match="unknown scripts"):
        plan(Request(preset="ci", scripts="g7", price_mode="walk"))


def test_shipped_files_are_mixes_as_the_gate_wants_them() -> None:
    g6, decoys = load_meetings("g6"), load_meetings("decoys")
    shares = {one.name: one.share for one in g6.variant}
    assert shares == {"full_reject": 0.4, "full_break": 0.4, "none": 0.2}
    full = sum(one.share for one in decoys.variant if one.name.startswith("full"))
    assert full == pytest.approx(0.4)
    assert {one.name for one in decoys.variant} >= {"only_ahead", "only_behind", "consumption_only", "none"}
