"""The scene of the demo on the tables that exist: high, approach, who has the better of it, wall, stall, turn.

The everyday test simulates what the first episode needs; the slow ones the date from 08:00 to 10:00 and to 11:00.
"""

from __future__ import annotations

from datetime import time

import numpy as np
import pytest

from benchmarks import scene
from benchmarks.scene import Session
from benchmarks.scene_conditions import READING, require_first_episode, require_morning, two_dates
from spymaster.simulator.pm_high import WALL
from spymaster.simulator.script_truth import episode_columns, scenario_columns


@pytest.fixture(scope="module")
def cut() -> tuple[Session, Session]:
    """Minutes of both dates in which the first episode happens."""
    return two_dates((time(9, 30), time(9, 46)), (time(9, 38), time(9, 55)))


def test_first_episode(cut: tuple[Session, Session]) -> None:
    require_first_episode(*cut)


def test_truth_says_what_was_planned_and_what_became_of_it(cut: tuple[Session, Session]) -> None:
    market = cut[1].market
    quotes, seconds, levels = (np.concatenate(getattr(market.truth, name)) for name in ("quotes", "seconds", "levels"))
    episodes = episode_columns(market.script, market.state, quotes)
    assert episodes["target_outcome"].to_pylist() == ["reject", "chop", "break"]
    # the file ends before the other two
    assert episodes["realised_outcome"].to_pylist() == ["reject", None, None]
    assert set(episodes["level_price_int"]) == {6800 * scene.POINT}
    steps = scenario_columns(market.script, market.state, seconds, levels)
    table = dict(zip(steps["step"].to_pylist(), steps["quantity"].to_pylist(), strict=True))
    usual = scene.usual_rested(cut[0], "A")
    assert table["usual_depth_ask"] == pytest.approx(usual, abs=2)
    # truth has the lowest of the wall's four prices as the book has it; which of them an order gets is drawn
    low, high = WALL
    assert table["wall"] == pytest.approx(scene.rested(cut[1], READING, "A", low, low), rel=0.02)
    assert scene.rested(cut[1], READING, "A", low, high) == pytest.approx(9.3 * usual, rel=0.03)


@pytest.mark.slow
def test_whole_morning_of_the_main_date() -> None:
    earlier, day = two_dates((time(9), time(11)), (time(8), time(11)))
    require_morning(earlier, day)
