"""Kernels of gamma exposure: what happens to the state in a second, and what the grid around spot shows of it.

The state is `gex_state.ExposureState`; quotes, open interest and definitions are applied in the order in which they
become known, so a second never sees what follows it.
"""

from __future__ import annotations

import math

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.options.gex_smile import draw_smile, take_gammas

OUT_STRIKE, OUT_OI_CALL, OUT_OI_PUT = 0, 1, 2
"""Columns of the integers of a grid."""
OUT_GAMMA_CALL, OUT_GAMMA_PUT, OUT_IV, OUT_MONEYNESS = 0, 1, 2, 3
OUT_CALL, OUT_PUT, OUT_ABS, OUT_NET, OUT_RATIO, OUT_SHARE, OUT_FLOW, OUT_CHANGES = 4, 5, 6, 7, 8, 9, 10, 11
OUTPUTS = 20
"""Columns of the numbers of a grid; the last nine are three differences of each of gross, net and ratio."""
NONE = -1
"""Open interest of which nothing is known, in the output."""


@hot_kernel()
def contribute(state, m, sign):
    """Add an instrument to the sums of its slot, or take it out."""
    s, right = state.slot[m], state.right[m]
    state.listed[s, right] += sign
    state.flow[s] += sign * state.held[m] * state.multiplier[m]
    if state.interest[m] >= 0:
        state.known[s, right] += sign
        state.contracts[s, right] += sign * state.interest[m]
        state.weight[s, right] += sign * state.interest[m] * state.multiplier[m]


@kernel()
def forget_quotes(state, m):
    """Leave the place of an instrument whose quotes spoke for its strike empty."""
    s, right = state.slot[m], state.right[m]
    if state.quoted_by[s, right] == m:
        state.quoted_by[s, right] = -1
        state.quote[s, right] = math.nan
        state.dirty[state.expiry[s]] = True


@kernel()
def apply_versions(state, versions, now):
    """Let instruments become what their definitions said before `now`."""
    v = state.at[0]
    while v < len(versions.ns) and versions.ns[v] < now:
        m, s, right = versions.instrument[v], versions.slot[v], versions.right[v]
        before = state.slot[m]
        if before >= 0:
            contribute(state, m, -1)
            if before != s or state.right[m] != right:
                # withdrawn, or another option under the same number: nothing said of it holds of what may follow
                forget_quotes(state, m)
                state.interest[m] = NONE
                state.held[m] = 0
        state.slot[m] = s
        if s >= 0:
            state.right[m] = right
            state.multiplier[m] = versions.multiplier[v]
            state.tick[m] = versions.tick[v]
            contribute(state, m, 1)
            state.is_listed[state.strike[s]] = True
            state.dirty[state.expiry[s]] = True
            if state.quoted_by[s, right] < 0:
                state.quoted_by[s, right] = m
        v += 1
    state.at[0] = v


@kernel()
def apply_interest(state, steps, now):
    """Take in the open interest received up to `now`; `steps` are (ns, instrument or -1, quantity)."""
    ns, instrument, quantity = steps
    i = state.at[1]
    while i < len(ns) and ns[i] <= now:
        m = instrument[i]
        if m >= 0:
            if state.slot[m] >= 0:
                contribute(state, m, -1)
            state.interest[m] = quantity[i]
            if state.slot[m] >= 0:
                contribute(state, m, 1)
        i += 1
    state.at[1] = i


@kernel()
def apply_quotes(state, quotes, first, last):
    """Take in rows of quotes: what was traded, and the quote where the instrument speaks for its strike."""
    slot, rights, multiplier, tick, held = state.slot, state.right, state.multiplier, state.tick, state.held
    expiry, flow, quoted_by, quote, quote_ns = state.expiry, state.flow, state.quoted_by, state.quote, state.quote_ns
    dirty = state.dirty
    instrument, ns, bought, sold = quotes.instrument, quotes.ns, quotes.bought, quotes.sold
    ivs, deltas, gammas, widths = quotes.iv, quotes.delta, quotes.gamma, quotes.width
    forwards, years = quotes.forward, quotes.years
    applied = 0
    for i in range(first, last):
        m = instrument[i]
        s = slot[m]
        if s < 0:
            continue
        applied += 1
        right = rights[m]
        taken = sold[i] - bought[i]
        if taken != 0:
            held[m] += taken
            flow[s] += taken * multiplier[m]
        if quoted_by[s, right] < 0:
            quoted_by[s, right] = m
        if quoted_by[s, right] != m:
            continue
        quote_ns[s, right] = ns[i]
        iv, width, forward = ivs[i], widths[i], forwards[i]
        precision = math.nan
        if iv > 0.0 and width >= 0.0 and forward > 0.0:
            vega = gammas[i] * forward * forward * iv * years[i]
            half = 0.5 * max(width, tick[m])
            if vega > 0.0 and half > 0.0:
                precision = (vega / half) ** 2
        if precision == precision:
            if not (quote[s, right, 0] == iv and quote[s, right, 1] == precision):
                dirty[expiry[s]] = True
            quote[s, right, 0], quote[s, right, 1], quote[s, right, 2] = iv, precision, width
            quote[s, right, 3], quote[s, right, 4] = abs(deltas[i]), forward
        elif quote[s, right, 1] == quote[s, right, 1]:
            for j in range(quote.shape[2]):
                quote[s, right, j] = math.nan
            dirty[expiry[s]] = True
    state.counters[0] += applied


