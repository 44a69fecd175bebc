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

import numpy as np
from numpy.typing import NDArray

from spymaster.market.calendar import NEW_YORK
from spymaster.serving.lod import NO_TICK, VALID

K = 20
"""Distance from spot that is read, ticks."""
LEAD_S = 60
"""Seconds before a block that its memory is warmed up with."""
FLOW_S = 5
"""Seconds of flow that tell whether an obstacle builds or erodes."""
RUN_NET = 0.05
OBSTACLE_RATIO = 4.0
TREND = 0.2
THIN_VACUUM = 0.7
THIN_DEPTH = 0.25
THIN_TICKS = 3
LEVEL_TICKS = 8
LEAVE = 0.8
DWELL_S = 3
MAX_CHARS = 160

LEVEL_NAMES: dict[str, str] = {
    "PMH": "PM High", "PML": "PM Low", "ONH": "Overnight High", "ONL": "Overnight Low", "PDH": "Prior High",
    "PDL": "Prior Low", "PDC": "Prior Close", "SETTLE": "Settlement", "SMA200": "SMA 200", "SMA400": "SMA 400",
    "GEXCW": "Call wall", "GEXPW": "Put wall", "ZG": "Zero gamma", "SWH": "Swing High", "SWL": "Swing Low",
    "HVN": "Volume node",
    **{f"OR{side[0]}{minutes}": f"OR{minutes} {side}" for minutes in (5, 15, 30) for side in ("High", "Low")},
    **{f"ROUND{points}": f"Round {points}" for points in (25, 50, 100)},
}  # fmt: skip
"""The same words as on the page; a type that is not here is called by its code."""
TOLD_FIRST = ("PMH", "PML", "ONH", "ONL", "PDH", "PDL", "PDC", "SETTLE", "SMA200", "SMA400", "GEXCW", "GEXPW", "ZG")

_RANK = {LEVEL_NAMES[name]: rank for rank, name in enumerate(TOLD_FIRST)}
_ZONE = ZoneInfo(NEW_YORK)
_UP, _DOWN = 1, -1


@dataclass(frozen=True)
class Level:
    """A price with a name, known from second `first` to `last`, both included."""

    label: str
    tick: int
    first: int
    last: int


def level_name(level_type: str) -> str:
    """What a level is called in a sentence: `PMH` is the PM High."""
    return LEVEL_NAMES.get(level_type, level_type)


@dataclass(frozen=True)
class Prices:
    """How ticks are written, and the buckets of pressure."""

    tick: int
    """Price step, 1e-9."""
    decimals: int
    bucket_ticks: int

    def text(self, tick: int) -> str:
        """A price without needless zeros after the point: 6801, 6797.50."""
        value = tick * self.tick
        whole = value % 1_000_000_000 == 0
        return f"{value // 1_000_000_000}" if whole else f"{value / 1e9:.{self.decimals}f}"

    def number(self, tick: int) -> float:
        """The price as a number."""
        return tick * self.tick / 1e9


@dataclass(frozen=True)
class Scene:
    """What is read, for consecutive seconds from `first` on; all arrays [rows, ...], spot in the middle.

    rest_bid, rest_ask, add, pull: lots, [rows, 2 half + 1], -1 unknown; vacuum: scores, NaN unknown; net, ratio_bid,
    ratio_ask: [rows, 2 B + 1] by bucket, spot's own in the middle, NaN unknown; moves: facts of a second or None.
    """

    first: int
    t0_ns: int
    spot: NDArray[np.int32]
    state: NDArray[np.uint8]
    window_valid: NDArray[np.bool_]
    last_valid: NDArray[np.int64]
    """Last second up to each whose window was valid, -1 for none."""
    rest_bid: NDArray[np.int32]
    rest_ask: NDArray[np.int32]
    add: NDArray[np.int32]
    pull: NDArray[np.int32]
    vacuum: NDArray[np.float64]
    net: NDArray[np.float64]
    ratio_bid: NDArray[np.float64]
    ratio_ask: NDArray[np.float64]
    moves: Sequence[dict[str, Any] | None] | None = None
    levels: Sequence[Level] = ()
    eps: float = 1.0

    @property
    def half(self) -> int:
        """Ticks on either side of spot."""
        return self.rest_bid.shape[1] // 2


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
    sides = {_UP: _Side(), _DOWN: _Side()}
    for row in range(len(scene.spot)):
        if scene.state[row] != VALID or not scene.window_valid[row] or scene.spot[row] == NO_TICK:
            sides = {_UP: _Side(), _DOWN: _Side()}
            yield Reading(_no_book(scene, row), "", "", {"valid": False})
            continue
        facts = {direction: _facts(scene, prices, row, direction, sides[direction]) for direction in (_UP, _DOWN)}
        moves = scene.moves[row] if scene.moves is not None else None
        document = {"valid": True, "above": facts[_UP], "below": facts[_DOWN], "moves": moves}
        yield Reading(
            _sentence("Above", facts[_UP], prices),
            _sentence("Below", facts[_DOWN], prices),
            _moves_sentence(moves),
            document,
        )


