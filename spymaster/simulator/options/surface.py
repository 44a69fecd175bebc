"""The volatility surface behind the quotes: SSVI over a variance clock, and Black-76 prices on the future.

Total variance is w(k) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)) with phi = eta / sqrt(theta)
(Gatheral & Jacquier 2014, Quant. Finance 14). It has no butterfly arbitrage while eta^2 (1 + |rho|) <= 4 and
eta sqrt(theta) (1 + |rho|) < 4, and no calendar arbitrage while theta grows with expiry.
"""

from __future__ import annotations

import math
from datetime import date, time, timedelta

import numpy as np
from numpy.typing import NDArray

from spymaster.jit import hot_kernel, kernel
from spymaster.market.calendar import is_session_date, wall_time_ns
from spymaster.simulator.layout import INNER
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, midnight_ns

RHO, ETA = -0.7, 1.2
YEAR_SECONDS = 365 * DAY_SECONDS
LEAST_SECONDS = 60
"""Time to expiry never counts less."""
_ATM_CENTRE, _ATM_LOW, _ATM_HIGH = 0.135, 0.10, 0.18
_ATM_SPREAD, _ATM_SECONDS = 0.10, 3_600
_OVERNIGHT = 0.22
"""Share of a session's variance outside regular hours (assumption)."""
_SESSIONS_A_YEAR = 252
_ROOT_HALF, _ROOT_TWO_PI = 1 / math.sqrt(2), math.sqrt(2 * math.pi)

assert ETA**2 * (1 + abs(RHO)) <= 4


def atm_levels(dt: date, seed: int) -> NDArray[np.float64]:
    """Volatility at the money of each second of a UTC date, annualised on the variance clock: OU in the logarithm."""
    generator = np.random.Generator(np.random.PCG64([seed, dt.toordinal(), 6]))
    path = np.empty(DAY_SECONDS // 60 + 1)
    decay = math.exp(-60 / _ATM_SECONDS)
    x = generator.standard_normal()
    for minute in range(len(path)):
        path[minute] = x
        x = decay * x + math.sqrt(1 - decay**2) * generator.standard_normal()
    level = np.clip(_ATM_CENTRE * np.exp(_ATM_SPREAD * path), _ATM_LOW, _ATM_HIGH)
    return np.round(np.interp(np.arange(DAY_SECONDS + 1), np.arange(len(path)) * 60, level), 9)


def variance_clock(dt: date, root: str, until_ns: int) -> tuple[NDArray[np.float64], float]:
    """Variance years from the start of a UTC date to each of its seconds, and to `until_ns`."""
    start = midnight_ns(dt)
    grid = start + np.arange(DAY_SECONDS + 1) * SECOND_NS
    edges, weights = [start], [0.0]
    day = dt
    while edges[-1] < until_ns:
        low, high = wall_time_ns(day, time(9, 30)), wall_time_ns(day, time(16))
        day_end = midnight_ns(day + timedelta(days=1))
        open_day = day.weekday() < 5 and is_session_date(day, root)
        regular = (1 - _OVERNIGHT) / _SESSIONS_A_YEAR if open_day else 0.0
        rest = _OVERNIGHT / _SESSIONS_A_YEAR if open_day else 0.0
        quiet = DAY_SECONDS * SECOND_NS - (high - low)
        for edge, share in ((low, rest * (low - edges[-1]) / quiet), (high, regular)):
            edges.append(edge)
            weights.append(weights[-1] + share)
        edges.append(day_end)
        weights.append(weights[-1] + rest * (day_end - high) / quiet)
        day += timedelta(days=1)
    at = np.array(edges, np.float64) - start
    clock = np.round(np.interp(grid - start, at, weights), 12)
    return clock, round(float(np.interp(until_ns - start, at, weights)), 12)


@hot_kernel(**INNER)
def total_variance(k, theta):
    """SSVI total variance at log-moneyness `k` = ln(strike / forward)."""
    phi = ETA / math.sqrt(theta)
    x = phi * k + RHO
    return 0.5 * theta * (1.0 + RHO * phi * k + math.sqrt(x * x + 1.0 - RHO * RHO))


@kernel(**INNER)
def black(forward, strike, w, call):
    """Undiscounted Black-76 (price, delta, gamma, change of the price per unit of sqrt(w))."""
    root = math.sqrt(w)
    d1 = math.log(forward / strike) / root + 0.5 * root
    d2 = d1 - root
    below1, below2 = 0.5 * math.erfc(-d1 * _ROOT_HALF), 0.5 * math.erfc(-d2 * _ROOT_HALF)
    density = math.exp(-0.5 * d1 * d1) / _ROOT_TWO_PI
    price, delta = forward * below1 - strike * below2, below1
    if call == 0:
        price, delta = price - forward + strike, delta - 1.0
    return max(price, 0.0), delta, density / (forward * root), forward * density
