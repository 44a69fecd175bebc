"""The suite is spread so that what is made once for several tests is made in one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from spymaster_tests import workers
from spymaster_tests.conftest import REPOSITORY


def test_folders_with_a_shared_lake_stay_together_files_otherwise_and_long_tests_go_alone() -> None:
    assert workers.unit("spymaster_tests/serving/test_http.py::test_a[x::y]") == "spymaster_tests/serving/"
    assert workers.unit("spymaster_tests/book/test_chain.py::TestA::test_b") == "spymaster_tests/book/test_chain.py"
    assert (
        workers.unit("spymaster_tests/assets/test_runner.py::test_a") == "spymaster_tests/assets/test_runner.py::test_a"
    )


def test_every_name_in_the_rules_is_there() -> None:
    assert all((REPOSITORY / name).exists() for name in (*workers.TOGETHER, *workers.APART))


def test_folders_with_session_fixtures_of_lakes_are_among_those_that_stay_together() -> None:
    """A lake that takes long would otherwise be made once for each worker; the two others take a second."""
    having = {
        f"{path.parent.relative_to(REPOSITORY)}/"
        for path in (REPOSITORY / "spymaster_tests").rglob("conftest.py")
        if 'scope="session"' in path.read_text() and path.parent.name != "spymaster_tests"
    }
    assert having - {"spymaster_tests/cli/", "spymaster_tests/docs/"} == set(workers.TOGETHER)


@pytest.mark.skipif(not hasattr(workers.os, "sched_getaffinity"), reason="not on this system")
def test_whole_folders_get_a_worker_for_each_core_and_single_files_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    for cores, expected in ((1, 0), (2, 2), (3, 3), (64, workers.MOST_WORKERS)):
        monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert workers.workers(["spymaster_tests"]) == expected
        assert workers.workers(["spymaster_tests", "spymaster_tests/book"]) == expected
        assert workers.workers([str(Path("spymaster_tests") / "test_workers.py")]) == 0
        assert workers.workers(["spymaster_tests/test_workers.py::test_a"]) == 0
