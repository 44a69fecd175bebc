"""Tables that kernels draw from, built from a profile: alias tables of discrete laws, quantiles, powers.

Probabilities become 32-bit thresholds and every float is rounded, so that the last digit of a library's `log` cannot
change a run. Alias method: Walker 1977, ACM Trans. Math. Softw., in Vose's form.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spymaster.simulator.layout import (
    BUCKETS,
    CLASSES,
    DECAY_STEPS,
    EXP_STEPS,
    LATENCY_STEPS,
    LOGIT_STEPS,
    MAX_DISTANCE,
    MAX_SIZE,
    TICKS,
)
from spymaster.simulator.profile import BookSection, DistanceSection, LatencySection, PatienceSection, Range

ONE = 1 << 32
"""Probability 1 in kernel units."""

_BUCKET_ENDS = (0, 1, 2, 5, 20, MAX_DISTANCE)
_NEAR_TICKS = 30


def probability(share: float) -> int:
    """A share as a kernel's threshold."""
    return round(share * ONE)


def alias_table(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Alias table of non-negative weights: shape (n, 2), threshold and alias of each outcome; not to be written to."""
    return _alias_table(np.asarray(weights, np.float64).tobytes())


@lru_cache(maxsize=128)
def _alias_table(content: bytes) -> NDArray[np.int64]:
    # dates of a run have the same laws, and large tables take as long as a minute of trading
    weights = np.frombuffer(content)
    n = len(weights)
    scaled = np.round(weights / np.sum(weights) * n, 12)
    table = np.empty((n, 2), np.int64)
    small = [k for k in range(n) if scaled[k] < 1]
    large = [k for k in range(n) if scaled[k] >= 1]
    while small and large:
        k, other = small.pop(), large[-1]
        table[k] = round(float(scaled[k]) * ONE), other
        scaled[other] = round(float(scaled[other] + scaled[k] - 1), 12)
        if scaled[other] < 1:
            small.append(large.pop())
    for k in (*small, *large):
        table[k] = ONE, k
    table.flags.writeable = False
    return table


def ranges_law(ranges: list[Range], tail: float, last: int) -> NDArray[np.float64]:
    """Weights of 0 to `last`: uniform in each range, the rest ~ x^-(1 + tail) beyond the last range."""
    weights = np.zeros(last + 1)
    for low, high, share in ranges:
        weights[low : high + 1] += share / (high - low + 1)
    beyond = ranges[-1][1] + 1
    power = np.arange(beyond, last + 1, dtype=np.float64) ** -(1 + tail)
    weights[beyond:] += (1 - weights.sum()) * power / power.sum()
    return weights


def size_law(ranges: list[Range], tail: float) -> NDArray[np.int64]:
    """Alias table of sizes."""
    return alias_table(ranges_law(ranges, tail, MAX_SIZE))


def distance_weights(section: DistanceSection) -> NDArray[np.float64]:
    """Probability of each distance; the tail exponent is that of the density (Zovko & Farmer 2002)."""
    return ranges_law(section.ranges, section.tail - 1, MAX_DISTANCE)


def class_laws(distances: NDArray[np.float64], patience: PatienceSection) -> NDArray[np.int64]:
    """Alias tables of the patience class by distance bucket: shape (BUCKETS, CLASSES, 2).

    Short classes sit near the best, long ones far out, and both marginals are those of the profile (iterative
    proportional fitting).
    """
    starts = (0, *(end + 1 for end in _BUCKET_ENDS[:-1]))
    rows = np.array([distances[low : high + 1].sum() for low, high in zip(starts, _BUCKET_ENDS, strict=True)])
    columns = np.array([*patience.shares, 0.0])
    bucket, cls = np.meshgrid(np.arange(BUCKETS), np.arange(CLASSES), indexing="ij")
    joint = np.where((cls <= 2) & (bucket > 3), 1e-6, 1.0)
    joint *= np.where((cls >= 5) & (bucket < 2), 0.15, 1.0)
    joint *= np.where((cls == 6) & (bucket < 4), 0.02, 1.0)
    for _ in range(200):
        joint *= (rows / joint.sum(axis=1))[:, None]
        joint *= np.divide(columns, joint.sum(axis=0), out=np.zeros(CLASSES), where=columns > 0)[None, :]
    return np.stack([alias_table(np.round(row, 9)) for row in joint])


def far_laws(book: BookSection, round_ticks: int) -> NDArray[np.int64]:
    """Alias tables of the distance of the first book's orders from the best price: bids, asks."""
    tables = np.empty((2, TICKS // 2, 2), np.int64)
    for side, reach in enumerate((book.bid_reach, book.ask_reach)):
        distance = np.arange(TICKS // 2)
        far = np.where(distance < reach, 1.0 - 0.3 * distance / reach, 0.0)
        far *= np.where(distance % (5 * round_ticks) == 0, 6.0, np.where(distance % round_ticks == 0, 3.0, 1.0))
        near = np.where(distance < _NEAR_TICKS, np.minimum(1.0, 0.3 + 0.12 * distance), 0.0)
        tables[side] = alias_table(book.near_share * near / near.sum() + (1 - book.near_share) * far / far.sum())
    return tables


def pareto_law(tail: float, least: int, most: int, length: int) -> NDArray[np.int64]:
    """Alias table over 0 to `length` - 1 of a Pareto law between `least` and `most`."""
    size = np.arange(length, dtype=np.float64)
    inside = (size >= least) & (size <= most)
    return alias_table(np.where(inside, np.maximum(size, 1.0) ** -(1 + tail), 0.0))


def exponential_table() -> np.ndarray:
    """Quantiles of the unit exponential at multiples of 1 / EXP_STEPS; the last entry only closes the table."""
    steps = np.arange(EXP_STEPS + 1) / EXP_STEPS
    return np.round(-np.log1p(-np.minimum(steps, 1 - 0.5 / EXP_STEPS)), 10)


def decay_table() -> np.ndarray:
    """2^-x for x in [0, 1]."""
    return np.round(np.exp2(-np.arange(DECAY_STEPS + 1) / DECAY_STEPS), 12)


def logit_table(strength: float = 1.6) -> NDArray[np.int64]:
    """Thresholds of the probability that an aggressor buys, by the share of bids in the best queues."""
    imbalance = 2 * np.arange(LOGIT_STEPS + 1) / LOGIT_STEPS - 1
    return np.round(ONE / (1 + np.exp(-strength * imbalance))).astype(np.int64)


def power_table(exponent: float = 0.2) -> NDArray[np.float64]:
    """(q / mean)^exponent as a share of its value at q / mean = 4, by 50 q / mean."""
    return np.round((np.arange(LOGIT_STEPS + 1) / LOGIT_STEPS) ** exponent, 9)


def latency_table(section: LatencySection) -> NDArray[np.int64]:
    """Capture latencies in ns at equidistant quantiles; interpolated in the logarithm of what exceeds the floor.

    The last one is the longest of all, which kernels draw more rarely than the others.
    """
    floor = section.values[0] - 1_000
    at = (np.arange(LATENCY_STEPS) + 0.5) / LATENCY_STEPS
    excess = np.interp(at, section.quantiles, np.log(np.array(section.values) - floor))
    excess[-1] = np.log(section.values[-1] - floor)
    return np.round(floor + np.exp(excess)).astype(np.int64)
