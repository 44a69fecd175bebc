"""The Mills ratio M(y) = (1 - N(y)) / n(y) of the normal distribution, for y >= 0, to the last bits of a double.

Prices of options far out of the money are differences of two such ratios times a density that may be anything down to
1e-300, so the ratio is what has to be known to full relative precision, not the distribution function.

(y + 4) M(y) is smooth in u = (y - 4) / (y + 4) on [-1, 1]: four polynomials of degree 12, interpolating at Chebyshev
points in 60 digits, are within 1e-17 of it. A test holds them against an independent implementation.
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import hot_kernel

SCALE = 4.0
PIECES = 4
DEGREE = 12

COEFFICIENTS = np.array((
    (
        3.829508208188167, -1.0092625281361358, 0.15971264813023772, -0.014389941340258302,
        0.0004284270122617547, 4.256419845765327e-05, -2.861227393265734e-06, -2.1025683399164387e-07,
        1.3174222734146996e-08, 1.5335120170838303e-09, -2.7103844639490796e-11, -1.071720871332652e-11,
        -3.6633183366966915e-13,
    ),
    (
        2.3427251755977623, -0.5266032254441224, 0.08626243842232274, -0.009804543912183154,
        0.0006436145799033677, -9.946450670778208e-07, -3.557775655758748e-06, 1.3619868506851396e-07,
        2.1623957665037147e-08, -1.169070883257585e-09, -1.7670046655337565e-10, 6.976160998623831e-12,
        1.6780102900767191e-12,
    ),
    (
        1.5661926447788992, -0.2792953162405316, 0.042071646007893586, -0.005158159837681516,
        0.00047596176699067914, -2.597917734845708e-05, -4.1729910066638187e-07, 2.1683917750451117e-07,
        -1.1759640866891316e-08, -1.2332705906030653e-09, 1.721830609388839e-10, 6.365427548425388e-12,
        -2.028992956884931e-12,
    ),
    (
        1.1414049596824245, -0.15975116486528446, 0.020488270614749168, -0.0023599845430323217,
        0.0002360370127420934, -1.914702140821161e-05, 1.0329608211774186e-06, 3.5472938532845105e-09,
        -8.246801110534222e-09, 8.794425959275522e-10, -1.3899452838375346e-11, -7.964872885836399e-12,
        9.171139529847859e-13,
    ),
))  # fmt: skip
"""Per quarter of [-1, 1] the coefficients of 1, v, v^2, ..., v running from -1 to 1 over the quarter."""


@hot_kernel()
def mills(y):
    """(1 - N(y)) / n(y) for `y` >= 0."""
    u = (y - SCALE) / (y + SCALE)
    piece = min(int(0.5 * PIECES * (u + 1.0)), PIECES - 1)
    v = PIECES * (u + 1.0) - (2 * piece + 1)
    value = COEFFICIENTS[piece, DEGREE]
    for power in range(DEGREE - 1, -1, -1):
        value = value * v + COEFFICIENTS[piece, power]
    return value / (y + SCALE)
