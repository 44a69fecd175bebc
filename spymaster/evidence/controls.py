"""Negative controls: days on which nothing should be found, through the same tests as the day itself.

- `jittered`: the day with every event drawn anew in a cell of 50 ms, 1 s for E4, 10 s for E5. Structure finer than
  that is gone. Messages of one event stay together, ids stay, and orders end after they begin. E7 looks at seconds, and
  E4 at minutes, too, which no such cell destroys: they are not controlled by it.
- `shuffled_days`: trades and quotes of an earlier day at the same time of day. What answers them (E2, E3, E7) has
  nothing to answer to. What is pulled within a second after a trade (E7) is not controlled by jitter, but by this.
- `no_agents`: a simulated market of the same length, without anybody automatic (`no_agents`), which the caller makes.

A control family fails if any of its q is 0.05 or less. One in twenty does by chance: what counts is how many do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from spymaster.evidence import chains, coplacement, icebergs, layers, lifetimes, periods, phase, reactions
from spymaster.evidence.arrays import SECOND_NS, DayArrays, Ints, Market
from spymaster.evidence.bins import MS
from spymaster.evidence.families import TESTS, Judged, Profile, run_tests
from spymaster.evidence.halves import within
from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.nulls import below
from spymaster.evidence.streams import Streams
from spymaster.jit import kernel

Extent = Literal["none", "sample", "full"]

CELLS_NS = {
    **dict.fromkeys((lifetimes.TEST, chains.TEST, reactions.TEST, icebergs.TEST, coplacement.TEST), 50 * MS),
    phase.TEST: SECOND_NS,
    periods.TEST: 10 * SECOND_NS,
}
"""Width of the cells that a day is jittered in, by the test that then runs."""
SLOW_PERIODS = ("60s", "300s")
ANSWERS = (chains.TEST, reactions.TEST, layers.TEST)
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
REGULAR = (1, 2, 3)
"""Segments of regular hours."""
LEVEL = 0.975


@dataclass(frozen=True)
class Control:
    """Results of one kind of control, and the day, or part of it, that they are of."""

    kind: str
    day: DayArrays
    judged: tuple[Judged, ...]
    provenance: str = ""
    """Where it is not the day's."""

    @property
    def families(self) -> dict[str, bool]:
        """By test, whether anything was found."""
        found: dict[str, bool] = {}
        for one in self.judged:
            if one.q_bh is not None:
                found[one.result.test_id] = found.get(one.result.test_id, False) or one.q_bh <= ALPHA
        return found


def run_controls(
    day: DayArrays,
    *,
    extent: Extent,
    seed: int,
    profile: Profile,
    other: Market | None = None,
    background: Callable[[DayArrays], DayArrays | None] | None = None,
    tests: Collection[str] = tuple(TESTS),
) -> tuple[Control, ...]:
    """Controls of a day: none, on its busiest regular hour (`sample`), or on all of it.

    other: of another day, for `shuffled_days`; background: what makes a market without agents that is as long and as
    busy as a part of the day. Without them, or where there is no such market, those controls are left out.
    """
    if extent == "none":
        return ()
    part = day if extent == "full" else busiest_hour(day)
    found = [Control("jittered", part, tuple(_of_jittered(part, seed, profile, tests)))]
    if other is not None:
        mixed = shuffled(part, other)
        wanted = [test for test in tests if test in ANSWERS]
        found.append(Control("shuffled_days", mixed, tuple(run_tests(mixed, seed=seed, profile=profile, tests=wanted))))
    quiet = None if background is None else background(part)
    if quiet is not None:
        found.append(
            Control("no_agents", quiet, tuple(run_tests(quiet, seed=seed, profile=profile, tests=tests)), "simulated")
        )
    return tuple(found)


def _of_jittered(day: DayArrays, seed: int, profile: Profile, tests: Collection[str]) -> list[Judged]:
    judged: list[Judged] = []
    for test in tests:
        if test in CELLS_NS:
            drawn, without = jittered(day, CELLS_NS[test], seed), SLOW_PERIODS if test == phase.TEST else ()
            judged += run_tests(drawn, seed=seed, profile=profile, tests=[test], without=without)
    return judged


