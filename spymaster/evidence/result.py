"""What a test hands back: a statistic with its p, an effect with its interval, and the messages behind both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.maxstat import ALPHA

MOST_TYPICAL = 50
RANDOM_LINKS = 50


@dataclass(frozen=True)
class Exemplars:
    """Messages or lives that a person can open.

    table: `messages` or `lives` of the day's arrays; the other columns are one per row: index there, number of the
    link (pair, chain, order), role in it, lag in ns, weight (share of such rows beyond what the null expects), and
    whether it is among the most typical.
    """

    table: str
    index: NDArray[np.int64]
    link: NDArray[np.int64]
    role: tuple[str, ...]
    lag_ns: NDArray[np.int64]
    weight: NDArray[np.float64]
    is_typical: NDArray[np.bool_]


@dataclass(frozen=True)
class Curve:
    """What a test saw bin by bin: data, mean, the band of the surrogates, z, and which bins are in the peak.

    low, high: where each bin begins and ends, in `unit` (`ms`, `Hz`, `cell`).
    """

    unit: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    observed: NDArray[np.float64]
    mean: NDArray[np.float64]
    band_low: NDArray[np.float64]
    band_high: NDArray[np.float64]
    z: NDArray[np.float64]
    peak: NDArray[np.bool_]


@dataclass(frozen=True)
class Weights:
    """Share beyond the null of messages by where they are in a peak: (from, to, share) in `unit`.

    unit: `ns` of age, lag, delay or phase; `Hz`; `cell` of sizes and distances; `member`: rows that are facts.
    """

    unit: str
    bins: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class TestResult:
    """One test on one stratum.

    effect in `effect_unit` with a 95 % interval; peak in `peak_unit`; NaN where nothing was measured. n_ref and n_tgt:
    what the effect is a share of, and how many messages could have shown it.
    """

    __test__ = False  # not a test of pytest's

    test_id: str
    sub_id: str
    stratum_json: str
    n_ref: int
    n_tgt: int
    statistic: float
    stat_name: str
    p_raw: float | None
    """None for what is a fact and no test, and where a screen found nothing to test (p_method `screened`)."""
    p_floor: float | None
    p_method: str
    n_surrogate: int
    null_method: str
    null_param: dict[str, Any]
    effect: float
    effect_unit: str
    effect_lo: float
    effect_hi: float
    peak_value: float
    peak_unit: str
    peak_width: float
    weights: Weights = Weights("member")
    notes: tuple[str, ...] = ()
    exemplars: Exemplars | None = None
    window: tuple[int, int] | None = None
    """Start and end of what was tested; None for the whole day."""
    facts: dict[str, float | None] = field(default_factory=dict)
    """What is described beside the test."""
    curve: Curve | None = None

    @property
    def p(self) -> float:
        """p of a test; ValueError for a fact, which has none."""
        if self.p_raw is None:
            raise ValueError(f"{self.test_id}/{self.sub_id} is a fact and has no p")
        return self.p_raw

    @property
    def is_small(self) -> bool:
        """Whether there is a p, and it is at most 0.05."""
        return self.p_raw is not None and self.p_raw <= ALPHA


First = Sequence[TestResult]
"""Results of the first stage, of which the small ones are carried on; nothing where that is the first stage itself."""


class Tested(Protocol):
    """What makes one result. is_small: its first stage was done before, and p was small."""

    def __call__(self, *, is_small: bool) -> TestResult: ...


def carried_on(tests: Mapping[str, Tested], first: First) -> list[TestResult]:
    """Results of tests by `sub_id`; those of the first stage stay where p was not small: it would be the same again."""
    known = {one.sub_id: one for one in first}
    return [
        known[name] if name in known and not known[name].is_small else test(is_small=name in known)
        for name, test in tests.items()
    ]


def excess_share(observed: NDArray, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """By bin, the share of what is there that the null does not explain: max(0, 1 - mean / observed)."""
    return np.maximum(0.0, 1 - mean / np.maximum(observed, 1))


def choose_links(
    distance: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Places of the 50 most typical rows (smallest distance to the peak), then of 50 others at random."""
    near = np.arange(len(distance))
    if len(distance) > MOST_TYPICAL:
        near = np.flatnonzero(distance <= np.partition(distance, MOST_TYPICAL - 1)[MOST_TYPICAL - 1])
    typical = near[np.argsort(distance[near], kind="stable")][:MOST_TYPICAL]
    is_rest = np.ones(len(distance), np.bool_)
    is_rest[typical] = False
    rest = np.flatnonzero(is_rest)
    others = np.sort(rng.choice(rest, min(RANDOM_LINKS, len(rest)), replace=False)) if len(rest) else rest
    chosen = np.concatenate([typical, others]).astype(np.int64)
    return chosen, np.arange(len(chosen)) < len(typical)


def exemplars(
    table: str, rows: NDArray[np.int64], role: str, lag_ns: NDArray, weight: NDArray, typical: NDArray[np.bool_]
) -> Exemplars:
    """Exemplars of one row per link."""
    return Exemplars(table, rows, np.arange(len(rows)), (role,) * len(rows), lag_ns, weight, typical)
