"""What is kept between questions: made once, measured, and the same answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.research import analogues as research
from spymaster.research import kept as keeping
from spymaster.research import retrieval
from spymaster.research.analogues import analogues
from spymaster.research.coarse import Coarse
from spymaster.research.errors import QueryError
from spymaster.research.kept import Kept, memory
from spymaster.research.panels import Panel
from spymaster.research.retrieval import Library, Rules, usual_distances
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.checks.sessions import DT, SYMBOL, copy_lake, spoil
from spymaster_tests.research.asked import asked_lake, latest, ns
from spymaster_tests.research.lakes import DATES


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return asked_lake(tmp_path_factory.mktemp("asked") / "lake")


@pytest.fixture(scope="module")
def asked(lake: Lake) -> dict:
    return latest(lake)


def test_usual_distances_are_kept_for_the_k_that_were_asked_for_last(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    measured: list[int] = []
    monkeypatch.setattr(keeping, "usual_distances", lambda _, rules: measured.append(rules.k) or np.zeros(rules.k))
    known = Kept(lake).panel(SYMBOL, DT, Panel("s1", "touch", 120))
    rules = [Rules.of(lake.settings.retrieval, lake.profile, k) for k in range(1, 40)]
    for one in (*rules, rules[-1]):
        known.usual(one)
        assert len(known._usual) <= keeping.USUAL
    assert measured == [one.k for one in rules]
    assert known.usual(rules[-keeping.USUAL]).shape == (40 - keeping.USUAL,)
    known.usual(rules[0])
    known.usual(rules[-keeping.USUAL])
    assert measured == [*(one.k for one in rules), rules[0].k], "the one that was used last is kept longest"


def test_what_is_kept_is_measured(lake: Lake, asked: dict):
    kept = Kept(lake)
    assert kept.nbytes == 0
    analogues(lake, SYMBOL, ns(asked), direction="up", kept=kept)
    library = kept.panel(SYMBOL, DT, Panel("s1", "touch", 120)).library
    tape = kept.day(SYMBOL, DT).builder.tape
    assert library is not None
    parts = library.points.nbytes + sum(one.nbytes for one in vars(tape).values() if isinstance(one, np.ndarray))
    assert parts > 100_000
    assert kept.nbytes > parts


def test_the_copy_that_makes_searches_fast_is_made_once_and_changes_no_answer(
    lake: Lake, asked: dict, monkeypatch: pytest.MonkeyPatch
):
    plain = Kept(lake)
    expected = analogues(lake, SYMBOL, ns(asked), direction="up", kept=plain)[0]
    made = []

    class Always:
        @staticmethod
        def of(points: np.ndarray) -> Coarse | None:
            made.append(len(points))
            return Coarse.of(points, 0)

    monkeypatch.setattr(retrieval, "Coarse", Always)
    kept = Kept(lake)
    for _ in range(2):
        said = analogues(lake, SYMBOL, ns(asked), direction="up", kept=kept)[0]
        assert said.result == expected.result
        assert said.neighbours.equals(expected.neighbours)
    assert len(made) == 1
    held = kept.panel(SYMBOL, DT, Panel("s1", "touch", 120)).library
    assert held is not None
    assert held.coarse is not None
    assert kept.nbytes - plain.nbytes == memory(held.coarse) > held.points.nbytes // 4, "it is counted"


def test_usual_distances_are_measured_once(lake: Lake, asked: dict, monkeypatch: pytest.MonkeyPatch):
    calls = []

    def counted(library: Library, rules: Rules):
        calls.append(len(library))
        return usual_distances(library, rules)

    monkeypatch.setattr(research, "_directions", lambda *_: [1, -1])
    for module in (keeping, retrieval):
        monkeypatch.setattr(module, "usual_distances", counted)
    assert len(analogues(lake, SYMBOL, ns(asked))) == 2
    assert len(calls) == 1


def test_what_is_kept_answers_alike_and_is_loaded_once(
    lake: Lake, asked: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Until a partition is replaced: then it is loaded again, and an index that no longer fits is refused."""
    own = copy_lake(lake, tmp_path / "lake")
    kept, loads = Kept(own), []

    def counted(name: str):
        real = getattr(keeping, name)
        return lambda *args, **options: loads.append(name) or real(*args, **options)

    for name in ("session_builder", "load_library"):
        monkeypatch.setattr(keeping, name, counted(name))

    def told(**more: object) -> str:
        one = analogues(own, SYMBOL, ns(asked), direction="up", kept=kept, **more)[0]  # type: ignore[arg-type]
        return f"{one.result} {one.neighbours.to_dicts()} {one.paths.to_dict(as_series=False)}"

    first = told()
    assert told() == first
    assert loads == ["session_builder", "load_library"]
    fresh = analogues(lake, SYMBOL, ns(asked), direction="up")[0]
    assert first == f"{fresh.result} {fresh.neighbours.to_dicts()} {fresh.paths.to_dict(as_series=False)}"
    loads.clear()
    assert told(k=11, horizon_s=30) != first
    assert told(k=11) != first
    assert loads == ["load_library"]
    flat = pl.when(pl.col("episode_id").is_not_null()).then(pl.col("vector").list.eval(pl.element() * 0))
    spoil(own, SetupVector.full_name, lambda f: f.with_columns(vector=flat.otherwise("vector")), dt=DATES[0])
    assert told() != first
    assert loads == ["load_library"] * 2
    spoil(own, VectorScaler.full_name, lambda f: f.with_columns(sha256=pl.lit("0" * 64)), dt=DT)
    with pytest.raises(QueryError, match="was made with scaler"):
        told()


def test_threads_that_ask_for_the_same_wait_for_one(lake: Lake, asked: dict, monkeypatch: pytest.MonkeyPatch):
    loads: list[int] = []
    real = keeping.session_builder
    monkeypatch.setattr(keeping, "session_builder", lambda *a, **o: loads.append(1) or real(*a, **o))
    kept = Kept(lake)
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: analogues(lake, SYMBOL, ns(asked), kept=kept), range(8)))
    assert len(loads) == 1
    assert len({str(one[0].result) for one in said}) == 1
