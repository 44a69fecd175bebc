"""Gates V3 to V5: of a date with planted agents, which kinds were found, with which lag or period, and whose messages.

A kind is looked for in the groups that hold a tenth of its messages or more. Of those with q <= 0.05 the one that it
has the largest share of speaks for it: its peak against the planted value, and its exemplars against the truth. What is
attributed is by the findings of the date itself with the planted value, and is held against the agent's messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.evidence_days import CLOCK_BOT, SimDay, kind_of
from benchmarks.evidence_search import Searched
from spymaster.evidence import chains, coplacement, icebergs, layers, lifetimes, periods, phase, reactions
from spymaster.evidence.arrays import DayArrays, kind
from spymaster.evidence.attribution import attribute
from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.replication import TEST_COLUMNS, replicate
from spymaster.evidence.session_intensity import LIST_COLUMNS, frozen_list
from spymaster.evidence.strata import Stratum
from spymaster.evidence.verdicts import same_peak
from spymaster.settings import EvidenceSettings
from spymaster.simulator.agent_plan import AgentFile
from spymaster.tables.types import LIFE_ENDS

LEAST_PART = 0.1
"""Of an agent's messages, that a group must hold to be asked for it."""
LEAST_RECALL, LEAST_SHARE_RIGHT = 0.8, 0.8
MOST_OFF = 0.25
"""Of the sum of weights, from the number of planted messages."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Expected:
    """What a kind of agent should be found by: test and sub-test, the planted value in the unit of the peak.

    family: of the attribution. precision, recall: what the gate asks of exemplars and of what is attributed.
    """

    kind: str
    test: str
    sub: str
    value: float
    family: str
    precision: float | None = None
    recall: float | None = None
    weighs: bool = False
    """Whether the sum of weights is held against the number of planted messages."""


def expectations(file: AgentFile) -> Iterator[Expected]:
    """Of the agents of a file that a test looks for."""
    for section in file.sections():
        name, one = kind_of(section), section.model_dump()
        match name:
            case "fleeting_quoter":
                yield Expected(name, lifetimes.TEST, "ms", one["age_ms"], "fleeting", 0.6, weighs=True)
            case "peg":
                yield Expected(name, chains.TEST, "peg_lag", one["lag_ms"], "chain", 0.95, 0.8)
            case "reaction_bot":
                yield Expected(name, reactions.TEST, "ms", one["lag_ms"], "reaction", 0.6, weighs=True)
            case "periodic_bot":
                yield Expected(name, periods.TEST, "slow", 1000 / one["period_ms"], "periodic")
            case "native_iceberg":
                yield Expected(name, icebergs.TEST, "native", np.nan, "iceberg", 0.95, 0.8)
            case "synthetic_iceberg":
                yield Expected(name, icebergs.TEST, "synthetic", one["lag_ms"], "iceberg", 0.6, weighs=True)
            case "layerer":
                yield Expected(name, layers.TEST, "episodes", one["lag_ms"], "layering")
            case "co_placer":
                yield Expected(name, coplacement.TEST, "50us", one["life_ms"], "coplace", 0.6, weighs=True)
            case _:
                if name == CLOCK_BOT:
                    yield Expected(name, phase.TEST, "1s", one["jitter_ms"] / 2, "periodic")


def outcome(made: SimDay, found: Searched, expected: Expected, settings: EvidenceSettings) -> dict[str, Any]:
    """Figures of one kind on one date."""
    rows = found.tests.filter(test_id=expected.test, sub_id=expected.sub)
    asked = [
        (row, part) for row in rows.iter_rows(named=True)
        if (part := _part(found.day, made, expected, row["stratum_json"])) is not None
    ]  # fmt: skip
    told: dict[str, Any] = {"kind": expected.kind, "test": f"{expected.test} {expected.sub}", "groups": len(asked)}
    if not asked:
        return told | {"found": False}
    is_fact = rows["p_method"][0] == "fact"
    hit = [(row, part) for row, part in asked if is_fact or (row["q_bh"] is not None and row["q_bh"] <= ALPHA)]
    row, part = max(hit or asked, key=lambda one: (one[1], one[0]["statistic"]))
    right = is_fact or same_peak(expected.value, row["peak_value"], row["peak_unit"], expected.test, expected.sub)
    told |= {
        "found": bool(hit) and (not is_fact or row["n_tgt"] > 0), "q": row["q_bh"], "statistic": row["statistic"],
        "stratum": row["stratum_json"], "share_of_group": part, "effect": row["effect"],
        "peak": row["peak_value"], "planted": expected.value, "right": bool(hit) and right, "verdict": row["verdict"],
        "weak": sum(one["verdict"].endswith("weak") for one, _ in asked),
    }  # fmt: skip
    if hit:
        told |= _exemplars(made, found, expected, row["test_row_id"])
    strata = [
        one["stratum_json"] for one in rows.iter_rows(named=True)
        if same_peak(expected.value, one["peak_value"], one["peak_unit"], expected.test, expected.sub)
    ]  # fmt: skip
    return told | _attributed(made, found, expected, strata, settings)


def _part(day: DayArrays, made: SimDay, expected: Expected, text: str) -> float | None:
    """Share of a group's messages that the agent sent; None for a group that is not asked for the agent."""
    stratum = Stratum(**json.loads(text))
    lives, messages = day.lives, day.messages
    if expected.test in (lifetimes.TEST, coplacement.TEST, layers.TEST):
        ended = lives.usable & (lives.reason == LIFE_ENDS.index("cancel"))
        mine, group = ended & made.planted.by(expected.kind, lives.order), ended & stratum.among(lives, lives.size)
    elif expected.test == icebergs.TEST:
        mine, group = made.planted.by(expected.kind, lives.order), stratum.among(lives, lives.size)
    else:
        side = None
        if expected.test == reactions.TEST:
            if not stratum.reference.startswith("trade"):
                return None
            own = reactions.reference_side(stratum.reference)
            side = own if stratum.relation == "same" else "BA"[own == "B"]
        sent = {chains.TEST: ("reprice",), reactions.TEST: ("add",)}.get(expected.test, ("add", "cancel"))
        mine = messages.usable & _of_kinds(day, *sent) & made.planted.by(expected.kind, messages.order)
        group = stratum.among(messages, messages.qty, side)
    both = int((mine & group).sum())
    return both / int(group.sum()) if both and both >= LEAST_PART * int(mine.sum()) else None


