"""Black-76: prices, implied volatilities and sensitivities of European options on a future.

    d1 = ln(F / K) / (s sqrt(T)) + s sqrt(T) / 2,   d2 = d1 - s sqrt(T)
    call = e^-rT (F N(d1) - K N(d2)),               put = e^-rT (K N(-d2) - F N(-d1))

(Black 1976, The pricing of commodity contracts, Journal of Financial Economics 3.) Everything is worked out from the
option that is out of the money, in units of sqrt(F K), as a function of x = -|ln(F / K)| and the total volatility
w = s sqrt(T). With h = x / w, t = w / 2 and Y(z) = N(z) / n(z) that price is

    b(x, w) = n(h) e^(-t^2 / 2) (Y(h + t) - Y(h - t))

so that its logarithm, which is what the inversion compares, keeps full relative precision wherever the price does.

Inversion: Halley steps on ln b, in 1 / w^2 where the option is in the wings (ln b is nearly linear in it) and in ln w
near the money (likewise), from the estimate of Corrado and Miller (1996, Journal of Banking and Finance 20) or the
leading term of the wings; prices above half the greatest possible one are compared by what is missing to it. The
function is monotone, every step tightens a bracket, and a step that leaves it is replaced by bisection.

Volatilities are per square root of a year of 365 days, times in years, prices and strikes in any one unit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from spymaster.jit import hot_kernel, kernel
from spymaster.options.mills import mills

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_SQRT_2PI = math.sqrt(2 * math.pi)
_SMALL_T = 0.04
"""Below it the difference of two ratios is a Taylor series, which does not cancel."""

_DEEP = -14.0
"""Below this h the series would need the ratio's derivatives more precisely than they are known."""

_CLOSE = 2e-5
"""A relative step of this size or less was the last one: the next, cubically smaller, is beyond a double."""

_MOST_STEPS = 60


@hot_kernel()
def log_ratio(forward, strike):
    """ln(F / K). Of like numbers the difference is exact, where the quotient would have lost what tells them apart."""
    if 0.5 * strike < forward < 2.0 * strike:
        return math.log1p((forward - strike) / strike)
    return math.log(forward / strike)


@hot_kernel()
def cumulative_over_density(z):
    """Y(z) = N(z) / n(z)."""
    if z <= 0.0:
        return mills(-z)
    return _SQRT_2PI * math.exp(0.5 * z * z) - mills(z)


@hot_kernel()
def ratio_difference(h, t):
    """Y(h + t) - Y(h - t) for h <= 0 and t > 0."""
    if t < _SMALL_T and h > _DEEP:
        y = mills(-h)  # derivatives: Y' = 1 + z Y, and Y(n + 1) = n Y(n - 1) + z Y(n)
        y1 = 1.0 + h * y
        y2 = y + h * y1
        y3 = 2.0 * y1 + h * y2
        y4 = 3.0 * y2 + h * y3
        y5 = 4.0 * y3 + h * y4
        y6 = 5.0 * y4 + h * y5
        y7 = 6.0 * y5 + h * y6
        q = t * t
        return 2.0 * t * (y1 + q / 6.0 * (y3 + q / 20.0 * (y5 + q / 42.0 * y7)))
    return cumulative_over_density(h + t) - cumulative_over_density(h - t)


@hot_kernel()
def log_density(h, t):
    """ln of n(h) e^(-t^2 / 2), which is also the derivative of b by w."""
    return -0.5 * (h * h + t * t) - _LOG_SQRT_2PI


@hot_kernel()
def log_price(x, w):
    """ln b(x, w) for x <= 0 and w > 0."""
    h, t = x / w, 0.5 * w
    return log_density(h, t) + math.log(ratio_difference(h, t))


@hot_kernel()
def log_missing(x, w):
    """ln(e^(x / 2) - b(x, w)): what is missing to the greatest possible price, where h + t >= 0."""
    h, t = x / w, 0.5 * w
    return log_density(h, t) + math.log(mills(t + h) + mills(t - h))


@hot_kernel()
def first_guess(x, price):
    """Total volatility to start from."""
    # Corrado and Miller with F = e^(x / 2), K = e^(-x / 2)
    carry = 2.0 * math.sinh(0.5 * x)
    sum_ = 2.0 * math.cosh(0.5 * x)
    half = price - 0.5 * carry
    inside = half * half - carry * carry / math.pi
    if inside > 0.0:
        guess = _SQRT_2PI / sum_ * (half + math.sqrt(inside))
        if x * x < 1.5 * guess * guess:
            return guess
    # wings: b ~ w^3 / (x^2 sqrt(2 pi)) exp(-x^2 / (2 w^2) - w^2 / 8)
    loss = -math.log(price) - _LOG_SQRT_2PI - 2.0 * math.log(-x)
    w = -x / math.sqrt(max(2.0 * (loss + 1.5 * math.log(-x)), 1.0))
    for _ in range(2):
        w = -x / math.sqrt(max(2.0 * (loss + 3.0 * math.log(w) - 0.125 * w * w), 1.0))
    return w


