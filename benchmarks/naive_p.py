"""How often tests find automation in a market where nobody is automatic: naive p-values against surrogates.

`python -m benchmarks.naive_p` draws bursty markets (one rate for all, which wanders within a second and over tens of
seconds) and asks three questions of each: with p-values that take events for independent, and with the nulls of
`spymaster.evidence`. Their share with p <= 0.05 should be 0.05; figures: docs/concepts/naive-p-values.md.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence import periods, phase, reactions, spectra
from spymaster.evidence.bins import MS, SECOND, linear, steps_of
from spymaster.evidence.maxstat import max_statistic, mc_p
from spymaster.evidence.nulls import blockshift, decluster, jitter
from spymaster.evidence.streams import Streams

Times = NDArray[np.int64]

SECONDS = 120
CELLS_PER_SECOND = 50
TRADES, CANCELS = 8.0, 60.0
"""Events a second, on average."""
LAGS = linear(15 * MS, 200 * MS, MS)
CELL = 5 * MS
SURROGATES = 39
NEIGHBOURS = 10
FREQUENCIES = np.arange(0.2, 40.0, 1 / SECONDS)
BAND = spectra.PASSES[0]


def market(seed: int) -> tuple[Times, Times]:
    """Trades and cancels of two minutes, ns, sorted: Poisson given a rate that both share."""
    rng = np.random.default_rng(seed)
    n = SECONDS * CELLS_PER_SECOND
    bell = np.hanning(61)
    fast = np.convolve(rng.normal(size=n + 60), bell / np.linalg.norm(bell), "valid")[:n]
    knots = np.arange(0, n + 500, 500)
    slow = np.interp(np.arange(n), knots, rng.normal(size=len(knots)))
    rate = np.exp(0.9 * fast + 0.5 * slow)
    rate /= rate.mean()
    width = SECOND // CELLS_PER_SECOND

    def events(per_second: float) -> Times:
        cells = np.repeat(np.arange(n), rng.poisson(rate * per_second / CELLS_PER_SECOND))
        return np.sort(cells * width + rng.integers(0, width, len(cells)))

    return events(TRADES), events(CANCELS)


def _lags(ref: Times, target: Times) -> NDArray[np.int64]:
    counts = np.zeros(len(LAGS) - 1, np.int64)
    apart = np.zeros(len(ref), np.int64), np.ones(len(target), np.int64)
    reactions.count_lags(ref, apart[0], target, apart[1], LAGS, *steps_of(LAGS), counts)
    return counts


def _poisson_tail(count: int, mean: float) -> float:
    """P(count or more) of a Poisson law."""
    terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))
    return max(1 - math.fsum(terms), 0.0)


def poisson_lag(seed: int) -> float:
    """Largest count of a delay from trades to cancels against the mean rate, adjusted for the number of delays."""
    trades, cancels = market(seed)
    counts = _lags(trades, cancels)
    mean = len(trades) * len(cancels) / (SECONDS * SECOND) * MS
    return min(_poisson_tail(int(counts.max()), mean) * len(counts), 1.0)


def local_poisson_lag(seed: int) -> float:
    """The same against the median of the delays around it."""
    counts = _lags(*market(seed))
    padded = np.pad(counts, NEIGHBOURS, mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    usual = np.maximum(np.median(around, axis=1), 0.5)
    least = min(_poisson_tail(int(count), float(mean)) for count, mean in zip(counts, usual, strict=True))
    return min(least * len(counts), 1.0)


def surrogate_lag(seed: int) -> float:
    """Against trades drawn anew in their own cells of 5 ms."""
    trades, cancels = market(seed)
    streams, drawn = Streams(seed, "naive/lag"), np.empty_like(trades)
    sets = [_lags(trades, cancels)]
    for number in range(1, SURROGATES + 1):
        jitter(trades, streams.words(number, len(trades)), streams.offset(CELL), CELL, drawn)
        sets.append(_lags(drawn, cancels))
    return mc_p(max_statistic(np.array(sets, np.float64))[1].max(axis=1))


def rayleigh_search(seed: int) -> float:
    """Largest resultant of the cancels over frequencies, adjusted for their number (Rayleigh: p = exp(-n R^2))."""
    _, cancels = market(seed)
    seconds = cancels / SECOND
    power = [np.abs(np.exp(2j * np.pi * frequency * seconds).sum()) ** 2 for frequency in FREQUENCIES]
    return min(float(np.exp(-max(power) / len(cancels))) * len(FREQUENCIES), 1.0)


def surrogate_search(seed: int) -> float:
    """Largest whitened power against cancels drawn anew in cells of two periods, declustered each time."""
    _, cancels = market(seed)
    kept = np.empty_like(cancels)

    def declustered(times: Times) -> Times:
        return kept[: decluster(times, BAND.dead_ns, kept)].copy()

    observed = spectra.spectrum(declustered(cancels), 0, BAND)
    frequency = BAND.low_hz + int(observed.argmax()) * spectra.STEP_HZ
    cell = int(np.clip(2 / frequency * SECOND, periods.LEAST_CELL, periods.MOST_CELL))
    streams, drawn = Streams(seed, "naive/search"), np.empty_like(cancels)
    largest = [float(observed.max())]
    for number in range(1, SURROGATES + 1):
        jitter(cancels, streams.words(number, len(cancels)), streams.offset(cell), cell, drawn)
        inside = drawn[(drawn >= 0) & (drawn < SECONDS * SECOND)]
        largest.append(float(spectra.spectrum(declustered(inside), 0, BAND).max()))
    return mc_p(np.array(largest))


def chi_square_phase(seed: int) -> float:
    """Chi-squared of the cancels' place in the second, 50 bins, against evenly spread ones."""
    _, cancels = market(seed)
    counts = np.bincount(cancels % SECOND * phase.BINS // SECOND, minlength=phase.BINS)
    mean = len(cancels) / phase.BINS
    value, degrees = float(((counts - mean) ** 2).sum() / mean), phase.BINS - 1
    # Wilson & Hilferty (1931): the cube root is all but normal
    z = ((value / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees))
    return 0.5 * math.erfc(z / math.sqrt(2))


def surrogate_phase(seed: int) -> float:
    """Largest bin against seconds that are each shifted circularly by themselves, declustered each time."""
    _, cancels = market(seed)
    streams = Streams(seed, "naive/phase")
    shifted, kept = np.empty_like(cancels), np.empty_like(cancels)

    def counts(times: Times) -> NDArray[np.int64]:
        inside = kept[: decluster(times, phase.DEAD_NS, kept)]
        return np.bincount(inside % SECOND * phase.BINS // SECOND, minlength=phase.BINS)

    sets = [counts(cancels)]
    for number in range(1, SURROGATES + 1):
        blockshift(cancels, streams.words(number, len(cancels)), SECOND, shifted)
        sets.append(counts(shifted))
    return mc_p(max_statistic(np.array(sets, np.float64))[1].max(axis=1))


TESTS: dict[str, Callable[[int], float]] = {
    "delay from trade to cancel, Poisson with the mean rate": poisson_lag,
    "delay from trade to cancel, Poisson with a local rate": local_poisson_lag,
    "delay from trade to cancel, surrogates": surrogate_lag,
    "periodic sender, Rayleigh over all frequencies": rayleigh_search,
    "periodic sender, surrogates": surrogate_search,
    "place in the second, chi-squared": chi_square_phase,
    "place in the second, surrogates": surrogate_phase,
}


def rejections(runs: int) -> dict[str, float]:
    """Share of markets in which each test finds something at 0.05."""
    return {name: float(np.mean([test(seed) <= 0.05 for seed in range(runs)])) for name, test in TESTS.items()}


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.naive_p", description=__doc__)
    parser.add_argument("--runs", type=int, default=60, help="markets")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = rejections(given.runs)
    if given.json:
        print(json.dumps({"runs": given.runs, "rejections": found}, indent=2))
        return
    print(f"{given.runs} markets of {SECONDS} s without anybody automatic; share with p <= 0.05 (should be 0.05)")
    for name, share in found.items():
        print(f"{name:58} {share:.3f}")


if __name__ == "__main__":
    main()
