"""Twins of redrawn or resized orders, many surrogates at once.

Two orders can be twins of a surrogate only if their cells are next to each other and their lives nearly as long, or,
where sizes are permuted, if they are twins but for their sizes. Such pairs are few and gathered once; of all other
orders nothing is drawn. The counts are those of `nulls.jitter_marked`, or of `nulls.markperm`, and a search of all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.nulls import below, permute_groups
from spymaster.evidence.streams import SomeWords, Streams, fill_blocks
from spymaster.jit import kernel

Ints = NDArray[np.int64]


@kernel()
def find_candidates(at, reach, life, event, side, size, apart, alike, first, second):
    """Pairs of different events and sides, up to `reach` from each other, and lives as long but for `apart`.

    at: rising. alike: of equal sizes only. Notes as many pairs as fit and returns how many there are.
    """
    n = at.shape[0]
    found = 0
    for i in range(n):
        for j in range(i + 1, n):
            if at[j] - at[i] > reach:
                break
            if side[i] == side[j] or (alike and size[i] != size[j]) or event[i] == event[j]:
                continue
            if abs(life[j] - life[i]) > apart:
                continue
            if found < first.shape[0]:
                first[found] = i
                second[found] = j
            found += 1
    return found


@kernel()
def count_redrawn(
    starts, others, at, others_at, longer, places, key_low, key_high, number, blocks, width, within, cancels, chosen,
    origin, minute, sets,
):  # fmt: skip
    """Twins by place in `sets` [surrogates, places]; each of a pair is drawn anew from the start of its cell.

    at, others_at, blocks: as in `SomeWords`; longer: life of the second less that of the first. With `minute` above 0
    those in places that are `chosen` are counted by it from `origin`, at the time of the earlier of both.
    """
    words = np.empty(4 * blocks.shape[0], np.uint32)
    for one in range(sets.shape[0]):
        fill_blocks(key_low, key_high, number + one, blocks, words)
        counts = sets[one]
        for k in range(starts.shape[0]):
            first, second = starts[k] + below(words[at[k]], width), others[k] + below(words[others_at[k]], width)
            if abs(second - first) <= within and abs(second + longer[k] - first) <= cancels:
                if minute == 0:
                    counts[places[k]] += 1
                elif chosen[places[k]]:
                    counts[min(max((min(first, second) - origin) // minute, 0), counts.shape[0] - 1)] += 1


@dataclass(frozen=True)
class Orders:
    """Orders by time of entry: that time, life (both ns), event, side, size, and class of distance."""

    add: Ints
    life: Ints
    event: Ints
    side: NDArray[np.uint8]
    size: NDArray[np.int32]
    dist: NDArray[np.uint8]

    def pairs(self, at: Ints, reach: int, apart: int, *, alike: bool) -> tuple[Ints, Ints]:
        """Pairs of `find_candidates`, all of them."""
        columns = (at, reach, self.life, self.event, self.side, self.size, apart, alike)
        room = 1024
        while True:
            first, second = np.empty(room, np.int64), np.empty(room, np.int64)
            found = find_candidates(*columns, first, second)
            if found <= room:
                return first[:found], second[:found]
            room = found

    def place(self, first: Ints, second: Ints, largest: int, distances: int, size: NDArray | None = None) -> Ints:
        """Number of (size, distance of the bid, of the offer) of each pair; size: of the first, in place of its own."""
        is_bid = self.side[first] == 0
        bid, ask = np.where(is_bid, first, second), np.where(is_bid, second, first)
        classes = np.minimum(self.size[first] if size is None else size, largest).astype(np.int64)
        return (classes * distances + self.dist[bid]) * distances + self.dist[ask]


class RedrawnTwins:
    """Twins of surrogates in which every entry is drawn anew in its cell of `width` ns and takes its cancel along.

    within, cancels: how far entries and cancels of twins lie apart. largest, distances: of `Orders.place`.
    """

    def __init__(
        self, orders: Orders, streams: Streams, width: int, within: int, cancels: int, largest: int, distances: int
    ) -> None:
        origin = streams.offset(width)
        cell = (orders.add - origin) // width
        first, second = orders.pairs(cell, 1, within + cancels, alike=True)
        words = SomeWords.of(np.concatenate([first, second]))
        self._columns = (
            origin + cell[first] * width, origin + cell[second] * width, words.at[: len(first)],
            words.at[len(first) :], orders.life[second] - orders.life[first],
            orders.place(first, second, largest, distances),
        )  # fmt: skip
        self._drawn = (words.blocks, width, within, cancels)
        self._streams = streams
        self._places = (largest + 1) * distances * distances

    def sets(self, first: int, count: int) -> NDArray[np.int32]:
        """Twins by place of surrogates `first`, `first + 1` ... [count, places]."""
        return self._counted(first, count, self._places, np.zeros(self._places, np.bool_), 0, 0)

    def by_block(self, places: Ints, start: int, width: int, blocks: int) -> Callable[[int, int], NDArray[np.int32]]:
        """Of surrogates, twins in some places by block of time [count, blocks]."""
        chosen = np.zeros(self._places, np.bool_)
        chosen[places] = True
        return lambda first, count: self._counted(first, count, blocks, chosen, start, width)

    def _counted(
        self, first: int, count: int, places: int, chosen: NDArray[np.bool_], start: int, minute: int
    ) -> NDArray[np.int32]:
        made = np.zeros((count, places), np.int32)
        count_redrawn(*self._columns, *self._streams.key, first, *self._drawn, chosen, start, minute, made)
        return made


class ResizedTwins:
    """Twins where they are, with sizes permuted among the orders of one cell.

    cells: of every order, in any order. Arguments else as of `RedrawnTwins`.
    """

    def __init__(
        self, orders: Orders, cells: Ints, streams: Streams, within: int, cancels: int, largest: int, distances: int
    ) -> None:
        first, second = orders.pairs(orders.add, within, within + cancels, alike=False)
        end = orders.add + orders.life
        together = np.abs(end[second] - end[first]) <= cancels
        first, second = first[together], second[together]
        by_cell = np.argsort(cells, kind="stable")
        rank = np.empty(len(cells), np.int64)
        rank[by_cell] = np.arange(len(cells))
        ordered = cells[by_cell]
        begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(cells) else rank
        ends = np.concatenate([begins[1:], [len(cells)]])
        needed = np.unique(np.searchsorted(begins, rank[np.concatenate([first, second])], side="right") - 1)
        self._groups = (begins[needed], ends[needed])
        self._size = orders.size[by_cell]
        self._ranks = (rank[first], rank[second])
        self._place = orders.place(first, second, largest, distances, np.zeros(len(first), np.int32))
        self._order = np.arange(len(cells))
        self._limits = (largest, distances * distances)
        self._streams = streams

    def counts(self, number: int) -> Ints:
        """Twins by place of a surrogate."""
        permute_groups(*self._groups, self._streams.words(number, len(self._order)), self._order)
        one, other = (self._size[self._order[rank]] for rank in self._ranks)
        largest, places = self._limits
        place = np.minimum(one, largest).astype(np.int64) * places + self._place
        return np.bincount(place[one == other], minlength=(largest + 1) * places)
