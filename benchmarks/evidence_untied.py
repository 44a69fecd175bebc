"""Markets with something to count and nothing to find: the level of tests that `ci` gives nothing to count.

- E7: groups of layers on one date, trades and quotes of the next one at the same time of day. Nothing is withdrawn
  after those trades but by chance.
- E10: pairs that were placed and removed together, each order moved by itself by up to 5 ms with its cancel. They are
  still placed within milliseconds of each other, which is no habit of microseconds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from datetime import date

import numpy as np

from benchmarks.evidence_days import dates, reference_agents, simulated_day
from spymaster.evidence import coplacement, layers
from spymaster.evidence.arrays import DayArrays, Flags, Market
from spymaster.evidence.bins import MS
from spymaster.evidence.controls import shuffled
from spymaster.evidence.families import Profile, run_tests
from spymaster.evidence.law import Law
from spymaster.evidence.result import TestResult
from spymaster.settings import Settings

TESTS = {layers.TEST: "layerer", coplacement.TEST: "co_placer"}
"""Tests that are asked here, and who gives them something to count."""
STRENGTH = 5.0
"""Of these agents, as a multiple of the reference file: some fifteen groups of layers on a date of `ci`."""
FROM_SEED = 500_000
"""Of a date whose trades are borrowed, beyond the seed of the date itself."""
APART = 5 * MS
NAMES = {"contra_pull": f"{layers.TEST} side of what is withdrawn", "p_shifted": f"{layers.TEST} trades shifted"}
"""p that are told beside those of a test: of a sub-test, and of one of two nulls."""


def level(
    test: str, dt: date, seed: int, law: Law, settings: Settings, profile: Profile, messages: int | None = None
) -> dict[str, dict[int, int]]:
    """How often each p of the first stage, in units of 1 / (S + 1), by test and by name of `NAMES`.

    messages: of the date, in place of the preset's. Raises KeyError for a test that is not among `TESTS`.
    """
    agents = reference_agents(STRENGTH, only=[TESTS[test]])
    made = simulated_day(dt, seed, "ci", agents, settings, messages=messages)
    day = made.arrays(law)
    if test == layers.TEST:
        other = simulated_day(dates(2, dt)[1], FROM_SEED + seed, "ci", None, settings, messages=messages)
        lent = other.arrays(law)
        day = shuffled(day, Market(lent.trades, lent.quotes, lent.start))
    else:
        day = apart(day, made.planted.by(TESTS[test], day.lives.order), np.random.default_rng(seed))
    counts: dict[str, Counter[int]] = {}

    def seen(result: TestResult) -> None:
        beside = {result.sub_id: result.p_raw, **result.facts}
        told = {test: result.p_raw} | {NAMES[name]: p for name, p in beside.items() if name in NAMES}
        for name, p in told.items():
            if p is not None:
                counts.setdefault(name, Counter())[round(p * (profile.surrogates + 1))] += 1

    run_tests(day, seed=settings.evidence.seed, profile=replace(profile, more=None), tests=[test], seen=seen)
    return {name: dict(sorted(found.items())) for name, found in sorted(counts.items())}


def apart(day: DayArrays, chosen: Flags, rng: np.random.Generator) -> DayArrays:
    """The day with the lives that are chosen moved by up to `APART` ns, each by itself; how long they last stays."""
    lives = day.lives
    moved = np.where(chosen, rng.integers(-APART, APART, len(chosen), endpoint=True), 0)
    end = lives.ts_end + moved
    order = np.argsort(end, kind="stable")
    lives = replace(lives, ts_add=lives.ts_add + moved, ts_end=end)
    return replace(day, lives=replace(lives, **{one.name: getattr(lives, one.name)[order] for one in fields(lives)}))
