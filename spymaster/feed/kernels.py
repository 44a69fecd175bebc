"""Compiled loops over MBO records: check them, split them by instrument, and turn them into columns and back.

Arrays, in words: `records` is a structured array of `MBO_DTYPE`; `ids` holds the file's instrument ids in increasing
order, and every per-instrument array (`last_ts`, `counts`) has its order. Columns are plain one-dimensional arrays, one
per field, of equal length. Enumerations are stored as small codes: the position in the table's enumeration.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.market.dbn import F_SNAPSHOT, MBO_LENGTH, RTYPE_MBO
from spymaster.tables.types import ACTIONS, RECORD_SIDES

OK, BAD_TYPE, BAD_INSTRUMENT, BAD_TIME, BAD_CODE = 0, 1, 2, 3, 4
"""What `check` found wrong with a record."""

NO_CODE = 255


def _codes(letters: tuple[str, ...]) -> np.ndarray:
    """Table of 256: ASCII code to position in the enumeration, NO_CODE for every other byte."""
    table = np.full(256, NO_CODE, np.uint8)
    for position, letter in enumerate(letters):
        table[ord(letter)] = position
    return table


ACTION_CODES, SIDE_CODES = _codes(ACTIONS), _codes(RECORD_SIDES)
ACTION_LETTERS = np.frombuffer("".join(ACTIONS).encode(), np.uint8).copy()
SIDE_LETTERS = np.frombuffer("".join(RECORD_SIDES).encode(), np.uint8).copy()


@kernel()
def check(records, ids, last_ts, counts, which, action_codes, side_codes):
    """Check each record, note its instrument's position in `which`, count it; stop at the first bad one.

    Returns (offset, fault): the first bad record's offset and one of BAD_*, or (len(records), OK). `last_ts` carries
    the last live `ts_event` per instrument from chunk to chunk.
    """
    near = 0
    for i in range(len(records)):
        record = records[i]
        if record.rtype != RTYPE_MBO or record.length != MBO_LENGTH:
            return i, BAD_TYPE
        number = record.instrument_id
        if ids[near] != number:
            near = np.searchsorted(ids, number)
            if near == len(ids) or ids[near] != number:
                return i, BAD_INSTRUMENT
        if action_codes[record.action] == NO_CODE or side_codes[record.side] == NO_CODE:
            return i, BAD_CODE
        if record.flags & F_SNAPSHOT == 0:
            if record.ts_event < last_ts[near]:
                return i, BAD_TIME
            last_ts[near] = record.ts_event
        counts[near] += 1
        which[i] = near
    return len(records), OK


@kernel()
def split(records, which, positions, out):
    """Copy records into `out` grouped by instrument, keeping their order; `positions` holds each group's next slot."""
    for i in range(len(records)):
        slot = positions[which[i]]
        out[slot] = records[i]
        positions[which[i]] = slot + 1


@kernel()
def unpack(
    records,
    instrument_id,
    publisher_id,
    ts_event,
    ts_recv,
    order_id,
    price,
    size,
    flags,
    channel_id,
    action,
    side,
    ts_in_delta,
    sequence,
    action_codes,
    side_codes,
):
    """Records to columns; actions and sides become enumeration codes, prices stay as they are."""
    for i in range(len(records)):
        record = records[i]
        instrument_id[i] = record.instrument_id
        publisher_id[i] = record.publisher_id
        ts_event[i] = record.ts_event
        ts_recv[i] = record.ts_recv
        order_id[i] = record.order_id
        price[i] = record.price
        size[i] = record.size
        flags[i] = record.flags
        channel_id[i] = record.channel_id
        action[i] = action_codes[record.action]
        side[i] = side_codes[record.side]
        ts_in_delta[i] = record.ts_in_delta
        sequence[i] = record.sequence


@kernel()
def pack(
    records,
    instrument_id,
    publisher_id,
    ts_event,
    ts_recv,
    order_id,
    price,
    size,
    flags,
    channel_id,
    action,
    side,
    ts_in_delta,
    sequence,
    action_letters,
    side_letters,
):
    """Columns back to records: the inverse of `unpack`."""
    for i in range(len(records)):
        record = records[i]
        record.length = MBO_LENGTH
        record.rtype = RTYPE_MBO
        record.instrument_id = instrument_id[i]
        record.publisher_id = publisher_id[i]
        record.ts_event = ts_event[i]
        record.ts_recv = ts_recv[i]
        record.order_id = order_id[i]
        record.price = price[i]
        record.size = size[i]
        record.flags = flags[i]
        record.channel_id = channel_id[i]
        record.action = action_letters[action[i]]
        record.side = side_letters[side[i]]
        record.ts_in_delta = ts_in_delta[i]
        record.sequence = sequence[i]
