"""Records of one matching-engine event, in the order and with the flags that the feed gives them.

An event is everything between `begin` and `close` in `market.out[event_from:n]`: one `ts_event`, one sequence number
(two where book changes follow fills), capture times that never go back. `close` sets F_LAST on the last record of every
instrument that took part, or adds the separate closing record, and notes events of several records in
`market.events`.

`open_packet`, `write` and `finish` are the part that a chain of options shares: they ask of `market` only the feed's
fields, streams and latencies.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_NONE,
    ACTION_TRADE,
    F_LAST,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
    SIM_PUBLISHER,
    UNDEF_PRICE,
)
from spymaster.simulator.layout import (
    CHUNK,
    EVENT_FULL,
    INNER,
    INSTRUMENTS,
    K_EARLY_ADD,
    LATENCY_STEPS,
    R_FEED,
    SECONDS,
)
from spymaster.simulator.rng import below, draw

_CODES = np.zeros(256, np.uint64)
for _code, _action in enumerate((ACTION_ADD, ACTION_CANCEL, ACTION_MODIFY, ACTION_TRADE, ACTION_FILL, ACTION_NONE), 1):
    _CODES[_action] = _code
_RARE = np.uint64(32)
"""The longest latency is this much rarer than the others: it holds up all that is said while it lasts."""
PATTERN_LETTERS = " ACMTFN"
"""Letter of each four-bit code of an event's pattern."""


@hot_kernel(**INNER)
def full(market):
    """Whether an output buffer must be drained before the next step."""
    return market.n >= CHUNK or market.n_seconds >= SECONDS * INSTRUMENTS


@kernel(**INNER)
def begin(market, ts):
    """Open an event at `ts`."""
    open_packet(market, ts)
    market.event_kind = 0
    market.n_touched = 0
    market.event_id += 1


@kernel(**INNER)
def open_packet(market, ts):
    """The next sequence number, and when its packet is captured."""
    bits = draw(market, R_FEED)
    market.clock = ts
    market.event_from = market.n
    market.after_fill = 0
    market.sequence += 1 + np.int64(bits & np.uint64(1))
    step = np.int64((bits >> np.uint64(8)) % np.uint64(LATENCY_STEPS))
    if step == LATENCY_STEPS - 1 and (bits >> np.uint64(40)) % _RARE != 0:
        step -= 1
    lag = market.latency[step]
    market.recv = max(market.last_recv, ts + lag)


@hot_kernel(**INNER)
def record(market, inst, action, side, order_id, price, size):
    """Append a record of an instrument of the market."""
    write(market, market.inst[inst].id, action, side, order_id, price, size)


@kernel(**INNER)
def write(market, number, action, side, order_id, price, size):
    """Append a record of instrument id `number`, with the side as its DBN letter and the price in 1e-9."""
    if action in (ACTION_TRADE, ACTION_FILL):
        market.after_fill = 1
    elif market.after_fill == 1:
        # the book changes of a match are told a moment after its fills, in the same packet or the next
        market.after_fill = 2
        market.sequence += below(market, R_FEED, 2)
        market.recv += 300 + below(market, R_FEED, 1_700)
    if market.n >= len(market.out) - INSTRUMENTS:
        market.code = EVENT_FULL
        return
    row = market.out[market.n]
    row.publisher_id = SIM_PUBLISHER
    row.instrument_id = number
    row.ts_event = market.clock
    row.order_id = order_id
    row.price = price
    row.size = size
    row.flags = 0
    row.channel_id = market.channel
    row.action = action
    row.side = side
    row.ts_recv = market.recv
    row.ts_in_delta = 15_000 + below(market, R_FEED, 4_000) - 2_000
    row.sequence = market.sequence
    market.n += 1


@hot_kernel(**INNER)
def price_of(market, inst, tick):
    """Price of a tick of an instrument's ladder, 1e-9."""
    return market.inst[inst].origin + tick * market.inst[inst].tick_size


@hot_kernel(**INNER)
def letter(side):
    """DBN letter of a side."""
    return SIDE_BID if side == 0 else SIDE_ASK


@kernel(**INNER)
def close(market):
    """End the event: flags, the closing record where that form is used, and the note about its pattern."""
    first, last = market.event_from, market.n - 1
    if last < first:
        market.event_id -= 1
        return
    market.messages += last + 1 - first  # closing records of their own are no messages
    several = False
    for k in range(first, last):
        if market.out[k].instrument_id != market.out[last].instrument_id:
            several = True
    if last > first:
        _note_pattern(market, first, last)
    if not several:
        finish(market, last)
    else:
        for inst in range(INSTRUMENTS):
            for k in range(last, first - 1, -1):
                if market.out[k].instrument_id == market.inst[inst].id:
                    finish(market, k)
                    break
    market.last_recv = market.recv
    market.events_total += 1


@kernel(**INNER)
def finish(market, k):
    """Record `k` is the last one of its instrument in the event: F_LAST on it, or on a closing record of its own."""
    if market.clock < market.closing_from:
        market.out[k].flags = market.last_flag
        return
    source, row = market.out[k], market.out[market.n]
    row.publisher_id = SIM_PUBLISHER
    row.instrument_id = source.instrument_id
    row.ts_event = source.ts_event
    row.order_id = 0
    row.price = UNDEF_PRICE
    row.size = 0
    row.flags = F_LAST
    row.channel_id = source.channel_id
    row.action = ACTION_NONE
    row.side = SIDE_NONE
    row.ts_recv = market.recv
    row.ts_in_delta = source.ts_in_delta
    row.sequence = source.sequence
    market.n += 1


@kernel(**INNER)
def _note_pattern(market, first, last):
    pattern = np.uint64(0)
    seen_change = False
    for k in range(first, last + 1):
        action = market.out[k].action
        if k < first + 16:
            pattern = (pattern << np.uint64(4)) | _CODES[action]
        if action in (ACTION_CANCEL, ACTION_MODIFY):
            seen_change = True
        elif action == ACTION_ADD and not seen_change and market.n_touched > 0:
            market.event_kind |= K_EARLY_ADD
    row = market.events[market.n_events]
    row.event_id = market.event_id
    row.ts = market.clock
    row.pattern = pattern
    row.n = last - first + 1
    row.kind = market.event_kind
    row.inst = 0
    for inst in range(INSTRUMENTS):
        if market.inst[inst].id == market.out[first].instrument_id:
            row.inst = inst
    market.n_events += 1
