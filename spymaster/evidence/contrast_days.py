"""Dates as what is drawn: interval and p of the joining question that do not take matched sets for independent.

Sets of one date share its weather: how much is sent, how far price goes, which habits are about. If on one date
messages owed to habits are many near real levels and on the next near placebos, all sets of a date lean one way, and
swaps within each set for itself know nothing of it. Nothing is asked here of how sets of one date hang together. Dates
are taken for independent, and without a difference each may as well have leant the other way.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from spymaster.evidence.streams import BOOTSTRAP, Streams

INTERVAL_DATES = 2
"""With fewer there is no interval."""
RESAMPLES = 2000
ALL_SIGNS_DATES, SIGNS = 12, 4095
"""Up to so many dates all signs are tried, with more so many drawn ones."""
TOLERANCE = 1e-12
"""Relative: sums that differ by less are equal but for rounding."""


def sign_p(parts: NDArray[np.float64], streams: Streams) -> float:
    """Two-sided p of a sum by turning the signs of its parts, one part a date (Fisher 1935).

    Exact if parts are independent and each is as likely to have either sign. Dividing the sum by its standard error
    changes nothing, for the sum of the squares is the same whatever the signs. The smallest p of n dates is 2 / 2**n.
    """
    n = len(parts)
    least = abs(float(parts.sum())) - TOLERANCE * float(np.abs(parts).sum())
    if n <= ALL_SIGNS_DATES:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
        return float(np.mean(np.abs(signs @ parts) >= least))
    beyond = 0
    random = streams.sub("signs").random(1)
    for _ in range(SIGNS):
        beyond += abs(float((2.0 * random.integers(0, 2, n) - 1.0) @ parts)) >= least
    return (1 + beyond) / (SIGNS + 1)


def draws(dates: int, streams: Streams) -> NDArray[np.int64]:
    """How often each date is drawn, with replacement: int64[RESAMPLES, dates]."""
    return streams.random(BOOTSTRAP).multinomial(dates, np.full(dates, 1 / dates), size=RESAMPLES)


def interval(drawn: NDArray[np.float64], dates: int) -> tuple[float, float, float]:
    """Ends of the 95 % interval, and standard error, of what was found with each draw of dates (NaN left out).

    Draws of few dates vary too little, as what they are drawn from does around its own mean, and their quantiles are
    those of a normal where Student's are due. Both are made up for by quantiles further out (the expanded percentile
    interval, Hesterberg 2015), and the error by the factor that makes a variance unbiased.
    """
    known = drawn[~np.isnan(drawn)]
    few = np.sqrt(dates / (dates - 1))
    tail = float(ndtr(few * stdtrit(dates - 1, 0.025)))
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high), float(known.std() * few)
