"""What the chain's kernels work on, as one record, so that a kernel takes one pointer and names what it touches.

In words:

- `series` has one row per option: its price at the `level` of the future and on the surface (named by its `second`) of
  its last mark, with `delta` and `gamma` to move it along, half the width of its market, its trades, and the dealers'
  inventory.
- `slots[series, side]` are the orders that can rest there: those of the firms 0 to `FIRMS` - 1, then customers';
  `qty` 0 is empty. What rests in the last slot is good till cancelled.
- `expiries` has one row per expiry; `bbo_ts` and `bbo_level` are the middles of the future's best prices over the date,
  in steps of `step` points from `base`.
- `firms` are the makers: when each acts next, how far the future has moved since it last did, and where in `out` the
  first record about its own orders lies (-1: nowhere yet).
- `nodes` link what waits for something into the list of a bucket, `heads` has the first node of each. A quote waits,
  once upwards and once downwards, for the level of the future at which it is out of place: a move of the future costs
  the quotes that it moves and no others. A series waits in a wheel of `WHEEL` turns for its makers to look at it.
- `plan`, `variance`, `atm` have one value per second of the date: messages so far, variance years so far, volatility.
- `strain` grows while the date is ahead of its plan of messages, and makes makers lazier; `ahead` is 0 while it is not
  far ahead, then rises to 1, and makes those at the money lazier too.
- Series from `late_from` on are listed at `late_at`.
- `planted` are the trades of a scene's customers in order of time, with the aggressor's id and quantity once made.
- `out` receives MBO records, `responses` what the firms did about which change; both are drained when nearly full.

Option prices are whole numbers of `chain.TICK_INT`, forwards and strikes points, times ns UTC.
"""

from __future__ import annotations

import numpy as np

from spymaster.market.dbn import MBO_DTYPE, MBO_LENGTH, RTYPE_MBO
from spymaster.simulator.layout import CHUNK, EXP_STEPS, LATENCY_STEPS, MAX_SIZE, R_FEED, RESPONSE
from spymaster.simulator.schedule import DAY_SECONDS

BUY, SELL = 0, 1
FIRMS = 3
SLOTS = 6
GTC = SLOTS - 1
R_MAKER, R_CUSTOMER, R_FILL, R_PLANTED = 0, 1, 2, 4
STREAMS = 5
"""Random streams: these four and the feed's (`layout.R_FEED`)."""
MAX_SERIES = 4_096
MAX_EXPIRIES = 16
MAX_BBO = 1 << 20
MAX_PLANTED = 1 << 12
MARGIN = 2 * 2 * SLOTS * MAX_SERIES
"""Records beyond `layout.CHUNK`: every order of the chain moves by a cancel and an add, half of them told twice."""
DONE, DRAIN, MINUTE = 0, 1, 2
GO_ON, OPEN, CLOSE = 0, 1, 2

LEVELS = 1 << 14
UP, DOWN = 0, 1
WHEEL = 1 << 10
WHEEL_SHIFT = 21
"""A turn of the wheel takes 2^21 ns; all of it a little over two seconds."""
FIRST_TURN = FIRMS * 2 * 2 * LEVELS
"""Buckets from here on are turns of the wheel; those before, in order, are firm, group of quotes, way and level."""
QUOTE_NODES = MAX_SERIES * 2 * FIRMS * 2
NEVER = 1 << 62

assert R_FEED not in (R_MAKER, R_CUSTOMER, R_FILL, R_PLANTED)
assert R_FEED < STREAMS

