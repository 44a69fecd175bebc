"""Why a group whose q is small has no verdict all the same."""

from __future__ import annotations

from collections.abc import Iterable

from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.report.sentences import Row
from spymaster.evidence.verdicts import Least, is_explained

REASONS = ("blocked", "explained", "halves", "few", "wide", "small")
"""The nearest to a verdict first: a control failed; the test itself has another explanation; the halves of the date
disagree; a large effect of too few messages; its interval reaches below the least effect; it is below that itself."""


def reason(row: Row, least: Least) -> str | None:
    """One of `REASONS` for a row of `algo_test` without a verdict; None where its q is not small."""
    if row["q_bh"] is None or row["q_bh"] > ALPHA:
        return None
    if least.is_passed(row["effect_lo"], row["effect_unit"], row["n_ref"], row["n_tgt"]):
        if is_explained(row["notes"]):
            return "explained"
        return "blocked" if row["halves_agree"] and row["blocked_by_control"] else "halves"
    floor = least.share if row["effect_unit"] == "share" else least.ratio
    if row["effect_lo"] is not None and row["effect_lo"] > floor:
        return "few"
    return "wide" if row["effect"] is not None and row["effect"] > floor else "small"


def count(rows: Iterable[Row], least: Least) -> dict[str, int]:
    """By reason, in the order of `REASONS`, of how many groups it is the nearest one; rows are of one test."""
    of_group: dict[tuple[str, str], int] = {}
    for row in rows:
        why = reason(row, least)
        if why is not None:
            group, place = (row["sub_id"], row["stratum_json"]), REASONS.index(why)
            of_group[group] = min(place, of_group.get(group, place))
    places = list(of_group.values())
    return {name: places.count(place) for place, name in enumerate(REASONS) if place in places}