@hot_kernel()
def plus(known, value):
    """A sum that is NaN until something has been added."""
    return value + (known if known == known else 0.0)


@kernel()
def add_up(state, e, forward):
    """Add an expiry's exposures and open interest to the sums of its strikes; no `forward`, no exposures."""
    unit = forward * forward * 0.01
    strike, sums, known, contracts = state.strike, state.sums, state.known, state.contracts
    gamma, weight, flow, listed = state.gamma, state.weight, state.flow, state.listed
    for s in range(state.first_slot[e], state.first_slot[e + 1]):
        k = strike[s]
        for right in range(2):
            if known[s, right] > 0:
                sums[k, 3 + right] = plus(sums[k, 3 + right], contracts[s, right])
        if not (forward > 0.0 and gamma[s] >= 0.0):
            continue
        money = gamma[s] * unit
        if known[s, 0] > 0:
            sums[k, 0] = plus(sums[k, 0], money * weight[s, 0])
        if known[s, 1] > 0:
            sums[k, 1] = plus(sums[k, 1], 0.0) - money * weight[s, 1]
        if listed[s, 0] + listed[s, 1] > 0:
            sums[k, 2] = plus(sums[k, 2], money * flow[s])


@hot_kernel()
def is_listed_now(state, e):
    """Whether some option of an expiry is in the chain: others of it may only be defined later."""
    return state.listed[state.first_slot[e] : state.first_slot[e + 1]].any()


@kernel()
def take_second(state, now, step_ns, forwards, years, rate):
    """Exposures of all strikes in the second that ends `now`; returns the nearest expiry that counts, -1 for none."""
    state.sums[:] = math.nan
    nearest = -1
    for e in range(len(state.muted_ns)):
        if now > state.muted_ns[e]:
            state.counters[3] += 1
            continue
        if nearest < 0 and is_listed_now(state, e):
            nearest = e
        forward, time = forwards[e], years[e]
        if forward > 0.0 and time > 0.0:
            draw_smile(state, e, forward, time, now)
            take_gammas(state, e, forward, time, math.exp(-rate * time))
            add_up(state, e, forward)
        else:
            state.counters[4] += 1
            for s in range(state.first_slot[e], state.first_slot[e + 1]):
                state.gamma[s] = math.nan
            add_up(state, e, math.nan)
    if now - state.at[3] != step_ns:
        state.past[:] = math.nan
    state.at[3] = now
    state.at[2] += 1
    present = state.past[state.at[2] % len(state.past)]
    sums = state.sums
    for k in range(len(sums)):
        call, put = sums[k, 0], sums[k, 1]
        gross = math.nan
        net = math.nan
        if call == call or put == put:
            call = call if call == call else 0.0
            put = put if put == put else 0.0
            gross, net = call - put, call + put
        present[k, 0], present[k, 1] = gross, net
        present[k, 2] = net / gross if gross > 0.0 else math.nan
    return nearest


