"""Fit a profile to real days: what can be read off the records is, the rest stays as the base profile has it.

Read off: shares of background events, laws of sizes and distances, what modifies do, patience (a mixture of
exponentials with the base's half-lives, by expectation and maximisation; fills and the end of the file censor), the
size and reach of the book, odd fills, icebergs by the share of refills, capture latency. Not read off, because one
needs many days or because no record tells: shape of the day, clustering, what prices do, metaorders.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spymaster.simulator.acceptance.accepted import pooled_laws
from spymaster.simulator.acceptance.estimate import Estimate, hill
from spymaster.simulator.acceptance.figures import Measured
from spymaster.simulator.acceptance.portrait import Portrait
from spymaster.simulator.acceptance.replay import E_EXTRA_CANCEL, E_REFILL, LARGER, REPRICE, SAME, SMALLER
from spymaster.simulator.acceptance.tally import Tally
from spymaster.simulator.acceptance.targets import assumed_metrics
from spymaster.simulator.layout import MAX_DISTANCE
from spymaster.simulator.profile import FittedSection, Profile, Range
from spymaster.simulator.schedule import SECOND_NS

_NEAR_TICKS = 30
_TAIL_BOUNDS = (1.05, 3.0)
_ROUNDS = 500
_BASE_REFILLS = 0.064
"""Share of refills to which the base's share of icebergs leads."""


def fit_profile(
    tallies: Sequence[Tally], measured: Portrait, base: Profile, base_name: str, version: int, sources: Sequence[str]
) -> Profile:
    """The base profile with the numbers that the tallies tell; `measured` is their portrait together."""
    sections = {
        "shares": _shares(tallies, base),
        "add_distance": _distances(tallies, base),
        "modify": _modifies(tallies),
        "add_size": _sizes(np.concatenate([one.adds()["size"] for one in tallies]), base.add_size.ranges),
        "market_size": _sizes(np.concatenate([one.aggressors()[2] for one in tallies]), base.market_size.ranges),
        "patience": {"shares": _patience(tallies, base.patience.half_lives)},
        "book": _book(tallies, base),
        "special": _odd(tallies, base, measured),
        "latency": _latency(tallies, base),
    }
    figures = {
        one.metric: (_rounded(one.estimate.value), _rounded(one.estimate.error or 0.0))
        for one in measured.figures
        if one.estimate.value is not None
    }
    wanted = assumed_metrics(base_name)
    fitted = FittedSection(
        base=base_name,  # type: ignore[arg-type]
        version=version,
        source=list(sources),
        dates=[one.dt.isoformat() for one in tallies],
        messages=sum(one.records for one in tallies),
        figures={name: figure for name, figure in figures.items() if name in wanted},
    )
    content = base.model_dump(mode="json") | {"fitted": fitted.model_dump(mode="json")}
    for name, values in sections.items():
        content[name] |= {**values, "status": "anchor"}
    return Profile.model_validate(content)


def merged(portraits: Sequence[Portrait], label: str) -> Portrait:
    """One portrait of several days: mean figures with the error of the mean, pooled laws, curves of the last day."""
    last = portraits[-1]
    if len(portraits) == 1:
        return last
    figures = []
    for one in last.figures:
        values = [
            other.estimate.value
            for each in portraits
            for other in each.figures
            if other.metric == one.metric and other.estimate.value is not None
        ]
        if values:
            error = float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
            figures.append(Measured(one.number, one.metric, Estimate(float(np.mean(values)), error)))
    return Portrait(label, last.provenance, figures, pooled_laws(portraits), last.curves, last.patterns)