def _of_kinds(day: DayArrays, *names: str) -> Flags:
    return np.isin(day.messages.kind, [kind(name) for name in names])


def _exemplars(made: SimDay, found: Searched, expected: Expected, row_id: str) -> dict[str, Any]:
    """Share of the exemplars of a row that are the agent's (of hidden quantity: that hid some)."""
    shown = found.exemplars.filter(test_row_id=row_id)
    if expected.test == chains.TEST:
        shown = shown.filter(pl.col("role").cast(pl.String) == "chain_pegged")
    orders = shown["order_id"].to_numpy()
    native = expected.kind == "native_iceberg"
    mine = np.isin(orders.astype(np.int64), made.planted.hidden) if native else made.planted.by(expected.kind, orders)
    return {"exemplars": len(orders), "precision": float(mine.mean()) if len(orders) else None}


def _attributed(
    made: SimDay, found: Searched, expected: Expected, strata: list[str], settings: EvidenceSettings
) -> dict[str, Any]:
    """What the findings of the date make of its messages, held against those that the agent sent."""
    every = settings.model_copy(update={"holdout_share": 0.0})  # the list is of this date, whatever its role
    rows = replicate({made.dt: found.tests.select(TEST_COLUMNS)}, every)
    rows = rows.filter(pl.col("stratum_json").is_in(strata), test_id=expected.test, sub_id=expected.sub)
    frozen = frozen_list(rows.select(LIST_COLUMNS), found.day.law)
    weights = attribute(found.day, frozen)[expected.family]
    day, planted = found.day, made.planted
    messages = day.messages
    mine = planted.by(expected.kind, messages.order) & messages.usable
    if expected.kind == "native_iceberg":
        return _hidden(made, found, weights)
    sent = {
        "fleeting": ("cancel",), "coplace": ("cancel",), "layering": ("cancel",), "chain": ("reprice",),
        "reaction": ("add",), "iceberg": ("add",),
    }.get(expected.family, ("add", "cancel"))  # fmt: skip
    pattern = mine & _of_kinds(day, *sent)
    if expected.family == "iceberg":  # the first slice answers nothing, and refilled orders are facts of another kind
        pattern &= np.isin(messages.order.astype(np.int64), planted.answers)
        weights = np.where(_of_kinds(day, "add"), weights, 0)
    total = float(weights.sum())
    return {
        "listed": len(frozen.rows),
        "planted_messages": int(pattern.sum()),
        "weights": total,
        "weights_right": float(weights[mine].sum()) / total if total else None,
        "weights_recall": float(weights[pattern].sum() / max(pattern.sum(), 1)),
    }


def _hidden(made: SimDay, found: Searched, weights: NDArray[np.float32]) -> dict[str, Any]:
    """Refilled orders, which are facts: how many of them hid something, and how many that did were named."""
    day, planted = found.day, made.planted
    named = np.unique(day.messages.order[weights > 0]).astype(np.int64)
    lives = day.lives
    showed = planted.by("native_iceberg", lives.order) & (lives.filled > lives.largest) & (lives.reprices == 0)
    wanted = lives.order[showed].astype(np.int64)
    return {
        "planted_messages": len(wanted),
        "weights": float(weights.sum()),
        "orders_named": len(named),
        "weights_right": float(np.isin(named, planted.hidden).mean()) if len(named) else None,
        "weights_recall": float(np.isin(wanted, named).mean()) if len(wanted) else None,
    }
