"""Gates V1 and V2: where nobody is automatic, p-values are uniform and families find no more than chance.

p-values of a date come as counts: how often each multiple of 1 / (S + 1). Rows of one date share their messages, so
dates, not rows, are what intervals and tests draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.replication import TEST_COLUMNS, replicate
from spymaster.settings import EvidenceSettings

Counts = Mapping[int, int]

LEAST_SHARE, MOST_SHARE = 0.02, 0.09
"""Bounds of the share of p <= 0.05."""
LEAST_KS = 0.01
RESAMPLES = 2000


@dataclass(frozen=True)
class Size:
    """Of p-values of a test: their number, the share of p <= 0.05 with its 95 % interval over dates, and one-sided KS.

    ks: p of an excess of small p-values over uniform ones as large as seen, dates drawn with replacement; excess: the
    largest.
    """

    n: int
    share: float
    low: float
    high: float
    excess: float
    ks: float


def size(dates: Sequence[Counts], surrogates: int, seed: int = 1) -> Size:
    """Of the first stages of some dates with `surrogates` surrogates. Raises ValueError without any p."""
    steps = surrogates + 1
    table = np.array([[counts.get(k, 0) for k in range(1, steps + 1)] for counts in dates], np.float64)
    rows = table.sum(axis=1)
    if not rows.sum():
        raise ValueError("no p-value: nothing was tested on any of the dates")
    below = np.cumsum(table, axis=1)
    uniform = np.arange(1, steps + 1) / steps
    at = math.floor(ALPHA * steps) - 1
    drawn = np.random.default_rng(seed).multinomial(len(dates), np.full(len(dates), 1 / len(dates)), size=RESAMPLES)
    held = drawn @ rows > 0
    shares = (drawn[held] @ below) / (drawn[held] @ rows)[:, None]
    seen = below.sum(axis=0) / rows.sum()
    excess = float((seen - uniform).max())
    # what dates vary by around what was seen is what a uniform law would vary by around itself
    by_chance = (shares - seen).max(axis=1)
    low, high = np.quantile(shares[:, at], [0.025, 0.975])
    return Size(
        int(rows.sum()), float(seen[at]), float(low), float(high), excess, float(np.mean(by_chance >= excess - 1e-12))
    )


def families(tests: pl.DataFrame) -> dict[str, bool]:
    """By test of a date, whether anything was found; facts are no family."""
    found = tests.filter(pl.col("q_bh").is_not_null()).group_by("test_id").agg(pl.col("q_bh").min() <= ALPHA)
    return dict(zip(found["test_id"].to_list(), found["q_bh"].to_list(), strict=True))


def by_chance(n: int) -> tuple[int, int]:
    """95 % interval of how many of `n` families find something, if each does with 0.05."""
    chances = np.cumsum([math.comb(n, k) * ALPHA**k * (1 - ALPHA) ** (n - k) for k in range(n + 1)])
    return int(np.searchsorted(chances, 0.025, side="right")), int(np.searchsorted(chances, 0.975))


def verdicts(frames: Mapping[date, pl.DataFrame], settings: EvidenceSettings) -> dict[str, int]:
    """Number of groups by verdict over all dates together."""
    rows = replicate({dt: frame.select(TEST_COLUMNS) for dt, frame in frames.items()}, settings)
    counts: dict[str, Any] = dict(rows.group_by(pl.col("verdict").cast(pl.String)).len().iter_rows())
    return {name.split(":")[-1]: int(count) for name, count in sorted(counts.items())}
