"""Levels that are one price to a trader: groups, and the kinds of level in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spymaster.setups.level_sources import Level
from spymaster.tables.types import LEVEL_TYPES

_RANK = {name: rank for rank, name in enumerate(LEVEL_TYPES)}


def level_id(root: str, level: Level) -> str:
    """`ES:2026-01-06:PMH:0`."""
    return f"{root}:{level.session_date}:{level.level_type}:{level.number}"


def group_id(first: str, valid_from: int) -> str:
    """`ES:2026-01-06:PMH:0@1767709800000000000`: the row that begins a group, which no other one shares.

    The level alone would not do: each stretch of a level that moves may be in a group of its own.
    """
    return f"{first}@{valid_from}"


def in_order(levels: Sequence[Level]) -> list[Level]:
    """By the time they are known, then by kind and number."""
    return sorted(levels, key=lambda one: (one.valid_from, _RANK[one.level_type], one.number, one.session_date))


def groups(levels: Sequence[Level], ids: Sequence[str], reach: int) -> tuple[list[str], list[list[str]]]:
    """Group and tags of each of the `levels`, which are in order of `valid_from`; `reach` in 1e-9.

    A row joins the group of the row within `reach` that is valid when it begins and has been known for the longest;
    otherwise it begins a group that is called after it. Only rows that began earlier have a part in it, so a later one
    changes nothing. Tags are the kinds of level in the group at that moment. A group is never called as one that ended.
    """
    prices = np.array([one.price for one in levels], dtype=np.int64)
    ends = np.array([one.valid_to for one in levels], dtype=np.int64)
    kinds = [one.level_type for one in levels]
    of: list[str] = []
    tags: list[list[str]] = []
    active = np.empty(0, dtype=np.int64)
    for k, level in enumerate(levels):
        active = active[ends[active] > level.valid_from]
        near = active[np.abs(prices[active] - level.price) <= reach]
        of.append(of[near[0]] if len(near) else group_id(ids[k], level.valid_from))
        members = [kinds[j] for j in active if of[j] == of[k]]
        tags.append(sorted({*members, level.level_type}, key=_RANK.__getitem__))
        active = np.append(active, k)
    return of, tags
