"""Lists of what waits: quotes for a level of the future, series for a turn of the wheel (see `arrays`)."""

from __future__ import annotations

import math

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.simulator.layout import INNER
from spymaster.simulator.options.arrays import (
    DOWN,
    FIRMS,
    FIRST_TURN,
    LEVELS,
    QUOTE_NODES,
    UP,
    WHEEL,
    WHEEL_SHIFT,
)


@kernel(**INNER)
def put(b, node, bucket):
    """Move a node to a bucket; to none below 0."""
    one = b.nodes[node]
    if one.bucket == bucket:
        return
    if one.bucket >= 0:
        if one.prev >= 0:
            b.nodes[one.prev].next = one.next
        else:
            b.heads[one.bucket] = one.next
        if one.next >= 0:
            b.nodes[one.next].prev = one.prev
    one.bucket = bucket
    if bucket < 0:
        return
    first = b.heads[bucket]
    one.prev = -1
    one.next = first
    if first >= 0:
        b.nodes[first].prev = node
    b.heads[bucket] = node


@hot_kernel(**INNER)
def quote_node(i, side, firm, way):
    """Node of a firm's quote, of which each has one upwards and one downwards."""
    return ((i * 2 + side) * FIRMS + firm) * 2 + way


@hot_kernel(**INNER)
def level_bucket(firm, group, way, level):
    """Bucket of a firm's quotes that wait for a level; group 0 are bids of calls and asks of puts, 1 the others."""
    return ((firm * 2 + group) * 2 + way) * LEVELS + level


@kernel(**INNER)
def wait_for_levels(b, i, side, firm, low, high):
    """Let a quote wait for the future to move down by `low` or up by `high` points, at least by one level."""
    group = side ^ (1 - b.series[i].call)
    up, down = -1, -1
    if high < b.step * LEVELS:
        level = b.level + max(np.int64(math.ceil(high / b.step)), 1)
        if level < LEVELS:
            up = level_bucket(firm, group, UP, level)
    if low < b.step * LEVELS:
        level = b.level - max(np.int64(math.ceil(low / b.step)), 1)
        if level >= 0:
            down = level_bucket(firm, group, DOWN, level)
    put(b, quote_node(i, side, firm, UP), up)
    put(b, quote_node(i, side, firm, DOWN), down)


@kernel(**INNER)
def wait_no_longer(b, i, side, firm, move):
    """Let a quote wait no longer than until the future has moved by `move` points (below 0 downwards)."""
    if abs(move) >= b.step * LEVELS:
        return
    way, sign = (UP, 1) if move > 0.0 else (DOWN, -1)
    level = b.level + sign * max(np.int64(math.ceil(abs(move) / b.step)), 1)
    node = quote_node(i, side, firm, way)
    bucket = np.int64(b.nodes[node].bucket)
    if 0 <= level < LEVELS and (bucket < 0 or sign * (level - bucket % LEVELS) < 0):
        put(b, node, level_bucket(firm, side ^ (1 - b.series[i].call), way, level))


@kernel(**INNER)
def wait_until(b, i, ts):
    """Let a series wait for its makers, on the first turn of the wheel that begins after `ts`."""
    turn = min(max((ts >> WHEEL_SHIFT) + 1, b.wheel + 1), b.wheel + WHEEL - 1)
    put(b, QUOTE_NODES + i, FIRST_TURN + (turn & (WHEEL - 1)))


@kernel(**INNER)
def forget(b, i):
    """A series waits for nothing any more."""
    put(b, QUOTE_NODES + i, -1)
    for k in range(4 * FIRMS):
        put(b, i * 4 * FIRMS + k, -1)
