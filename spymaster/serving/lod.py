"""Time level of detail: L seconds of a surface pooled into one row, in the frame of prices.

Seconds are grouped by floor(sec / L). The anchor of a group is the spot tick of its last VALID second, or, if none is
valid, of its last second with a spot. Every member is shifted by spot(member) - anchor before pooling, so that a moving
spot does not smear prices; what leaves the grid is dropped. The browser does the same with streamed rows, and both are
held to one fixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spymaster.serving.transfer import CENTRE, MISSING, Codes, Transfer

LEVELS = (1, 4, 16, 64)
NO_TICK = -(2**31)
"""A price that is not known, as tick index."""
VALID = 3
"""State of a second whose book is valid."""

Pool = Literal["max", "mean", "last"]


@dataclass(frozen=True)
class Groups:
    """How rows of consecutive seconds fall into groups of `level` seconds.

    starts: first row of each group, then the number of rows; secs: first second of each group, a multiple of the level;
    anchor: spot tick of each group or `NO_TICK`; source: row that the anchor is taken from, -1 without one.
    """

    level: int
    starts: NDArray[np.int64]
    secs: NDArray[np.int32]
    anchor: NDArray[np.int32]
    source: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.secs)


def group(secs: NDArray[np.int32], spot: NDArray[np.int32], state: NDArray[np.uint8], level: int) -> Groups:
    """Groups of rows whose seconds ascend; `spot` in ticks (`NO_TICK` without one), `state` 0..3."""
    number = secs // level
    starts = np.flatnonzero(np.diff(number, prepend=number[:1] - 1)) if len(secs) else np.empty(0, np.int64)
    bounds = np.append(starts, len(secs)).astype(np.int64)
    rows = np.arange(len(secs), dtype=np.int64)
    has_spot = spot != NO_TICK
    valid = _last_row(np.where(has_spot & (state == VALID), rows, -1), starts)
    anyone = _last_row(np.where(has_spot, rows, -1), starts)
    source = np.where(valid >= 0, valid, anyone)
    anchor = np.where(source >= 0, spot[source], NO_TICK).astype(np.int32) if len(secs) else np.empty(0, np.int32)
    return Groups(level, bounds, (number[starts] * level).astype(np.int32), anchor, source)


def pool_cells(
    codes: Codes, spot: NDArray[np.int32], groups: Groups, pool: Pool, transfer: Transfer, *, chunk: int = 256
) -> Codes:
    """Pooled codes [groups, width] of `codes` [rows, width], width odd, spot in the middle.

    max: largest magnitude (distance from 128 for signed functions, else the code), the latest of equals; last: the
    latest that is not missing; mean: mean of the values, encoded again.
    """
    width = codes.shape[1]
    answer = np.zeros((len(groups), width), np.uint8)
    signed = transfer.fn != "unit"
    for first in range(0, len(groups), chunk):
        last = min(first + chunk, len(groups))
        begin, end = int(groups.starts[first]), int(groups.starts[last])
        anchor = np.repeat(groups.anchor[first:last], np.diff(groups.starts[first : last + 1]))
        shifted = _shifted(codes[begin:end], spot[begin:end], anchor)
        for number in range(first, last):
            members = shifted[groups.starts[number] - begin : groups.starts[number + 1] - begin]
            answer[number] = _pooled(members, pool, transfer, signed=signed)
    return answer


def worst(state: NDArray[np.uint8], groups: Groups) -> NDArray[np.uint8]:
    """Worst state of each group: the smallest code."""
    return np.minimum.reduceat(state, groups.starts[:-1]) if len(groups) else state


def any_flag(flags: NDArray[np.uint8], groups: Groups) -> NDArray[np.uint8]:
    """Flags of any member."""
    return np.bitwise_or.reduceat(flags, groups.starts[:-1]) if len(groups) else flags


def _last_row(rows: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.maximum.reduceat(rows, starts) if len(starts) else rows


def _shifted(codes: Codes, spot: NDArray[np.int32], anchor: NDArray[np.int32]) -> Codes:
    """Each row moved to the frame of its anchor; rows without spot become missing."""
    rows, width = codes.shape
    shift = spot.astype(np.int64) - anchor
    column = np.arange(width)[None, :] - shift[:, None]
    inside = (column >= 0) & (column < width) & ((spot != NO_TICK) & (anchor != NO_TICK))[:, None]
    taken = np.take_along_axis(codes, np.clip(column, 0, width - 1), axis=1)
    return np.where(inside, taken, MISSING).reshape(rows, width)


def _pooled(members: Codes, pool: Pool, transfer: Transfer, *, signed: bool) -> Codes:
    known = members != MISSING
    if pool == "mean":
        values = transfer.decode(members)
        count = known.sum(axis=0)
        total = np.where(known, values, 0.0).sum(axis=0)
        return transfer.encode(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    order = np.arange(1, len(members) + 1)[:, None]
    if pool == "last":
        rank = known * order
    else:
        size = np.abs(members.astype(np.int64) - CENTRE) if signed else members.astype(np.int64)
        rank = known * (size * (len(members) + 1) + order)
    return np.take_along_axis(members, rank.argmax(axis=0)[None, :], axis=0)[0]
