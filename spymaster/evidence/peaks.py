"""From counts by bin to a result: where the peak is, how wide, how much of the stratum, and the curve behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.bins import MS, Edges
from spymaster.evidence.effects import Effect
from spymaster.evidence.maxstat import MaxResult
from spymaster.evidence.result import Curve, Exemplars, TestResult, Weights


@dataclass(frozen=True)
class Peak:
    """Some neighbouring bins: their places, where they lie (ns; of a circle that is passed, beyond its end), middle
    and width weighted by what is beyond the null.
    """

    places: NDArray[np.int64]
    low: int
    high: int
    value: float
    width: float


@dataclass(frozen=True)
class Null:
    """How surrogates were drawn, and with what."""

    method: str
    param: Mapping[str, Any]


def peak_of(result: MaxResult, edges: Edges, *, circular: bool = False) -> Peak:
    """The peak around the largest z; on a circle the last bin goes on in the first."""
    places = result.peak(circular=circular)
    turned = np.where(places < places[0], edges[-1] - edges[0], 0)
    low, high = edges[places] + turned, edges[places + 1] + turned
    value, width = weighted_peak((low + high) / 2, result.excess[places])
    if circular:
        value = edges[0] + (value - edges[0]) % (edges[-1] - edges[0])
    return Peak(places, int(low[0]), int(high[-1]), value, width)


def weighted_peak(centres: NDArray[np.float64], excess: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of a peak, weighted by what is beyond the null."""
    weights = np.maximum(excess, 0.0)
    if weights.sum() <= 0:
        return float(centres.mean()), 0.0
    mean = float(np.average(centres, weights=weights))
    return mean, float(np.sqrt(np.average((centres - mean) ** 2, weights=weights)))


def weights_of(peak: Peak, edges: Edges, shares: NDArray[np.float64]) -> Weights:
    """Shares by bin of a peak."""
    low, high = edges[peak.places].tolist(), edges[peak.places + 1].tolist()
    return Weights("ns", tuple(zip(low, high, shares.tolist(), strict=True)))


def curve_of(result: MaxResult, low: NDArray, high: NDArray, unit: str, places: NDArray[np.int64]) -> Curve:
    """The counts of a test as a curve; low, high: where its bins begin and end."""
    in_peak = np.zeros(len(result.z), np.bool_)
    in_peak[places] = True
    return Curve(
        unit,
        np.asarray(low, np.float64),
        np.asarray(high, np.float64),
        np.asarray(result.observed, np.float64),
        result.mean,
        result.low,
        result.high,
        result.z,
        in_peak,
    )


def result_of_bins(
    identity: tuple[str, str, str],
    result: MaxResult,
    edges: Edges,
    peak: Peak,
    effect: Effect,
    *,
    counts: tuple[int, int],
    stat_name: str,
    null: Null,
    exemplars: Exemplars,
    notes: tuple[str, ...] = (),
    facts: dict[str, float | None],
) -> TestResult:
    """Result of a test over bins of time. identity: test, sub-test, stratum. counts: n_ref, n_tgt."""
    test_id, sub_id, stratum_json = identity
    return TestResult(
        test_id=test_id,
        sub_id=sub_id,
        stratum_json=stratum_json,
        n_ref=counts[0],
        n_tgt=counts[1],
        statistic=result.statistic,
        stat_name=stat_name,
        p_raw=result.p,
        p_floor=result.p_floor,
        p_method=result.p_method,
        n_surrogate=result.surrogates,
        null_method=null.method,
        null_param=dict(null.param),
        effect=effect.share,
        effect_unit="share",
        effect_lo=effect.low,
        effect_hi=effect.high,
        peak_value=peak.value / MS,
        peak_unit="ms",
        peak_width=peak.width / MS,
        weights=weights_of(peak, edges, effect.weights),
        notes=notes,
        exemplars=exemplars,
        facts=facts,
        curve=curve_of(result, edges[:-1] / MS, edges[1:] / MS, "ms", peak.places),
    )
