"""docs/concepts/model.md tells the numbers that the code has."""

from __future__ import annotations

from pathlib import Path

from spymaster.settings import OutcomeModelSettings
from spymaster_assets.assets.research import YEAR

PAGE = Path(__file__).resolve().parents[2] / "docs/concepts/model.md"
NUMBERS = {4: "four", 5: "five"}


def test_the_page_tells_how_far_models_reach_back_and_how_sessions_are_cut():
    text, chosen = " ".join(PAGE.read_text().split()), OutcomeModelSettings()
    assert f"up to {YEAR} earlier dates" in text
    assert "all earlier dates" not in text
    assert f"first {chosen.inner_first_share:.0%}".replace("%", " %") + " of the sessions" in text
    assert f"at most {NUMBERS[chosen.inner_blocks]} blocks" in text
    assert f"blocks of {NUMBERS[chosen.refit_sessions]}, each with models fitted once" in text
