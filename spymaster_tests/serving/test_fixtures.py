"""What the HUD's tests read is what the code here writes."""

from __future__ import annotations

import pytest

from spymaster.serving import codec
from spymaster.serving.typescript import generate
from spymaster_tests.conftest import REPOSITORY
from spymaster_tests.serving.fixtures import fixtures

FOLDER = REPOSITORY / "hud" / "test" / "fixtures"


def test_committed_fixtures_are_what_the_code_writes() -> None:
    written = fixtures()
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(written)
    changed = [name for name, content in written.items() if (FOLDER / name).read_bytes() != content]
    assert not changed, "write them again: uv run python -m spymaster_tests.serving.fixtures hud/test/fixtures"


def test_committed_types_are_generated_from_the_schemas() -> None:
    path = REPOSITORY / "hud" / "src" / "wire" / "control.gen.ts"
    assert path.read_text(encoding="utf-8") == generate()


@pytest.mark.parametrize("name", ["schema", "window", "window-missing", "bundle", "bundle-max"])
def test_fixture_frames_can_be_parsed(name: str) -> None:
    frame = codec.parse((FOLDER / f"{name}.bin").read_bytes())
    assert len(frame.segments) == (3 if name == "bundle-max" else 10)
