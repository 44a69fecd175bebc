"""From records to verdicts (`benchmarks/evaluation.py`): what the measurement keeps, and what it reads of a report."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import polars as pl
import pytest

from benchmarks import evaluation
from benchmarks.kept_days import keep, keep_session, kept, kept_sessions
from benchmarks.research_days import Shape, held, weekdays
from spymaster.research.models import BASELINES
from spymaster.research.sample_tables import TABLES, DateTables
from spymaster_tests.research.evaluated import dates_of, quick
from spymaster_tests.research.model_lakes import build


@pytest.fixture(scope="module")
def dates(tmp_path_factory: pytest.TempPathFactory) -> list[DateTables]:
    """Eight sessions in memory."""
    stored = dates_of(build(tmp_path_factory.mktemp("lake") / "lake"))
    return [
        DateTables(
            **{
                one.name: held(TABLES[one.name].name, tables.dt, part.read())
                for one in fields(tables)
                if (part := getattr(tables, one.name)) is not None
            }
        )
        for tables in stored
    ]


@pytest.fixture(scope="module")
def folder(dates: list[DateTables], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kept")
    for tables in dates:
        keep_session(root, tables)
    return root


def test_sessions_are_read_as_they_were_kept(dates: list[DateTables], folder: Path):
    again = kept_sessions(folder)
    assert [one.dt for one in again] == [one.dt for one in dates]
    for one, other in zip(dates, again, strict=True):
        for name, part in vars(one).items():
            read = getattr(other, name)
            assert (part is None) == (read is None)
            if part is not None:
                assert read.read().equals(part.read())
                assert read.read().schema == part.read().schema
                assert read.content_hash == part.content_hash


def test_what_was_not_finished_is_not_there(tmp_path: Path):
    (tmp_path / "2026-01-08.part").mkdir()
    assert kept_sessions(tmp_path) == []
    assert kept(tmp_path / "usual") is None
    keep(tmp_path / "usual", {"scale": pl.DataFrame({"a": [1]})})
    assert kept_sessions(tmp_path) == []
    assert (kept(tmp_path / "usual") or {})["scale"]["a"].to_list() == [1]


def test_sessions_that_are_there_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[tuple[str, bool]] = []
    monkeypatch.setattr(evaluation, "usual_values", lambda *_: evaluation.Usual(pl.DataFrame(), pl.DataFrame()))
    monkeypatch.setattr(
        evaluation, "session_tables", lambda dt, seed, shape, file, *_: (made.append((str(dt), file is not None)), dt)
    )
    monkeypatch.setattr(
        evaluation, "keep_session", lambda folder, _: (folder / made[-1][0]).mkdir(parents=True, exist_ok=True)
    )
    mixed, background = evaluation.lakes(3)
    settings = evaluation.get_settings()
    assert evaluation.make(mixed, 5, Shape(), tmp_path, settings, most=2) == 2
    assert evaluation.make(mixed, 5, Shape(), tmp_path, settings) == 3
    assert evaluation.make(mixed, 5, Shape(), tmp_path, settings) == 0
    own = [str(dt) for dt in weekdays(evaluation.BEFORE + 5)[evaluation.BEFORE :]]
    assert made == list(zip(own, [True, False, False, True, False], strict=True))
    made.clear()
    evaluation.make(background, 2, Shape(), tmp_path / "other", settings)
    assert [planted for _, planted in made] == [False, False]


def test_figures_are_those_of_the_report(folder: Path):
    made = evaluation.report_of(folder, quick(evaluation.get_settings()), "demo")
    found = evaluation.figures(made)
    assert found["sessions"] == 7  # the first date has no scaler
    assert {one["algo"] for one in found["baselines"]} == set(BASELINES)
    verdicts = made.report.filter(pl.col("verdict").is_not_null())
    assert len(found["verdicts"]) == verdicts.height
    assert sum(evaluation.words(found).values()) == verdicts.filter(pl.col("head") != "all").height > 5
    assert found["trials"] == made.ledger.height > 50
    # the hold-out was opened, and the page lies beside the tables
    assert "holdout_opened" in set(made.ledger["stage"].cast(pl.String))
    assert {"report.html", "report.md", "report.parquet", "ledger.parquet"} <= {one.name for one in folder.iterdir()}
