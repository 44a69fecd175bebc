"""Random numbers of the chain's kernels: xoshiro256** per stream of `state.rng`, as for the futures market."""

from __future__ import annotations

import numpy as np

from spymaster.jit import hot_kernel, kernel
from spymaster.simulator.layout import EXP_STEPS, INNER

_U32 = np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)
_TO_UNIT = 1.0 / 4294967296.0


@hot_kernel(**INNER)
def _rotl(x, k):
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@kernel(**INNER)
def draw(state, stream):
    """The next 64 random bits of a stream."""
    s = state.rng[stream]
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
def below(state, stream, n):
    """Integer in [0, n)."""
    return np.int64(((draw(state, stream) >> _U32) * np.uint64(n)) >> _U32)


@hot_kernel(**INNER)
def chance(state, stream, p):
    """True with probability `p` / 2^32."""
    return np.int64(draw(state, stream) >> _U32) < p


@kernel(**INNER)
def pick(state, stream, law):
    """Outcome of an alias table."""
    bits = draw(state, stream)
    k = np.int64(((bits >> _U32) * np.uint64(len(law))) >> _U32)
    return k if np.int64(bits & _LOW32) < law[k, 0] else law[k, 1]


@kernel(**INNER)
def exponential(state, stream, table):
    """Exponential with mean 1, by the table of its quantiles."""
    bits = draw(state, stream)
    k = min(np.int64(bits >> np.uint64(52)), EXP_STEPS - 2)
    part = np.float64(np.int64((bits >> np.uint64(20)) & _LOW32)) * _TO_UNIT
    return table[k] + part * (table[k + 1] - table[k])
