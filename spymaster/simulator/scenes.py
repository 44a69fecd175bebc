"""Building blocks of scripts: a wall, a melting queue, a guard, the four conditions of a turn, a path to a level.

Quantities are multiples of what usually rests on four ticks (see `scripts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from spymaster.simulator import scripts
from spymaster.simulator.bridge import BEHIND, TAKEN_BEHIND
from spymaster.simulator.laws import probability
from spymaster.simulator.layout import ASK, BID
from spymaster.simulator.meetings import LAG_NS, SPREAD_NS, VARIANTS, condition_rows
from spymaster.simulator.script import Task, Waypoint, clock_ns, seconds_ns

TICK = 0.25
"""Of the index futures, for which scenes are written; points."""
REACH = 20 * TICK
"""How far from a level the conditions of a turn are planted."""
WINDOW_S = 10.0
"""For how long before a touch they are."""


def path(dt: date, points: Iterable[tuple[str, float, float]]) -> tuple[Waypoint, ...]:
    """Waypoints from (New York time, low, high)."""
    return tuple(Waypoint(clock_ns(dt, wall), low, high) for wall, low, high in points)


def depth(
    side: int,
    low: float,
    high: float,
    times: Sequence[int],
    multiples: Sequence[float],
    *,
    flags: int = scripts.MAY_ADD | scripts.MAY_PULL,
    least: int = 2,
    most: int = 9,
) -> list[Task]:
    """Quantity from `low` to `high` over time: straight lines between (time, multiple of the usual)."""
    return [
        Task(
            scripts.DEPTH, side, low, high, times[k], times[k + 1],
            {"first": multiples[k], "last": multiples[k + 1], "flags": flags, "size": least, "most": most},
        )
        for k in range(len(times) - 1)
    ]  # fmt: skip


def guard(side: int, price: float, start: int, end: int, *, shown: int = 4, hidden: int = 20_000) -> Task:
    """No trade goes beyond `price` while it lasts. Little is shown, for some aggressors take all of the first order."""
    fields = {"size": shown, "most": hidden, "period": seconds_ns(0.02)}
    return Task(scripts.GUARD, side, price, price, start, end, fields)


def last_trade(price: float, start: int, end: int) -> Task:
    """The last trade of each second is at `price` whenever that is a best price."""
    return Task(scripts.PRINT, BID, price, price, start, end)


def diverted(side: int, low: float, high: float, start: int, end: int, *, keep: float, shift: int) -> Task:
    """Background orders for these ticks mostly come to rest `shift` ticks further away."""
    return Task(scripts.ZONE, side, low, high, start, end, {"p": probability(keep), "size": shift})


def flow(
    action: int, side: int, low: float, high: float, start: int, end: int, *,
    per_second: float = 0.0, timing: str = "", burst: int = 1,
) -> Task:  # fmt: skip
    """Orders between two prices: so many a second at random, or `burst` in answer to each trade."""
    fields: dict[str, float] = {"action": action, "size": burst}
    if timing:
        algo = timing == "algo"
        fields["timing"] = scripts.AFTER_TRADES if algo else scripts.LONG_AFTER_TRADES
        fields |= {"lag": LAG_NS[timing], "spread": SPREAD_NS}
    else:
        fields["period"] = seconds_ns(1.0 / per_second)
    return Task(scripts.FLOW, side, low, high, start, end, fields)


def conditions(
    variant: str, timing: str, level: float, direction: int, start: int, end: int, *, strength: float = 2.0
) -> list[Task]:
    """What a variant does around a level from `start` to `end`; see `meetings`."""
    ahead = ASK if direction > 0 else BID
    tasks = []
    for condition in VARIANTS[variant]:
        for row in condition_rows(condition, strength, timing):
            place = row["most"]
            side = 1 - ahead if place == BEHIND else ahead
            asks = (side == ASK) is (place != TAKEN_BEHIND)
            low, high = (level, level + REACH) if asks else (level - REACH, level - TICK)
            fields = {name: value for name, value in row.items() if name not in ("kind", "most")}
            tasks.append(Task(row["kind"], side, low, high, start, end, fields))
    return tasks