@kernel()
def lattice(state, spot, reach, fallback, near):
    """Step and middle of the grid around `spot`, from the strikes listed so far; (0, 0) if there are none.

    Of the `2 reach + 1` listed strikes nearest to spot the commonest distance between neighbours is the step (of two
    equally common ones the smaller), and the commonest remainder by it says which strikes are on the lattice; the
    middle is the nearest of these, the lower of two. A chain of one strike has no distance: the `fallback` stands in.
    `near` is int64[at least 2 reach + 1], scratch.
    """
    strikes = state.strike_int
    above = np.searchsorted(strikes, spot)
    below = above - 1
    n = 0
    while n < 2 * reach + 1:
        while below >= 0 and not state.is_listed[below]:
            below -= 1
        while above < len(strikes) and not state.is_listed[above]:
            above += 1
        if below < 0 and above >= len(strikes):
            break
        if above >= len(strikes) or (below >= 0 and spot - strikes[below] <= strikes[above] - spot):
            near[n] = strikes[below]
            below -= 1
        else:
            near[n] = strikes[above]
            above += 1
        n += 1
    if n == 0:
        return 0, 0
    sorted_ = np.sort(near[:n])
    step, most = fallback, 0
    for i in range(n - 1):
        gap = sorted_[i + 1] - sorted_[i]
        count = 0
        for j in range(n - 1):
            if sorted_[j + 1] - sorted_[j] == gap:
                count += 1
        if count > most or (count == most and gap < step):
            step, most = gap, count
    middle, most = near[0], 0
    for i in range(n):  # by distance from spot: of equally common remainders that of the nearest strike
        count = 0
        for j in range(n):
            if near[j] % step == near[i] % step:
                count += 1
        if count > most:
            middle, most = near[i], count
    return step, middle


@kernel()
def show(state, nearest, middle, step, forwards, years, whole, numbers):
    """The grid of one second: `whole` int64[3, G] and `numbers` float64[OUTPUTS, G], NaN where nothing is known."""
    total = 0.0
    newest = state.at[2]
    ring = len(state.past)
    present = state.past[newest % ring]
    for k in range(len(state.strike_int)):
        if present[k, 0] == present[k, 0]:
            total += present[k, 0]
    grid = whole.shape[1]
    for g in range(grid):
        strike = middle + (g - grid // 2) * step
        whole[0, g], whole[1, g], whole[2, g] = strike, -1, -1
        numbers[:, g] = math.nan
        k = np.searchsorted(state.strike_int, strike)
        if k == len(state.strike_int) or state.strike_int[k] != strike:
            continue
        for right in range(2):
            known = state.sums[k, 3 + right]
            if known == known:
                whole[1 + right, g] = np.int64(known)
        numbers[4, g], numbers[5, g], numbers[10, g] = state.sums[k, 0], state.sums[k, 1], state.sums[k, 2]
        numbers[6, g], numbers[7, g], numbers[8, g] = present[k, 0], present[k, 1], present[k, 2]
        numbers[9, g] = present[k, 0] / total if total > 0.0 else math.nan
        for metric in range(3):
            v0 = present[k, metric]
            v1 = state.past[(newest - 1) % ring, k, metric]
            v2 = state.past[(newest - 2) % ring, k, metric]
            v3 = state.past[(newest - 3) % ring, k, metric]
            numbers[11 + 3 * metric, g] = v0 - v1
            numbers[12 + 3 * metric, g] = (v0 - v1) - (v1 - v2)
            numbers[13 + 3 * metric, g] = ((v0 - v1) - (v1 - v2)) - ((v1 - v2) - (v2 - v3))
        s = state.slot_of[nearest, k] if nearest >= 0 else -1
        if s >= 0 and state.gamma[s] == state.gamma[s]:
            forward, volatility = forwards[nearest], state.volatility[s]
            if state.listed[s, 0] > 0:
                numbers[0, g] = state.gamma[s]
            if state.listed[s, 1] > 0:
                numbers[1, g] = state.gamma[s]
            numbers[2, g] = volatility
            numbers[3, g] = (state.price[s] - forward) / (forward * volatility * math.sqrt(years[nearest]))


@kernel()
def advance(state, versions, steps, quotes, seconds, rate, step_ns, first, last, whole, numbers, has_grid, stop_every):
    """Go through seconds `first` to `last`; stop after one that ends on a multiple of `stop_every` ns.

    Returns the number of the second after the last one taken, and the expiry nearest to it. Grids are written for
    seconds with a spot (>= 0) and a chain; `has_grid` says which.
    """
    reach = whole.shape[2] // 2
    near = np.empty(2 * reach + 2, np.int64)
    nearest = -1
    for i in range(first, last):
        now = seconds.ns[i]
        apply_versions(state, versions, now)
        apply_interest(state, steps, now)
        apply_quotes(state, quotes, seconds.first_quote[i], seconds.first_quote[i + 1])
        nearest = take_second(state, now, step_ns, seconds.forward[i], seconds.years[i], rate)
        has_grid[i] = False
        if seconds.has_spot[i]:
            step, middle = lattice(state, seconds.spot[i], reach, seconds.fallback_step, near)
            if step > 0:
                has_grid[i] = True
                show(state, nearest, middle, step, seconds.forward[i], seconds.years[i], whole[i], numbers[i])
        if now % stop_every == 0:
            return i + 1, nearest
    return last, nearest