def _facts(scene: Scene, prices: Prices, row: int, direction: int, held: _Side) -> dict[str, Any]:
    sec = scene.first + row
    spot = int(scene.spot[row])
    found = {
        "run": held.run.update(*_run(scene, prices, row, direction, held.run), sec),
        "obstacle": held.obstacle.update(*_obstacle(scene, prices, row, direction, held.obstacle), sec),
        "thin": held.thin.update(*_thin(scene, row, direction, held.thin), sec),
        "level": held.level.update(*_level(scene, row, direction, held.level), sec),
    }
    # A bucket is passed with the last of its prices, spot's own included; a price is passed as such.
    furthest: dict[str, int] = dict.fromkeys(("run", "obstacle"), prices.bucket_ticks - 1 if direction == _UP else 0)
    least = {"level": _least(direction)}
    return {
        name: _shown(fact, spot, direction, prices, furthest.get(name, 0), least.get(name, 0))
        for name, fact in found.items()
    }


def _least(direction: int) -> int:
    """Distance from which a level belongs to a side: one at spot is told above only."""
    return 0 if direction == _UP else 1


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


def _run(scene: Scene, prices: Prices, row: int, direction: int, held: _Held) -> tuple[Any, dict[str, Any] | None]:
    net, own = scene.net[row], scene.net.shape[1] // 2
    spot_bucket = int(scene.spot[row]) // prices.bucket_ticks
    reach = K // prices.bucket_ticks
    threshold = RUN_NET * (LEAVE if held.key is not None else 1)
    count = 0
    while count <= min(reach, own) and net[own + direction * count] * direction >= threshold:
        count += 1
    if not count:
        return None, None
    tick = (spot_bucket + direction * (count - 1)) * prices.bucket_ticks
    return tick, {"tick": tick, "buckets": count}


