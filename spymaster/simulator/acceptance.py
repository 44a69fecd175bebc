"""Is the simulated market like the real one? Targets with bounds, measured on a date's tally.

A target that the span cannot show has no value and no verdict. Bounds marked `anchored` come from real files; the
others are assumptions until real days are there. Sources of the stylised facts: Cont 2001, Quant. Finance 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spymaster.simulator.measure import Tally

_ANCHORED_SHARES = {
    "es": {"A": 0.34, "C": 0.30, "M": 0.20, "F": 0.11, "T": 0.05},
    "cl": {"A": 0.39, "C": 0.43, "M": 0.07, "F": 0.07, "T": 0.04},
}
_HALF_HOUR = 1_800
_OF_THE_BACKGROUND = {1, 7, 8, 9}
"""Targets for the mix, the lives and the sizes of orders: the profile sets them for a market without agents."""
_MOST_PLANTED = 0.05
_ALWAYS_JUDGED = {3, 17, 18}
"""Targets that need no regular hours."""
_LONG_SPAN = 6 * 3_600
"""Seconds from which a span shows the shape of a day."""


@dataclass(frozen=True)
class Target:
    """One figure, what it should be, and whether it is. `value` None: the date cannot show it (`reason`)."""

    number: int
    metric: str
    value: float | None
    low: float
    high: float
    anchored: bool = False
    reason: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the value lies within the bounds; None without a value."""
        return None if self.value is None else self.low <= self.value <= self.high


def targets(tally: Tally, messages: int, profile: str, price_mode: str) -> list[Target]:
    """All targets of one date."""
    return [
        *_message_targets(tally, messages, profile),
        *_book_targets(tally, profile),
        *_order_targets(tally),
        *_price_targets(tally, price_mode),
        *_feed_targets(tally, profile),
    ]


def judged_beside(found: Iterable[Target], *, planted: float, evening: bool) -> list[Target]:
    """Targets without those that a date with agents, or a Sunday evening, cannot show.

    `planted` is the share of the messages that agents wrote; above a twentieth the mix of messages is theirs
    as well as the profile's.
    """
    kept = []
    for target in found:
        if evening and target.number not in _ALWAYS_JUDGED:
            target = replace(target, value=None, reason="no regular hours")
        elif planted > _MOST_PLANTED and target.number in _OF_THE_BACKGROUND:
            target = replace(target, value=None, reason=f"agents wrote {planted:.0%} of the messages")
        kept.append(target)
    return kept


def failed(found: Iterable[Target]) -> list[Target]:
    """Targets that were missed."""
    return [target for target in found if target.passed is False]


def _message_targets(tally: Tally, messages: int, profile: str) -> list[Target]:
    shares = tally.shares()
    patterns = tally.patterns()
    order = [patterns.get(name, 0) for name in ("TFC", "TFM", "TFFCC")]
    found = [
        Target(1, f"share of {name}", shares[name], anchor - 0.04, anchor + 0.04, anchored=True)
        for name, anchor in _ANCHORED_SHARES[profile].items()
    ]
    found += [
        Target(2, "events that are single A, C, M", tally.single_share(), 0.90, 1.0, anchored=True),
        Target(2, "TFC over TFM", order[0] / max(order[1], 1), 1.0, 20.0, anchored=True),
        Target(2, "TFM over TFFCC", order[1] / max(order[2], 1), 1.0, 100.0, anchored=True),
        Target(2, "records of the longest event", tally.longest_event(), 20, 10_000),
        Target(3, "messages over plan", tally.records / messages, 0.97, 1.03),
        Target(14, "first RTH hour over midday", _open_over_midday(tally), 2.0, 3.0),
        Target(15, "99.9 % busiest second over mean", _bursts(tally), 10.0, 1e4),
    ]
    return found


def _book_targets(tally: Tally, profile: str) -> list[Target]:
    orders, _, _ = tally.resting_at_end()
    depth = tally.depth()
    found = [
        Target(5, "time with a spread of one tick", tally.spread_share(), 0.97, 1.0),
        Target(6, "depth of levels 5-10 over level 1", float(depth[4:10].mean() / depth[0]), 1.0, 20.0),
        Target(6, "depth of levels 11-20 over 5-10", float(depth[10:].mean() / depth[4:10].mean()), 0.5, 2.0),
        Target(17, "crossed events while trading", tally.crossed(), 0, 0, anchored=True),
    ]
    if profile == "es":
        found.insert(0, Target(4, "resting orders at the end", orders, 8_000, 16_000, anchored=True))
    return found


def _order_targets(tally: Tally) -> list[Target]:
    lives, sizes = tally.lifetimes(), tally.sizes()
    shares = [float((lives < limit).mean()) for limit in (0.001, 0.01, 0.05, 2.0)]
    bounds = ((0.08, 0.13), (0.14, 0.21), (0.18, 0.27), (0.40, 0.50))
    names = ("1 ms", "10 ms", "50 ms", "2 s")
    return [
        Target(7, "cancelled over added orders", tally.cancelled_share(), 0.80, 0.95),
        *(
            Target(8, f"cancelled orders younger than {name}", share, *bound)
            for name, share, bound in zip(names, shares, bounds, strict=True)
        ),
        Target(9, "median size", float(np.median(sizes)), 1, 1),
        Target(9, "share of size 1", float((sizes == 1).mean()), 0.68, 0.78),
        Target(9, "tail exponent of sizes", _hill(sizes[sizes > 20], 21), 1.3, 1.8),
    ]