@hot_kernel()
def halley(f, f1, f2):
    """Halley's step for f = 0 from its value and two derivatives."""
    newton = -f / f1
    return newton / max(1.0 + 0.5 * newton * f2 / f1, 0.5)


@hot_kernel()
def stepped(x, w, log_wanted, is_high):
    """The next estimate of the total volatility, and whether this one is too low."""
    h, t = x / w, 0.5 * w
    curve = (h * h - t * t) / w  # second over first derivative of b by w
    if is_high:
        # w^2 is the variable in which the logarithm of what is missing is nearly linear
        f = log_missing(x, w) - log_wanted
        slope = -math.exp(log_density(h, t) - (f + log_wanted))
        f2 = slope * (curve - slope)
        by, by2 = 0.5 / w, -0.25 / (w * w * w)
        z = w * w + halley(f, slope * by, f2 * by * by + slope * by2)
        return math.sqrt(z) if z > 0.0 else -1.0, f > 0.0
    spread = ratio_difference(h, t)
    f = log_density(h, t) + math.log(spread) - log_wanted
    slope = 1.0 / spread
    f2 = slope * (curve - slope)
    if h * h < 1.0:
        step = halley(f, slope * w, f2 * w * w + slope * w)
        return w * math.exp(step), f < 0.0
    cube = w * w * w
    z = 1.0 / (w * w) + halley(f, -0.5 * slope * cube, 0.25 * f2 * cube * cube + 0.75 * slope * cube * w * w)
    return 1.0 / math.sqrt(z) if z > 0.0 else -1.0, f < 0.0


@hot_kernel()
def total_volatility(x, price, guess):
    """w with b(x, w) = price for x <= 0, NaN where there is none. Begins at `guess` > 0, else at an estimate."""
    greatest = math.exp(0.5 * x)
    if not 0.0 < price < greatest:
        return math.nan
    is_high = price > 0.5 * greatest
    log_wanted = math.log(greatest - price) if is_high else math.log(price)
    low, high = 0.0, math.inf
    if is_high:
        low = math.sqrt(-2.0 * x)  # b there is below half the greatest price
    w = guess if guess > low else first_guess(x, price)
    if not w > low:
        w = low + 1.0 if is_high else 1.0
    for _ in range(_MOST_STEPS):
        after, is_low = stepped(x, w, log_wanted, is_high)
        if is_low:
            low = w
        else:
            high = w
        if abs(after - w) <= _CLOSE * w:
            return after
        if not low < after < high:
            after = 0.5 * (low + high) if high < math.inf else 2.0 * low
        if after == w:
            return w
        w = after
    return w


@hot_kernel()
def implied(price, forward, strike, is_call, root_time, discount, guess):
    """Implied volatility of one option, NaN where its price is not one that Black-76 can give."""
    if not (price > 0.0 and forward > 0.0 and strike > 0.0 and root_time > 0.0 and discount > 0.0):
        return math.nan
    carry = forward - strike if is_call else strike - forward
    out = price / discount - max(carry, 0.0)
    x = -abs(log_ratio(forward, strike))
    return total_volatility(x, out / math.sqrt(forward * strike), guess * root_time) / root_time


@kernel()
def _invert(price, forward, strike, is_call, years, discount, guess, out):
    for i in range(len(out)):
        root = math.sqrt(years[i])
        out[i] = implied(price[i], forward[i], strike[i], is_call[i], root, discount[i], guess[i])


def implied_volatility(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    is_call: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike = 1.0,
    guess: ArrayLike = 0.0,
) -> np.ndarray:
    """Implied volatilities of options, float64 of the arguments' common shape.

    `price` is what the option costs now, `discount` e^-rT, `years` the time to expiry. `guess`, such as the volatility
    a second ago, saves a step or two; 0 and NaN stand for none. NaN comes out where no volatility gives the price: at
    or below the intrinsic value, at or above the forward (a call) or the strike (a put), or where an argument is not
    positive. An option far in the money is better inverted as the one of the other right (put-call parity): its price
    hardly depends on the volatility.
    """
    shape, calls, numbers = flattened(is_call, price, forward, strike, years, discount, guess)
    costs, forwards, strikes, times, discounts, guesses = numbers
    out = np.empty(len(calls))
    _invert(costs, forwards, strikes, calls, times, discounts, guesses, out)
    return out.reshape(shape)


def flattened(is_call: ArrayLike, *numbers: ArrayLike) -> tuple[tuple[int, ...], np.ndarray, list[np.ndarray]]:
    """The common shape of some arguments, and each as a flat array of it: `is_call` of bool, the others of float64."""
    calls, *rest = np.broadcast_arrays(is_call, *numbers)
    flat = [np.ascontiguousarray(one, float).ravel() for one in rest]
    return calls.shape, np.ascontiguousarray(calls, bool).ravel(), flat
