"""Black-76 prices and sensitivities of options on a future, from their volatility. Notation as in `black76`.

    delta = dV/dF = +-e^-rT N(+-d1)                 gamma = d2V/dF2 = e^-rT n(d1) / (F s sqrt(T))
    vega = dV/ds = e^-rT F n(d1) sqrt(T)            vanna = d2V/dF ds = -e^-rT n(d1) d2 / s
    charm = d2V/dF dt = r delta + e^-rT n(d1) d2 / (2 T)

Charm is per year of calendar time that passes, with the future and the volatility held; `r` is -ln(discount) / T.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spymaster.jit import hot_kernel, kernel
from spymaster.options.black76 import flattened, log_density, log_ratio, ratio_difference

_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
_INV_SQRT_2 = 1.0 / math.sqrt(2.0)


class Greeks(NamedTuple):
    """Sensitivities of options, float64 [n] each: delta per point of the future, gamma per point squared, vega and
    vanna per unit of volatility, charm per year."""

    delta: np.ndarray
    gamma: np.ndarray
    vega: np.ndarray
    vanna: np.ndarray
    charm: np.ndarray


@hot_kernel()
def price_of(forward, strike, is_call, root_time, discount, volatility):
    """Price of one option; its intrinsic value where nothing is uncertain."""
    carry = forward - strike if is_call else strike - forward
    total = volatility * root_time
    value = max(carry, 0.0)
    if total > 0.0:
        x = -abs(log_ratio(forward, strike))
        h, t = x / total, 0.5 * total
        value += math.sqrt(forward * strike) * math.exp(log_density(h, t)) * ratio_difference(h, t)
    return discount * value


@hot_kernel()
def gamma_of(forward, strike, root_time, discount, volatility):
    """Gamma of one option."""
    total = volatility * root_time
    d1 = log_ratio(forward, strike) / total + 0.5 * total
    return discount * _INV_SQRT_2PI * math.exp(-0.5 * d1 * d1) / (forward * total)


@hot_kernel()
def greeks_of(forward, strike, is_call, years, discount, volatility):
    """Delta, gamma, vega, vanna and charm of one option."""
    root = math.sqrt(years)
    total = volatility * root
    d1 = log_ratio(forward, strike) / total + 0.5 * total
    d2 = d1 - total
    density = discount * _INV_SQRT_2PI * math.exp(-0.5 * d1 * d1)
    delta = discount * 0.5 * math.erfc(-d1 * _INV_SQRT_2 if is_call else d1 * _INV_SQRT_2)
    if not is_call:
        delta = -delta
    rate = -math.log(discount) / years
    return (
        delta,
        density / (forward * total),
        density * forward * root,
        -density * d2 / volatility,
        rate * delta + density * d2 / (2.0 * years),
    )


@kernel()
def _prices(forward, strike, is_call, years, discount, volatility, out):
    for i in range(len(out)):
        out[i] = price_of(forward[i], strike[i], is_call[i], math.sqrt(years[i]), discount[i], volatility[i])


@kernel()
def _gammas(forward, strike, years, discount, volatility, out):
    for i in range(len(out)):
        out[i] = gamma_of(forward[i], strike[i], math.sqrt(years[i]), discount[i], volatility[i])


@kernel()
def _greeks(forward, strike, is_call, years, discount, volatility, out):
    for i in range(out.shape[1]):
        one = greeks_of(forward[i], strike[i], is_call[i], years[i], discount[i], volatility[i])
        for row in range(len(one)):
            out[row, i] = one[row]


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    is_call: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    discount: ArrayLike = 1.0,
) -> np.ndarray:
    """Prices of options, float64 of the arguments' common shape; without time or volatility the intrinsic value."""
    shape, calls, (forwards, strikes, times, sigmas, discounts) = flattened(
        is_call, forward, strike, years, volatility, discount
    )
    out = np.empty(len(calls))
    _prices(forwards, strikes, calls, times, discounts, sigmas, out)
    return out.reshape(shape)


def gamma(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike, discount: ArrayLike = 1.0
) -> np.ndarray:
    """Gammas per point squared, of a call and a put alike; the fast way where nothing else is wanted."""
    shape, _, (forwards, strikes, times, sigmas, discounts) = flattened(
        True, forward, strike, years, volatility, discount
    )
    out = np.empty(len(forwards))
    _gammas(forwards, strikes, times, discounts, sigmas, out)
    return out.reshape(shape)


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    is_call: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    discount: ArrayLike = 1.0,
) -> Greeks:
    """All sensitivities, each float64 of the arguments' common shape. Where a volatility is NaN they are NaN."""
    shape, calls, (forwards, strikes, times, sigmas, discounts) = flattened(
        is_call, forward, strike, years, volatility, discount
    )
    out = np.empty((len(Greeks._fields), len(calls)))
    _greeks(forwards, strikes, calls, times, discounts, sigmas, out)
    return Greeks(*(one.reshape(shape) for one in out))
