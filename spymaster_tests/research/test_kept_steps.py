"""`spymaster bench research` goes on where it was, but not with what other code, settings or libraries made."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

import pytest

from benchmarks import research
from benchmarks.research import Step, code_hash
from spymaster.settings import Settings


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("spymaster/research/knn.py", "spymaster/config/sim/es.toml", "spymaster/cli/main.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one = 1\n")
    return tmp_path


@pytest.mark.parametrize("name", ["spymaster/research/knn.py", "spymaster/config/sim/es.toml"])
def test_other_sources_have_another_hash(repository: Path, name: str):
    before = code_hash(repository=repository)
    assert code_hash(repository=repository) == before
    (repository / name).write_text("one = 2\n")
    assert code_hash(repository=repository) != before


def test_what_figures_do_not_depend_on_does_not_count(repository: Path):
    before = code_hash(repository=repository)
    (repository / "spymaster/cli/main.py").write_text("one = 2\n")
    assert code_hash(repository=repository) == before
    assert code_hash(Settings(lake_root="elsewhere"), repository) == before


def test_other_settings_have_another_hash(repository: Path):
    plain = Settings()
    other = plain.model_copy(update={"retrieval": plain.retrieval.model_copy(update={"k": plain.retrieval.k + 1})})
    assert code_hash(plain, repository) != code_hash(other, repository)


def test_other_libraries_have_another_hash(repository: Path, monkeypatch: pytest.MonkeyPatch):
    before = code_hash(repository=repository)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    assert code_hash(repository=repository) != before


def test_the_hash_is_of_files_that_are_there():
    counts = {pattern: len(list(research.REPOSITORY.glob(pattern))) for pattern in research.SOURCES}
    assert all(counts.values()), counts


def test_a_finished_step_is_done_again_only_by_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    runs: list[str] = []

    def once() -> dict[str, object]:
        runs.append("run")
        return {"without": 1.0 / len(runs), "near": {"touch:120:knn": 1.0}}

    def run() -> float:
        research.main()
        targets = json.loads(capsys.readouterr().out)["targets"]
        return targets["G7b: no gain over the bar, share"]["value"]

    monkeypatch.setattr(research, "steps", lambda sizes, seeds: [Step("background", 1, once)])
    monkeypatch.setattr(sys, "argv", ["research", "--json", "--results", str(tmp_path / "kept.jsonl")])
    assert [run(), run(), len(runs)] == [1.0, 1.0, 1]
    monkeypatch.setattr(research, "code_hash", lambda: "another")
    assert [run(), run(), len(runs)] == [0.5, 0.5, 2]
    lines = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert [line["code"] for line in lines] == [code_hash(), "another"]
    del lines[0]["code"]  # as lines were before they had a hash
    (tmp_path / "kept.jsonl").write_text(json.dumps(lines[0]) + "\n")
    assert [run(), len(runs)] == [pytest.approx(1.0 / 3.0, abs=1e-4), 3]
