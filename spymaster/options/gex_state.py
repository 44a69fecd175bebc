"""What the pass of gamma exposure knows of a chain: arrays over instruments, slots, expiries and strikes.

    instrument   one number of the publisher; it may be several series (versions of its definition) after another
    slot         one strike of one expiry, sorted by expiry, then strike: where a smile has its value
    strike       one price, over all expiries, ascending: where exposures are summed

Slots keep running sums over their instruments, so that a second costs the same however many contracts are listed twice,
and nothing is added up that has not changed. Open interest and traded quantity belong to the instrument: a new version
of its definition keeps them, unless it has become another option.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from spymaster.options.chain import FOR_GOOD, Chain
from spymaster.options.open_interest import UNKNOWN
from spymaster.options.pricing import LEAST_SECONDS

CALL: Final = 0
PUT: Final = 1
MUTED_NS: Final = LEAST_SECONDS * 1_000_000_000
"""Before its expiration an expiry is muted for so long: its options no longer count."""
PAST: Final = 4
"""Seconds of exposures that are kept: this one and those that a third difference needs."""
METRICS: Final = 3
"""Of which differences are taken: gross exposure, net exposure, their ratio."""


class ExposureState(NamedTuple):
    """Arrays over M instruments, S slots, E expiries and K strikes; [2] is call, put. NaN stands for unknown."""

    # instruments
    slot: np.ndarray
    """int64[M], -1 while it is not an option of the universe."""
    right: np.ndarray
    """int64[M], `CALL` or `PUT`."""
    multiplier: np.ndarray
    """float64[M]."""
    tick: np.ndarray
    """float64[M], price step in points: the least width that a quote can claim."""
    interest: np.ndarray
    """int64[M], open interest, `UNKNOWN` where nothing is known."""
    held: np.ndarray
    """int64[M], what dealers took on in the session: customers' sales minus their purchases."""
    # slots
    expiry: np.ndarray
    """int64[S]."""
    strike: np.ndarray
    """int64[S], number of the strike."""
    price: np.ndarray
    """float64[S], strike in points."""
    log_price: np.ndarray
    """float64[S]."""
    listed: np.ndarray
    """int64[S, 2], instruments there."""
    known: np.ndarray
    """int64[S, 2], those of them whose open interest is known."""
    contracts: np.ndarray
    """int64[S, 2], open interest of these."""
    weight: np.ndarray
    """float64[S, 2], open interest times multiplier."""
    flow: np.ndarray
    """float64[S], `held` times multiplier."""
    quoted_by: np.ndarray
    """int64[S, 2], the instrument whose quotes speak for the strike and right, -1 for none."""
    quote: np.ndarray
    """float64[S, 2, QUOTE]: volatility, precision, width, |delta|, forward of the last quote; NaN without one."""
    quote_ns: np.ndarray
    """int64[S, 2], its time."""
    taken: np.ndarray
    """int64[S], which quote is in the smile: 0 none, 1 call, 2 put."""
    volatility: np.ndarray
    """float64[S], of the smoothed smile."""
    gamma: np.ndarray
    """float64[S], at the present forward."""
    # expiries
    first_slot: np.ndarray
    """int64[E + 1], slots of expiry e are first_slot[e] to first_slot[e + 1]."""
    muted_ns: np.ndarray
    """int64[E], the last moment at which it counts."""
    dirty: np.ndarray
    """bool[E], a quote has changed since its smile was drawn."""
    # strikes
    strike_int: np.ndarray
    """int64[K], price, 1e-9."""
    is_listed: np.ndarray
    """bool[K], some definition has named it."""
    slot_of: np.ndarray
    """int64[E, K], -1 where the expiry does not list the strike."""
    sums: np.ndarray
    """float64[K, 5]: exposure of calls, of puts, of flow; open interest of calls, of puts."""
    past: np.ndarray
    """float64[PAST, K, METRICS], ring of seconds."""
    # progress
    at: np.ndarray
    """int64[4]: next version, next step of open interest, seconds so far, time of the last."""
    counters: np.ndarray
    """int64[len(COUNTERS)]."""
    work: np.ndarray
    """float64[12, S], scratch of a smile."""


