"""The joining question: is algorithmic intensity different before a rejection than before matched placebo touches?

One contrast is registered, with one number and one p. The others are a family of their own, adjusted together
(Benjamini & Hochberg), and mean nothing alone. A case is a touch of a real level; its controls are the placebo touches
that `setup_episode` matched to it on time of day, size of moves, speed and direction. Nobody chose the placebos, so
that under the null the label of the case may be swapped within a set.

That holds only for touches that do not share their seconds. Placebos stand at neighbouring prices, and one move touches
several of them at once: five controls of one moment are one control, and a swap that takes them for five finds
differences where there are none. So touches count only if no other that counts is near (`apart`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS
from spymaster.evidence.bootstrap import sums_of
from spymaster.evidence.multiplicity import benjamini_hochberg
from spymaster.evidence.streams import BOOTSTRAP, Streams
from spymaster.setups.matching import APART_S
from spymaster.tables.algo_intensity_1s import INTENSITY_FAMILIES, share_column
from spymaster.tables.types import BANDS

LEAST_CONTROLS = 2
LEAST_SETS, LEAST_DAYS = 10, 2
"""With fewer nothing is said, whatever the numbers."""
RESAMPLES, PERMUTATIONS = 2000, 1999
RATE_SHARE = 0.25
POWER = 2.8
"""A difference of so many standard errors is found in four of five studies (z 0.975 + z 0.8)."""
CASES = ("reject", "break", "reject_minus_break")
VERDICTS = ("higher", "lower", "not_distinguishable", "too_few")


@dataclass(frozen=True)
class Question:
    """What is compared: share of which messages, over how many seconds before the touch, before which outcome."""

    contrast_id: str
    n_s: int = 10
    measure: str = "share_msgs"
    side: str = "all"
    band: str = "all"
    case_def: str = "reject"
    same_rate: bool = False
    """Controls have messages per second within a quarter of the case's, too."""


PRIMARY = Question("primary")
SECONDARY = (
    *(replace(PRIMARY, contrast_id=f"{seconds}_seconds", n_s=seconds) for seconds in (2, 5, 30)),
    *(replace(PRIMARY, contrast_id=f"side_{side}", side=side) for side in ("ahead", "behind")),
    *(replace(PRIMARY, contrast_id=f"band_{band}", band=band) for band in BANDS),
    *(replace(PRIMARY, contrast_id=share_column(name), measure=share_column(name)) for name in INTENSITY_FAMILIES),
    replace(PRIMARY, contrast_id="share_qty", measure="share_qty"),
    replace(PRIMARY, contrast_id="before_break", case_def="break"),
    replace(PRIMARY, contrast_id="reject_minus_break", case_def="reject_minus_break"),
    replace(PRIMARY, contrast_id="same_message_rate", same_rate=True),
)


@dataclass(frozen=True)
class MatchedSet:
    """A real touch and its placebo touches: places of both in the values, the day, and outcomes."""

    day: int
    case: int
    controls: tuple[int, ...]


@dataclass(frozen=True)
class Touches:
    """Touches by place: outcome (`reject`, `break`, `chop`), messages per second (relative; NaN unknown), sets."""

    outcome: Sequence[str | None]
    rate: NDArray[np.float64]
    sets: Sequence[MatchedSet]


