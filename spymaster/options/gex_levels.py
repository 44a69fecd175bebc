"""The prices and totals that gamma exposure is summed up in (`silver.gex_level_1m`).

The sign convention is that of the surface: dealers long the calls and short the puts that are open. With n the open
interest times multiplier of a strike and right, + for calls and - for puts, over all options priced and known:

    gex_total        sum n gamma F^2 0.01         money of hedging per move of 1 %
    vanna_exposure   sum n vanna F 0.01           change of dealers' delta, in money, per point of volatility (0.01)
    charm_exposure   sum n charm F / 365          the same per calendar day that passes

A dealer's delta in money is n delta F, so both of the latter say how much has to be bought (below 0) or sold to stay
hedged, everything else held. Zero gamma: with spot and all forwards moved by the same distance, and the volatility of
every strike held (sticky strike), the total is a function of the price; its changes of sign within 5 % of spot are
found on a lattice no wider than half a deviation of the nearest expiry, then by bisection. Where the function comes
near 0 between two places of the lattice without having crossed it, its extremum is looked for, so that two close roots
are not missed.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.options.gex_smile import gamma_at
from spymaster.options.gex_state import ExposureState
from spymaster.options.greeks import greeks_of

SHIFT: Final = 0.05
"""Roots are looked for as far from spot as this share of it."""
LEAST_PLACES, MOST_PLACES = 400, 4_000
_HALVINGS = 40
_SECTIONS = 40
MOST_ROOTS: Final = 256
DAYS_PER_YEAR: Final = 365.0
TOTALS: Final = ("gex_total", "gex_abs_total", "flow_gex_total", "vanna_exposure", "charm_exposure")


class Levels(NamedTuple):
    """What one minute comes to; None where nothing is known."""

    call_wall: int | None
    """Strike, 1e-9."""
    put_wall: int | None
    roots: np.ndarray | None
    """float64, prices of zero gamma in points, ascending; None where the total or spot is unknown."""
    totals: np.ndarray
    """float64[5] in the order of `TOTALS`, NaN where unknown."""
    priced: int
    interest_known: int


def levels_of(
    state: ExposureState, now: int, forwards: np.ndarray, years: np.ndarray, rate: float, spot: float
) -> Levels:
    """Levels of the second that the state is at; `forwards` and `years` float64[E], `spot` points, NaN if unknown."""
    options = np.empty((4, len(state.expiry)))
    totals = np.full(len(TOTALS), np.nan)
    n, priced, interest_known = gather(state, now, forwards, years, rate, options, totals)
    strikes = state.strike_int
    walls = [_wall(strikes, state.sums[:, 0]), _wall(strikes, -state.sums[:, 1])]
    roots = None
    if not np.isnan(totals[0]) and spot > 0:
        found = np.empty(MOST_ROOTS)
        roots = found[: zero_gammas(options[:, :n].copy(), spot, found)]
    return Levels(walls[0], walls[1], roots, totals, priced, interest_known)


def _wall(strikes: np.ndarray, exposure: np.ndarray) -> int | None:
    """Strike of the largest exposure above 0, the lowest of equal ones."""
    if not (exposure > 0).any():
        return None
    return int(strikes[np.nanargmax(exposure)])


@kernel()
def gather(state, now, forwards, years, rate, options, totals):
    """Totals over all strikes, and what each strike with a net position contributes to a shifted total.

    `options` float64[4, S] is filled with forward, ln strike, s sqrt(T), and discounted net contracts times multiplier.
    Returns how many, the number of priced options, and of those whose open interest is known.
    """
    n = priced = interest_known = 0
    for e in range(len(state.muted_ns)):
        forward, time = forwards[e], years[e]
        if now > state.muted_ns[e] or not forward > 0.0:
            continue
        discount = math.exp(-rate * time)
        for s in range(state.first_slot[e], state.first_slot[e + 1]):
            if not state.gamma[s] >= 0.0:
                continue
            priced += state.listed[s, 0] + state.listed[s, 1]
            known = state.known[s, 0] + state.known[s, 1]
            interest_known += known
            if known == 0:
                continue
            volatility = state.volatility[s]
            call, put = state.weight[s, 0], state.weight[s, 1]
            _, _, _, vanna, charm_call = greeks_of(forward, state.price[s], True, time, discount, volatility)
            _, _, _, _, charm_put = greeks_of(forward, state.price[s], False, time, discount, volatility)
            for i, value in (
                (3, (call - put) * vanna * forward * 0.01),
                (4, (call * charm_call - put * charm_put) * forward / DAYS_PER_YEAR),
            ):
                totals[i] = value + (totals[i] if totals[i] == totals[i] else 0.0)
            if call != put:
                options[0, n] = forward
                options[1, n] = state.log_price[s]
                options[2, n] = volatility * math.sqrt(time)
                options[3, n] = (call - put) * discount
                n += 1
    present = state.past[state.at[2] % len(state.past)]
    for k in range(len(state.strike_int)):
        for i, value in ((0, present[k, 1]), (1, present[k, 0]), (2, state.sums[k, 2])):
            if value == value:
                totals[i] = value + (totals[i] if totals[i] == totals[i] else 0.0)
    return n, priced, interest_known


@hot_kernel()
def shifted_total(options, shift):
    """Total exposure with all forwards moved by `shift` points and volatilities held."""
    total = 0.0
    before, log_forward, forward = math.nan, math.nan, math.nan
    for i in range(options.shape[1]):
        if options[0, i] != before:
            before = options[0, i]
            forward = before + shift
            if not forward > 0.0:
                return math.nan
            log_forward = math.log(forward)
        gamma = gamma_at(forward, log_forward, options[1, i], options[2, i], 1.0)
        total += options[3, i] * gamma * forward * forward * 0.01
    return total


@kernel()
def total_at(options, shift):
    """`shifted_total` as a call of its own."""
    return shifted_total(options, shift)


@kernel()
def bisect(options, low, high, low_is_positive):
    """Where the total changes sign between two shifts with different signs."""
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        value = total_at(options, middle)
        if value == 0.0:
            return middle
        if (value > 0.0) == low_is_positive:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@kernel()
def extremum(options, low, high, sign):
    """Least of sign * total between two shifts, by golden sections; ends as soon as it is below 0."""
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = sign * total_at(options, a), sign * total_at(options, b)
    for _ in range(_SECTIONS):
        if at_a < 0.0:
            return a, at_a
        if at_b < 0.0:
            return b, at_b
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - ratio * (high - low)
            at_a = sign * total_at(options, a)
        else:
            low, a, at_a = a, b, at_b
            b = low + ratio * (high - low)
            at_b = sign * total_at(options, b)
    return a, at_a


@kernel()
def zero_gammas(options, spot, found):
    """Prices within `SHIFT` of spot where the total changes sign, ascending into `found`; returns how many.

    `options` as `gather` leaves them: forward, ln strike, total volatility, net contracts times multiplier, [4, n].
    """
    reach = SHIFT * spot
    narrowest = math.inf
    for i in range(options.shape[1]):
        if abs(math.exp(options[1, i]) - options[0, i]) <= reach:
            narrowest = min(narrowest, options[2, i] * options[0, i])
    places = LEAST_PLACES
    if narrowest < math.inf:
        places = int(min(max(math.ceil(4.0 * reach / narrowest), LEAST_PLACES), MOST_PLACES))
    step = 2.0 * reach / places
    n = 0
    before_at, before, last_at, last = math.nan, math.nan, math.nan, math.nan
    for p in range(places + 1):
        at = p * step - reach
        value = total_at(options, at)
        if not abs(value) > 0.0:  # nothing there at all is no sign
            continue
        if last == last and (value > 0.0) != (last > 0.0):
            if n < len(found):
                found[n] = spot + bisect(options, last_at, at, last > 0.0)
                n += 1
        elif before == before and (before > 0.0) == (value > 0.0) == (last > 0.0):
            sign = 1.0 if value > 0.0 else -1.0
            if sign * last < sign * before and sign * last < sign * value:
                dip, depth = extremum(options, before_at, at, sign)
                if depth < 0.0 and n + 1 < len(found):
                    found[n] = spot + bisect(options, before_at, dip, value > 0.0)
                    found[n + 1] = spot + bisect(options, dip, at, value < 0.0)
                    n += 2
        before_at, before, last_at, last = last_at, last, at, value
    return n
