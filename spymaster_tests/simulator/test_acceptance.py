"""The simulated market resembles a real one where it should, and in `walk` mode nothing foretells the price."""

from __future__ import annotations

import hashlib
from datetime import time
from pathlib import Path

import numpy as np
import pytest

from spymaster.simulator.acceptance import Target, failed, judged_beside, targets
from spymaster.simulator.acceptance.estimate import estimate
from spymaster.simulator.acceptance.figures import measure
from spymaster.simulator.acceptance.replay import Replay
from spymaster.simulator.acceptance.targets import judge
from spymaster.simulator.layout import FRONT
from spymaster.simulator.report import write_report
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import Run, simulate
from spymaster_tests.simulator.days import small_day, usual_day

GOLDEN = "761b4d02d1eb607bebb62bd8ae5d0852849b160921e7ab441437670599cbbc09"
"""SHA-256 of the records of `small_day()`: a change here means that every simulated file changes."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The preset `ci`, whole."""
    return simulate(plan(Request(preset="ci")), tmp_path_factory.mktemp("ci"))


def test_preset_ci_misses_no_target_and_meets_what_its_span_can_show(run: Run) -> None:
    (day,) = run.days
    found = targets(day.tally, day.plan.messages, "es", "emergent")
    assert failed(found) == []
    assert sum(one.verdict == "pass" for one in found) >= 40
    assert {one.number for one in found if one.verdict == "n/a"} == {11, 14, 15, 16}


def test_report_shows_every_target_and_distribution_and_a_picture(run: Run) -> None:
    path, found = write_report(run)
    text = path.read_text()
    (measured,) = found.values()
    assert all(one.metric in text for one in measured)
    assert "SIMULATED" in text
    picture = Path(path.parent, "sim_20260106.png")
    assert picture.name in text
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "drift" in text
    assert "**drift**" not in text, "record a decision: `python -m benchmarks.sim --accept REASON`"


def test_only_what_agents_and_evenings_can_spoil_is_left_open() -> None:
    found = [Target(number, "a", 2.0, 0.0, 1.0) for number in (1, 3, 5, 8, 18)]
    verdicts = {
        (planted, evening): [
            one.number for one in failed(judged_beside(found, planted=planted, scripted=False, evening=evening))
        ]
        for planted in (0.0, 0.04, 0.06)
        for evening in (False, True)
    }
    assert verdicts[0.0, False] == verdicts[0.04, False] == [1, 3, 5, 8, 18]
    assert verdicts[0.06, False] == [3, 5, 18]
    assert verdicts[0.0, True] == verdicts[0.06, True] == [3, 18]
    scripted = judged_beside(found, planted=0.0, scripted=True, evening=False)
    assert [one.number for one in failed(scripted)] == [1, 3, 5, 18]


def test_a_target_outside_its_bounds_fails_and_one_without_a_value_does_not() -> None:
    inside, outside = Target(1, "a", 0.5, 0.0, 1.0), Target(2, "b", 1.5, 0.0, 1.0)
    unknown = Target(3, "c", None, 0.0, 1.0)
    assert failed([inside, outside, unknown]) == [outside]
    assert unknown.passed is None


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [
        (0.5, None, "pass"), (1.5, None, "miss"), (None, None, "n/a"),
        (0.5, 0.1, "pass"), (1.5, 0.1, "miss"), (1.2, 0.1, "open"), (-0.2, 0.1, "open"),
        (0.5, 0.5, "open"),
    ],
)  # fmt: skip
def test_verdict_allows_for_three_standard_errors_and_for_spans_too_short_to_tell(value, error, verdict) -> None:
    assert Target(1, "a", value, 0.0, 1.0, error=error).verdict == verdict


def test_standard_error_of_a_mean_is_the_textbook_one() -> None:
    blocks = np.random.default_rng(3).normal(5.0, 2.0, (400, 25))
    sums = np.column_stack([blocks.sum(axis=1), np.full(400, 25.0)])
    found = estimate(sums, lambda s: float(s[0] / s[1]))
    assert found.value == pytest.approx(blocks.mean())
    assert found.error == pytest.approx(blocks.mean(axis=1).std(ddof=1) / 20, rel=1e-6)


def test_bounds_of_assumptions_move_to_fitted_figures_and_anchors_stay(run: Run) -> None:
    (day,) = run.days
    fitted = {"share of size 1": (0.5, 0.0), "cancelled over added orders": (0.6, 0.1), "share of A": (0.1, 0.0)}
    moved = {one.metric: (one.low, one.high) for one in judge(measure(day.tally), "es", "emergent", fitted)}
    assert moved["share of size 1"] == pytest.approx((0.45, 0.55))
    assert moved["cancelled over added orders"] == pytest.approx((0.3, 0.9))
    assert moved["share of A"] == pytest.approx((0.30, 0.38))


def test_replay_of_the_records_is_the_market_s_own_book_at_every_second() -> None:
    day = small_day()
    contract = day.market.contracts[FRONT]
    replay = Replay(250_000_000, day.market.trading_hours())
    mine = day.records[day.records["instrument_id"] == contract.instrument_id]
    for start in range(0, len(mine), 1_000):
        replay.feed(mine[start : start + 1_000])
    rows = day.truth("seconds")
    truth, ends = day.truth("levels")[rows["inst"] == FRONT], rows["end"][rows["inst"] == FRONT]
    levels = np.concatenate(replay.rows.levels)
    count = len(levels)
    assert count > 500
    assert (np.concatenate(replay.rows.seconds) == ends[:count]).all()
    shown = truth[:count, :, 2] > 0
    assert (shown == (levels[:, :, 2] > 0)).all()
    offset = (int(replay.counters["origin"]) - int(rows["origin"][0])) // 250_000_000
    assert (levels[:, :, 0][shown] + offset == truth[:count, :, 0][shown]).all()
    for part in (1, 2):
        assert (levels[:, :, part][shown] == truth[:count, :, part][shown]).all()
    assert len(replay.resting()) == day.market.state["inst"][FRONT]["n_orders"]


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