def toml_text(profile: Profile, comment: str) -> str:
    """A profile as TOML."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for name, section in profile.model_dump(mode="json").items():
        if section is None:
            continue
        tables = {key: value for key, value in section.items() if isinstance(value, dict)}
        lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items()
                                     if key not in tables)]  # fmt: skip
        for key, table in tables.items():
            lines += ["", f"[{name}.{key}]", *(f"{json.dumps(one)} = {json.dumps(value)}" for one, value in
                                               table.items())]  # fmt: skip
    return "\n".join(lines) + "\n"


def next_version(folder: Path, base_name: str) -> int:
    """Number of the first version of a profile that the folder does not have; the shipped one is version 1."""
    version = 2
    while any((folder / f"{base_name}-{version}{suffix}").exists() for suffix in (".toml", ".portrait.json")):
        version += 1
    return version


def _shares(tallies: Sequence[Tally], base: Profile) -> dict[str, float]:
    adds = sum(int((one.adds()["alone"] == 1).sum()) for one in tallies)
    modifies = sum(int(one.replay.counters["modifies"].sum()) for one in tallies)
    matches = sum(len(one.aggressors()[0]) for one in tallies)
    scale = (base.shares.add + base.shares.modify + base.shares.match) / max(adds + modifies + matches, 1)
    return {name: _rounded(count * scale) for name, count in
            (("add", adds), ("modify", modifies), ("match", matches))}  # fmt: skip


def _distances(tallies: Sequence[Tally], base: Profile) -> dict[str, Any]:
    rows = np.concatenate([one.adds() for one in tallies])
    distance = rows["distance"][(rows["alone"] == 1) & (rows["distance"] >= -1)].astype(np.int64).clip(min=0)
    distance = distance[distance <= MAX_DISTANCE]
    ranges = [(low, high, _rounded(float(((distance >= low) & (distance <= high)).mean())))
              for low, high, _ in base.add_distance.ranges]  # fmt: skip
    first = base.add_distance.ranges[-1][1] + 1
    # the profile's exponent is that of the density, Hill's that of what lies beyond
    return {"ranges": ranges, "tail": _rounded(_tail(distance, first) + 1)}


def _modifies(tallies: Sequence[Tally]) -> dict[str, float]:
    kinds = np.sum([one.replay.counters["modifies"] for one in tallies], axis=0)
    shares = kinds / max(kinds.sum(), 1)
    # the modify law needs each kind to be possible
    return {name: _rounded(float(shares[kind])) for name, kind in
            (("reprice", REPRICE), ("smaller", SMALLER), ("larger", LARGER), ("same", SAME))}  # fmt: skip


def _sizes(sizes: NDArray[Any], ranges: Sequence[Range]) -> dict[str, Any]:
    fitted = [(low, high, _rounded(float(((sizes >= low) & (sizes <= high)).mean()))) for low, high, _ in ranges]
    return {"ranges": fitted, "tail": _rounded(_tail(sizes.astype(np.int64), ranges[-1][1] + 1))}


def _tail(values: NDArray[np.int64], least: int) -> float:
    large = values[values >= least]
    found = hill(np.array([len(large), np.log(large / (least - 0.5)).sum()])) if len(large) else None
    return float(np.clip(found if found is not None else 1.5, *_TAIL_BOUNDS))


def _patience(tallies: Sequence[Tally], half_lives: Sequence[float]) -> list[float]:
    """Shares of the patience classes: a mixture of exponentials over cancelled, filled and resting orders."""
    rate = np.log(2) / np.asarray(half_lives)
    edges = np.geomspace(1e-5, 1e5, 401)
    ended, cut = np.zeros(len(edges)), np.zeros(len(edges))
    for one in tallies:
        rows = one.gone()
        rows = rows[rows["life"] >= 0]
        at = np.searchsorted(edges, rows["life"] / SECOND_NS).clip(max=len(edges) - 1)
        ended += np.bincount(at[rows["filled"] == 0], minlength=len(edges))
        cut += np.bincount(at[rows["filled"] == 1], minlength=len(edges))
        resting = one.replay.resting()
        age = (one.window[1] - resting["ts"][resting["live"] == 1]) / SECOND_NS
        cut += np.bincount(np.searchsorted(edges, age).clip(max=len(edges) - 1), minlength=len(edges))
    alive = np.exp(-edges[:, None] * rate)
    dying = alive * rate
    shares = np.full(len(rate), 1 / len(rate))
    for _ in range(_ROUNDS):
        weight = np.zeros(len(rate))
        for count, likely in ((ended, dying), (cut, alive)):
            joint = likely * shares
            whole = joint.sum(axis=1, keepdims=True)
            weight += (count[:, None] * np.divide(joint, whole, out=np.zeros_like(joint), where=whole > 0)).sum(axis=0)
        shares = weight / weight.sum()
    rounded = [_rounded(float(share)) for share in shares]
    rounded[-1] = _rounded(max(0.0, 1.0 - sum(rounded[:-1])))
    return rounded


def _book(tallies: Sequence[Tally], base: Profile) -> dict[str, Any]:
    orders, prices, near, best = np.zeros(2), np.zeros(2), 0.0, 0.0
    for one in tallies:
        rows = one.replay.resting()
        rows = rows[rows["tick"] >= 0]
        _, levels = one.levels()
        best += float(levels[:, :, 1, 0].mean())
        for side in (0, 1):
            ticks = rows["tick"][rows["side"] == side].astype(np.int64)
            orders[side] += len(ticks)
            prices[side] += len(np.unique(ticks))
            if len(ticks):
                touch = ticks.max() if side == 0 else ticks.min()
                near += float((np.abs(ticks - touch) < _NEAR_TICKS).sum())
    near /= max(orders.sum(), 1)
    orders, prices, best = orders / len(tallies), prices / len(tallies), best / len(tallies)
    # not every price within reach has an order: as many do as in the base
    occupied = [count / reach for count, reach in ((922, base.book.bid_reach), (565, base.book.ask_reach))]
    return {
        "bid_orders": max(int(orders[0]), 10), "ask_orders": max(int(orders[1]), 10),
        "bid_reach": max(int(prices[0] / occupied[0]), 10), "ask_reach": max(int(prices[1] / occupied[1]), 10),
        "near_share": _rounded(near), "mean_queue": _rounded(max(best, 1.0)),
    }  # fmt: skip


def _odd(tallies: Sequence[Tally], base: Profile, measured: Portrait) -> dict[str, float]:
    counters = [one.replay.counters for one in tallies]
    fills = max(sum(int(one["fills"]) for one in counters), 1)
    prints = max(sum(len(one.trades()) for one in tallies), 1)
    events = np.concatenate([one.events() for one in tallies])
    refills = {one.metric: one.estimate.value for one in measured.figures}.get("refills among modifies after fills")
    found = {
        # the profile counts per traded price
        "unknown_fill": sum(int(one["unknown"]) for one in counters) / prints,
        "oversize_fill": sum(int(one["oversize"]) for one in counters) / fills,
        "self_match": float((events["kind"] & E_EXTRA_CANCEL > 0).mean()),
    }
    if refills is not None and (events["kind"] & E_REFILL > 0).any():
        found["iceberg"] = base.special.iceberg * refills / _BASE_REFILLS
    return {name: _rounded(min(value, 1.0)) for name, value in found.items()}


def _latency(tallies: Sequence[Tally], base: Profile) -> dict[str, Any]:
    lags = np.concatenate([one.free_latencies() for one in tallies])
    values = np.quantile(lags, base.latency.quantiles).astype(np.int64)
    return {"quantiles": list(base.latency.quantiles), "values": [int(value) for value in np.maximum(values, 1)]}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
