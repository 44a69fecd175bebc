"""Setup vectors: what the book did in the windows up to a cut-off, as one point that can be compared with others.

One function makes them all, stored ones and that of a query: `Builder.vectors`. A cut-off is a whole second; a vector
takes nothing of what comes after it. It is known if every second of its look-back is valid, and what earlier sessions
have to tell (`base_features.Priors`) is there; `c120` needs six whole candles that end with it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from spymaster.setups.base_features import Priors, Tape, canonical, side_features
from spymaster.setups.candle_shape import Candles
from spymaster.setups.vector_layout import FAMILIES, Layout, layout
from spymaster.setups.zone_windows import zone_windows

LONGEST_WINDOW: Final = 1024
"""More than the seconds of any window: windows are told apart by end and length in one number."""


@dataclass(frozen=True)
class Request:
    """Vectors of one family that are wanted."""

    layout: Layout
    cutoff_s: np.ndarray
    """int64[v], seconds since the epoch."""
    direction: np.ndarray
    """int8[v], +1 or -1."""

    @classmethod
    def of(cls, family: str, cutoff_s: Sequence[int] | np.ndarray, direction: Sequence[int] | np.ndarray | int,
           version: str | None = None) -> Request:  # fmt: skip
        """A request; one direction serves for all cut-offs."""
        at = np.asarray(cutoff_s, dtype=np.int64).reshape(-1)
        return cls(layout(family, version), at, np.broadcast_to(np.asarray(direction, dtype=np.int8), at.shape).copy())


@dataclass(frozen=True)
class Answer:
    """Vectors of a request, in its order."""

    request: Request
    vectors: np.ndarray
    """float32[v, n], NaN throughout where not known."""
    sigma_60: np.ndarray
    """float64[v], deviation of the mid over 60 s at the cut-off, ticks; NaN where not known."""
    covered: np.ndarray
    """bool[v], whether every second (and candle) of the look-back is there and valid."""

    @property
    def known(self) -> np.ndarray:
        """bool[v], whether there is a vector."""
        return np.asarray(~np.isnan(self.vectors).any(axis=1))


class Builder:
    """Vectors of one session."""

    def __init__(
        self, measures: pl.DataFrame, trades: pl.DataFrame, snapshot: pl.DataFrame, candles: pl.DataFrame,
        scale: pl.DataFrame, *, tick: int, eps: float,
    ) -> None:  # fmt: skip
        """Frames of one date, with the columns named in `base_features`, `mids` and `candle_shape`; and its scale.

        tick: tick size, 1e-9. eps: smallest lot E of the instrument.
        """
        self.tape = Tape(measures, trades, snapshot, Priors.of(scale), tick=tick, eps=eps)
        self.candles = Candles(candles, tick=tick, eps=eps)

    def vectors(self, wall_batches: Iterable[pl.DataFrame], requests: Sequence[Request]) -> list[Answer]:
        """Answers in the order of the requests, in one pass over the wall (rows with `zone_windows.WALL_COLUMNS`)."""
        places = [self._places(request) for request in requests]
        keys = [
            self.tape.end[row][:, None] * LONGEST_WINDOW
            - request.layout.family.window_s * LONGEST_WINDOW * np.arange(request.layout.history)
            + request.layout.family.window_s
            for request, (row, _) in zip(requests, places, strict=True)
        ]
        every = np.unique(np.concatenate([key.reshape(-1) for key in keys])) if keys else np.empty(0, dtype=np.int64)
        end, length = every // LONGEST_WINDOW, every % LONGEST_WINDOW
        row = np.searchsorted(self.tape.end, end)
        zone = zone_windows(wall_batches, end, length, self.tape.spot[row], self.tape.tick)
        sides, singles = side_features(zone, eps=self.tape.eps), self.tape.singles(zone, row, length)
        return [
            self._answer(request, *place, np.searchsorted(every, key), sides, singles)
            for request, place, key in zip(requests, places, keys, strict=True)
        ]

    def _places(self, request: Request) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the covered cut-offs, and which those are (bool[v])."""
        end, family = self.tape.end, request.layout.family
        row = np.searchsorted(end, request.cutoff_s)
        row = np.minimum(row, max(len(end) - 1, 0))
        if not len(end):
            return row[:0], np.zeros(len(request.cutoff_s), dtype=bool)
        needed = request.layout.history * family.window_s + 1  # the mid before the first window, too
        covered = (end[row] == request.cutoff_s) & (self.tape.valid_run[row] >= needed)
        if family.shape:
            covered &= self.candles.bars(request.cutoff_s)[1]
        return row[covered], covered

    def _answer(
        self, request: Request, row: np.ndarray, covered: np.ndarray, at: np.ndarray, sides: np.ndarray,
        singles: np.ndarray,
    ) -> Answer:  # fmt: skip
        direction = request.direction[covered]
        sigma = self.tape.sigma_15[row]
        windows = canonical(sides[at], singles[at], direction, 2.0 * sigma)
        shape = None
        if request.layout.family.shape:
            bars = self.candles.bars(request.cutoff_s[covered])[0]
            shape = self.candles.shape(bars, direction, np.sqrt(8.0) * sigma, self.tape.usual_msgs[row])
        made = request.layout.assemble(windows, shape)
        made[~np.isfinite(made).all(axis=1)] = np.nan
        vectors = np.full((len(covered), request.layout.n), np.nan, dtype=np.float32)
        sigma_60 = np.full(len(covered), np.nan)
        vectors[covered], sigma_60[covered] = made, 2.0 * sigma
        return Answer(request, vectors, sigma_60, covered)


def candidate_requests(open_s: int, close_s: int, every_s: int) -> list[Request]:
    """Requests of every family over a stretch of regular hours: every `every_s` seconds, `c120` at every bar's end.

    They are upwards; what the other direction would have is their mirror image (`Layout.mirror`).
    """
    requests = []
    for family in FAMILIES.values():
        step = family.window_s if family.shape else every_s
        first = -(-(open_s + 1) // step) * step
        requests.append(Request.of(family.name, np.arange(first, close_s + 1, step), 1))
    return requests
