"""The simulated market resembles a real one where it should, and in `walk` mode nothing foretells the price."""

from __future__ import annotations

import hashlib
from datetime import time
from pathlib import Path

import numpy as np
import pytest

from spymaster.simulator.acceptance import Target, failed, judged_beside, targets
from spymaster.simulator.layout import FRONT
from spymaster.simulator.report import write_report
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import Run, simulate
from spymaster_tests.simulator.days import small_day, usual_day

GOLDEN = "3c960d7f008a0d09e3e53b865973975e1f45db46c3f02b632666318c7c08ed41"
"""SHA-256 of the records of `small_day()`: a change here means that every simulated file changes."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The preset `ci`, whole."""
    return simulate(plan(Request(preset="ci")), tmp_path_factory.mktemp("ci"))


def test_preset_ci_meets_every_target_it_can_show(run: Run) -> None:
    (day,) = run.days
    found = targets(day.tally, day.plan.messages, "es", "emergent")
    assert failed(found) == []
    assert sum(one.passed is True for one in found) >= 30
    assert {one.number for one in found if one.passed is None} == {11, 14, 15, 16}


def test_report_shows_every_target_and_a_picture(run: Run) -> None:
    path, found = write_report(run)
    text = path.read_text()
    (measured,) = found.values()
    assert all(one.metric in text for one in measured)
    assert "SIMULATED" in text
    picture = Path(path.parent, "sim_20260106.png")
    assert picture.name in text
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_only_what_agents_and_evenings_can_spoil_is_left_open() -> None:
    found = [Target(number, "a", 2.0, 0.0, 1.0) for number in (1, 3, 5, 8, 18)]
    verdicts = {
        (planted, evening): [one.number for one in failed(judged_beside(found, planted=planted, evening=evening))]
        for planted in (0.0, 0.04, 0.06)
        for evening in (False, True)
    }
    assert verdicts[0.0, False] == verdicts[0.04, False] == [1, 3, 5, 8, 18]
    assert verdicts[0.06, False] == [3, 5, 18]
    assert verdicts[0.0, True] == verdicts[0.06, True] == [3, 18]


def test_a_target_outside_its_bounds_fails_and_one_without_a_value_does_not() -> None:
    inside, outside = Target(1, "a", 0.5, 0.0, 1.0), Target(2, "b", 1.5, 0.0, 1.0)
    unknown = Target(3, "c", None, 0.0, 1.0)
    assert failed([inside, outside, unknown]) == [outside]
    assert unknown.passed is None


def test_records_are_the_ones_they_were() -> None:
    assert hashlib.sha256(usual_day().records.tobytes()).hexdigest() == GOLDEN


def test_no_imbalance_foretells_the_walk() -> None:
    """Area under the curve of the best queues' imbalance against the next second's move: one half."""
    day = small_day(walk=True, span=(time(9, 30), time(16)), messages=500_000)
    levels = day.truth("levels")[day.truth("seconds")["inst"] == FRONT]
    bid_qty, ask_qty = levels[:, 0, 1, 0].astype(float), levels[:, 1, 1, 0].astype(float)
    imbalance = ((bid_qty - ask_qty) / (bid_qty + ask_qty))[:-1]
    move = np.diff(levels[:, 0, 0, 0].astype(int))
    up, down = imbalance[move > 0], imbalance[move < 0]
    assert min(len(up), len(down)) > 2_000
    ranks = np.argsort(np.argsort(np.concatenate([up, down]), kind="stable"), kind="stable") + 1
    area = (ranks[: len(up)].sum() - len(up) * (len(up) + 1) / 2) / (len(up) * len(down))
    error = ((len(up) + len(down) + 1) / (12 * len(up) * len(down))) ** 0.5
    assert abs(area - 0.5) < 3 * error
