"""The figures of a market by their rows of the report, each with its standard error, measured on a tally.

Sources of the stylised facts: Cont 2001, Quant. Finance 1; Bouchaud, Mezard & Potters 2002 (queue sizes); Lillo, Mike &
Farmer 2005 (memory of signs); Cont, Kukanov & Stoikov 2014 (order-flow imbalance).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spymaster.simulator.acceptance.estimate import (
    UNKNOWN,
    Estimate,
    block_sums,
    correlation,
    counts,
    estimate,
    gamma_distance,
    hill,
    pair_sums,
    ratio,
)
from spymaster.simulator.acceptance.replay import (
    E_EXTRA_CANCEL,
    E_PARTIAL,
    E_REFILL,
    SAME,
    SMALLER,
)
from spymaster.simulator.acceptance.tally import ACTIONS, Tally
from spymaster.simulator.schedule import SECOND_NS

_LONG_SPAN = 6 * 3_600
"""Seconds from which a span shows the shape of a day."""
_MINUTE, _FLOW_SECONDS = 60, 10
_LARGE = 21
_LARGEST_QUEUE = 2_000
SHORT_LIVES = {"1 ms": 0.001, "10 ms": 0.01, "50 ms": 0.05, "2 s": 2.0}


@dataclass(frozen=True)
class Measured:
    """One figure: row of the report, name, estimate."""

    number: int
    metric: str
    estimate: Estimate


def measure(tally: Tally) -> list[Measured]:
    """All figures of a tally, in the order of the report."""
    found = [*_messages(tally), *_book(tally), *_orders(tally), *_memory(tally), *_prices(tally), *_feed(tally)]
    return sorted(found, key=lambda one: one.number)


def _messages(tally: Tally) -> Iterator[Measured]:
    acts = np.stack([tally.actions[:, code] for code in ACTIONS.values()], axis=1)
    for k, name in enumerate(ACTIONS):
        yield Measured(1, f"share of {name}", ratio(acts[:, k], acts.sum(axis=1)))
    events = tally.events()
    if len(events):
        at = tally.block(events["ts"])
        several = counts(at, tally.blocks, np.zeros(len(events), np.int64), 1)[:, 0]
        inside = block_sums(at, tally.blocks, events["n"].astype(float))[:, 0]
        singles = acts.sum(axis=1) - inside
        yield Measured(2, "events that are single A, C, M", ratio(singles, singles + several))
        names = ("TFC", "TFM", "TFFCC")
        each = {name: block_sums(at, tally.blocks, (events["pattern"] == _code(name)).astype(float))[:, 0]
                for name in names}  # fmt: skip
        yield Measured(2, "TFC over TFM", ratio(each["TFC"], each["TFM"]))
        yield Measured(2, "TFM over TFFCC", ratio(each["TFM"], each["TFFCC"]))
        for name in names:
            yield Measured(2, f"share of {name} among events", ratio(each[name], singles + several))
        yield Measured(2, "records of the longest event", Estimate(float(events["n"].max())))
    yield Measured(14, "first RTH hour over midday", _open_over_midday(tally))
    yield Measured(15, "99.9 % busiest second over mean", _bursts(tally))


def _book(tally: Tally) -> Iterator[Measured]:
    orders, bids, asks = tally.resting_prices()
    yield Measured(4, "resting orders at the end", Estimate(orders))
    # how many prices lie on either side depends on where the price went: about one a tick
    mids = tally.mids()[::_MINUTE]
    path = float(np.sqrt((np.diff(mids) ** 2).sum()))
    yield Measured(4, "bid prices at the end", Estimate(bids, path))
    yield Measured(4, "ask prices at the end", Estimate(asks, path))
    quotes = tally.quotes()
    if len(quotes) > 1:
        held = np.diff(np.append(quotes["ts"], tally.window[1])).astype(float)
        at, narrow = tally.block(quotes["ts"]), quotes["ask"] - quotes["bid"] == 1
        sums = block_sums(at, tally.blocks, np.column_stack([held * narrow, held]))
        yield Measured(5, "time with a spread of one tick", ratio(sums[:, 0], sums[:, 1]))
    ends, levels = tally.levels()
    if len(ends):
        at = tally.block(ends - 1)
        quantity = levels[:, :, 1].astype(float).mean(axis=1)
        parts = np.column_stack([quantity[:, 0], quantity[:, 4:10].mean(axis=1), quantity[:, 10:].mean(axis=1)])
        sums = block_sums(at, tally.blocks, parts)
        yield Measured(6, "depth of levels 5-10 over level 1", ratio(sums[:, 1], sums[:, 0]))
        yield Measured(6, "depth of levels 11-20 over 5-10", ratio(sums[:, 2], sums[:, 1]))
        best = np.bincount(levels[:, :, 1, 0].ravel().clip(0, _LARGEST_QUEUE)).astype(float)
        shape, distance = gamma_distance(best)
        yield Measured(6, "best queue: distance from its Gamma law", Estimate(distance))
        yield Measured(6, "best queue: shape of its Gamma law", Estimate(shape))
    yield Measured(17, "crossed events while trading", Estimate(int(tally.replay.counters["crossed"])))


def _orders(tally: Tally) -> Iterator[Measured]:
    adds, cancels = tally.adds(), tally.cancels()
    if not len(adds) or not len(cancels):
        return
    added, gone = (block_sums(tally.block(rows["ts"]), tally.blocks, np.ones(len(rows)))[:, 0]
                   for rows in (adds, cancels))  # fmt: skip
    yield Measured(7, "cancelled over added orders", ratio(gone, added))
    ts, lives = tally.lifetimes()
    at = tally.block(ts)
    whole = block_sums(at, tally.blocks, np.ones(len(lives)))[:, 0]
    for name, limit in SHORT_LIVES.items():
        young = block_sums(at, tally.blocks, (lives < limit).astype(float))[:, 0]
        yield Measured(8, f"cancelled orders younger than {name}", ratio(young, whole))
    yield Measured(8, "tail exponent of the density of lifetimes", _life_tail(tally, at, lives))
    sizes, at = adds["size"].astype(np.int64), tally.block(adds["ts"])
    yield Measured(9, "median size", Estimate(float(np.median(sizes))))
    ones = block_sums(at, tally.blocks, (sizes == 1).astype(float))[:, 0]
    yield Measured(9, "share of size 1", ratio(ones, added))
    large = sizes >= _LARGE
    logs = np.where(large, np.log(sizes.clip(min=1) / (_LARGE - 0.5)), 0.0)
    tail = block_sums(at, tally.blocks, np.column_stack([large.astype(float), logs]))
    yield Measured(9, "tail exponent of sizes", estimate(tail, hill))


def _life_tail(tally: Tally, at: NDArray[np.int64], lives: NDArray[np.float64]) -> Estimate:
    """Slope of log density on log age from 4 s to an eighth of the span, by octaves."""
    octaves = int(np.log2(max(tally.seconds / 8, 4))) - 2
    if octaves < 4 or len(lives) < 500:
        return UNKNOWN
    cell = np.floor(np.log2(lives.clip(min=1e-9))).astype(np.int64) - 2
    kept = (cell >= 0) & (cell < octaves)
    middle = 2.0 ** (np.arange(octaves) + 2.5)

    def slope(cells: NDArray[np.float64]) -> float | None:
        if (cells < 5).any():
            return None
        return float(np.polyfit(np.log(middle), np.log(cells / middle), 1, w=np.sqrt(cells))[0])

    return estimate(counts(at[kept], tally.blocks, cell[kept], octaves), slope)


def _memory(tally: Tally, lags: int = 100) -> Iterator[Measured]:
    """Correlation of the signs of aggressors: slope of its logarithm over lags 1 to `lags`, and its value at lag 50."""
    ts, sign, _ = tally.aggressors()
    if len(sign) < 20 * lags:
        yield Measured(10, "slope of the trade-sign correlation", UNKNOWN)
        yield Measured(10, "trade-sign correlation at lag 50", UNKNOWN)
        return
    at = tally.block(ts)
    n = len(sign) - lags
    columns = [np.ones(n), sign[:n], *(sign[:n] * sign[lag : lag + n] for lag in range(1, lags + 1))]
    sums = block_sums(at[:n], tally.blocks, np.column_stack(columns))
    yield Measured(10, "slope of the trade-sign correlation", estimate(sums, _sign_slope))
    yield Measured(10, "trade-sign correlation at lag 50", estimate(sums, lambda s: float(_signs(s)[44:55].mean())))


def _signs(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = sums[1] / sums[0]
    return (sums[2:] / sums[0] - mean**2) / (1 - mean**2)


def _sign_slope(sums: NDArray[np.float64]) -> float | None:
    values = _signs(sums)
    # averages over octaves keep the noise of single lags out of the logarithm
    edges = [1, 2, 4, 8, 16, 32, 64, len(values) + 1]
    octaves = list(pairwise(edges))
    lag = np.array([np.log(np.arange(a, b)).mean() for a, b in octaves])
    height = np.array([values[a - 1 : b - 1].mean() for a, b in octaves])
    kept = height > 0
    return float(np.polyfit(lag[kept], np.log(height[kept]), 1)[0]) if kept.sum() > 2 else None


def _prices(tally: Tally) -> Iterator[Measured]:
    trades = tally.trades()
    moves, when = np.zeros(0), np.zeros(0, np.int64)
    if len(trades):
        change = np.diff(trades["price"].astype(np.int64)) / tally.tick_size
        moves, when = change[change != 0], trades["ts_event"][1:][change != 0].astype(np.int64)
    yield Measured(11, "correlation of trade price moves", _lagged(tally, when, moves, 1))
    ends, levels = tally.levels()
    mids = tally.mids()
    at = ends - 1
    minute = mids[_MINUTE:] - mids[:-_MINUTE]
    yield Measured(11, "correlation of minute returns", _lagged(tally, at, minute, _MINUTE))
    yield Measured(11, "correlation of sizes of returns at 30 min", _slow_volatility(tally, at, np.abs(minute)))
    yield Measured(11, "kurtosis at 1 s over 60 s", _kurtosis_ratio(tally, at, mids))
    yield Measured(12, "signature: variance rate at 300 s over 1 s", _signature(tally, at, mids))
    yield Measured(13, "R2 of order flow at 10 s", _order_flow(tally, ends, levels, ahead=0))
    yield Measured(13, "predictive R2 of order flow", _order_flow(tally, ends, levels, ahead=1))
    squares = block_sums(tally.block(at[: len(minute)]), tally.blocks, np.column_stack([minute**2, minute**0]))
    sigma = estimate(squares, lambda s: float((s[0] / s[1]) ** 0.5) if s[1] > 10 * _MINUTE else None)
    yield Measured(16, "standard deviation of mid in 60 s, ticks", sigma)
    spread = Estimate(float(np.ptp(mids))) if len(mids) >= _LONG_SPAN else UNKNOWN
    yield Measured(16, "range in RTH, ticks", spread)


def _lagged(tally: Tally, ts: NDArray[np.int64], values: NDArray[np.float64], lag: int) -> Estimate:
    if len(values) < lag + 30:
        return UNKNOWN
    n = len(values) - lag
    return estimate(pair_sums(tally.block(ts[:n]), tally.blocks, values[:n], values[lag:]), correlation)


def _slow_volatility(tally: Tally, ts: NDArray[np.int64], size: NDArray[np.float64]) -> Estimate:
    return _lagged(tally, ts, size, 30 * _MINUTE) if tally.seconds >= _LONG_SPAN else UNKNOWN


def _kurtosis_ratio(tally: Tally, ts: NDArray[np.int64], mids: NDArray[np.float64]) -> Estimate:
    n = len(mids) - _MINUTE
    if n < 600:
        return UNKNOWN
    short, long = np.diff(mids)[:n], (mids[_MINUTE:] - mids[:-_MINUTE])[:n]
    sums = block_sums(
        tally.block(ts[:n]), tally.blocks, np.column_stack([short**0, short**2, short**4, long**2, long**4])
    )

    def figure(s: NDArray[np.float64]) -> float | None:
        return float((s[2] / s[1] ** 2) / (s[4] / s[3] ** 2)) if s[1] > 0 and s[4] > 0 else None

    return estimate(sums, figure)


def _signature(tally: Tally, ts: NDArray[np.int64], mids: NDArray[np.float64]) -> Estimate:
    n = len(mids) - 300
    if n < 3_000:
        return UNKNOWN
    short, long = np.diff(mids)[:n], (mids[300:] - mids[:-300])[:n]
    sums = block_sums(tally.block(ts[:n]), tally.blocks, np.column_stack([long**2 / 300, short**2]))
    return ratio(sums[:, 0], sums[:, 1])


def _order_flow(tally: Tally, ends: NDArray[np.int64], levels: NDArray[np.int32], *, ahead: int) -> Estimate:
    """R2 of the mid change of ten seconds on the order-flow imbalance of the same ten, or of `ahead` tens before.

    From the best quotes at the ends of seconds, so a coarse version of the published one.
    """
    best = levels[:, :, :2, 0].astype(np.float64)
    if len(best) < 100 * _FLOW_SECONDS:
        return UNKNOWN
    bid, bid_qty, ask, ask_qty = best[:, 0, 0], best[:, 0, 1], best[:, 1, 0], best[:, 1, 1]
    flow = (bid[1:] >= bid[:-1]) * bid_qty[1:] - (bid[1:] <= bid[:-1]) * bid_qty[:-1]
    flow -= (ask[1:] <= ask[:-1]) * ask_qty[1:] - (ask[1:] >= ask[:-1]) * ask_qty[:-1]
    n = len(flow) // _FLOW_SECONDS * _FLOW_SECONDS
    x = flow[:n].reshape(-1, _FLOW_SECONDS).sum(axis=1)
    y = np.diff((0.5 * (bid + ask))[: n + 1 : _FLOW_SECONDS])
    x, y = (x[:-ahead], y[ahead:]) if ahead else (x, y)
    at = tally.block(ends[:n:_FLOW_SECONDS][: len(x)])

    def r2(sums: NDArray[np.float64]) -> float | None:
        found = correlation(sums)
        return found**2 if found is not None else None

    return estimate(pair_sums(at, tally.blocks, x, y), r2)


def _open_over_midday(tally: Tally) -> Estimate:
    low, high = ((edge - tally.start_ns) // SECOND_NS for edge in tally.window)
    if high - low < 4 * 3_600:
        return UNKNOWN
    tens = [tally.per_second[start : start + 3_600].reshape(6, 600).sum(axis=1).astype(float)
            for start in (low, low + 3 * 3_600)]  # fmt: skip
    if not tens[1].sum():
        return UNKNOWN
    value = float(tens[0].sum() / tens[1].sum())
    # ten minutes are about as long as the market remembers how busy it is
    spread = sum(float(part.var(ddof=1)) / 6 / float(part.mean()) ** 2 for part in tens) ** 0.5
    return Estimate(value, value * spread)


def _bursts(tally: Tally) -> Estimate:
    low, high = ((edge - tally.start_ns) // SECOND_NS for edge in tally.window)
    if high - low < _LONG_SPAN:
        return UNKNOWN
    rate = tally.per_second[low:high]
    at = tally.block(tally.window[0] + np.arange(len(rate)) * SECOND_NS)
    edges = np.unique(np.round(1.02 ** np.arange(600))).astype(np.int64)
    cell = np.searchsorted(edges, rate, side="right")
    sums = np.column_stack(
        [counts(at, tally.blocks, cell, len(edges) + 1), block_sums(at, tally.blocks, rate.astype(float))]
    )

    def figure(s: NDArray[np.float64]) -> float | None:
        total = s[:-1].sum()
        high_cell = int(np.searchsorted(np.cumsum(s[:-1]), 0.999 * total))
        return float(edges[high_cell - 1] * total / s[-1]) if s[-1] > 0 else None

    return estimate(sums, figure)


def _feed(tally: Tally) -> Iterator[Measured]:
    lags = tally.latencies()
    if len(lags):
        yield Measured(18, "median capture latency, us", Estimate(float(np.median(lags)) / 1e3))
        yield Measured(18, "least capture latency, us", Estimate(float(lags.min()) / 1e3))
        yield Measured(18, "capture latency at 90 %, us", Estimate(float(np.quantile(lags, 0.9)) / 1e3))
        yield Measured(18, "capture latency at 99 %, us", Estimate(float(np.quantile(lags, 0.99)) / 1e3))
    events, counters = tally.events(), tally.replay.counters
    if len(events):
        at = tally.block(events["ts"])
        kinds = {bit: block_sums(at, tally.blocks, (events["kind"] & bit > 0).astype(float))[:, 0]
                for bit in (E_PARTIAL, E_REFILL, E_EXTRA_CANCEL)}  # fmt: skip
        several = block_sums(at, tally.blocks, np.ones(len(events)))[:, 0]
        refills, others = kinds[E_REFILL], kinds[E_PARTIAL]
        yield Measured(19, "refills among modifies after fills", ratio(refills, refills + others))
        yield Measured(20, "cancels without a fill in events of several", ratio(kinds[E_EXTRA_CANCEL], several))
    trades = tally.trades()
    if len(trades):
        nobody = (trades["order_id"] == 0).astype(float)
        at = tally.block(trades["ts_event"].astype(np.int64))
        sums = block_sums(at, tally.blocks, np.column_stack([nobody, np.ones(len(trades))]))
        yield Measured(20, "prints without an aggressor", ratio(sums[:, 0], sums[:, 1]))
    yield Measured(20, "fills of unknown orders", _share(int(counters["unknown"]), int(counters["fills"])))
    yield Measured(20, "fills larger than the order", _share(int(counters["oversize"]), int(counters["fills"])))
    modifies = counters["modifies"]
    yield Measured(20, "modifies that change nothing", _share(int(modifies[SAME]), int(modifies.sum())))
    yield Measured(20, "modifies to a smaller size", _share(int(modifies[SMALLER]), int(modifies.sum())))


def _share(part: int, whole: int) -> Estimate:
    if whole == 0:
        return UNKNOWN
    share = part / whole
    return Estimate(share, (max(share * (1 - share), 1 / whole) / whole) ** 0.5)


def _code(pattern: str) -> int:
    code = 0
    for letter in pattern:
        code = code << 4 | " ACMTFN".index(letter)
    return code
