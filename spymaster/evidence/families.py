"""All registered tests of a day, and what their p-values are worth together: one family per test and date."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spymaster.evidence import chains, coplacement, icebergs, layers, lifetimes, periods, phase, reactions
from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.multiplicity import benjamini_hochberg, benjamini_yekutieli, is_underpowered
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import LEAST_EVENTS, Stratum, register, with_enough
from spymaster.evidence.streams import Streams

Run = Callable[[DayArrays, Stratum, Streams, int, int | None], list[TestResult]]
Count = Callable[[DayArrays, Stratum], int]

MOST_SECOND_STAGE = 20
"""Strata of a test that get the second stage; the others with a small p are marked `stage1_only`."""


@dataclass(frozen=True)
class Profile:
    """How much is computed: surrogates of the first stage, of the second (None for no second), strata per test."""

    surrogates: int
    more: int | None
    strata: int | None


STANDARD = Profile(199, 1999, None)
DEMO = Profile(99, None, 20)


@dataclass(frozen=True)
class Judged:
    """A result in its family. q is None for a fact, which is in no family, and for windows of E5 that were looked at
    and not tested, which are in it; seconds are of the stratum's whole run.
    """

    result: TestResult
    family_size: int
    q_bh: float | None
    q_by: float | None
    underpowered_family: bool
    seconds: float


def _messages(day: DayArrays, stratum: Stratum) -> int:
    return int(stratum.among(day.messages, day.messages.qty).sum())


def _pairs(day: DayArrays, stratum: Stratum) -> int:
    """A reaction needs what is answered as well as answers."""
    return min(len(reactions.targets(day, stratum).ts), len(reactions.references(day, stratum.reference).ts))


TESTS: dict[str, tuple[Run, Count]] = {
    lifetimes.TEST: (lifetimes.run, lambda day, stratum: len(lifetimes.cancelled(day, stratum))),
    chains.TEST: (chains.run, _messages),
    reactions.TEST: (reactions.run, _pairs),
    phase.TEST: (phase.run, _messages),
    periods.TEST: (periods.run, _messages),
    icebergs.TEST: (icebergs.run, lambda day, stratum: LEAST_EVENTS),
    layers.TEST: (layers.run, lambda day, stratum: LEAST_EVENTS),
    coplacement.TEST: (coplacement.run, lambda day, stratum: len(coplacement.placed(day, stratum))),
}
"""Every test: what runs it, and how many events a stratum has for it (all others have no least number)."""


def run_tests(
    day: DayArrays, *, seed: int, profile: Profile = STANDARD, tests: Collection[str] = tuple(TESTS)
) -> list[Judged]:
    """Run tests on all their registered strata, and adjust the p-values of each test for its family."""
    judged: list[Judged] = []
    for test in tests:
        judged += _judge(_results(day, test, seed, profile))
    return judged


def _results(day: DayArrays, test: str, seed: int, profile: Profile) -> list[tuple[TestResult, float]]:
    run, count = TESTS[test]
    strata = with_enough(register()[test], lambda one: count(day, one))
    if profile.strata is not None:
        strata = strata[:: max(-(-len(strata) // profile.strata), 1)]
    first = [
        _timed(run, day, stratum, Streams(seed, test, place), profile.surrogates, None) for place, stratum in strata
    ]
    if profile.more is None:
        return [(result, seconds) for results, seconds in first for result in results]
    small = [number for number, (results, _) in enumerate(first) if _least(results) <= ALPHA]
    small.sort(key=lambda number: -max(result.statistic for result in first[number][0]))
    again, left = small[:MOST_SECOND_STAGE], set(small[MOST_SECOND_STAGE:])
    for number in again:
        place, stratum = strata[number]
        streams = Streams(seed, test, place)
        first[number] = _timed(run, day, stratum, streams, profile.surrogates, profile.more)
    return [
        (replace(result, notes=(*result.notes, "stage1_only")) if number in left else result, seconds)
        for number, (results, seconds) in enumerate(first)
        for result in results
    ]


def _timed(run: Run, *arguments) -> tuple[list[TestResult], float]:
    started = time.perf_counter()
    return run(*arguments), time.perf_counter() - started


def _least(results: Sequence[TestResult]) -> float:
    return min((result.p_raw for result in results if result.p_raw is not None), default=1.0)


def _judge(results: Sequence[tuple[TestResult, float]]) -> list[Judged]:
    """q of one test's results. Windows that E5 looked at without testing them are in the family with p 1."""
    tested = [result for result, _ in results if result.p_raw is not None]
    windows = {
        (one.stratum_json, one.sub_id): int(one.facts["windows"]) for one, _ in results if "windows" in one.facts
    }
    unscreened = sum(windows.values()) - sum("windows" in one.facts for one in tested)
    p = np.concatenate([[result.p for result in tested], np.ones(unscreened)])
    by = {id(result): number for number, result in enumerate(tested)}
    bh, conservative = (adjust(p) if len(p) else p for adjust in (benjamini_hochberg, benjamini_yekutieli))
    floor = min((result.p_floor or 1.0 for result in tested), default=1.0)
    weak = is_underpowered(floor, len(p))
    return [
        Judged(result, len(p) if "windows" in result.facts else 0, None, None, False, seconds)
        if result.p_raw is None
        else Judged(result, len(p), float(bh[by[id(result)]]), float(conservative[by[id(result)]]), weak, seconds)
        for result, seconds in results
    ]
