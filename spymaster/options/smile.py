"""A smile from quotes: the natural cubic spline that is near weighted points and bends little.

Of all functions g the smoothing spline makes

    sum of w (y - g(x))^2  +  bend * integral of g''^2

least (Reinsch 1967, Smoothing by spline functions, Numerische Mathematik 10). It is a cubic between the points and
straight beyond them, so a wing without quotes goes on as it was and never turns. With the second derivatives c at the
inner points, Q the matrix of second divided differences and R that of their integrals,

    (R + bend Q' W^-1 Q) c = Q' y,        g = y - bend W^-1 Q c,

a band of five diagonals: the work is proportional to the number of points.

For a smile x is the standardised log-moneyness, y the implied volatility and w one over its variance, of which the
bid-ask width is the usual measure: a stale wing with a wide quote weighs nothing, and makes no spike in gamma.
"""

from __future__ import annotations

from spymaster.jit import hot_kernel, kernel


@kernel()
def smooth(x, y, w, bend, n, value, second, work):
    """The spline through the first `n` points: its values, and its second derivatives (0 at both ends).

    `x` strictly ascending, `w` > 0; all float64. `work` is float64 [7, at least n], scratch. Fewer than three points
    are met exactly.
    """
    for i in range(n):
        value[i] = y[i]
        second[i] = 0.0
    if n < 3:
        return
    gap, low, diagonal, first, next_, right, solved = work[0], work[1], work[2], work[3], work[4], work[5], work[6]
    for i in range(n - 1):
        gap[i] = x[i + 1] - x[i]
    m = n - 2
    for j in range(m):  # row j belongs to the inner point j + 1
        a, b = 1.0 / gap[j], 1.0 / gap[j + 1]
        wa, wb, wc = bend / w[j], bend / w[j + 1], bend / w[j + 2]
        diagonal[j] = (gap[j] + gap[j + 1]) / 3.0 + wa * a * a + wb * (a + b) * (a + b) + wc * b * b
        first[j] = next_[j] = 0.0
        if j + 1 < m:
            c = 1.0 / gap[j + 2]
            first[j] = gap[j + 1] / 6.0 - wb * b * (a + b) - wc * b * (b + c)
        if j + 2 < m:
            next_[j] = wc * b / gap[j + 2]
        right[j] = (y[j + 2] - y[j + 1]) * b - (y[j + 1] - y[j]) * a
    # Cholesky without roots, L D L', in place: `first` and `next_` become the two columns below the diagonal of L
    for j in range(m):
        if j >= 1:
            diagonal[j] -= first[j - 1] * first[j - 1] * diagonal[j - 1]
        if j >= 2:
            diagonal[j] -= next_[j - 2] * next_[j - 2] * diagonal[j - 2]
        if j >= 1:
            first[j] -= first[j - 1] * next_[j - 1] * diagonal[j - 1]
        first[j] /= diagonal[j]
        next_[j] /= diagonal[j]
    for j in range(m):
        low[j] = right[j]
        if j >= 1:
            low[j] -= first[j - 1] * low[j - 1]
        if j >= 2:
            low[j] -= next_[j - 2] * low[j - 2]
    for j in range(m - 1, -1, -1):
        solved[j] = low[j] / diagonal[j]
        if j + 1 < m:
            solved[j] -= first[j] * solved[j + 1]
        if j + 2 < m:
            solved[j] -= next_[j] * solved[j + 2]
    for j in range(m):
        second[j + 1] = solved[j]
        a, b = solved[j] / gap[j], solved[j] / gap[j + 1]
        value[j] -= bend / w[j] * a
        value[j + 1] += bend / w[j + 1] * (a + b)
        value[j + 2] -= bend / w[j + 2] * b


@hot_kernel()
def value_at(x, value, second, n, at):
    """The spline at any place, from its values and second derivatives at the points; straight beyond them."""
    if n == 1:
        return value[0]
    k = 0
    while k < n - 2 and at > x[k + 1]:
        k += 1
    gap = x[k + 1] - x[k]
    slope = (value[k + 1] - value[k]) / gap
    if at < x[0]:
        return value[0] + (at - x[0]) * (slope - gap * (2.0 * second[0] + second[1]) / 6.0)
    if at > x[n - 1]:
        return value[n - 1] + (at - x[n - 1]) * (slope + gap * (second[n - 2] + 2.0 * second[n - 1]) / 6.0)
    left, right = at - x[k], x[k + 1] - at
    cubic = (1.0 + left / gap) * second[k + 1] + (1.0 + right / gap) * second[k]
    return (left * value[k + 1] + right * value[k]) / gap - left * right / 6.0 * cubic
