"""The gates of `spymaster bench evidence`: what they ask of p-values, of planted agents, and that a run goes on."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks import evidence
from benchmarks import evidence_gates as gates
from benchmarks import evidence_untied as untied
from benchmarks.evidence import Step, code_hash
from benchmarks.evidence_days import SimDay, dates, reference_agents, simulated_day
from benchmarks.evidence_picture import picture
from benchmarks.evidence_planted import expectations, outcome
from benchmarks.evidence_power import powers, wilson
from benchmarks.evidence_search import Searched, search
from benchmarks.evidence_sources import modules_of
from spymaster.evidence import reactions
from spymaster.evidence.families import TESTS, Profile
from spymaster.evidence.law import Law
from spymaster.evidence.strata import POOLED, Stratum, register
from spymaster.evidence.streams import Streams
from spymaster.settings import Settings

SURROGATES = 19
MESSAGES = 40_000
SETTINGS = Settings()
LAW = Law(21, 10, 57, (7,), (date(2025, 12, 30),))
Planted = tuple[SimDay, Searched, dict[str, Any]]


def drawn(n: int, dates: int, power: float, seed: int = 3) -> list[gates.Counts]:
    """p-values of some dates: uniform ones to a power, as places of 1 to `SURROGATES` + 1."""
    rng = np.random.default_rng(seed)
    every = np.ceil(rng.random((dates, n)) ** power * (SURROGATES + 1)).astype(int)
    return [dict(zip(*np.unique(one, return_counts=True), strict=True)) for one in every]


def test_uniform_p_values_pass_and_small_ones_do_not() -> None:
    fair, small = (gates.size(drawn(40, 30, power), SURROGATES) for power in (1.0, 2.0))
    assert fair.n == 1200
    assert gates.LEAST_SHARE <= fair.share <= gates.MOST_SHARE
    assert fair.low < 0.05 < fair.high
    assert fair.ks > gates.LEAST_KS
    assert small.share > gates.MOST_SHARE
    assert small.ks < gates.LEAST_KS


def test_rows_of_a_date_that_agree_are_one() -> None:
    """Forty rows with the p of one: 30 dates say no more than 30 rows do."""
    one = drawn(1, 30, 1.0)
    many = [{place: 40 * count for place, count in counts.items()} for counts in one]
    alone, together = (asdict(gates.size(each, SURROGATES)) for each in (one, many))
    assert together.pop("n") == 40 * alone.pop("n")
    assert together == alone


def test_without_any_p_there_is_no_size() -> None:
    with pytest.raises(ValueError, match="no p-value"):
        gates.size([{}, {}], SURROGATES)


def test_a_family_found_something_if_its_smallest_q_is_small() -> None:
    rows = pl.DataFrame({"test_id": ["E1", "E1", "E3", "E6"], "q_bh": [0.3, 0.04, 0.06, None]})
    assert gates.families(rows) == {"E1": True, "E3": False}
    assert gates.by_chance(240) == (6, 19)
    assert gates.by_chance(8) == (0, 2)


def test_an_interval_of_a_share_holds_it_and_stays_within_its_bounds() -> None:
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0
    low, high = wilson(16, 20)
    assert (round(low, 3), round(high, 3)) == (0.584, 0.919)


@pytest.fixture(scope="module")
def planted() -> Planted:
    """Orders of one age at a multiple of the usual strength, and nobody else."""
    agents = reference_agents(20.0, only=["fleeting_quoter"])
    made = simulated_day(dates(1)[0], 5, "ci", agents, SETTINGS, messages=MESSAGES)
    found = search(made, LAW, SETTINGS, Profile(99, None, None), tests=["E1"])
    (expected,) = expectations(agents)
    return made, found, outcome(made, found, expected, SETTINGS.evidence)


def test_a_planted_kind_is_found_with_its_value_and_its_messages(planted: Planted) -> None:
    made, _, told = planted
    assert set(made.planted.kinds.values()) == {"fleeting_quoter"}
    assert (told["found"], told["right"], told["planted"]) == (True, True, 20.0)
    assert told["peak"] == pytest.approx(20.0, abs=1.0)
    assert told["precision"] >= 0.6
    assert told["weights_right"] >= 0.6
    assert told["weights"] / told["planted_messages"] == pytest.approx(1.0, abs=0.25)


def test_another_value_than_the_planted_one_is_not_right(planted: Planted) -> None:
    made, found, _ = planted
    agents = reference_agents(20.0, only=["fleeting_quoter"])
    section = agents.fleeting_quoter[0].model_copy(update={"age_ms": 35.0})
    (expected,) = expectations(agents.model_copy(update={"fleeting_quoter": [section]}))
    told = outcome(made, found, expected, SETTINGS.evidence)
    assert (told["found"], told["right"], told["listed"], told["weights"]) == (True, False, 0, 0.0)


def test_messages_of_others_are_not_the_agents(planted: Planted) -> None:
    made, found, _ = planted
    orders = found.day.lives.order
    mine = made.planted.by("fleeting_quoter", orders)
    assert 0 < mine.sum() < len(mine) / 2
    assert not made.planted.by("peg", orders).any()
    lasted = (found.day.lives.ts_end - found.day.lives.ts_add)[mine & (found.day.lives.reason == 0)]
    assert np.quantile(lasted, [0.1, 0.9]) == pytest.approx([20e6, 20e6], abs=1e6)


def test_the_background_answers_nothing_after_a_sharp_delay() -> None:
    """Its quotes come in bursts, within microseconds after a change of the price, the sooner the likelier."""
    day = simulated_day(dates(21)[20], 70_000, "ci", None, SETTINGS).arrays(LAW)
    pooled = [one for one in register()[reactions.TEST] if one.size == POOLED]
    found = [
        result for place, one in enumerate(pooled) for result in reactions.run(day, one, Streams(1, "E3", place), 99)
    ]  # fmt: skip
    for name in ("ms", "few_ms", "sub_ms"):
        floor = [result.p for result in found if result.sub_id == name and result.p <= 0.01]
        assert len(floor) <= 2, name  # of 36, one in three by chance


def test_pairs_that_are_moved_apart_keep_their_lives_and_are_pairs_no_more() -> None:
    agents = reference_agents(untied.STRENGTH, only=["co_placer"])
    made = simulated_day(dates(1)[0], 7, "ci", agents, SETTINGS, messages=MESSAGES)
    before = made.arrays(LAW)
    chosen = made.planted.by("co_placer", before.lives.order)
    after = untied.apart(before, chosen, np.random.default_rng(7))
    one, other = (np.argsort(day.lives.order, kind="stable") for day in (before, after))
    moved = after.lives.ts_add[other] - before.lives.ts_add[one]
    assert np.array_equal(after.lives.ts_end[other] - before.lives.ts_end[one], moved)
    assert not moved[~chosen[one]].any()
    assert 0.4 < np.std(moved[chosen[one]]) / untied.APART < 0.7
    assert np.all(np.diff(after.lives.ts_end) >= 0)
    pairs = [
        {one.sub_id: one.n_tgt for one in TESTS["E10"][0](day, Stratum(), Streams(1, "E10"), SURROGATES)}
        for day in (before, after)
    ]
    assert pairs[0]["1us"] > 50
    assert pairs[1]["1us"] < 5


@pytest.mark.parametrize("test", untied.TESTS)
def test_the_level_is_of_what_is_counted_where_nothing_is_found(test: str) -> None:
    profile = Profile(SURROGATES, 99, None)
    found = untied.level(test, dates(1)[0], 8, LAW, SETTINGS, profile, 5 * MESSAGES)
    again = untied.level(test, dates(1)[0], 8, LAW, SETTINGS, profile, 5 * MESSAGES)
    assert found == again
    assert set(found) == ({"E7", *untied.NAMES.values()} if test == "E7" else {"E10"})
    assert sum(found[test].values()) >= 2
    assert 2 < max(found[test]) <= SURROGATES + 1  # of what is there all p are at their floor


def test_power_is_by_kind_and_strength_and_drawn(planted: Planted) -> None:
    *_, told = planted
    days = [{"strength": 1.0, "messages": 10**5, "kinds": [one]} for one in (told, told | {"found": False})]
    (row,) = powers(days)
    assert (row["dates"], row["found"], row["recall"], row["right"]) == (2, 1, 0.5, 1)
    assert row["share of messages"] == round(told["planted_messages"] / 10**5, 7)
    assert row["share of messages"] > 0
    assert picture([row]).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="nothing to draw"):
        picture([])


def test_a_finished_step_is_done_again_only_by_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: list[str] = []

    def once() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
        runs.append("run")
        kinds = [{"kind": "peg", "test": "E2 peg_lag", "found": len(runs) > 1, "right": True, "peak": 0.3}]
        return {"strength": 1.0, "messages": 1000, "kinds": kinds}, {"algo_test": pl.DataFrame({"run": [len(runs)]})}

    def run(*options: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["evidence", "--json", "--results", str(tmp_path / "kept.jsonl"), *options])
        evidence.main()
        return json.loads(capsys.readouterr().out)["targets"]

    recall = "V3 peg: dates that found it"
    monkeypatch.setattr(evidence.Bench, "steps", lambda bench: [Step("planted E2", 1, "here", once)])
    assert [run()[recall]["value"], run()[recall]["value"], len(runs)] == [0.0, 0.0, 1]
    assert run("--only", "background") == {}
    monkeypatch.setattr(evidence, "code_hash", lambda step: "another")
    assert [run("--steps", "0"), len(runs)] == [{}, 1]
    assert [run("--steps", "0", "--any-code")[recall]["value"], len(runs)] == [0.0, 1]
    assert [run()[recall]["value"], run()[recall]["value"], len(runs)] == [1.0, 1.0, 2]
    lines = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert [line["code"] for line in lines] == [code_hash("planted E2"), "another"]


@pytest.mark.parametrize(("options", "background", "power"), [((), 30, 5), (("--backgrounds", "90"), 90, 5),
                                                              (("--dates", "2"), 2, 2)])  # fmt: skip
def test_how_many_dates_there_are_is_as_asked(
    options: tuple[str, ...], background: int, power: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[evidence.Sizes] = []
    monkeypatch.setattr(sys, "argv", ["evidence", "--results", str(tmp_path / "kept.jsonl"), *options])
    monkeypatch.setattr(evidence.Bench, "steps", lambda bench: sizes.append(bench.sizes) or [])
    evidence.main()
    assert {(one.background, one.power) for one in sizes} == {(background, power)}


def test_figures_depend_on_what_made_them() -> None:
    assert code_hash("background E3") == code_hash("size E3") != code_hash("planted E3") == code_hash("power E3")
    counts = {
        one: len(list(evidence.REPOSITORY.glob(one)))
        for one in (*evidence.SOURCES, *sum(evidence.KIND_SOURCES.values(), ()))
    }
    assert all(counts.values()), counts


def test_a_change_of_one_test_leaves_figures_of_the_others_standing() -> None:
    users = [evidence.REPOSITORY / "benchmarks" / name for name in ("evidence_search.py", "evidence_planted.py")]
    of = {tests: set(modules_of(tests, users)) for tests in (("E3",), ("E4",), ("E3", "E4"))}
    assert of["E3",] - of["E4",] == {"lags", "reactions"}
    assert of["E4",] - of["E3",] == {"phase", "shifts"}
    assert of["E3", "E4"] == of["E3",] | of["E4",]
    shared = {"arrays", "families", "maxstat", "nulls", "result", "rows", "strata", "streams", "verdicts"}
    assert shared < of["E3",] & of["E4",]
    assert not {"contrast", "report", "periods"} & of["E3", "E4"]
    assert len({code_hash(f"background {test}") for test in TESTS}) == len(TESTS)
