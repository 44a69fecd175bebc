"""Open interest and the dealers' part in it: before a date begins, and what the date's trades make of it.

Every contract that is outstanding has a holder and a writer, customers or dealers. The dealers' inventory is what they
hold less what they have written, so customers together have the opposite position, no larger than the open interest;
the rest of it is between customers. Customers buy more puts than they sell, and sell more calls than they buy: dealers
start short puts and long calls, by about the share of all trades by which customers lean.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from spymaster.simulator.options.carry import ChainCarried
from spymaster.simulator.options.chain import Chain

_PUTS, _CALLS = (-0.03, 0.025), (0.02, 0.02)
"""Centre and width of open interest in log-moneyness (assumption)."""
BUY_PUT, SELL_CALL = 0.58, 0.55
"""Shares of customers' trades in puts that buy, in calls that sell (assumption)."""
_SHARE_SPREAD = 0.05
"""Spread over options of the dealers' share of the open interest."""
_INVENTORY_STREAM = 10
_USUAL = 3_000
_QUARTERLY_FACTOR = 4


@dataclass(frozen=True)
class OpenInterest:
    """Contracts outstanding at the end of the session before, one value per option: as first and as finally told."""

    preliminary: NDArray[np.int64]
    final: NDArray[np.int64]


def open_interest(dt: date, seed: int, chain: Chain, spot: float, carried: ChainCarried | None = None) -> OpenInterest:
    """Open interest that a date begins with: that of the date before, drawn where there was none; 0 of what is not
    listed yet.
    """
    generator = np.random.Generator(np.random.PCG64([seed, dt.toordinal(), 9]))
    strike = np.array([option.strike for option in chain.options], np.float64)
    call = np.array([option.right == "C" for option in chain.options])
    k = strike / spot - 1
    centre, width = np.where(call, _CALLS[0], _PUTS[0]), np.where(call, _CALLS[1], _PUTS[1])
    level = np.exp(-0.5 * ((k - centre) / width) ** 2) + 0.02
    level *= np.where(strike % 100 == 0, 5.0, np.where(strike % 50 == 0, 3.0, np.where(strike % 25 == 0, 2.0, 1.0)))
    quarterly = np.array([chain.expiries[option.expiry].quarterly for option in chain.options])
    level *= np.where(quarterly, _QUARTERLY_FACTOR, 1)
    level *= np.exp(0.5 * generator.standard_normal(len(strike)))
    final = np.floor(_USUAL * level).astype(np.int64) + 1
    if carried is not None:
        final = np.array(
            [carried.interest.get(one.instrument_id, drawn) for one, drawn in zip(chain.options, final, strict=True)],
            np.int64,
        )
    preliminary = np.maximum(final + generator.integers(-40, 41, len(strike)) + final // 50, 0)
    preliminary = np.where(preliminary == final, final + 1, preliminary)
    listed = np.array([not option.late for option in chain.options])
    return OpenInterest(preliminary * listed, final * listed)


def first_inventory(
    dt: date, seed: int, chain: Chain, interest: OpenInterest, carried: ChainCarried | None = None
) -> NDArray[np.int64]:
    """Dealers' inventory that a date begins with, contracts per option: what the date before left, else drawn.

    Drawn is a share of the open interest: in calls 2 `SELL_CALL` - 1 on average, long, in puts 2 `BUY_PUT` - 1, short.
    """
    generator = np.random.Generator(np.random.PCG64([seed, dt.toordinal(), _INVENTORY_STREAM]))
    call = np.array([option.right == "C" for option in chain.options])
    lean = np.where(call, 2 * SELL_CALL - 1, 1 - 2 * BUY_PUT)
    share = np.clip(lean + _SHARE_SPREAD * generator.standard_normal(len(call)), -1.0, 1.0)
    drawn = np.rint(share * interest.final).astype(np.int64)
    known = carried.inventory if carried is not None else {}
    return np.array([known.get(one.instrument_id, int(own)) for one, own in zip(chain.options, drawn, strict=True)])


def interest_after(
    chain: Chain, interest: OpenInterest, before: NDArray[np.int64], after: NDArray[np.int64]
) -> dict[int, int]:
    """Open interest by instrument id once a date's trades have settled.

    Dealers' inventories `before` and `after` the date are positions against customers: as far as they grew, contracts
    were opened, and as far as they shrank, closed. No fewer are outstanding than dealers hold.
    """
    held = np.abs(after)
    settled = np.maximum(interest.final + held - np.abs(before), held)
    return {option.instrument_id: int(count) for option, count in zip(chain.options, settled, strict=True)}
