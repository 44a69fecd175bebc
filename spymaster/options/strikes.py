"""The strikes of a chain as kernels see them: which instrument is the call of a strike and which the put, at a moment.

- over the m instruments, in ascending order of their ids: `place` int64, the strike's number (-1 for what is no option
  of the universe then), `is_call` bool, `tick` float64 in points (0 unknown);
- over the strikes, by expiry, then price: `strike` float64 in points, `expiry` int64, `call` and `put` int64, numbers
  of instruments (-1 for none);
- over the e expiries: strikes `first[k]` to `first[k + 1]` are of expiry k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spymaster.options.chain import Chain

POINT = 1e-9
"""Integer prices to points."""


class Strikes(NamedTuple):
    """Arrays of the module's description; kernels take it as it is."""

    place: np.ndarray
    is_call: np.ndarray
    tick: np.ndarray
    strike: np.ndarray
    expiry: np.ndarray
    call: np.ndarray
    put: np.ndarray
    first: np.ndarray


def strikes_at(chain: Chain, instrument_ids: np.ndarray, window_end_ns: int) -> Strikes:
    """The strikes as known in the window that ends then; `instrument_ids` int64 [m], ascending.

    Should a strike list two calls, the first by id goes with the first put, and the second makes a strike of its own.
    """
    series = chain.series_of(instrument_ids, window_end_ns)
    numbers = np.flatnonzero(series >= 0)
    known = series[numbers]
    expiry, price, is_call = chain.expiry[known], chain.strike_price_int[known], chain.is_call[known]
    rank = _rank_of_equals(expiry, price, is_call)
    order = np.lexsort((rank, price, expiry))
    begins = np.ones(len(order), bool)
    for column in (expiry, price, rank):
        changed = column[order][1:] != column[order][:-1]
        begins[1:] = changed if column is expiry else begins[1:] | changed
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(begins) - 1
    heads = order[begins]
    call, put = np.full(len(heads), -1, np.int64), np.full(len(heads), -1, np.int64)
    call[place[is_call]] = numbers[is_call]
    put[place[~is_call]] = numbers[~is_call]
    m = len(instrument_ids)
    result = Strikes(
        np.full(m, -1, np.int64),
        np.zeros(m, bool),
        np.zeros(m),
        price[heads] * POINT,
        expiry[heads],
        call,
        put,
        np.searchsorted(expiry[heads], np.arange(len(chain.expirations) + 1)).astype(np.int64),
    )
    result.place[numbers] = place
    result.is_call[numbers] = is_call
    result.tick[numbers] = chain.tick_size_int[known] * POINT
    return result


def _rank_of_equals(*columns: np.ndarray) -> np.ndarray:
    """Per row how many rows before it are equal."""
    order = np.lexsort(columns)  # stable
    same = np.ones(max(len(order) - 1, 0), bool)
    for column in columns:
        same &= column[order][1:] == column[order][:-1]
    starts = np.flatnonzero(np.concatenate([[True], ~same])) if len(order) else np.zeros(0, np.int64)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return rank
