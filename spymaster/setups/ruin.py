"""Gambler's ruin with an end: which of two barriers a walk without drift reaches first, if any, by a given time.

    P_up   = x/l + (2/pi) sum_n ((-1)^n/n) sin(n pi x/l) exp(-n^2 pi^2 v/(2 l^2))
    P_down = 1 - x/l - (2/pi) sum_n (1/n) sin(n pi x/l) exp(-n^2 pi^2 v/(2 l^2))

for a start x above the lower of two barriers that are l apart, and variance v until the end. A price that moves in
steps may go past a barrier when it reaches it; both barriers are taken the mean overshoot further away for that. Of
normal steps it is 0.58 standard deviations (Broadie, Glasserman and Kou 1997, Mathematical Finance 7); of steps between
the points of a lattice that the barriers lie on it is 0 if none is longer than one, and by renewal theory about
E[s^2]/(2 E|s|) less half a lattice step.
"""

from __future__ import annotations

from typing import Final

import numpy as np

TERMS: Final = 200
LEAST: Final = 1e-6
CHUNK: Final = 4096
"""Starts whose terms are held in memory at once."""
FAR: Final = 8.0
"""A barrier so many standard deviations away is not reached; there the series converges too slowly."""


def first_passage(
    above: np.ndarray, below: np.ndarray, sigma: np.ndarray, overshoot: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of the upper barrier first, the lower first, and neither; each within [1e-6, 1], together 1.

    above, below: distances of the barriers (0 or less: reached at the start); sigma: standard deviation until the end;
    overshoot: how far the price goes past a barrier. float64[n], all in one unit; NaN in any gives NaN.
    """
    given = (above, below, sigma, overshoot)
    parts = [_passage(*(one[k : k + CHUNK] for one in given)) for k in range(0, max(len(above), 1), CHUNK)]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))  # pyright: ignore[reportReturnType]


def _passage(above: np.ndarray, below: np.ndarray, sigma: np.ndarray, overshoot: np.ndarray) -> list[np.ndarray]:
    known = np.isfinite(above + below + sigma + overshoot)
    correction = np.where(known, overshoot, 0.0)
    up, down = (np.maximum(np.where(known, one, 1.0), 0.0) + correction for one in (above, below))
    width = up + down
    share = down / width
    n = np.arange(1, TERMS + 1)
    variance = np.where(known, sigma, 1.0) ** 2
    fade = np.exp(-((n * np.pi / width[:, None]) ** 2) * variance[:, None] / 2.0)
    terms = np.sin(n * np.pi * share[:, None]) * fade / n
    p_up = share + 2.0 / np.pi * (terms * (-1.0) ** n).sum(axis=1)
    p_down = 1.0 - share - 2.0 / np.pi * terms.sum(axis=1)
    deviation = np.sqrt(variance)
    p_up = np.where(up > FAR * deviation, 0.0, p_up)
    p_down = np.where(down > FAR * deviation, 0.0, p_down)
    p_up, p_down = np.where(above <= 0, 1.0, p_up), np.where(above <= 0, 0.0, p_down)
    p_up, p_down = np.where(below <= 0, 0.0, p_up), np.where(below <= 0, 1.0, p_down)
    every = np.clip(np.stack([p_up, p_down, 1.0 - p_up - p_down]), LEAST, 1.0)
    every /= every.sum(axis=0)
    return [np.where(known, one, np.nan) for one in every]