def _obstacle(scene: Scene, prices: Prices, row: int, direction: int, held: _Held) -> tuple[Any, dict[str, Any] | None]:
    ratios = (scene.ratio_ask if direction == _UP else scene.ratio_bid)[row]
    own = len(ratios) // 2
    spot_bucket = int(scene.spot[row]) // prices.bucket_ticks
    for step in range(min(K // prices.bucket_ticks, own) + 1):
        tick = (spot_bucket + direction * step) * prices.bucket_ticks
        before, trend_before = held.key or (None, "holding")
        kept = before == tick
        ratio = ratios[own + direction * step]
        if ratio >= OBSTACLE_RATIO * (LEAVE if kept else 1):
            balance = _balance(scene, row, tick, prices.bucket_ticks)
            trend = _trend(balance, trend_before if kept else "holding")
            fact = {"tick": tick, "ratio": round(float(ratio), 1), "trend": trend, "balance": round(balance, 2)}
            return (tick, trend), fact
    return None, None


def _balance(scene: Scene, row: int, tick: int, width: int) -> float:
    """(adds - pulls) / (adds + pulls + 1) of `width` ticks from `tick` on, over the last seconds."""
    adds = pulls = 0
    for member in range(max(0, row - FLOW_S + 1), row + 1):
        spot = int(scene.spot[member])
        begin = tick - spot + scene.half
        if spot == NO_TICK or begin < 0 or begin + width > scene.add.shape[1]:
            continue
        adds += int(scene.add[member, begin : begin + width].clip(0).sum())
        pulls += int(scene.pull[member, begin : begin + width].clip(0).sum())
    return (adds - pulls) / (adds + pulls + 1)


def _trend(balance: float, before: str) -> str:
    if balance >= TREND * (LEAVE if before == "building" else 1):
        return "building"
    if balance <= -TREND * (LEAVE if before == "eroding" else 1):
        return "eroding"
    return "holding"


def _thin(scene: Scene, row: int, direction: int, held: _Held) -> tuple[Any, dict[str, Any] | None]:
    spot = int(scene.spot[row])
    rest = (scene.rest_ask if direction == _UP else scene.rest_bid)[row]
    reach = min(K, scene.half)
    outward = scene.half + direction * np.arange(reach + 1)
    known = rest[outward] >= 0
    if not known.any():
        return None, None
    median = float(np.median(rest[outward][known]))
    margin = 1 / LEAVE if held.key is not None else 1.0
    low = (rest[outward] + scene.eps) <= THIN_DEPTH * margin * (median + scene.eps)
    leaving = np.nan_to_num(scene.vacuum[row, outward], nan=0.5) >= THIN_VACUUM / margin
    thin = known & (low | leaving)
    thin[0] = False  # spot's own tick has one side only
    edges = np.flatnonzero(np.diff(np.concatenate(([0], thin.astype(np.int8), [0]))))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if end - begin >= THIN_TICKS:
            first, last = spot + direction * int(begin), spot + direction * int(end - 1)
            return (first, last), {"tick": first, "to_tick": last}
    return None, None


def _level(scene: Scene, row: int, direction: int, held: _Held) -> tuple[Any, dict[str, Any] | None]:
    sec, spot = scene.first + row, int(scene.spot[row])
    near = [
        (level.label not in _RANK, abs(level.tick - spot), _RANK.get(level.label, 0), level.label, level.tick)
        for level in scene.levels
        if level.first <= sec <= level.last
        and (level.tick - spot) * direction >= _least(direction)
        and abs(level.tick - spot) <= LEVEL_TICKS / (LEAVE if held.key == (level.label, level.tick) else 1)
    ]
    if not near:
        return None, None
    *_, label, tick = min(near)
    return (label, tick), {"tick": tick, "label": label}


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


def bucket_frame(values: NDArray[Any], spot: NDArray[np.int32], bucket_ticks: int, buckets: int) -> NDArray[np.float64]:
    """Sums of per-tick quantities [rows, 2 half + 1] by bucket [rows, 2 buckets + 1], spot's own in the middle.

    Buckets are anchored on absolute prices; one that reaches beyond the grid or holds an unknown cell is NaN.
    """
    rows, width = values.shape
    half = width // 2
    offset = np.where(spot == NO_TICK, 0, spot.astype(np.int64) % bucket_ticks)
    starts = half + np.arange(-buckets, buckets + 1)[None, :] * bucket_ticks - offset[:, None]
    cells = starts[:, :, None] + np.arange(bucket_ticks)[None, None, :]
    inside = (cells >= 0) & (cells < width)
    taken = np.take_along_axis(values, np.clip(cells, 0, width - 1).reshape(rows, -1), axis=1).reshape(cells.shape)
    known = (inside & (taken >= 0)).all(axis=2) & (spot != NO_TICK)[:, None]
    return np.where(known, taken.sum(axis=2), np.nan)


def trailing_ratio(
    sums: NDArray[np.float64], valid: NDArray[np.bool_], window: int = 1800, least: int = 60
) -> NDArray[np.float64]:
    """Each row over the median of the last `window` valid rows before it, by column; NaN before `least` of them.

    Rows that are not valid neither get a ratio nor enter a median.
    """
    import polars as pl

    answer = np.full(sums.shape, np.nan)
    kept = pl.DataFrame(sums[valid], schema=[str(number) for number in range(sums.shape[1])]).fill_nan(None)
    medians = kept.select(pl.all().rolling_median(window, min_samples=least).shift(1)).to_numpy()
    answer[valid] = np.where(medians > 0, sums[valid] / np.where(medians > 0, medians, 1), np.nan)
    return answer