@dataclass(frozen=True)
class Answer:
    """Difference of means and how sure it is; NaN where it is not known. n_dropped: cases with too few controls."""

    question: Question
    n_sets: int
    n_days: int
    n_dropped: int
    delta: float = np.nan
    low: float = np.nan
    high: float = np.nan
    mean_case: float = np.nan
    mean_control: float = np.nan
    p: float = np.nan
    mdd: float = np.nan
    q: float = field(default=np.nan, compare=False)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`: distinguishable where p (of a secondary question q) is at most 0.05."""
        if self.n_sets < LEAST_SETS or self.n_days < LEAST_DAYS:
            return "too_few"
        adjusted = self.p if np.isnan(self.q) else self.q
        if not adjusted <= 0.05:
            return "not_distinguishable"
        return "higher" if self.delta > 0 else "lower"


def apart(ts: NDArray[np.int64], sets: Sequence[MatchedSet]) -> list[MatchedSet]:
    """The sets of one day in order of their cases, of touches at least `APART_S` from each other.

    So none shares a second with another. ts: times in ns. Cases are chosen before controls, both in order of time and
    without a look at any value. A case too near an earlier one, as of two levels at almost one price, keeps no
    controls.
    """
    counted: list[int] = []

    def counts(touch: int) -> bool:
        at = int(ts[touch])
        place = bisect_left(counted, at)
        near = counted[max(place - 1, 0) : place + 1]
        if any(abs(at - other) < APART_S * SECOND_NS for other in near):
            return False
        counted.insert(place, at)
        return True

    ordered = sorted(sets, key=lambda one: (ts[one.case], one.case))
    kept = [counts(one.case) for one in ordered]
    found = []
    for one, alone in zip(ordered, kept, strict=True):
        controls = sorted(one.controls, key=lambda k: (ts[k], k)) if alone else []
        found.append(replace(one, controls=tuple(k for k in controls if counts(k))))
    return found


Values = Callable[[Question], NDArray[np.float64]]
"""Value of every touch for a question, NaN where it is not known."""


def answers(touches: Touches, values: Values, seed: int) -> list[Answer]:
    """The primary question's answer first, then those of the secondary family with their q."""
    primary = answer(PRIMARY, touches, values(PRIMARY), seed)
    others = [answer(question, touches, values(question), seed) for question in SECONDARY]
    tested = [number for number, one in enumerate(others) if not np.isnan(one.p)]
    if tested:
        q = benjamini_hochberg([others[number].p for number in tested])
        for number, adjusted in zip(tested, q.tolist(), strict=True):
            others[number] = replace(others[number], q=adjusted)
    return [primary, *others]


def answer(question: Question, touches: Touches, values: NDArray[np.float64], seed: int) -> Answer:
    """One question. Days are drawn with replacement for the interval, cases swapped within sets for p."""
    if question.case_def == "reject_minus_break":
        return _interaction(question, touches, values, seed)
    members, days, dropped = _members(question, touches, values)
    if not len(members):
        return Answer(question, 0, 0, dropped)
    known = ~np.isnan(members)
    size = known.sum(axis=1)
    filled = np.where(known, members, 0.0)
    total = filled.sum(axis=1)
    # what the difference would be with each member of the set as the case
    each = filled - (total[:, None] - filled) / (size[:, None] - 1)
    own = each[:, 0]
    streams = Streams(seed, f"contrast/{question.contrast_id}")
    random = streams.random(1)
    swapped = np.empty(PERMUTATIONS)
    rows = np.arange(len(each))
    for number in range(PERMUTATIONS):
        swapped[number] = each[rows, (random.random(len(each)) * size).astype(np.int64)].mean()
    low, high, error = _by_days(own, np.ones(len(own)), days, streams)
    delta = float(own.mean())
    return Answer(
        question,
        len(own),
        len(np.unique(days)),
        dropped,
        delta,
        low,
        high,
        float(members[:, 0].mean()),
        float(((total - members[:, 0]) / (size - 1)).mean()),
        float(1 + np.sum(np.abs(swapped) >= abs(delta) - 1e-15)) / (PERMUTATIONS + 1),
        POWER * error,
    )


def _members(
    question: Question, touches: Touches, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Values of each set that counts, the case first (NaN fills), its day, and how many cases were dropped."""
    rows, days, dropped = [], [], 0
    for one in touches.sets:
        if touches.outcome[one.case] != question.case_def:
            continue
        controls = [k for k in one.controls if not np.isnan(values[k]) and _same_rate(question, touches, one.case, k)]
        if np.isnan(values[one.case]) or len(controls) < LEAST_CONTROLS:
            dropped += 1
            continue
        rows.append(np.concatenate([[values[one.case]], values[controls]]))
        days.append(one.day)
    most = max((len(row) for row in rows), default=0)
    members = np.full((len(rows), most), np.nan)
    for place, row in enumerate(rows):
        members[place, : len(row)] = row
    return members, np.array(days, np.int64), dropped


def _same_rate(question: Question, touches: Touches, case: int, control: int) -> bool:
    if not question.same_rate:
        return True
    own, other = touches.rate[case], touches.rate[control]
    return bool(abs(other - own) <= RATE_SHARE * own)


def _by_days(
    parts: NDArray[np.float64], wholes: NDArray[np.float64], days: NDArray[np.int64], streams: Streams
) -> tuple[float, float, float]:
    """95 % interval and standard error of sum(parts) / sum(wholes), days drawn with replacement; NaN with one day."""
    names, of_day = np.unique(days, return_inverse=True)
    n = len(names)
    if n < LEAST_DAYS:
        return np.nan, np.nan, np.nan
    drawn = streams.random(BOOTSTRAP).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    upper, lower = (sums_of(drawn, np.bincount(of_day, column, n)) for column in (parts, wholes))
    ratios = upper[lower > 0] / lower[lower > 0]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high), float(ratios.std())


def _interaction(question: Question, touches: Touches, values: NDArray[np.float64], seed: int) -> Answer:
    """(reject - break) of real touches less (reject - break) of placebos, over all members of the matched sets.

    A swap that leaves one of the four kinds without a touch has no difference. Whether it does depends on the sets and
    not on which member was the case, so that p among the swaps that have one is as exact as among all.
    """
    sets = [
        [k for k in (one.case, *one.controls) if not np.isnan(values[k]) and touches.outcome[k] in ("reject", "break")]
        for one in touches.sets
    ]
    kept = [
        (one.day, members)
        for one, members in zip(touches.sets, sets, strict=True)
        if len(members) > LEAST_CONTROLS and members[0] == one.case
    ]
    dropped = len(touches.sets) - len(kept)
    if not kept:
        return Answer(question, 0, 0, dropped)
    length = max(len(members) for _, members in kept)
    member = np.array([[*members, *[-1] * (length - len(members))] for _, members in kept])
    size = (member >= 0).sum(axis=1)
    value = np.where(member >= 0, values[member], 0.0)
    reject = np.array([[k >= 0 and touches.outcome[k] == "reject" for k in row] for row in member.tolist()])
    broke = (member >= 0) & ~reject
    days = np.array([day for day, _ in kept])
    rows = np.arange(len(kept))

    def difference(case: NDArray[np.int64], weight: NDArray[np.float64]) -> float:
        real = np.zeros(member.shape, np.bool_)
        real[rows, case] = True
        means = []
        for of_kind in (real & reject, real & broke, ~real & reject, ~real & broke):
            count = float((of_kind * weight[:, None]).sum())
            means.append(float((of_kind * value * weight[:, None]).sum()) / count if count > 0 else np.nan)
        return (means[0] - means[1]) - (means[2] - means[3])

    streams = Streams(seed, f"contrast/{question.contrast_id}")
    random, once, first = streams.random(1), np.ones(len(kept)), np.zeros(len(kept), np.int64)
    delta = difference(first, once)
    if np.isnan(delta):
        return Answer(question, len(kept), len(np.unique(days)), dropped)
    swaps = [difference((random.random(len(kept)) * size).astype(np.int64), once) for _ in range(PERMUTATIONS)]
    swapped = np.array([value for value in swaps if not np.isnan(value)])
    names, of_day = np.unique(days, return_inverse=True)
    low = high = error = np.nan
    if len(names) >= LEAST_DAYS:
        drawn = streams.random(BOOTSTRAP).multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
        resampled = np.array([difference(first, row[of_day].astype(np.float64)) for row in drawn])
        resampled = resampled[~np.isnan(resampled)]
        low, high = (float(bound) for bound in np.quantile(resampled, [0.025, 0.975]))
        error = float(resampled.std())
    beyond = np.sum(np.abs(swapped) >= abs(delta) - 1e-15)
    return Answer(
        question, len(kept), len(names), dropped, delta, low, high,
        p=float(1 + beyond) / (len(swapped) + 1), mdd=POWER * error,
    )  # fmt: skip
