"""The accepted market of a preset: its distributions, and who decided that they may be as they are.

A change of the simulator that moves a distribution by more than `DRIFT` is either a defect or a decision. Decisions are
recorded in the file itself, `spymaster/config/sim/accepted/{profile}-{preset}-{mode}.json`: when, why, which code, and
how far each distribution moved. Seeds differ too, so the file keeps the law of several seeds together, and how far the
seeds lie from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from spymaster.simulator.acceptance.portrait import Law, Portrait, ks_distance, wasserstein_distance
from spymaster.simulator.errors import SimulatorConfigError

DRIFT = 0.05
_SEEDS_APART = 2.0
"""How much further than the accepted seeds another one may lie: it is not part of what it is compared with."""


@dataclass(frozen=True)
class Decision:
    """Why the distributions are accepted. `drift`: distance (KS) to those accepted before, by distribution."""

    date: str
    reason: str
    code_hash: str
    seeds: list[int]
    drift: dict[str, float]


@dataclass(frozen=True)
class Accepted:
    """Distributions of the accepted market, how far its seeds lie from them (KS), and all decisions, oldest first."""

    laws: dict[str, Law]
    seed_distance: dict[str, float]
    decisions: list[Decision]


@dataclass(frozen=True)
class Distance:
    """One distribution against the accepted one; Wasserstein distance in the units of the distribution's name."""

    law: str
    ks: float
    wasserstein: float
    bound: float
    """Beyond it a decision is needed."""

    @property
    def drifted(self) -> bool:
        """Whether a decision is needed."""
        return self.ks > self.bound


def accepted_path(profile: str, preset: str, price_mode: str) -> Path:
    """Where the accepted distributions of a preset are kept."""
    return Path(str(files("spymaster"))) / "config" / "sim" / "accepted" / f"{profile}-{preset}-{price_mode}.json"


def read_accepted(path: Path) -> Accepted | None:
    """What was accepted; None if nothing was yet. Raises SimulatorConfigError for a file that cannot be read."""
    if not path.is_file():
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Accepted(
            {name: Law(**one) for name, one in told["laws"].items()},
            told["seed_distance"],
            [Decision(**one) for one in told["decisions"]],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SimulatorConfigError(f"{path}: {error}") from error


def distances(laws: dict[str, Law], accepted: Accepted, *, several: bool = False) -> list[Distance]:
    """Distances of a date's distributions to the accepted ones; a distribution that is not in both is left out.

    The bound is `DRIFT`, or how far seeds lie apart if that is more: the furthest accepted one for the laws of
    `several` seeds together, twice that for one seed.
    """
    apart = 1.0 if several else _SEEDS_APART
    return [
        Distance(
            name,
            round(ks_distance(laws[name], known), 4),
            round(wasserstein_distance(laws[name], known), 5),
            max(DRIFT, apart * accepted.seed_distance.get(name, 0.0)),
        )
        for name, known in accepted.laws.items()
        if name in laws
    ]


def pooled(laws: Sequence[Law]) -> Law:
    """The law of several samples of the same weight."""
    points = np.unique(np.concatenate([np.asarray(one.x) for one in laws]))
    cdf = np.mean([one.at(points) for one in laws], axis=0)
    # thinner than the union, and as exact as each of them
    kept = np.unique(np.append(np.searchsorted(cdf, np.linspace(0, 1, 150)[:-1]), len(points) - 1))
    return Law([float(x) for x in points[kept]], [round(float(share), 5) for share in cdf[kept]])


def pooled_laws(portraits: Sequence[Portrait]) -> dict[str, Law]:
    """Distributions that all portraits have, pooled."""
    names = [name for name in portraits[0].laws if all(name in one.laws for one in portraits)]
    return {name: pooled([one.laws[name] for one in portraits]) for name in names}


def accept(
    path: Path, portraits: Sequence[Portrait], seeds: Sequence[int], *, reason: str, date: str, code_hash: str
) -> Accepted:
    """Record that the market of these portraits is accepted from now on, and why."""
    before = read_accepted(path)
    laws = pooled_laws(portraits)
    usual = {name: round(max(ks_distance(one.laws[name], law) for one in portraits), 4) for name, law in laws.items()}
    drift = {one.law: one.ks for one in distances(laws, before)} if before else {}
    decisions = [*(before.decisions if before else []), Decision(date, reason, code_hash, list(seeds), drift)]
    accepted = Accepted(laws, usual, decisions)
    path.parent.mkdir(parents=True, exist_ok=True)
    document = asdict(accepted)
    # decisions are for people to read, the laws are not
    path.write_text(
        "{\n"
        f' "decisions": {json.dumps(document["decisions"], indent=2)},\n'
        f' "seed_distance": {json.dumps(document["seed_distance"], indent=2)},\n'
        f' "laws": {{\n'
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(law)}" for name, law in document["laws"].items())
        + "\n }\n}\n",
        encoding="utf-8",
    )
    return accepted
