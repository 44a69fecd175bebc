"""What is usual on a date: sizes of entries, and what counts as large. Tests of later dates take it from earlier ones.

Favourite sizes are those above 5 that occur far more often than sizes next to them: somebody's habit. They must not be
chosen by a look at the date that is tested.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
import polars as pl

LARGEST_SIZE = 1000
"""Sizes from here on are one."""
FAVOURITES = 10
LEAST_FAVOURITE, LEAST_COUNT = 6, 50
"""Sizes from here on may be favourites, if there are so many entries of them."""
NEIGHBOURS = 4
"""Sizes on either side that a size is compared with."""
LARGE_ADD, LARGE_BEHIND, LARGE_TOTAL = 0.99, 0.95, 0.99
"""Quantiles: of entries; of orders behind the best price; of the lots of such orders in 2 s."""
LEAST_BEHIND = 5
BEHIND_TICKS = (1, 5)
TOTAL_NS = 2_000_000_000


@dataclass(frozen=True)
class Measured:
    """What one date says. sizes, counts: of its entries; large_behind, layer_total: lots (see the constants)."""

    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    large_behind: int
    layer_total: int


@dataclass(frozen=True)
class Law:
    """Thresholds in lots, favourite sizes, and the dates that they are from."""

    large_add: int
    large_behind: int
    layer_total: int
    favourites: tuple[int, ...]
    dates: tuple[date, ...] = ()

    def json(self) -> str:
        """Without the dates."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "dates"}, sort_keys=True)


def measure(events: pl.DataFrame, lives: pl.DataFrame) -> Measured:
    """The law of a date from columns kind and qty of its messages and dist_add, known_add, n_reprice, side, size0 and
    ts_add of its lives.
    """
    added = events.filter(pl.col("kind").cast(pl.String) == "add")
    sizes = added.group_by(size=pl.col("qty").clip(1, LARGEST_SIZE)).len().sort("size")
    behind = lives.filter(
        pl.col("known_add") & (pl.col("n_reprice") == 0) & pl.col("dist_add").is_between(*BEHIND_TICKS)
    ).select("side", "size0", ts=pl.col("ts_add").to_physical().cast(pl.Int64))
    large, total = LEAST_BEHIND, 0
    if behind.height:
        large = max(large, int(np.quantile(behind["size0"].to_numpy(), LARGE_BEHIND)))
        slot = pl.col("ts") // TOTAL_NS
        sums = behind.filter(pl.col("size0") >= large).group_by("side", slot).agg(pl.col("size0").cast(pl.Int64).sum())
        first, last = behind["ts"].min(), behind["ts"].max()
        assert isinstance(first, int)
        assert isinstance(last, int)
        slots = np.zeros(max(2 * (last // TOTAL_NS - first // TOTAL_NS + 1), sums.height), np.int64)
        slots[: sums.height] = sums["size0"].to_numpy()
        total = int(np.quantile(slots, LARGE_TOTAL))
    return Measured(tuple(sizes["size"].to_list()), tuple(sizes["len"].to_list()), large, total)


def pool(measured: Sequence[Measured], dates: Sequence[date] = ()) -> Law:
    """The law of some dates: sizes together, medians of the thresholds. Raises ValueError without a date."""
    if not measured:
        raise ValueError("a law needs at least one date")
    counts = np.zeros(LARGEST_SIZE + 1, np.int64)
    for one in measured:
        counts[list(one.sizes)] += np.array(one.counts, np.int64)
    reached = np.cumsum(counts) >= LARGE_ADD * counts.sum()
    return Law(
        max(int(np.argmax(reached)), 2),
        int(np.median([one.large_behind for one in measured])),
        int(np.median([one.layer_total for one in measured])),
        favourites(counts),
        tuple(dates),
    )


def favourites(counts: np.ndarray) -> tuple[int, ...]:
    """At most ten sizes, rising, from their number of entries by size: those with the largest lift over the median of
    their neighbours.
    """
    found = []
    for size in range(LEAST_FAVOURITE, len(counts) - 1):
        if counts[size] < LEAST_COUNT:
            continue
        around = np.concatenate([counts[max(size - NEIGHBOURS, 1) : size], counts[size + 1 : size + 1 + NEIGHBOURS]])
        lift = counts[size] / max(float(np.median(around)), 1.0)
        if lift > 1:
            found.append((-lift, size))
    return tuple(sorted(size for _, size in sorted(found)[:FAVOURITES]))