SERIES = np.dtype(
    [
        ("id", "i8"), ("expiry", "i8"), ("strike", "f8"), ("log_strike", "f8"), ("call", "i8"), ("makers", "i8"),
        ("level", "i8"), ("second", "i8"), ("theo", "f8"), ("delta", "f8"), ("gamma", "f8"), ("mark", "f8"),
        ("half", "f8"), ("lazy", "f8"), ("root_w", "f8"), ("guests", "i8"),
        ("inventory", "i8"), ("first", "i8"), ("high", "i8"), ("low", "i8"), ("last", "i8"), ("volume", "i8"),
        ("lifted", "i8"),
    ],
    align=True,
)  # fmt: skip
"""`guests` counts customers' orders, `lifted` contracts that makers took from them. `makers` is below zero, by as many,
until an option is listed."""
SLOT = np.dtype(
    [("px", "i8"), ("qty", "i8"), ("priority", "i8"), ("id", "i8"), ("ts", "i8")],
    align=True,
)
"""`priority` is the sequence number, and `ts` the time, at which the order took its place in the queue."""
EXPIRY = np.dtype(
    [
        ("variance", "f8"), ("end", "i8"), ("carry", "f8"), ("discount", "f8"), ("open", "i8"),
        ("second", "i8"), ("log_forward", "f8"), ("theta", "f8"), ("point", "f8"),
    ],
    align=True,
)  # fmt: skip
"""The surface of an expiry is that of `second`: `theta` is the total variance at the money, `point` what a point of
volatility is in units of the root of the total variance."""
FIRM = np.dtype([("wake", "i8"), ("low", "i8"), ("high", "i8"), ("trigger", "i8"), ("answer", "i8")], align=True)
NODE = np.dtype([("bucket", "i4"), ("prev", "i4"), ("next", "i4")], align=True)
PLANTED = np.dtype(
    [("ts", "i8"), ("series", "i8"), ("side", "i8"), ("flow", "i8"), ("id", "i8"), ("qty", "i8")], align=True
)
FILL = np.dtype([("slot", "i8"), ("shown", "i8")], align=True)
CHAIN = np.dtype(
    [
        ("clock", "i8"), ("until", "i8"), ("day", "i8"), ("second", "i8"), ("code", "i8"),
        ("n_series", "i8"), ("n_expiries", "i8"), ("n_bbo", "i8"),
        # feed
        ("n", "i8"), ("sequence", "i8"), ("next_id", "i8"), ("recv", "i8"), ("last_recv", "i8"), ("event_from", "i8"),
        ("after_fill", "i8"), ("channel", "i8"), ("closing_from", "i8"), ("last_flag", "i8"), ("messages", "i8"),
        ("trades", "i8"), ("n_responses", "i8"), ("close_gap", "i8"),
        # flow
        ("bbo", "i8"), ("level", "i8"), ("forward", "f8"), ("base", "f8"), ("step", "f8"), ("wheel", "i8"),
        ("next_customer", "i8"), ("next_fill", "i8"), ("fill_gap", "f8"),
        ("demand", "f8"), ("strain", "f8"), ("ahead", "f8"), ("at_second", "i8"), ("filled", "i8"),
        ("customer_rate", "f8"), ("late_from", "i8"), ("late_at", "i8"), ("buy_put", "i8"), ("sell_call", "i8"),
        ("next_planted", "i8"), ("n_planted", "i8"),
        # arrays
        ("rng", "u8", (STREAMS, 4)),
        ("firms", FIRM, FIRMS),
        ("expiries", EXPIRY, MAX_EXPIRIES),
        ("fills", FILL, 2 * SLOTS),
        ("latency", "i8", LATENCY_STEPS),
        ("size_law", "i8", (MAX_SIZE + 1, 2)),
        ("exp_table", "f8", EXP_STEPS + 1),
        ("plan", "f8", DAY_SECONDS + 2),
        ("variance", "f8", DAY_SECONDS + 1),
        ("atm", "f8", DAY_SECONDS + 1),
        ("interest", "i8", MAX_SERIES),
        ("series", SERIES, MAX_SERIES),
        ("slots", SLOT, (MAX_SERIES, 2, SLOTS)),
        ("nodes", NODE, QUOTE_NODES + MAX_SERIES),
        ("heads", "i4", FIRST_TURN + WHEEL),
        ("bbo_ts", "i8", MAX_BBO),
        ("bbo_level", "i4", MAX_BBO),
        ("planted", PLANTED, MAX_PLANTED),
        ("responses", RESPONSE, CHUNK + FIRMS),
        ("out", MBO_DTYPE, CHUNK + MARGIN),
    ],
    align=True,
)  # fmt: skip
"""`interest` is the running sum of what customers care for each series."""


def empty_chain() -> np.ndarray:
    """A chain of no series: array of one row of `CHAIN`."""
    chain = np.zeros(1, CHAIN)
    row = chain[0]
    row["out"]["length"], row["out"]["rtype"] = MBO_LENGTH, RTYPE_MBO
    row["nodes"]["bucket"] = row["heads"] = -1
    row["firms"]["wake"] = NEVER
    return chain
