"""Kernels that price a chain second by second: forwards, volatilities of changed quotes, volatility at the money.

Arrays beside those of `strikes`:

- `quotes` float64 [instruments, 5]: the quote in force, by `Q_*`: bid and ask in points (NaN for none), whether its
  book is known, the volatility of its last row (NaN if that was rejected) and how far off it may be;
- `expiries` float64 [expiries, 12]: by `E_*`, what is known of an expiry, carried from second to second;
- `memo` float64 [strikes, 4]: by `M_*`, what the out-of-the-money quote of a strike says in the window `M_END`;
- `rows`: changed quotes of whole windows, in time order: `end` int64 ns, `number` int64 (of the instrument), `bid` and
  `ask` int64 1e-9 (`NO_PRICE` for none), `valid` bool;
- `priced`: for each row `iv`, `delta`, `gamma` float64, `reason` int8 (index of `REJECT_REASONS`, `PRICED`, `UNKNOWN`);
- `forwards`: one row per second and expiry that is not over.

Within a second every quote is taken in before anything is priced, so rows of one window know each other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from spymaster.book.chain.layout import NO_PRICE
from spymaster.jit import hot_kernel, kernel
from spymaster.options.black76 import implied, log_ratio
from spymaster.options.forward import STRIKES, parity
from spymaster.options.greeks import greeks_of
from spymaster.options.smile import smooth, value_at
from spymaster.options.strikes import POINT

YEAR_SECONDS = 365 * 86_400
LEAST_SECONDS = 60
"""Time to expiration never counts less, and in the last of it nothing is priced."""

INVALID_BOOK, MUTED, ONE_SIDED, CROSSED, MINIMUM_TICK, WIDE, NO_FORWARD, NO_ARBITRAGE = range(8)
PRICED, UNKNOWN = -1, -2

Q_BID, Q_ASK, Q_KNOWN, Q_IV, Q_ERROR = range(5)
QUOTE_FIELDS = 5

(
    E_PARITY,
    E_WIDTH,
    E_STRIKES,
    E_QUOTES_NEW,  # a quote has changed since parity was worked out
    E_ATM,
    E_ATM_FORWARD,
    E_SMILE_NEW,  # a volatility has changed since the smile was drawn
    E_FORWARD,
    E_DISCOUNT,
    E_YEARS,
    E_PHASE,
    E_SOURCE,
) = range(12)
EXPIRY_FIELDS = 12

M_END, M_REASON, M_IV, M_HALF = range(4)
MEMO_FIELDS = 4
PRICING, MUTE, OVER = 0, 1, 2
FROM_FUTURE, FROM_PARITY, FROM_NOTHING = 0, 1, 2

REACH = 40
"""Strikes on either side of the forward that are looked at to tell it, and the volatility there."""
PAIRS = 3 * STRIKES
"""Strikes with both quotes that parity chooses from, the nearest to the forward."""
SMILE_SIDE = 8
"""Strikes on either side of the forward that the volatility at the money is read off."""
SMILE_BEND = 1.0
"""How dear curvature is, with volatility relative to that at the money and moneyness in deviations."""
LEAST_ERROR = 1e-4
"""Error that a volatility has at least, relative."""
_HAIR = 1e-9
"""Points by which sums of prices may be off."""


class Rows(NamedTuple):
    """Changed quotes; see the module."""

    end: np.ndarray
    number: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    valid: np.ndarray


class Priced(NamedTuple):
    """What became of each row; see the module."""

    iv: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    reason: np.ndarray


class Forwards(NamedTuple):
    """Columns of `option_forward_1s`, NaN for null; `expiry` and `source` as numbers."""

    end: np.ndarray
    expiry: np.ndarray
    source: np.ndarray
    strikes: np.ndarray
    years: np.ndarray
    forward: np.ndarray
    parity: np.ndarray
    width: np.ndarray
    gap: np.ndarray
    atm_iv: np.ndarray


class Market(NamedTuple):
    """What does not change: per expiry `expiration` int64 ns and `on_future` bool (its future is the one of `mid`);
    `mid` float64 of each window from `mid_start` on (NaN where unknown), `step` ns."""

    expiration: np.ndarray
    on_future: np.ndarray
    mid: np.ndarray
    mid_start: int
    step: int
    rate: float


@hot_kernel()
def judged(bid, ask, tick, forward, strike, is_call, root, discount, guess):
    """Reason against a quote of an out-of-the-money option (`PRICED` for none), its volatility, half its width."""
    if math.isnan(bid) or math.isnan(ask):
        return ONE_SIDED, math.nan, math.nan
    if bid > ask:
        return CROSSED, math.nan, math.nan
    if bid <= tick + _HAIR:
        return MINIMUM_TICK, math.nan, math.nan
    middle = 0.5 * (bid + ask)
    if ask - bid > 0.5 * middle + _HAIR:
        return WIDE, math.nan, math.nan
    if math.isnan(forward):
        return NO_FORWARD, math.nan, math.nan
    iv = implied(middle, forward, strike, is_call, root, discount, guess)
    if not 0.0 < iv < math.inf:
        return NO_ARBITRAGE, math.nan, math.nan
    return PRICED, iv, 0.5 * max(ask - bid, tick)


@hot_kernel()
def out_of_the_money(k, out, end, forward, root, discount, guess, tick, strike, quotes, memo):
    """Reason against the quote in force of a strike's out-of-the-money option, its volatility, half its width.

    Within a window it is the same for the call's row and the put's, and worked out once.
    """
    if memo[k, M_END] != end:
        memo[k, M_END] = end
        memo[k, M_REASON], memo[k, M_IV], memo[k, M_HALF] = judged(
            quotes[out, Q_BID], quotes[out, Q_ASK], tick[out], forward, strike[k], strike[k] >= forward, root, discount,
            guess,
        )  # fmt: skip
    return np.int64(memo[k, M_REASON]), memo[k, M_IV], memo[k, M_HALF]


@hot_kernel()
def volatility_of(number, k, is_call, sibling, end, forward, root, discount, tick, strike, quotes, memo):
    """Reason and volatility of an option's row, and half the width of the quote that it is from.

    From the option's own quote where it is out of the money. Where it is in the money: from its sibling's if that is
    accepted, else from its own less what put-call parity says the sibling is worth less.
    """
    out_is_call = strike[k] >= forward
    guess = quotes[number, Q_IV]
    bid, ask = quotes[number, Q_BID], quotes[number, Q_ASK]
    if math.isnan(forward):
        return judged(bid, ask, tick[number], forward, strike[k], is_call, root, discount, guess)
    if is_call == out_is_call:
        return out_of_the_money(k, number, end, forward, root, discount, guess, tick, strike, quotes, memo)
    if sibling >= 0 and quotes[sibling, Q_KNOWN] == 1.0:
        reason, iv, half = out_of_the_money(k, sibling, end, forward, root, discount, guess, tick, strike, quotes, memo)
        if reason == PRICED:
            return reason, iv, half
    carry = discount * abs(forward - strike[k])
    return judged(bid - carry, ask - carry, tick[number], forward, strike[k], out_is_call, root, discount, guess)


@kernel()
def price_rows(first, last, rows, strikes, quotes, expiries, memo, priced):
    """Volatility and greeks of the rows `first` to `last` of one window, or the reasons against them."""
    # an array that is taken out of a tuple in the loop is counted each time, which costs more than the work
    end_of, number_of, valid = rows.end, rows.number, rows.valid
    place, is_call, tick, strike = strikes.place, strikes.is_call, strikes.tick, strikes.strike
    expiry_of, call, put = strikes.expiry, strikes.call, strikes.put
    iv_out, delta_out, gamma_out, reason_out = priced.iv, priced.delta, priced.gamma, priced.reason
    for i in range(first, last):
        number = number_of[i]
        k = place[number]
        iv_out[i] = delta_out[i] = gamma_out[i] = math.nan
        if k < 0:
            reason_out[i] = UNKNOWN
            continue
        e = expiry_of[k]
        reason, iv = np.int64(PRICED), math.nan
        if not valid[i]:
            reason = np.int64(INVALID_BOOK)
        elif expiries[e, E_PHASE] != PRICING:
            reason = np.int64(MUTED)
        else:
            forward, discount, years = expiries[e, E_FORWARD], expiries[e, E_DISCOUNT], expiries[e, E_YEARS]
            sibling = put[k] if is_call[number] else call[k]
            reason, iv, half = volatility_of(
                number, k, is_call[number], sibling, float(end_of[i]), forward, math.sqrt(years), discount, tick,
                strike, quotes, memo,
            )  # fmt: skip
            if reason == PRICED:
                delta, gamma, vega, _, _ = greeks_of(forward, strike[k], is_call[number], years, discount, iv)
                iv_out[i], delta_out[i], gamma_out[i] = iv, delta, gamma
                quotes[number, Q_ERROR] = max(half / vega, LEAST_ERROR * iv)
        before = quotes[number, Q_IV]
        if before != iv and not (math.isnan(before) and math.isnan(iv)):
            expiries[e, E_SMILE_NEW] = 1.0
        quotes[number, Q_IV] = iv
        reason_out[i] = reason


@kernel()
def take_quotes(first, end, rows, strikes, quotes, expiries):
    """The quotes of the window that ends at `end` come into force; returns the first row after it."""
    end_of, number_of, bids, asks, valid = rows.end, rows.number, rows.bid, rows.ask, rows.valid
    place, expiry_of = strikes.place, strikes.expiry
    i, n = first, len(end_of)
    while i < n and end_of[i] <= end:
        number = number_of[i]
        k = place[number]
        if k >= 0:
            quotes[number, Q_BID] = math.nan if bids[i] == NO_PRICE else bids[i] * POINT
            quotes[number, Q_ASK] = math.nan if asks[i] == NO_PRICE else asks[i] * POINT
            quotes[number, Q_KNOWN] = 1.0 if valid[i] else 0.0
            expiries[expiry_of[k], E_QUOTES_NEW] = 1.0
        i += 1
    return i


@hot_kernel()
def quote_of(number, quotes):
    """Bid and ask in force of an instrument (-1 for none); NaN where its book is unknown."""
    if number < 0 or quotes[number, Q_KNOWN] != 1.0:
        return math.nan, math.nan
    return quotes[number, Q_BID], quotes[number, Q_ASK]


@hot_kernel()
def pair_into(work, j, strike, call, put, quotes):
    """A strike and the four quotes in force at it become column `j` and the next is free, if all four are there."""
    call_bid, call_ask = quote_of(call, quotes)
    put_bid, put_ask = quote_of(put, quotes)
    work[0, j], work[1, j], work[2, j], work[3, j], work[4, j] = strike, call_bid, call_ask, put_bid, put_ask
    return j + (call_bid <= call_ask and put_bid <= put_ask)


@kernel()
def update_parity(e, about, discount, strikes, quotes, expiries, work):
    """The parity forward of an expiry from the quotes in force at the strikes around `about` (NaN for nowhere).

    Where those have none, all strikes have a say. `work` is float64 [5, strikes of an expiry and more].
    """
    strike, call, put = strikes.strike, strikes.call, strikes.put
    first, last = strikes.first[e], strikes.first[e + 1]
    n = 0
    if not math.isnan(about):
        upper = first + np.searchsorted(strike[first:last], about)
        lower = upper - 1
        for _ in range(REACH):  # from the middle outwards: the nearest come first
            if n >= PAIRS:
                break
            if upper < last:
                n = pair_into(work, n, strike[upper], call[upper], put[upper], quotes)
                upper += 1
            if lower >= first:
                n = pair_into(work, n, strike[lower], call[lower], put[lower], quotes)
                lower -= 1
    if n == 0:
        for k in range(first, last):
            n = pair_into(work, n, strike[k], call[k], put[k], quotes)
    best = np.empty((5, STRIKES))
    forward, width, count = parity(work[0], work[1], work[2], work[3], work[4], n, discount, best)
    expiries[e, E_PARITY], expiries[e, E_WIDTH], expiries[e, E_STRIKES] = forward, width, count
    expiries[e, E_QUOTES_NEW] = 0.0


@hot_kernel()
def smile_point(strike, call, put, forward, quotes):
    """Volatility of a strike and its error, from the out-of-the-money option if that has one; NaN for none."""
    out, other = (call, put) if strike >= forward else (put, call)
    if out >= 0 and not math.isnan(quotes[out, Q_IV]):
        return quotes[out, Q_IV], quotes[out, Q_ERROR]
    if other >= 0:
        return quotes[other, Q_IV], quotes[other, Q_ERROR]
    return math.nan, math.nan


@kernel()
def at_the_money(e, forward, root, strikes, quotes):
    """Smoothed volatility of an expiry at its forward; NaN without strikes with one on both sides of it."""
    strike, call, put = strikes.strike, strikes.call, strikes.put
    first, last = strikes.first[e], strikes.first[e + 1]
    middle = first + np.searchsorted(strike[first:last], forward)  # from here on strikes are at or above
    points = np.empty((3, 2 * SMILE_SIDE))
    lower, k = SMILE_SIDE, middle - 1
    while k >= max(first, middle - REACH) and lower > 0:
        iv, error = smile_point(strike[k], call[k], put[k], forward, quotes)
        if not math.isnan(iv) and (lower == SMILE_SIDE or strike[k] < points[0, lower]):
            lower -= 1
            points[0, lower], points[1, lower], points[2, lower] = strike[k], iv, error
        k -= 1
    upper, k = SMILE_SIDE, middle
    while k < min(last, middle + REACH) and upper < 2 * SMILE_SIDE:
        iv, error = smile_point(strike[k], call[k], put[k], forward, quotes)
        if not math.isnan(iv) and (upper == SMILE_SIDE or strike[k] > points[0, upper - 1]):
            points[0, upper], points[1, upper], points[2, upper] = strike[k], iv, error
            upper += 1
        k += 1
    n = upper - lower
    if lower == SMILE_SIDE or upper == SMILE_SIDE or n < 3:
        return math.nan
    level = 0.5 * (points[1, SMILE_SIDE - 1] + points[1, SMILE_SIDE])
    x, y, w = np.empty(n), np.empty(n), np.empty(n)
    for j in range(n):
        x[j] = -log_ratio(forward, points[0, lower + j]) / (level * root)
        y[j] = points[1, lower + j] / level
        w[j] = (level / points[2, lower + j]) ** 2
    value, second = np.empty(n), np.empty(n)
    smooth(x, y, w, SMILE_BEND, n, value, second, np.empty((7, n)))
    found = level * value_at(x, value, second, n, 0.0)
    return found if 0.0 < found < math.inf else math.nan


@kernel()
def set_forwards(end, market, strikes, quotes, expiries, work):
    """Forward, discount and time of every expiry for the window that ends at `end`."""
    at = (end - market.mid_start) // market.step
    future = market.mid[at] if 0 <= at < len(market.mid) else math.nan
    for e in range(len(market.expiration)):
        left = market.expiration[e] - end
        expiries[e, E_PHASE] = OVER if left < 0 else MUTE if left < LEAST_SECONDS * 1_000_000_000 else PRICING
        if left < 0 or strikes.first[e] == strikes.first[e + 1]:
            continue
        years = max(left * 1e-9, float(LEAST_SECONDS)) / YEAR_SECONDS
        discount = math.exp(-market.rate * years)
        expiries[e, E_YEARS], expiries[e, E_DISCOUNT] = years, discount
        if expiries[e, E_QUOTES_NEW] == 1.0:
            about = future if market.on_future[e] else math.nan
            about = expiries[e, E_PARITY] if math.isnan(about) else about
            update_parity(e, about, discount, strikes, quotes, expiries, work)
        if market.on_future[e] and not math.isnan(future):
            expiries[e, E_FORWARD], expiries[e, E_SOURCE] = future, FROM_FUTURE
        else:
            expiries[e, E_FORWARD] = expiries[e, E_PARITY]
            expiries[e, E_SOURCE] = FROM_NOTHING if math.isnan(expiries[e, E_PARITY]) else FROM_PARITY
    return future


@kernel()
def write_forwards(end, future, count, market, strikes, quotes, expiries, forwards):
    """A row of each expiry that is listed and not over; returns how many rows there are now."""
    for e in range(len(market.expiration)):
        if expiries[e, E_PHASE] == OVER or strikes.first[e] == strikes.first[e + 1]:
            continue
        forward = expiries[e, E_FORWARD]
        if expiries[e, E_PHASE] == MUTE or math.isnan(forward):
            expiries[e, E_ATM], expiries[e, E_SMILE_NEW] = math.nan, 1.0
        elif expiries[e, E_SMILE_NEW] == 1.0 or forward != expiries[e, E_ATM_FORWARD]:
            expiries[e, E_ATM] = at_the_money(e, forward, math.sqrt(expiries[e, E_YEARS]), strikes, quotes)
            expiries[e, E_ATM_FORWARD], expiries[e, E_SMILE_NEW] = forward, 0.0
        forwards.end[count] = end
        forwards.expiry[count] = e
        forwards.source[count] = np.int8(expiries[e, E_SOURCE])
        forwards.strikes[count] = np.int32(expiries[e, E_STRIKES])
        forwards.years[count] = expiries[e, E_YEARS]
        forwards.forward[count] = forward
        forwards.parity[count] = expiries[e, E_PARITY]
        forwards.width[count] = expiries[e, E_WIDTH]
        forwards.gap[count] = expiries[e, E_PARITY] - future if market.on_future[e] else math.nan
        forwards.atm_iv[count] = expiries[e, E_ATM]
        count += 1
    return count


@kernel()
def price_windows(first_end, last_end, market, rows, strikes, quotes, expiries, memo, work, priced, forwards):
    """Price the rows of the windows that end from `first_end` to `last_end`; returns how many forwards were written.

    `rows` are those of these windows, all of them.
    """
    row, count = 0, 0
    for end in range(first_end, last_end + 1, market.step):
        begin = row
        row = take_quotes(begin, end, rows, strikes, quotes, expiries)
        future = set_forwards(end, market, strikes, quotes, expiries, work)
        if row > begin:
            price_rows(begin, row, rows, strikes, quotes, expiries, memo, priced)
        count = write_forwards(end, future, count, market, strikes, quotes, expiries, forwards)
    return count
