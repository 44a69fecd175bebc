"""What the tables say in words: two sentences a second, one per side, and one for the moves. Pure and deterministic.

Facts of a side, from spot outward within `K` ticks:

    run       contiguous buckets from spot's own in which one side outpaces the other; its furthest bucket
    obstacle  nearest bucket whose resting quantity is several times the usual, and whether it builds or erodes (5 s)
    thin      at least 3 contiguous ticks that liquidity leaves or has left
    level     nearest of the levels in TOLD_FIRST, else the nearest; at one price in that order

A fact enters at its threshold, stays while it holds 80 % of it, and is replaced by another only after 3 s. The memory
starts afresh `LEAD_S` before each block of seconds, so that a second reads the same whoever asks for it, and whatever
was asked before. Nothing after second t enters the reading of t.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from spymaster.market.calendar import NEW_YORK
from spymaster.serving.lod import NO_TICK, VALID
from spymaster.serving.scene import DOWN, LEAVE, UP, Candidates, K, Level, Prices, Scene

LEAD_S = 60
"""Seconds before a block that its memory is warmed up with."""
OBSTACLE_RATIO = 4.0
TREND = 0.2
LEVEL_TICKS = 8
DWELL_S = 3
MAX_CHARS = 160

LEVEL_NAMES: dict[str, str] = {
    "PMH": "PM High", "PML": "PM Low", "ONH": "Overnight High", "ONL": "Overnight Low", "PDH": "Prior High",
    "PDL": "Prior Low", "PDC": "Prior Close", "SETTLE": "Settlement", "SMA200": "SMA 200", "SMA400": "SMA 400",
    "GEXCW": "Call wall", "GEXPW": "Put wall", "ZG": "Zero gamma", "SWH": "Swing High", "SWL": "Swing Low",
    "HVN": "Volume node",
    **{f"OR{side[0]}{minutes}": f"OR{minutes} {side}" for minutes in (5, 15, 30) for side in ("High", "Low")},
    **{f"ROUND{points}": f"Round {points}" for points in (25, 50, 100)},
    "VWAP": "VWAP", "RVWAP": "RTH VWAP",
    **{
        f"{kind}_{code}{sigmas}": f"{name} {sign}{sigmas}σ"
        for kind, name in (("VWAP", "VWAP"), ("RVWAP", "RTH VWAP"))
        for code, sign in (("P", "+"), ("M", "\u2212"))
        for sigmas in (1, 2)
    },
}  # fmt: skip
"""The same words as on the page; a type that is not here is called by its code."""
TOLD_FIRST = ("PMH", "PML", "ONH", "ONL", "PDH", "PDL", "PDC", "SETTLE", "SMA200", "SMA400", "GEXCW", "GEXPW", "ZG")

_RANK = {LEVEL_NAMES[name]: rank for rank, name in enumerate(TOLD_FIRST)}
_ZONE = ZoneInfo(NEW_YORK)


def level_name(level_type: str) -> str:
    """What a level is called in a sentence: `PMH` is the PM High."""
    return LEVEL_NAMES.get(level_type, level_type)


@dataclass(frozen=True)
class Reading:
    """The sentences of a second and the facts behind them."""

    above: str
    below: str
    moves: str
    facts: dict[str, Any]

    @property
    def facts_json(self) -> str:
        """The facts as canonical JSON."""
        return json.dumps(self.facts, sort_keys=True, separators=(",", ":"), allow_nan=False)


_Fact = tuple[Any, dict[str, Any] | None]
"""What tells a fact from another of its kind, and the fact; None for none."""


@dataclass
class _Held:
    """A fact that is shown, and since when. `key` tells it from another of its kind; `tick` is where it lies."""

    key: Any = None
    fact: dict[str, Any] | None = None
    since: int = -(10**9)

    def update(self, key: Any, fact: dict[str, Any] | None, sec: int) -> dict[str, Any] | None:
        if key == self.key:
            self.fact = fact
        elif self.key is None or sec - self.since >= DWELL_S:
            self.key, self.fact, self.since = key, fact, sec
        return self.fact


@dataclass
class _Side:
    run: _Held = field(default_factory=_Held)
    obstacle: _Held = field(default_factory=_Held)
    thin: _Held = field(default_factory=_Held)
    level: _Held = field(default_factory=_Held)


def read(scene: Scene, prices: Prices) -> Iterator[Reading]:
    """The reading of every second of a scene, in order, with a memory that starts empty."""
    sides = {direction: _Side() for direction in (UP, DOWN)}
    found = {direction: Candidates(scene, prices, direction) for direction in sides}
    known = _Known(scene.levels)
    for row in range(len(scene.spot)):
        levels = known.at(scene.first + row)
        if scene.state[row] != VALID or not scene.window_valid[row] or scene.spot[row] == NO_TICK:
            sides = {direction: _Side() for direction in sides}
            yield Reading(_no_book(scene, row), "", "", {"valid": False})
            continue
        spot, sec = int(scene.spot[row]), scene.first + row
        facts = {
            direction: _facts(found[direction], levels, prices, row, sec, spot, direction, held)
            for direction, held in sides.items()
        }
        moves = scene.moves[row] if scene.moves is not None else None
        document = {"valid": True, "above": facts[UP], "below": facts[DOWN], "moves": moves}
        yield Reading(
            _sentence("Above", facts[UP], prices),
            _sentence("Below", facts[DOWN], prices),
            _moves_sentence(moves),
            document,
        )


def _facts(
    found: Candidates,
    levels: Sequence[Level],
    prices: Prices,
    row: int,
    sec: int,
    spot: int,
    direction: int,
    held: _Side,
) -> dict[str, Any]:
    facts = {
        "run": held.run.update(*_run(found, prices, row, spot, direction, held.run), sec),
        "obstacle": held.obstacle.update(*_obstacle(found, prices, row, spot, direction, held.obstacle), sec),
        "thin": held.thin.update(*_thin(found, row, spot, direction, held.thin), sec),
        "level": held.level.update(*_level(levels, spot, direction, held.level), sec),
    }
    # A bucket is passed with the last of its prices, spot's own included; a price is passed as such.
    furthest: dict[str, int] = dict.fromkeys(("run", "obstacle"), prices.bucket_ticks - 1 if direction == UP else 0)
    least = {"level": _least(direction)}
    return {
        name: _shown(fact, spot, direction, prices, furthest.get(name, 0), least.get(name, 0))
        for name, fact in facts.items()
    }


def _least(direction: int) -> int:
    """Distance from which a level belongs to a side: one at spot is told above only."""
    return 0 if direction == UP else 1


def _shown(
    fact: dict[str, Any] | None, spot: int, direction: int, prices: Prices, furthest: int, least: int
) -> dict[str, Any] | None:
    """A held fact as it is told now; None once spot has passed it: nearer than `least` by its `furthest` price."""
    if fact is None or (fact["tick"] + furthest - spot) * direction < least:
        return None
    shown = {name: value for name, value in fact.items() if name not in ("tick", "to_tick")}
    shown["price"] = prices.number(fact["tick"])
    shown["ticks"] = fact["tick"] - spot
    if "to_tick" in fact:
        shown["to_price"] = prices.number(fact["to_tick"])
    return shown


def _run(found: Candidates, prices: Prices, row: int, spot: int, direction: int, held: _Held) -> _Fact:
    count = found.run(row, held=held.key is not None)
    if not count:
        return None, None
    tick = (spot // prices.bucket_ticks + direction * (count - 1)) * prices.bucket_ticks
    return tick, {"tick": tick, "buckets": count}


def _obstacle(found: Candidates, prices: Prices, row: int, spot: int, direction: int, held: _Held) -> _Fact:
    own = spot // prices.bucket_ticks
    before, trend_before = held.key or (None, "holding")
    for step, ratio in enumerate(found.ratios[row]):
        tick = (own + direction * step) * prices.bucket_ticks
        kept = before == tick
        if ratio >= OBSTACLE_RATIO * (LEAVE if kept else 1):
            balance = found.balance(row, tick)
            trend = _trend(balance, trend_before if kept else "holding")
            fact = {"tick": tick, "ratio": round(ratio, 1), "trend": trend, "balance": round(balance, 2)}
            return (tick, trend), fact
    return None, None


def _trend(balance: float, before: str) -> str:
    if balance >= TREND * (LEAVE if before == "building" else 1):
        return "building"
    if balance <= -TREND * (LEAVE if before == "eroding" else 1):
        return "eroding"
    return "holding"


def _thin(found: Candidates, row: int, spot: int, direction: int, held: _Held) -> _Fact:
    stretch = found.thin(row, held=held.key is not None)
    if stretch is None:
        return None, None
    first, last = (spot + direction * distance for distance in stretch)
    return (first, last), {"tick": first, "to_tick": last}


def _level(levels: Sequence[Level], spot: int, direction: int, held: _Held) -> _Fact:
    near = [
        (level.label not in _RANK, abs(level.tick - spot), _RANK.get(level.label, 0), level.label, level.tick)
        for level in levels
        if (level.tick - spot) * direction >= _least(direction)
        and abs(level.tick - spot) <= LEVEL_TICKS / (LEAVE if held.key == (level.label, level.tick) else 1)
    ]
    if not near:
        return None, None
    *_, label, tick = min(near)
    return (label, tick), {"tick": tick, "label": label}


class _Known:
    """Levels that are valid at a second; asked in order of seconds."""

    def __init__(self, levels: Sequence[Level]) -> None:
        self._coming = sorted(levels, key=lambda level: level.first, reverse=True)
        self._valid: list[Level] = []

    def at(self, sec: int) -> list[Level]:
        began = False
        while self._coming and self._coming[-1].first <= sec:
            self._valid.append(self._coming.pop())
            began = True
        if began or any(level.last < sec for level in self._valid):
            self._valid = [level for level in self._valid if level.last >= sec]
        return self._valid


def _sentence(side: str, facts: dict[str, Any], prices: Prices) -> str:
    def price(value: float) -> str:
        return prices.text(round(value * 1e9 / prices.tick))

    run, obstacle, thin, level = (facts[name] for name in ("run", "obstacle", "thin", "level"))
    if not any(facts.values()):
        return f"{side}: nothing stands out within {K} ticks."
    long_first = side == "Above"
    parts = []
    if run:
        parts.append(f"{'long outpaces short' if long_first else 'short outpaces long'} to {price(run['price'])}")
    if obstacle:
        resting = "sells" if long_first else "buys"
        parts.append(
            f"at {price(obstacle['price'])} resting {resting} are {obstacle['ratio']:.1f}x the median "
            f"and {obstacle['trend']}"
        )
    else:
        parts.append(f"no wall within {K} ticks")
    if thin:
        parts.append(f"thin from {price(thin['price'])} to {price(thin['to_price'])}")
    told = ""
    if level:
        distance = abs(level["ticks"])
        where = (
            "at spot" if not distance else f"{distance} tick{'s' * (distance != 1)} {'up' if long_first else 'down'}"
        )
        told = f" {level['label']} {price(level['price'])} is {where}."
    while len(parts) > 1 and len(text := f"{side}: {'; '.join(parts)}.{told}") > MAX_CHARS:
        parts.pop()
    text = f"{side}: {'; '.join(parts)}.{told}"
    return text if len(text) <= MAX_CHARS else f"{side}: {'; '.join(parts)}."


def move_facts(
    z: Sequence[float], soft_and: float, drive_dn: float, state_dn: int, names: Sequence[str]
) -> dict[str, Any] | None:
    """Facts of the four conditions: z of ask retreat, ask pull, bid retreat, bid pull. None where one is unknown."""
    if any(math.isnan(value) for value in (*z, soft_and, drive_dn)):
        return None
    order = sorted(range(len(z)), key=lambda number: z[number])
    return {
        "met": int(state_dn & 15).bit_count(),
        "soft_and": round(float(soft_and), 2),
        "drive": "down" if drive_dn > 0 else "up" if drive_dn < 0 else "even",
        "strongest": names[order[-1]],
        "weakest": names[order[0]],
    }


def _moves_sentence(moves: dict[str, Any] | None) -> str:
    if moves is None:
        return ""
    return (
        f"Moves: {moves['met']} of 4 met, drive {moves['drive']}; strongest {moves['strongest']}, "
        f"weakest {moves['weakest']}."
    )


def _no_book(scene: Scene, row: int) -> str:
    last = int(scene.last_valid[row])
    if last < 0:
        return "No valid book yet."
    since = datetime.fromtimestamp(scene.t0_ns // 1_000_000_000 + last + 1, UTC).astimezone(_ZONE)
    return f"No valid book since {since:%H:%M:%S}."
