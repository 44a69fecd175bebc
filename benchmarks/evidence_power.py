"""How often planted agents were found: gates V3 to V5 over dates, and power by strength."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.evidence_days import reference_agents
from benchmarks.evidence_planted import LEAST_RECALL, LEAST_SHARE_RIGHT, MOST_OFF, Expected, expectations

NORMAL_975 = 1.959964


def wilson(found: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z2 = NORMAL_975**2
    middle, half = (found + z2 / 2) / (n + z2), NORMAL_975 * math.sqrt(found * (n - found) / n + z2 / 4) / (n + z2)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def powers(dates: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By kind and strength: dates, how many found it (with an interval of the share), and what was measured there."""
    rows = []
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for one in dates:
        for told in one["kinds"]:
            share = told.get("planted_messages", 0) / one["messages"]
            groups.setdefault((told["kind"], one["strength"]), []).append(told | {"share_of_messages": share})
    for (kind, strength), told in sorted(groups.items()):
        found = [one for one in told if one["found"]]
        low, high = wilson(len(found), len(told))
        rows.append(
            {
                "kind": kind, "strength": strength, "test": told[0]["test"], "dates": len(told), "found": len(found),
                "recall": round(len(found) / len(told), 3), "low": round(low, 3), "high": round(high, 3),
                "right": sum(one["right"] for one in found),
                "share of messages": _mean((one["share_of_messages"] for one in told), digits=7),
                "share of group": _mean(one.get("share_of_group") for one in told),
                "peak": _mean(one["peak"] for one in found),
                "precision": _mean(one.get("precision") for one in found),
                "planted": sum(one.get("planted_messages", 0) for one in told),
                "weights / planted": _ratio(told),
                "weights right": _mean(one.get("weights_right") for one in told),
            }
        )  # fmt: skip
    return rows


def _mean(values: Any, *, digits: int = 4) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), digits) if known else None


def _ratio(told: Sequence[dict[str, Any]]) -> float | None:
    planted = sum(one.get("planted_messages", 0) for one in told)
    return round(sum(one.get("weights", 0.0) for one in told) / planted, 3) if planted else None


def planted_gates(report: harness.Report, dates: Sequence[dict[str, Any]]) -> None:
    """Compare full strength with the gates: V3 recall, V4 the planted value, V5 whose messages."""
    expected = {one.kind: one for one in expectations(reference_agents())}
    for row in powers(dates):
        one, kind = expected[row["kind"]], row["kind"]
        report.add_target(f"V3 {kind}: dates that found it", row["recall"], LEAST_RECALL)
        if not row["found"]:
            continue
        if not math.isnan(one.value):
            report.add_target(f"V4 {kind}: with its value", row["right"] / row["found"], LEAST_SHARE_RIGHT)
        _attribution_gates(report, one, [told for date in dates for told in date["kinds"] if told["kind"] == kind])


def _attribution_gates(report: harness.Report, one: Expected, told: Sequence[dict[str, Any]]) -> None:
    if one.precision is not None:
        shown = [(each["precision"], each["exemplars"]) for each in told if each.get("precision") is not None]
        mean = float(np.average([p for p, _ in shown], weights=[n for _, n in shown])) if shown else 0.0
        report.add_target(f"V5 {one.kind}: exemplars that are its", mean, one.precision)
    if one.recall is not None:
        report.add_target(f"V5 {one.kind}: messages named", _mean(each.get("weights_recall") for each in told) or 0.0,
                          one.recall)  # fmt: skip
    if one.weighs:
        ratio = _ratio(told) or 0.0
        report.add_target(f"V5 {one.kind}: weights over planted, least", ratio, 1 - MOST_OFF)
        report.add_target(f"V5 {one.kind}: weights over planted, most", ratio, 1 + MOST_OFF, at_least=False)
