"""Which groups of messages are tested: those registered in `config/strata.toml`, before a look at the day."""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np

from spymaster.evidence.arrays import DISTANCES, SEGMENTS, SIZES, Codes, Flags, Lives, Messages
from spymaster.evidence.errors import StratumError
from spymaster.tables.types import MESSAGE_KINDS, SIDES

REGISTER = Path(__file__).parent.parent / "config" / "strata.toml"
MOST_STRATA = 150
LEAST_EVENTS = 500
POOLED = "*"
FAVOURITE = "favourite"
"""In place of a grid's sizes: the favourite sizes of earlier dates, each exactly."""
REFERENCES = ("trade_buy", "trade_sell", "bbo_up", "bbo_down", "large_add_bid", "large_add_ask")
RELATIONS = ("same", "other")

_KNOWN = {
    "kind": MESSAGE_KINDS,
    "side": SIDES,
    "size": SIZES,
    "distance": DISTANCES[:-1],
    "segment": SEGMENTS,
    "reference": REFERENCES,
    "relation": RELATIONS,
}


@dataclass(frozen=True)
class Stratum:
    """A group of messages; `*` pools a dimension. Raises `StratumError` for a value that does not exist."""

    kind: str = POOLED
    side: str = POOLED
    size: str = POOLED
    distance: str = POOLED
    segment: str = POOLED
    reference: str = POOLED
    relation: str = POOLED

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            exact = field.name == "size" and value.startswith("=") and value[1:].isdigit()
            if value != POOLED and not exact and value not in _KNOWN[field.name]:
                raise StratumError(f"{field.name} = {value!r} is none of {_KNOWN[field.name]}")

    def json(self) -> str:
        """Canonical form: sorted keys, `*` for pooled."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    def is_within(self, other: Stratum) -> bool:
        """Whether it is another one with fewer dimensions pooled. Exact sizes are in no class of sizes here."""
        ours, theirs = asdict(self), asdict(other)
        return self != other and all(theirs[name] in (POOLED, value) for name, value in ours.items())

    def coarser(self) -> Stratum | None:
        """With distance pooled, then size; None where both are."""
        if self.distance != POOLED:
            return replace(self, distance=POOLED)
        return replace(self, size=POOLED) if self.size != POOLED else None

    def among(self, rows: Messages | Lives, qty: np.ndarray, side: str | None = None) -> Flags:
        """Which usable rows belong to it; `side` in place of its own. Kind counts for messages only."""
        chosen = rows.usable.copy()
        if isinstance(rows, Messages) and self.kind != POOLED:
            chosen &= rows.kind == MESSAGE_KINDS.index(self.kind)
        side = side or self.side
        if side != POOLED:
            chosen &= rows.side == SIDES.index(side)
        if self.size.startswith("="):
            chosen &= qty == int(self.size[1:])
        else:
            chosen &= _is(rows.size_code, SIZES, self.size)
        return chosen & _is(rows.dist_code, DISTANCES, self.distance) & _is(rows.segment, SEGMENTS, self.segment)


def _is(codes: Codes, names: Sequence[str], name: str) -> Flags | bool:
    return True if name == POOLED else codes == names.index(name)


@cache
def register(favourites: tuple[int, ...] = ()) -> dict[str, tuple[Stratum, ...]]:
    """All strata by test, in registered order. Raises `StratumError` for more than 150, or one that is there twice.

    favourites: the sizes that `favourite` stands for.
    """
    return parse(REGISTER.read_text(), favourites)


def parse(text: str, favourites: Sequence[int] = ()) -> dict[str, tuple[Stratum, ...]]:
    """The strata of a register in TOML."""
    found: dict[str, tuple[Stratum, ...]] = {}
    for test, grids in tomllib.loads(text).items():
        strata: list[Stratum] = []
        for grid in grids:
            unknown = set(grid) - set(_KNOWN)
            if unknown:
                raise StratumError(f"{test}: strata have no {sorted(unknown)}")
            if grid.get("size") == [FAVOURITE]:
                grid = {**grid, "size": [f"={size}" for size in favourites]}
            strata += [Stratum(**dict(zip(grid, values, strict=True))) for values in itertools.product(*grid.values())]
        if len(strata) > MOST_STRATA or len(set(strata)) < len(strata):
            raise StratumError(
                f"{test}: {len(strata)} strata, {len(set(strata))} of them different; at most {MOST_STRATA}, each once"
            )
        found[test] = tuple(strata)
    return found


def strata_hash() -> str:
    """Hash of the register: what results on hold-out days are bound to. Favourite sizes are named in it, not listed."""
    return hashlib.sha256(REGISTER.read_bytes()).hexdigest()[:16]


def with_enough(
    strata: Sequence[Stratum], count: Callable[[Stratum], int], least: int = LEAST_EVENTS
) -> list[tuple[int, Stratum]]:
    """Place in the register and stratum of those that are tested, coarsened where `count` is below `least`.

    A stratum that is too small even when coarsened is not tested, nor one that coarsening has made equal to another.
    """
    chosen: dict[Stratum, int] = {}
    for place, stratum in enumerate(strata):
        one: Stratum | None = stratum
        while one is not None and count(one) < least:
            one = one.coarser()
        if one is not None:
            chosen.setdefault(one, place)
    return [(place, stratum) for stratum, place in chosen.items()]
