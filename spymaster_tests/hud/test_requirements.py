"""Requirements of the page and the tests that hold them: the table in hud/test/README.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spymaster_tests.conftest import REPOSITORY

TABLE = REPOSITORY / "hud" / "test" / "README.md"
CONTENT = (
    "Wall layer", "Vacuum layer", "Pressure layer", "Layer rule", "Spot and BBO", "Candles", "Levels rail",
    "Band matrix", "Mechanics card", "GEX strip", "Column strip", "Transport, scrubber", "Legend", "Approach episodes",
    "Analogues", "Evidence panel", "Reading", "Inspector", "Share",
)  # fmt: skip
"""What the first release of the page has to show."""

NAMED = re.compile(r'`([^`]+)` "([^"]+)"')
ROWS = {
    cells[1].strip(): NAMED.findall(cells[2])
    for line in TABLE.read_text(encoding="utf-8").splitlines()
    if len(cells := line.split("|")) == 4 and NAMED.search(cells[2])
}


def path_of(file: str) -> Path:
    return (REPOSITORY / "spymaster_tests" if file.endswith(".py") else TABLE.parent) / file


def titles(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)
    found = re.findall(r"""\b(?:it|describe)(?:\.\w+\([^)\n]*(?:\(\))?\))?\(\s*(['"`])(.+?)\1,""", text)
    return [title for _, title in found]


def test_every_item_of_the_first_release_has_a_row() -> None:
    assert set(CONTENT) <= set(ROWS)
    assert len(ROWS) > len(CONTENT)


@pytest.mark.parametrize("item", ROWS)
def test_the_tests_of_a_requirement_exist(item: str) -> None:
    assert ROWS[item]
    for file, begins in ROWS[item]:
        found = titles(path_of(file))
        assert any(title.startswith(begins) for title in found), f"{file} has no test {begins!r}; it has {found}"


@pytest.mark.parametrize("item", CONTENT)
def test_a_test_is_named_after_each_item(item: str) -> None:
    """By its first word at least: `Transport, scrubber` is two."""
    words = [re.split(r"[ ,]", item)[0]] if "," in item else [item]
    named = [begins for _, begins in ROWS[item]]
    assert any(word in begins for word in words for begins in named), named


def test_the_bundle_is_built_and_compared_in_ci() -> None:
    steps = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert "npm run build" in steps
    assert re.search(r"git diff --exit-code.*spymaster/serving/static", steps)
