"""Placebos: copies of levels at prices that mean nothing (Osler 2000 compares published levels with such).

Each level gets copies shifted by every whole number of ticks between the smallest and the largest shift, up and down,
in an order that a hash of its id decides, and at most as many as asked for. A copy ends where a level comes close, and
does not begin near one that is valid; what comes later than that has no part in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spymaster.settings import SetupSettings
from spymaster.setups.level_sources import Level


@dataclass(frozen=True)
class Placebos:
    """Arrays of one length: the row that is copied, the shift in ticks, and the end of the copy, ns UTC."""

    row: np.ndarray
    shift: np.ndarray
    valid_to: np.ndarray


def seed_of(level_id: str) -> int:
    """63 bits of the SHA-256 of a level's id."""
    return int.from_bytes(hashlib.sha256(level_id.encode()).digest()[:8]) >> 1


def shifts(level_id: str, settings: SetupSettings) -> np.ndarray:
    """int64[n]: the shifts of a level's copies, ticks, without one twice."""
    sizes = np.arange(settings.placebo_min_ticks, settings.placebo_max_ticks + 1)
    every = np.concatenate([-sizes, sizes])
    return np.random.default_rng(seed_of(level_id)).permutation(every)[: settings.placebos_per_level]


def placebos(levels: Sequence[Level], ids: Sequence[str], tick: int, settings: SetupSettings) -> Placebos:
    """Copies of all rows. levels: in order of `valid_from`; ids: the `level_id` of each."""
    price = np.array([one.price for one in levels], dtype=np.float64) / tick
    begin = np.array([one.valid_from for one in levels], dtype=np.int64)
    end = np.array([one.valid_to for one in levels], dtype=np.int64)
    of_level = {name: shifts(name, settings) for name in set(ids)}
    reach = settings.placebo_max_ticks + settings.placebo_clear_ticks
    rows, moved, until = [], [], []
    for k, name in enumerate(ids):
        shift = of_level[name]
        near = np.flatnonzero((begin < end[k]) & (end > begin[k]) & (np.abs(price - price[k]) <= reach))
        close = np.abs((price[near] - price[k])[:, None] - shift[None, :]) <= settings.placebo_clear_ticks
        at_start = (close & (begin[near] <= begin[k])[:, None]).any(axis=0)
        later = np.where(close, begin[near][:, None], end[k]).min(axis=0, initial=end[k])
        kept = np.flatnonzero(~at_start)
        rows.append(np.full(len(kept), k))
        moved.append(shift[kept])
        until.append(later[kept])
    row, shift, valid_to = (
        np.concatenate([np.empty(0, dtype=np.int64), *part]).astype(np.int64) for part in (rows, moved, until)
    )
    return Placebos(row, shift, valid_to)