def _price_targets(tally: Tally, price_mode: str) -> list[Target]:
    mids, signs = tally.mids(), tally.signs()
    slope, at_50 = _sign_memory(signs)
    minutes = np.diff(mids[::60])
    changes = tally.trades()["price"].astype(np.int64)
    moves = np.diff(changes)
    moves = moves[moves != 0].astype(np.float64)
    flow, response = tally.order_flow()
    # what three standard errors of an estimate from so few minutes hide cannot be asked for
    slack = max(0.03, 3 / max(len(minutes), 1) ** 0.5)
    loose = 25 / max(len(signs), 1) ** 0.5
    stretches = max(len(mids) / 300, 1)
    found = [
        Target(10, "slope of the trade-sign correlation", slope, -0.7 - loose, -0.4 + loose),
        Target(10, "trade-sign correlation at lag 50", at_50, 0.02, 1.0),
        Target(11, "correlation of minute returns", _correlation(minutes, 1), -slack, slack),
        Target(11, "correlation of trade price moves", _correlation(moves, 1), -1.0, 0.0),
        Target(11, "correlation of sizes of returns at 30 min", _slow_volatility(mids), 0.05 - slack / 3, 1.0),
        Target(11, "kurtosis at 1 s over 60 s", _kurtosis_ratio(mids), 1.0, 1e4),
        Target(12, "signature: variance rate at 300 s over 1 s", _signature(mids), 0.0, 1.25 + (8 / stretches) ** 0.5),
        Target(16, "standard deviation of mid in 60 s, ticks", _sigma(mids, 60), 4.0, 10.0),
        Target(16, "range in RTH, ticks", float(np.ptp(mids)) if len(mids) >= _LONG_SPAN else None, 60, 400),
    ]
    if price_mode == "walk":
        found.append(Target(13, "predictive R2 of order flow", _r2(flow[:-1], response[1:]), 0.0, 0.002))
    else:
        found.append(Target(13, "R2 of order flow at 10 s", _r2(flow, response), 0.40, 0.70))
    return found


def _feed_targets(tally: Tally, profile: str) -> list[Target]:
    lags, kinds = tally.latencies(), tally.kinds()
    trades = tally.trades()
    implied = float((trades["order_id"] == 0).mean()) if len(trades) else None
    after_fill = kinds["partial"] + kinds["refill"]
    return [
        Target(18, "median capture latency, us", float(np.median(lags)) / 1e3, 100, 200),
        Target(18, "least capture latency, us", float(lags.min()) / 1e3, 80, 1e6),
        Target(19, "refills among modifies after fills", kinds["refill"] / max(after_fill, 1), 0.05, 0.15),
        Target(20, "prints without an aggressor", implied, 0.05 if profile == "cl" else 0.01, 0.08),
    ]


def _open_over_midday(tally: Tally) -> float | None:
    low, high = ((edge - tally.start_ns) // 1_000_000_000 for edge in tally.window)
    if high - low < 4 * 3600:
        return None
    midday = low + 3 * 3600
    return float(tally.per_second[low : low + 3600].sum() / max(tally.per_second[midday : midday + 3600].sum(), 1))


def _bursts(tally: Tally) -> float | None:
    busy = tally.per_second[tally.per_second > 0]
    return float(np.quantile(busy, 0.999) / busy.mean()) if len(busy) >= _LONG_SPAN else None


def _sign_memory(signs: NDArray[np.float64], lags: int = 100) -> tuple[float | None, float | None]:
    """Slope of log correlation on log lag over lags 1 to `lags`, and the correlation at lag 50."""
    if len(signs) < 20 * lags:
        return None, None
    values = np.array([_correlation(signs, lag) or 0.0 for lag in range(1, lags + 1)])
    # averages over octaves keep the noise of single lags out of the logarithm
    octaves = [(1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 64), (64, lags + 1)]
    lag = np.array([np.log(np.arange(a, b)).mean() for a, b in octaves])
    height = np.array([values[a - 1 : b - 1].mean() for a, b in octaves])
    kept = height > 0
    slope = float(np.polyfit(lag[kept], np.log(height[kept]), 1)[0]) if kept.sum() > 2 else None
    return slope, float(values[44:55].mean())


def _correlation(values: NDArray[np.float64], lag: int) -> float | None:
    if len(values) < lag + 30:
        return None
    centred = values - values.mean()
    variance = float((centred**2).mean())
    return float((centred[lag:] * centred[:-lag]).mean()) / variance if variance > 0 else None


def _slow_volatility(mids: NDArray[np.float64]) -> float | None:
    """Correlation of absolute minute returns 30 minutes apart."""
    size = np.abs(np.diff(mids[::60]))
    return _correlation(size, _HALF_HOUR // 60) if len(size) >= 300 else None


def _kurtosis_ratio(mids: NDArray[np.float64]) -> float | None:
    short, long = (_kurtosis(mids[step:] - mids[:-step]) for step in (1, 60))
    return short / long if short is not None and long is not None else None


def _kurtosis(values: NDArray[np.float64]) -> float | None:
    variance = float(values.var()) if len(values) > 100 else 0.0
    return float(((values - values.mean()) ** 4).mean()) / variance**2 if variance > 0 else None


def _signature(mids: NDArray[np.float64]) -> float | None:
    if len(mids) < 3_600:
        return None
    short, long = (float(((mids[step:] - mids[:-step]) ** 2).mean()) / step for step in (1, 300))
    return long / short if short > 0 else None


def _sigma(mids: NDArray[np.float64], step: int) -> float | None:
    return float(np.std(mids[step:] - mids[:-step])) if len(mids) > 10 * step else None


def _r2(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    if len(x) < 100 or x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def _hill(values: NDArray[np.int64], least: int) -> float | None:
    """Tail exponent by Hill's estimator with the correction for whole numbers (Clauset, Shalizi & Newman 2009)."""
    if len(values) < 50:
        return None
    return float(len(values) / np.log(values / (least - 0.5)).sum())