def passes(controls: Sequence[Control]) -> bool:
    """Whether no more families found something than chance explains (95 % interval of a binomial with 0.05)."""
    found = [one for control in controls for one in control.families.values()]
    return sum(found) <= most_by_chance(len(found))


def most_by_chance(families: int) -> int:
    """The upper end of the 95 % interval of how many of so many families find something by chance."""
    total = 0.0
    for k in range(families + 1):
        total += math.comb(families, k) * ALPHA**k * (1 - ALPHA) ** (families - k)
        if total >= LEVEL:
            return k
    return families


def busiest_hour(day: DayArrays) -> DayArrays:
    """The hour of regular hours with the most usable messages; of a day without any, its busiest hour at all."""
    usable = day.messages.usable & np.isin(day.messages.segment, REGULAR)
    ts = day.messages.ts[usable if usable.any() else day.messages.usable]
    if not len(ts):
        return day
    hours = np.bincount((ts - day.start) // HOUR_NS)
    start = day.start + int(np.argmax(hours)) * HOUR_NS
    return within(day, start, min(start + HOUR_NS, day.end))


@kernel()
def drawn_in_cells(times, places, words, origin, width, out):
    """Each time anew in its cell, by the word of its event (`places`): events stay together."""
    for i in range(times.shape[0]):
        cell = (times[i] - origin) // width
        out[i] = origin + cell * width + below(words[places[i]], width)


def jittered(day: DayArrays, width: int, seed: int) -> DayArrays:
    """The day with every event drawn anew in its own cell of `width` ns."""
    streams = Streams(seed, f"control/jittered/{width}")
    origin = streams.offset(width)
    messages, lives, trades, quotes = day.messages, day.lives, day.trades, day.quotes
    last = max(
        (int(part.max()) for part in (messages.event, trades.event, quotes.event, lives.event_end) if len(part)),
        default=0,
    )
    words = streams.words(1, last + 2)  # lives without an end have event -1: the last word

    def moved(ts: Ints, event: Ints) -> Ints:
        out = np.empty_like(ts)
        drawn_in_cells(ts, np.where(event < 0, last + 1, event), words, origin, width, out)
        return np.clip(out, day.start, day.end - 1)

    at = moved(messages.ts, messages.event)
    add = moved(lives.ts_add, lives.event_add)
    end = np.maximum(moved(lives.ts_end, lives.event_end), add + 1)
    printed, quoted = moved(trades.ts, trades.event), moved(quotes.ts, quotes.event)
    return replace(
        day,
        messages=_in_order(replace(messages, ts=at), at),
        lives=_in_order(replace(lives, ts_add=add, ts_end=end), end),
        trades=_in_order(replace(trades, ts=printed), printed),
        quotes=_in_order(replace(quotes, ts=quoted), quoted),
    )


def _in_order(part, ts: Ints):
    """All columns in order of time."""
    order = np.argsort(ts, kind="stable")
    return replace(part, **{name: getattr(part, name)[order] for name in part.__dataclass_fields__})


def shuffled(day: DayArrays, other: Market) -> DayArrays:
    """The day with trades and quotes of another one, at the same time of day (UTC)."""
    days_apart = round((day.start - other.start) / DAY_NS)
    shift = days_apart * DAY_NS
    trades, quotes = (_moved(part, shift, day) for part in (other.trades, other.quotes))
    return replace(day, trades=trades, quotes=quotes)


def _moved(part, shift: int, day: DayArrays):
    """What lies within the day after a shift in time; its events are none of the day's."""
    ts = part.ts + shift
    inside = np.flatnonzero((ts >= day.start) & (ts < day.end))
    columns = {name: getattr(part, name)[inside] for name in part.__dataclass_fields__}
    columns["ts"] = ts[inside]
    columns["event"] = -2 - part.event[inside]
    open_then = day.open[(ts[inside] - day.start) // SECOND_NS]
    return replace(part, **columns | {"usable": columns["usable"] & open_then})
