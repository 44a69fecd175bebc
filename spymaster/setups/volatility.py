"""How far the mid usually moves: exponentially weighted deviation of its 15 s changes, of the past only.

    sigma_15(t)^2 = sum of 2^(-age/1800 s) x^2 / sum of 2^(-age/1800 s)

in ticks, x the change of the mid over the 15 s up to a second, over all seconds up to t whose change is known. Other
spans follow by the square root of time: sigma_60 is twice sigma_15. It is not known until 300 changes are.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spymaster.jit import kernel

SPAN_S: Final = 15
HALF_LIFE_S: Final = 1800.0
LEAST_CHANGES: Final = 300


def sigma_15(end_s: np.ndarray, mid2_int: np.ndarray, tick: int) -> np.ndarray:
    """float64[n]: deviation of the changes of the mid over 15 s, ticks; NaN while too few are known.

    end_s: int64[n], seconds since the epoch, rising. mid2_int: float64[n], twice the mid, NaN where it is not known.
    tick: tick size, 1e-9. A change is known where both mids are, 15 seconds apart.
    """
    out = np.empty(len(end_s))
    _deviation(np.array(end_s, dtype=np.int64), np.array(mid2_int, dtype=np.float64) / (2.0 * tick), out)
    return out


def over(sigma: np.ndarray, seconds: float) -> np.ndarray:
    """The deviation over another span."""
    return sigma * np.sqrt(seconds / SPAN_S)


@kernel()
def _deviation(end, mid, out):
    """`sigma_15` of mids in ticks; one step per second."""
    square = weight = 0.0
    known = 0
    for i in range(end.shape[0]):
        if i > 0:
            decay = 0.5 ** ((end[i] - end[i - 1]) / HALF_LIFE_S)
            square *= decay
            weight *= decay
        j = i - SPAN_S
        if j >= 0 and end[i] - end[j] == SPAN_S:
            change = mid[i] - mid[j]
            if not np.isnan(change):
                square += change * change
                weight += 1.0
                known += 1
        out[i] = np.sqrt(square / weight) if known >= LEAST_CHANGES else np.nan
