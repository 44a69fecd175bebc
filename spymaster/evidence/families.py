"""All registered tests of a day, and what their p-values are worth together: one family per test and date."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from spymaster.evidence import chains, coplacement, icebergs, layers, lifetimes, periods, phase, reactions
from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.multiplicity import benjamini_hochberg, benjamini_yekutieli, is_underpowered
from spymaster.evidence.result import First, TestResult
from spymaster.evidence.strata import LEAST_EVENTS, Stratum, register, with_enough
from spymaster.evidence.streams import Streams
from spymaster.settings import EvidenceSettings


class Run(Protocol):
    """A test of one stratum. first: its results of the first stage; only small ones are carried on."""

    def __call__(
        self,
        day: DayArrays,
        stratum: Stratum,
        streams: Streams,
        surrogates: int,
        more: int | None = None,
        first: First = (),
    ) -> list[TestResult]: ...


Count = Callable[[DayArrays, Stratum], int]

MOST_SECOND_STAGE = 20
"""Strata of a test that get the second stage; the others with a small p are marked `stage1_only`."""


@dataclass(frozen=True)
class Profile:
    """How much is computed: surrogates of the first stage, of the second (None for no second), strata per test."""

    surrogates: int
    more: int | None
    strata: int | None

    @classmethod
    def of(cls, settings: EvidenceSettings, profile: str) -> Profile:
        """From the settings; profile: `standard` or `demo`."""
        if profile == "demo":
            return cls(settings.surrogates_demo, None, settings.strata_demo)
        return cls(settings.surrogates, settings.surrogates_second, None)


@dataclass(frozen=True)
class Judged:
    """A result in its family. q is None for a fact, which is in no family, and for windows of E5 that were looked at
    and not tested, which are in it; place: of the stratum in the register.
    """

    result: TestResult
    stratum: Stratum
    place: int
    family_size: int
    q_bh: float | None
    q_by: float | None
    underpowered_family: bool
    halves: Halves | None = None


@dataclass(frozen=True)
class Halves:
    """Peaks of the two halves of a date (NaN where there is none), and whether they are one."""

    first: float
    second: float
    agree: bool


@dataclass(frozen=True)
class _Ran:
    result: TestResult
    stratum: Stratum
    place: int


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
    day: DayArrays,
    *,
    seed: int,
    profile: Profile,
    tests: Collection[str] = tuple(TESTS),
    without: Collection[str] = (),
    seen: Callable[[TestResult], None] | None = None,
) -> list[Judged]:
    """Run tests on all their registered strata, and adjust the p-values of each test for its family.

    without: `sub_id` of results that are dropped before, and are in no family. seen: is told every result of the first
    stage, whose p is uniform where nothing is; that of the second is of the small ones only.
    """
    judged: list[Judged] = []
    for test in tests:
        ran = _results(day, test, seed, profile, seen)
        judged += _judge([one for one in ran if one.result.sub_id not in without])
    return judged


def _results(
    day: DayArrays, test: str, seed: int, profile: Profile, seen: Callable[[TestResult], None] | None
) -> list[_Ran]:
    run, count = TESTS[test]
    strata = with_enough(register(day.law.favourites)[test], lambda one: count(day, one))
    if profile.strata is not None:
        strata = strata[:: max(-(-len(strata) // profile.strata), 1)]
    first = [run(day, stratum, Streams(seed, test, place), profile.surrogates, None) for place, stratum in strata]
    if seen is not None:
        for result in (result for results in first for result in results):
            seen(result)
    left: set[int] = set()
    if profile.more is not None:
        small = [number for number, results in enumerate(first) if _least(results) <= ALPHA]
        small.sort(key=lambda number: -max(result.statistic for result in first[number]))
        left = set(small[MOST_SECOND_STAGE:])
        for number in small[:MOST_SECOND_STAGE]:
            place, stratum = strata[number]
            before, streams = first[number], Streams(seed, test, place)
            first[number] = run(day, stratum, streams, profile.surrogates, profile.more, before)
    return [
        _Ran(
            replace(result, notes=(*result.notes, "stage1_only")) if number in left and result.is_small else result,
            strata[number][1],
            strata[number][0],
        )
        for number, results in enumerate(first)
        for result in results
    ]


def _least(results: Sequence[TestResult]) -> float:
    return min((result.p_raw for result in results if result.p_raw is not None), default=1.0)


def _judge(ran: Sequence[_Ran]) -> list[Judged]:
    """q of one test's results. Windows that E5 looked at without testing them are in the family with p 1."""
    tested = [one for one in ran if one.result.p_raw is not None]
    windows = {
        (one.place, one.result.sub_id): int(one.result.facts["windows"] or 0)
        for one in ran
        if "windows" in one.result.facts
    }
    unscreened = sum(windows.values()) - sum("windows" in one.result.facts for one in tested)
    p = np.concatenate([[one.result.p for one in tested], np.ones(unscreened)])
    by = {id(one): number for number, one in enumerate(tested)}
    bh, conservative = (adjust(p) if len(p) else p for adjust in (benjamini_hochberg, benjamini_yekutieli))
    floor = min((one.result.p_floor or 1.0 for one in tested), default=1.0)
    weak = is_underpowered(floor, len(p))
    judged = []
    for one in ran:
        number = by.get(id(one))
        in_family = number is not None or "windows" in one.result.facts
        judged.append(
            Judged(
                one.result,
                one.stratum,
                one.place,
                len(p) if in_family else 0,
                None if number is None else float(bh[number]),
                None if number is None else float(conservative[number]),
                weak and number is not None,
            )
        )
    return judged
