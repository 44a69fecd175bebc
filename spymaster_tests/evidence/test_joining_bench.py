"""The joining question on simulated dates (`benchmarks/joining.py`): which dates are for what, and what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import joining
from spymaster.evidence.contrast import LEAST_DAYS
from spymaster.evidence.holdout import is_holdout
from spymaster.settings import get_settings

SETTINGS = get_settings()


def test_dates_that_are_asked_are_held_out_and_later_than_all_that_are_searched() -> None:
    plan = joining.Plan.of(4, 7, SETTINGS.evidence)
    assert (len(plan.discovery), len(plan.holdout)) == (4, 7)
    assert not any(is_holdout(dt, SETTINGS.evidence) for dt in plan.discovery)
    assert all(is_holdout(dt, SETTINGS.evidence) for dt in plan.holdout)
    assert max(plan.discovery) < min(plan.holdout)


def test_lakes_differ_in_the_timing_alone() -> None:
    algo, human, background = (lake.meetings() for lake in joining.lakes(1))
    assert background is None
    assert algo is not None
    assert human is not None
    assert (algo.actions.timing, human.actions.timing) == ("algo", "human")
    assert algo.model_dump(exclude={"actions": {"timing"}}) == human.model_dump(exclude={"actions": {"timing"}})


def test_sessions_that_are_there_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = joining.Plan.of(1, 2, SETTINGS.evidence, small=True)

    def run() -> tuple[int, list[dict[str, object]]]:
        made = joining.Made(joining.ALGO, plan, tmp_path, SETTINGS)
        made.searched()
        made.attributed({joining.OWN: (made.findings(), made.laws())})
        return made.new, made.answers(joining.OWN).to_dicts()

    new, answers = run()
    assert new == 3
    assert [row["verdict"] for row in answers if row["is_primary"]] == ["too_few"]
    assert run() == (0, answers)
    monkeypatch.setattr(joining, "simulated_session", None)  # nothing is simulated for what is kept
    assert run() == (0, answers)


@pytest.mark.slow
def test_fixed_delays_before_rejections_are_found_and_random_ones_are_not(tmp_path: Path) -> None:
    """The gate in small: one date searched, and as few asked as there is an answer from."""
    plan = joining.Plan.of(1, LEAST_DAYS, SETTINGS.evidence)
    algo, human = (joining.Made(lake, plan, tmp_path, SETTINGS) for lake in joining.lakes(1)[:2])
    algo.searched()
    lists = {joining.OTHER: (algo.findings(), algo.laws())}
    primary = []
    for made in (algo, human):
        made.attributed(lists)
        primary.append(made.answers(joining.OTHER).row(by_predicate=joining.PRIMARY_ROW, named=True))
    assert primary[0]["verdict"] == "higher", primary[0]
    assert primary[1]["verdict"] == "not_distinguishable", primary[1]
    assert primary[0]["ci_lo"] > primary[1]["ci_hi"]
