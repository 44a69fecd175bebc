"""Which placebos a real episode is compared with, and how much episodes overlap; both are known when a date is over.

A placebo is offered if it is of the same kind and direction, within 15 minutes of the time of day, within a fifth of
sigma, and within a quarter of the approach's speed. Of those, the nearest in Mahalanobis distance over time of day,
sigma and speed are taken, each once, by the real episodes in order of time.

Placebos stand at neighbouring prices, and one move meets several of them within moments. Those say the same thing, so
none is taken within half a minute of one that was taken.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

PER_EPISODE: Final = 5
TIME_S: Final = 900
SIGMA_SHARE: Final = 0.2
SPEED_SHARE: Final = 0.25
APART_S: Final = 30
"""Placebos that are taken are at least so far from each other; no study looks at more seconds before a touch."""
WINDOW_S: Final = 360.0
MATCH_COLUMNS: Final = (
    "episode_id", "kind", "direction", "is_placebo", "valid", "ts_decision", "tod_sec", "sigma_60", "approach_speed",
)  # fmt: skip


def match_sets(episodes: pl.DataFrame) -> pl.Series:
    """`match_set_id` of each row: the episode_id of the real episode; null where there is no match.

    episodes: rows with `MATCH_COLUMNS`.
    """
    found: list[str | None] = [None] * episodes.height
    usable = pl.col("valid") & pl.all_horizontal(pl.col("sigma_60", "approach_speed").is_not_null())
    rows = episodes.select(MATCH_COLUMNS).with_row_index("row").filter(usable).sort("ts_decision", "episode_id")
    for (_, _), part in rows.group_by("kind", "direction", maintain_order=True):
        real, fake = part.filter(~pl.col("is_placebo")), part.filter("is_placebo")
        if real.is_empty() or fake.is_empty():
            continue
        features = fake.select("tod_sec", "sigma_60", "approach_speed").to_numpy().astype(np.float64)
        spread = np.cov(features.T) if len(features) > 3 else np.zeros((3, 3))
        weights = np.linalg.pinv(spread + 1e-9 * np.eye(3))
        free = np.ones(len(features), dtype=bool)
        identity, fake_row = real["episode_id"].to_list(), fake["row"].to_list()
        at = fake["ts_decision"].to_physical().to_numpy() / 1e9
        wanted = real.select("tod_sec", "sigma_60", "approach_speed").to_numpy().astype(np.float64)
        for name, own, row in zip(identity, wanted, real["row"].to_list(), strict=True):
            off = features - own
            near = (
                free
                & (np.abs(off[:, 0]) <= TIME_S)
                & (np.abs(off[:, 1]) <= SIGMA_SHARE * own[1])
                & (np.abs(off[:, 2]) <= SPEED_SHARE * abs(own[2]))
            )
            offered = np.flatnonzero(near)
            distance = np.einsum("ij,jk,ik->i", off[offered], weights, off[offered])
            taken = 0
            for k in offered[np.argsort(distance, kind="stable")]:
                if taken == PER_EPISODE:
                    break
                if free[k]:
                    found[fake_row[k]] = found[row] = name
                    free &= np.abs(at - at[k]) >= APART_S
                    taken += 1
    return pl.Series("match_set_id", found, dtype=pl.String)


def overlaps(decision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many other decisions (ns) lie within 360 s of each, and 1 over the mean number of windows open in its own.

    The second is the uniqueness of Lopez de Prado, Advances in Financial Machine Learning (2018), ch. 4, with the mean
    taken before the inverse.
    """
    order = np.argsort(decision, kind="stable")
    seconds = (decision[order] - (decision[order[0]] if len(order) else 0)) / 1e9
    first, after = (
        np.searchsorted(seconds, seconds - WINDOW_S, side="right"),
        np.searchsorted(seconds, seconds + WINDOW_S, side="left"),
    )
    sums = np.concatenate([[0.0], np.cumsum(seconds)])
    k = np.arange(len(seconds))
    earlier = (k - first) * (WINDOW_S - seconds) + (sums[k] - sums[first])
    later = (after - k - 1) * (WINDOW_S + seconds) - (sums[after] - sums[k + 1])
    number, weight = np.empty(len(k), dtype=np.int64), np.empty(len(k))
    number[order] = after - first - 1
    weight[order] = 1.0 / (1.0 + np.maximum(earlier + later, 0.0) / WINDOW_S)
    return number, weight
