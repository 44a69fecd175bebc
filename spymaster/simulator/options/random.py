"""Draws of the chain's kernels from tables of its own, over the streams of `simulator.rng`."""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.layout import EXP_STEPS, INNER
from spymaster.simulator.rng import draw

_U32 = np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)
_TO_UNIT = 1.0 / 4294967296.0


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
