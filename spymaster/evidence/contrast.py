"""The joining question: is algorithmic intensity different before a rejection than before matched placebo touches?

One contrast is registered, with one number and one p. The others are a family of their own, adjusted together
(Benjamini & Hochberg), and mean nothing alone. A case is a touch of a real level; its controls are the placebo touches
that `setup_episode` matched to it on time of day, size of moves, speed and direction. Nobody chose the placebos, so
that under the null the label of the case may be swapped within a set.

That holds only for touches that do not share their seconds. Placebos stand at neighbouring prices, and one move touches
several of them at once: five controls of one moment are one control, and a swap that takes them for five finds
differences where there are none. So touches count only if no other that counts is near (`apart`).

It also takes sets for independent, which those of one date are not. A second p turns the signs of whole dates
(`contrast_days`); it knows nothing of touches, and takes the sum of a date for symmetric, which rare large shares are
not. The p that counts is the larger of both: it keeps its level where either of them does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS
from spymaster.evidence.bootstrap import sums_of
from spymaster.evidence.contrast_days import INTERVAL_DATES, draws, interval, sign_p
from spymaster.evidence.multiplicity import benjamini_hochberg
from spymaster.evidence.streams import Streams
from spymaster.setups.matching import APART_S
from spymaster.tables.algo_intensity_1s import INTENSITY_FAMILIES, share_column
from spymaster.tables.types import BANDS

LEAST_CONTROLS = 2
LEAST_SETS, LEAST_DAYS = 10, 6
"""With fewer nothing is said, whatever the numbers: turning the signs of five dates, no p is below 1 / 16."""
PERMUTATIONS = 1999
RATE_SHARE = 0.25
POWER = 2.8
"""A difference of so many standard errors is found in four of five studies (z 0.975 + z 0.8)."""
CASES = ("reject", "break", "reject_minus_break")
KIND_SIGNS = np.array([1.0, -1.0, -1.0, 1.0])
"""Of the means of real touches that were rejected and that broke, and of placebos, in the difference of differences."""
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
    """Difference of means and how sure it is; NaN where it is not known.

    n_dropped: cases with too few controls. p_swap: by swapping cases within sets; p_days: by turning signs of dates.
    """

    question: Question
    n_sets: int
    n_days: int
    n_dropped: int
    delta: float = np.nan
    low: float = np.nan
    high: float = np.nan
    mean_case: float = np.nan
    mean_control: float = np.nan
    p_swap: float = np.nan
    p_days: float = np.nan
    mdd: float = np.nan
    q: float = field(default=np.nan, compare=False)

    @property
    def p(self) -> float:
        """The larger p; it keeps its level if sets are independent, or if dates are and lean either way alike."""
        return max(self.p_swap, self.p_days)

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
    """One question. Days are drawn for the interval; for p cases are swapped within sets, and signs of days turned."""
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
    names, day = np.unique(days, return_inverse=True)
    count, total_of_day = np.bincount(day), np.zeros(len(names))
    np.add.at(total_of_day, day, own)
    low = high = error = np.nan
    if len(names) >= INTERVAL_DATES:
        drawn = draws(len(names), streams)
        low, high, error = interval(sums_of(drawn, total_of_day) / sums_of(drawn, count), len(names))
    delta = float(own.mean())
    return Answer(
        question,
        len(own),
        len(names),
        dropped,
        delta,
        low,
        high,
        float(members[:, 0].mean()),
        float(((total - members[:, 0]) / (size - 1)).mean()),
        float(1 + np.sum(np.abs(swapped) >= abs(delta) - 1e-15)) / (PERMUTATIONS + 1),
        sign_p(total_of_day, streams),
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
    reject = np.array([[k >= 0 and touches.outcome[k] == "reject" for k in row] for row in member.tolist()])
    broke = (member >= 0) & ~reject
    value = np.where(member >= 0, values[member], 0.0)
    number = np.stack([reject, broke], axis=-1).astype(np.float64)
    each = _with_each_as_case(np.stack([number, number * value[..., None]], axis=-1))
    names, of_day = np.unique(np.array([day for day, _ in kept]), return_inverse=True)
    streams = Streams(seed, f"contrast/{question.contrast_id}")
    random, rows = streams.random(1), np.arange(len(kept))
    own = each[:, 0].sum(axis=0)
    delta = float(_differences(own))
    if np.isnan(delta):
        return Answer(question, len(kept), len(names), dropped)
    swapped = _differences(
        np.array(
            [each[rows, (random.random(len(kept)) * size).astype(np.int64)].sum(axis=0) for _ in range(PERMUTATIONS)]
        )
    )
    swapped = swapped[~np.isnan(swapped)]
    by_day = np.zeros((len(names), *own.shape))
    np.add.at(by_day, of_day, each[:, 0])
    low = high = error = np.nan
    if len(names) >= INTERVAL_DATES:
        low, high, error = interval(_differences(np.tensordot(draws(len(names), streams), by_day, 1)), len(names))
    beyond = np.sum(np.abs(swapped) >= abs(delta) - 1e-15)
    return Answer(
        question, len(kept), len(names), dropped, delta, low, high,
        p_swap=float(1 + beyond) / (len(swapped) + 1),
        p_days=sign_p(_parts_of_days(by_day), streams), mdd=POWER * error,
    )  # fmt: skip


def _with_each_as_case(of_outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of each set if one or another of its members were the case: [sets, members, kinds, (number, value)].

    of_outcome: [sets, members, (reject, break), (number, value)]. Kinds are in order of `KIND_SIGNS`.
    """
    return np.concatenate([of_outcome, of_outcome.sum(axis=1, keepdims=True) - of_outcome], axis=2)


def _differences(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Difference of differences of sums [..., kinds, (number, value)]; NaN where a kind has no touch."""
    number = sums[..., 0]
    means = sums[..., 1] / np.where(number > 0, number, np.nan)
    return means @ KIND_SIGNS


def _parts_of_days(by_day: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each day adds to the difference, around nothing if there is none, however its kinds are mixed.

    by_day: [days, kinds, (number, value)]. Values are taken from the means that the kinds would have without a
    difference, by least squares: what real touches and rejections each have for themselves is no part of it. These are
    the effective scores whose signs Hemerik, Goeman & Finos (2020, JRSS B 82) turn; their sum is the difference.
    """
    number, value = by_day.sum(axis=0).T
    means = value / number
    without = means - KIND_SIGNS / number * (KIND_SIGNS @ means) / (1 / number).sum()
    return (by_day[..., 1] - by_day[..., 0] * without) @ (KIND_SIGNS / number)
