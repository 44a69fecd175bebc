"""Random numbers that are the same on every machine: xoshiro256** per stream, and draws from tables.

`market.rng` has four words per stream. A stream is seeded by SplitMix64 from (seed, date, layer or agent), so streams
are independent and none is disturbed by another being used or not (Blackman & Vigna 2021, ACM Trans. Math. Softw.).
Exponentials, powers and logistic factors come from tables, so no result depends on a library's `log` or `exp`.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.simulator.layout import DECAY_STEPS, EXP_STEPS, INNER, LAYERS, STREAMS

_MASK = (1 << 64) - 1
_U32 = np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)
_TO_UNIT = 1.0 / 4294967296.0
_FIRST_AGENT = 1_000
"""Number of the first agent's stream, far from those of layers to come."""


def _splitmix64(state: int) -> tuple[int, int]:
    state = (state + 0x9E3779B97F4A7C15) & _MASK
    word = state
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return state, word ^ (word >> 31)


def seeded_streams(seed: int, dt: date) -> np.ndarray:
    """State of every stream of a date: uint64 of shape (STREAMS, 4)."""
    return seeded_words(seed, dt, 0, STREAMS)


def seeded_words(seed: int, dt: date, first: int, count: int) -> np.ndarray:
    """State of `count` streams of a date from number `first` on: uint64 of shape (count, 4)."""
    states = np.empty((count, 4), np.uint64)
    for row, stream in enumerate(range(first, first + count)):
        state = 0
        number = stream if stream < LAYERS else stream - LAYERS + _FIRST_AGENT
        for part in (seed, dt.toordinal(), number):
            state, mixed = _splitmix64((state ^ (part & _MASK)) & _MASK)
            state ^= mixed
        for word in range(4):
            state, states[row, word] = _splitmix64(state)
    return states


@hot_kernel(**INNER)
def _rotl(x, k):
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@kernel(**INNER)
def draw(market, stream):
    """The next 64 random bits of a stream."""
    s = market.rng[stream]
    result = _rotl(s[1] * np.uint64(5), 7) * np.uint64(9)
    t = s[1] << np.uint64(17)
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = _rotl(s[3], 45)
    return result


@hot_kernel(**INNER)
def below(market, stream, n):
    """Integer in [0, n)."""
    return np.int64(((draw(market, stream) >> _U32) * np.uint64(n)) >> _U32)


@hot_kernel(**INNER)
def chance(market, stream, p):
    """True with probability `p` / 2^32."""
    return np.int64(draw(market, stream) >> _U32) < p


@hot_kernel(**INNER)
def unit(market, stream):
    """Uniform in [0, 1), in steps of 2^-32."""
    return np.float64(np.int64(draw(market, stream) >> _U32)) * _TO_UNIT


@hot_kernel(**INNER)
def pick(market, stream, law, n):
    """Outcome of an alias table of `n` rows."""
    bits = draw(market, stream)
    k = np.int64(((bits >> _U32) * np.uint64(n)) >> _U32)
    return k if np.int64(bits & _LOW32) < law[k, 0] else law[k, 1]


@kernel(**INNER)
def exponential(market, stream):
    """Exponential with mean 1: a table with linear interpolation, and no memory beyond its end."""
    whole = 0.0
    while True:
        bits = draw(market, stream)
        k = np.int64(bits >> np.uint64(52))
        if k < EXP_STEPS - 1:
            part = np.float64(np.int64((bits >> np.uint64(20)) & _LOW32)) * _TO_UNIT
            return whole + market.exp_table[k] + part * (market.exp_table[k + 1] - market.exp_table[k])
        whole += market.exp_table[EXP_STEPS - 1]


@hot_kernel(**INNER)
def halved(market, x):
    """2^-x for x >= 0, by table."""
    if x >= 60.0:
        return 0.0
    whole = np.int64(x)
    at = (x - whole) * DECAY_STEPS
    k = np.int64(at)
    value = market.decay_table[k] + (at - k) * (market.decay_table[k + 1] - market.decay_table[k])
    return value / np.float64(np.int64(1) << whole)


@hot_kernel(**INNER)
def about(market, stream, mean, spread):
    """Roughly normal (sum of four uniforms) with the given mean and standard deviation, never below 1; integers."""
    total = below(market, stream, 65_536) + below(market, stream, 65_536)
    total += below(market, stream, 65_536) + below(market, stream, 65_536) - 131_070
    # the sum of four uniforms on 65536 steps has a standard deviation of 37837
    return max(np.int64(1), mean + spread * total // 37_837)
