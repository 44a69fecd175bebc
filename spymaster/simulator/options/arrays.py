"""What the chain's kernels work on, as one record, so that a kernel takes one pointer and names what it touches.

In words:

- `series` has one row per option: its price by the surface at the last mark (`theo` at the forward `mark`, with `delta`
  and `gamma` to move it along), half the width of its market, its trades, and the dealers' inventory.
- `slots[series, side]` are the orders that can rest there: makers 0 to `MAKERS` - 1, then customers; `qty` 0 is empty.
- `expiries` has one row per expiry; `bbo_ts` and `bbo_mid` are the middles of the future's best prices over the date.
- `plan`, `variance`, `atm` have one value per second of the date: messages so far, variance years so far, volatility.
- `strain` grows while the date is ahead of its plan of messages, and makes makers lazier.
- `out` receives MBO records and is drained when nearly full.

Option prices are whole numbers of `chain.TICK_INT`, forwards and strikes points, times ns UTC.
"""

from __future__ import annotations

import numpy as np

from spymaster.market.dbn import MBO_DTYPE, MBO_LENGTH, RTYPE_MBO
from spymaster.simulator.layout import EXP_STEPS, LATENCY_STEPS, MAX_SIZE
from spymaster.simulator.schedule import DAY_SECONDS

BUY, SELL = 0, 1
MAKERS = 3
SLOTS = 6
R_MAKER, R_CUSTOMER, R_FEED, R_FILL = 0, 1, 2, 3
STREAMS = 4
MAX_SERIES = 2_048
MAX_EXPIRIES = 16
MAX_BBO = 1 << 21
CHUNK = 1 << 17
MARGIN = 64 * MAX_SERIES
"""Records beyond `CHUNK`: no sweep writes more."""
DONE, DRAIN, MINUTE = 0, 1, 2

SERIES = np.dtype(
    [
        ("id", "i8"), ("expiry", "i8"), ("strike", "f8"), ("call", "i8"), ("makers", "i8"),
        ("theo", "f8"), ("delta", "f8"), ("gamma", "f8"), ("mark", "f8"), ("half", "f8"), ("tolerance", "f8"),
        ("root_w", "f8"), ("interest", "i8"), ("inventory", "i8"),
        ("first", "i8"), ("high", "i8"), ("low", "i8"), ("last", "i8"), ("volume", "i8"),
    ],
    align=True,
)  # fmt: skip
SLOT = np.dtype([("id", "i8"), ("priority", "i8"), ("px", "i4"), ("qty", "i4")], align=True)
EXPIRY = np.dtype([("variance", "f8"), ("end", "i8"), ("carry", "f8"), ("discount", "f8"), ("open", "i8")], align=True)
FILL = np.dtype([("slot", "i8"), ("shown", "i8")], align=True)
CHAIN = np.dtype(
    [
        ("clock", "i8"), ("until", "i8"), ("day", "i8"), ("second", "i8"),
        ("n_series", "i8"), ("n_expiries", "i8"), ("n_bbo", "i8"),
        # feed
        ("n", "i8"), ("sequence", "i8"), ("next_id", "i8"), ("recv", "i8"), ("last_recv", "i8"), ("event_from", "i8"),
        ("last_flag", "i8"), ("closing_from", "i8"), ("messages", "i8"), ("trades", "i8"),
        # flow
        ("bbo", "i8"), ("forward", "f8"), ("next_customer", "i8"), ("next_fill", "i8"), ("fill_gap", "f8"),
        ("demand", "f8"), ("strain", "f8"), ("at_second", "i8"), ("filled", "i8"), ("customer_rate", "f8"),
        ("buy_put", "i8"), ("sell_call", "i8"),
        # arrays
        ("rng", "u8", (STREAMS, 4)),
        ("expiries", EXPIRY, MAX_EXPIRIES),
        ("fills", FILL, 2 * SLOTS),
        ("latency", "i8", LATENCY_STEPS),
        ("size_law", "i8", (MAX_SIZE + 1, 2)),
        ("exp_table", "f8", EXP_STEPS + 1),
        ("plan", "f8", DAY_SECONDS + 2),
        ("variance", "f8", DAY_SECONDS + 1),
        ("atm", "f8", DAY_SECONDS + 1),
        ("series", SERIES, MAX_SERIES),
        ("slots", SLOT, (MAX_SERIES, 2, SLOTS)),
        ("bbo_ts", "i8", MAX_BBO),
        ("bbo_mid", "f8", MAX_BBO),
        ("out", MBO_DTYPE, CHUNK + MARGIN),
    ],
    align=True,
)  # fmt: skip


def empty_chain() -> np.ndarray:
    """A chain of no series: array of one row of `CHAIN`."""
    chain = np.zeros(1, CHAIN)
    out = chain["out"][0]
    out["length"], out["rtype"] = MBO_LENGTH, RTYPE_MBO
    return chain