QUOTE: Final = 5
VOLATILITY, PRECISION, WIDTH, DELTA, FORWARD = range(QUOTE)
NEXT_VERSION, NEXT_STEP, SECONDS, LAST_NS = range(4)
COUNTERS: Final = ("quotes", "smiles", "stale_quote_seconds", "muted_expiry_seconds", "unpriced_expiry_seconds")


class Versions(NamedTuple):
    """Moments at which instruments become options of the universe or cease to, by time; int64[v] each."""

    ns: np.ndarray
    """It counts in windows that end later."""
    instrument: np.ndarray
    slot: np.ndarray
    """-1: it ceases."""
    right: np.ndarray
    multiplier: np.ndarray
    """float64[v]."""
    tick: np.ndarray
    """float64[v], points."""


def new_state(chain: Chain) -> tuple[ExposureState, Versions]:
    """The state before the first second, with nothing listed yet, and the versions that will list it."""
    ids, instrument = np.unique(chain.instrument_id, return_inverse=True)
    strikes, strike = np.unique(chain.strike_price_int, return_inverse=True)
    pair = chain.expiry * len(strikes) + strike
    pairs, slot = np.unique(pair, return_inverse=True)
    m, s, e, k = len(ids), len(pairs), len(chain.expirations), len(strikes)
    expiry, of_slot = np.divmod(pairs, max(k, 1))
    slot_of = np.full((e, k), -1, np.int64)
    slot_of[expiry, of_slot] = np.arange(s)
    price = strikes[of_slot] / 1e9
    state = ExposureState(
        slot=np.full(m, -1, np.int64),
        right=np.zeros(m, np.int64),
        multiplier=np.zeros(m),
        tick=np.zeros(m),
        interest=np.full(m, UNKNOWN, np.int64),
        held=np.zeros(m, np.int64),
        expiry=expiry,
        strike=of_slot,
        price=price,
        log_price=np.log(price),
        listed=np.zeros((s, 2), np.int64),
        known=np.zeros((s, 2), np.int64),
        contracts=np.zeros((s, 2), np.int64),
        weight=np.zeros((s, 2)),
        flow=np.zeros(s),
        quoted_by=np.full((s, 2), -1, np.int64),
        quote=np.full((s, 2, QUOTE), np.nan),
        quote_ns=np.zeros((s, 2), np.int64),
        taken=np.zeros(s, np.int64),
        volatility=np.full(s, np.nan),
        gamma=np.full(s, np.nan),
        first_slot=np.searchsorted(expiry, np.arange(e + 1)).astype(np.int64),
        muted_ns=chain.expirations - MUTED_NS,
        dirty=np.zeros(e, bool),
        strike_int=strikes,
        is_listed=np.zeros(k, bool),
        slot_of=slot_of,
        sums=np.full((k, 5), np.nan),
        past=np.full((PAST, k, METRICS), np.nan),
        at=np.zeros(4, np.int64),
        counters=np.zeros(len(COUNTERS), np.int64),
        work=np.zeros((12, max(s, 1))),
    )
    return state, _versions(chain, instrument, slot)


def _versions(chain: Chain, instrument: np.ndarray, slot: np.ndarray) -> Versions:
    """Beginnings of all series, and the ends that no other series of the instrument follows at once."""
    n = len(chain)
    followed = np.zeros(n, bool)
    same = chain.instrument_id[1:] == chain.instrument_id[:-1]
    followed[:-1] = same & (chain.known_from[1:] == chain.known_until[:-1])
    ends = np.flatnonzero(~followed & (chain.known_until < FOR_GOOD))
    series = np.concatenate([np.arange(n), ends])
    ns = np.concatenate([chain.known_from, chain.known_until[ends]])
    is_end = np.arange(len(series)) >= n
    order = np.lexsort((~is_end, ns))
    chosen, ending = series[order], is_end[order]
    return Versions(
        ns=ns[order],
        instrument=instrument[chosen].astype(np.int64),
        slot=np.where(ending, -1, slot[chosen]).astype(np.int64),
        right=np.where(chain.is_call[chosen], CALL, PUT).astype(np.int64),
        multiplier=chain.multiplier[chosen].astype(np.float64),
        tick=chain.tick_size_int[chosen] / 1e9,
    )
