"""All tests of a day: every family counts all it tried, and a quiet market keeps its rate of false discoveries."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import families
from spymaster.evidence.arrays import SECOND_NS
from spymaster.evidence.families import TESTS, Judged, Profile, run_tests
from spymaster.evidence.few import TOO_FEW
from spymaster.evidence.multiplicity import benjamini_hochberg
from spymaster.evidence.nulls import decluster
from spymaster.evidence.periods import LEAST_EVENTS
from spymaster.evidence.spectra import PASSES, WINDOW_S
from spymaster.evidence.strata import register, with_enough
from spymaster_tests.evidence.markets import MS, Market

SMALL = Profile(39, None, 4)


@pytest.fixture(scope="module")
def quiet() -> list[Judged]:
    return run_tests(Market(150, 1).background(orders=120).day(), seed=1, profile=SMALL)


def test_every_registered_test_runs(quiet: list[Judged]) -> None:
    assert set(TESTS) == set(register())
    assert {one.result.test_id for one in quiet} >= set(TESTS) - {"E2"}  # nothing is moved


def test_q_is_of_the_whole_family(quiet: list[Judged]) -> None:
    family = [one for one in quiet if one.result.test_id == "E4"]
    q = benjamini_hochberg([one.result.p for one in family])
    assert [one.q_bh for one in family] == pytest.approx(q.tolist())
    assert all(one.family_size == len(family) for one in family)
    assert all(one.q_by is not None and one.q_bh is not None and one.q_by >= one.q_bh for one in family)


def test_what_is_of_both_sides_is_tested_once(quiet: list[Judged]) -> None:
    tried = sorted((one.result.sub_id, one.family_size) for one in quiet if one.result.test_id == "E7")
    assert tried == [("contra_pull", 1), ("episodes", 0), ("episodes", 0), ("episodes", 0)]


def test_what_has_nothing_to_test_weighs_on_no_q(quiet: list[Judged]) -> None:
    """No layers stand: of E7 one group is left, and its q is its p."""
    without = [one for one in quiet if one.result.notes == (TOO_FEW,)]
    assert {one.result.test_id for one in without} == {"E6", "E7", "E10"}
    assert {(one.result.p_raw, one.result.p_method, one.q_bh, one.q_by) for one in without} == {
        (None, "screened", None, None)
    }
    (left,) = (one for one in quiet if one.result.sub_id == "contra_pull")
    assert left.q_bh == left.result.p_raw


def test_facts_are_in_no_family(quiet: list[Judged]) -> None:
    facts = [one for one in quiet if one.result.sub_id == "native"]
    assert {(one.family_size, one.q_bh) for one in facts} == {(0, None)}
    assert sorted(one.stratum.side for one in facts) == ["A", "B"]
    returned = [one for one in quiet if one.result.sub_id == "synthetic"]
    assert [(one.stratum.size, one.stratum.side, one.family_size) for one in returned] == [("11-50", "*", 0)]


def test_a_planted_habit_is_discovered_and_the_quiet_day_is_not(quiet: list[Judged]) -> None:
    market = Market(150, 1).background(orders=120)
    add = market.times(8)
    market.place(add, add + 20 * MS)
    found = run_tests(market.day(), seed=1, profile=Profile(99, None, 4), tests=["E1"])
    best = min(found, key=lambda one: one.q_bh or 1.0)
    assert best.q_bh is not None
    assert best.q_bh <= 0.05
    assert best.result.peak_value == pytest.approx(20, abs=1)
    assert np.mean([one.result.p <= 0.05 for one in quiet if one.result.p_raw is not None]) <= 0.15


def test_all_windows_looked_at_count_in_the_family() -> None:
    """Those of strata and passes in which nothing stood out, too: which they are is known after the look only."""
    market = Market(360, 3).background(orders=30)
    at = (np.arange(240, 360, 0.1) * 1e9).astype(np.int64)
    market.place(at, at + 10**9, side=0, size=1)
    day = market.day()
    found = run_tests(day, seed=1, profile=Profile(19, None, 8), tests=["E5"])
    strata = with_enough(
        register(day.law.favourites)["E5"], lambda one: int(one.among(day.messages, day.messages.qty).sum())
    )
    looked_at = 0
    for _, stratum in strata[:: -(-len(strata) // 8)]:
        ts = day.messages.ts[stratum.among(day.messages, day.messages.qty)]
        for band in PASSES:
            for start in range(day.start, day.end, WINDOW_S * SECOND_NS):
                part = ts[(ts >= start) & (ts < start + WINDOW_S * SECOND_NS)]
                kept = np.empty_like(part)
                looked_at += decluster(part, band.dead_ns, kept) >= LEAST_EVENTS
    without = [one for one in found if one.result.p_raw is None]
    tested = [one for one in found if one.result.p_raw is not None]
    assert len(without) > 0
    assert len(tested) > 0
    assert {one.family_size for one in found} == {looked_at}
    assert {(one.q_bh, one.result.p_method) for one in without} == {(None, "screened")}
    p = np.concatenate([[one.result.p for one in tested], np.ones(looked_at - len(tested))])
    assert [one.q_bh for one in tested] == pytest.approx(benjamini_hochberg(p)[: len(tested)].tolist())


def test_the_second_stage_goes_to_strata_with_a_small_p() -> None:
    market = Market(150, 4).background(orders=60)
    add = market.times(5)
    market.place(add, add + 20 * MS)
    found = run_tests(market.day(), seed=1, profile=Profile(19, 59, 3), tests=["E1"])
    assert {one.result.n_surrogate for one in found} == {19, 59}


def test_the_same_seed_gives_the_same_numbers() -> None:
    day = Market(90, 5).background(orders=60).day()
    one, other = (run_tests(day, seed=3, profile=SMALL, tests=["E1", "E10"]) for _ in range(2))
    assert [(a.result.p_raw, a.result.effect, a.q_bh) for a in one] == [
        (b.result.p_raw, b.result.effect, b.q_bh) for b in other
    ]


def test_small_p_without_a_second_stage_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "MOST_SECOND_STAGE", 0)
    market = Market(150, 1).background(orders=120)
    add = market.times(8)
    market.place(add, add + 20 * MS)
    found = run_tests(market.day(), seed=1, profile=Profile(39, 99, 2), tests=["E1"])
    marked = [one.result.p for one in found if "stage1_only" in one.result.notes]
    assert len(marked) > 0
    assert max(marked) <= 0.05
    assert min(one.result.p for one in found if "stage1_only" not in one.result.notes) > 0.05
