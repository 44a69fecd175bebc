"""A crash at any instruction loses nothing, leaves nothing half-visible: writers are killed, the lake inspected."""

from __future__ import annotations

import subprocess
import sys

import pytest

from spymaster.lake import Lake


def kill_writers(lake: Lake, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "spymaster_tests.lake.kill_writer", str(lake.root), *arguments],
        capture_output=True, text=True, check=False, timeout=1800, cwd=_repository(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _repository() -> str:
    from spymaster_tests.conftest import REPOSITORY

    return str(REPOSITORY)


def test_a_writer_killed_at_a_random_moment_leaves_the_old_or_the_new_partition(lake: Lake) -> None:
    assert "killed 4 writers" in kill_writers(lake, "random", "4", "1")


def test_a_writer_killed_between_two_steps_leaves_the_old_or_the_new_partition(lake: Lake) -> None:
    """Lock, staging, row groups, footer, replace, two copies: some forty calls to the file system, every ninth here."""
    assert int(kill_writers(lake, "steps", "9")) > 27


@pytest.mark.slow
def test_a_writer_killed_at_each_of_its_steps(lake: Lake) -> None:
    assert int(kill_writers(lake, "steps", "1")) > 27


@pytest.mark.slow
def test_sixty_kills(lake: Lake) -> None:
    assert "killed 60 writers" in kill_writers(lake, "random", "60", "2")
