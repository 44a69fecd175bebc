"""What a reading is made from: a scene of consecutive seconds around spot, and what stands out in it.

Pure arrays. `Candidates` finds for all seconds at once what may be told of one side, at the threshold at which a fact
enters and at the one at which it leaves; `reading` chooses between the two second by second, because it remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.serving.lod import NO_TICK

K = 20
"""Distance from spot that is read, ticks."""
FLOW_S = 5
"""Seconds of flow that tell whether an obstacle builds or erodes."""
RUN_NET = 0.05
THIN_VACUUM = 0.7
THIN_DEPTH = 0.25
THIN_TICKS = 3
LEAVE = 0.8
"""A fact stays while it holds this share of the threshold at which it enters."""
UP, DOWN = 1, -1


@dataclass(frozen=True)
class Level:
    """A price with a name, known from second `first` to `last`, both included."""

    label: str
    tick: int
    first: int
    last: int


@dataclass(frozen=True)
class Prices:
    """How ticks are written, and the buckets of pressure."""

    tick: int
    """Price step, 1e-9."""
    decimals: int
    bucket_ticks: int

    def text(self, tick: int) -> str:
        """A price without needless zeros after the point: 6801, 6797.50."""
        value = tick * self.tick
        whole = value % 1_000_000_000 == 0
        return f"{value // 1_000_000_000}" if whole else f"{value / 1e9:.{self.decimals}f}"

    def number(self, tick: int) -> float:
        """The price as a number."""
        return tick * self.tick / 1e9


@dataclass(frozen=True)
class Scene:
    """What is read, for consecutive seconds from `first` on; all arrays [rows, ...], spot in the middle.

    rest_bid, rest_ask, add, pull: lots, [rows, 2 half + 1], -1 unknown; vacuum: scores, NaN unknown; net, ratio_bid,
    ratio_ask: [rows, 2 B + 1] by bucket, spot's own in the middle, NaN unknown; moves: facts of a second or None.
    """

    first: int
    t0_ns: int
    spot: NDArray[np.int32]
    state: NDArray[np.uint8]
    window_valid: NDArray[np.bool_]
    last_valid: NDArray[np.int64]
    """Last second up to each whose window was valid, -1 for none."""
    rest_bid: NDArray[np.int32]
    rest_ask: NDArray[np.int32]
    add: NDArray[np.int32]
    pull: NDArray[np.int32]
    vacuum: NDArray[np.float64]
    net: NDArray[np.float64]
    ratio_bid: NDArray[np.float64]
    ratio_ask: NDArray[np.float64]
    moves: Sequence[dict[str, Any] | None] | None = None
    levels: Sequence[Level] = ()
    eps: float = 1.0

    @property
    def half(self) -> int:
        """Ticks on either side of spot."""
        return self.rest_bid.shape[1] // 2


class Candidates:
    """What may be told of one side (`UP` or `DOWN`) of a scene, second by second; see the module.

    ratios: [rows][buckets] from spot's own outward. A flag `held` chooses the threshold at which a fact leaves.
    """

    def __init__(self, scene: Scene, prices: Prices, direction: int) -> None:
        self._scene, self._width = scene, prices.bucket_ticks
        own = scene.net.shape[1] // 2
        outward = own + direction * np.arange(min(K // prices.bucket_ticks, own) + 1)
        net = scene.net[:, outward] * direction
        self._runs = [_leading(net >= RUN_NET * share).tolist() for share in (1, LEAVE)]
        ratios = scene.ratio_ask if direction == UP else scene.ratio_bid
        self.ratios: list[list[float]] = ratios[:, outward].tolist()
        self._thin = [_stretches(_thin(scene, direction, margin)) for margin in (1.0, 1 / LEAVE)]
        # Running sums over prices: the flow of any bucket is the difference of two.
        self._added, self._pulled = (
            np.cumsum(np.pad(flow.clip(0), ((0, 0), (1, 0))), axis=1, dtype=np.int64)
            for flow in (scene.add, scene.pull)
        )

    def run(self, row: int, *, held: bool) -> int:
        """Buckets from spot's own outward in which the side's own pressure outpaces the other's."""
        return self._runs[held][row]

    def thin(self, row: int, *, held: bool) -> tuple[int, int] | None:
        """Distances of the first and last tick of the nearest thin stretch."""
        begin, end = self._thin[held]
        return (begin[row], end[row] - 1) if end[row] else None

    def balance(self, row: int, tick: int) -> float:
        """(adds - pulls) / (adds + pulls + 1) of the bucket that begins at `tick`, over the last `FLOW_S` seconds."""
        scene, adds, pulls = self._scene, 0, 0
        for member in range(max(0, row - FLOW_S + 1), row + 1):
            spot = int(scene.spot[member])
            begin = tick - spot + scene.half
            end = begin + self._width
            if spot == NO_TICK or begin < 0 or end > scene.add.shape[1]:
                continue
            adds += int(self._added[member, end] - self._added[member, begin])
            pulls += int(self._pulled[member, end] - self._pulled[member, begin])
        return (adds - pulls) / (adds + pulls + 1)


def _leading(holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many entries of each row hold before the first that does not."""
    return np.where(holds.all(axis=1), holds.shape[1], (~holds).argmax(axis=1))


def _thin(scene: Scene, direction: int, margin: float) -> NDArray[np.bool_]:
    """[rows, K + 1]: ticks from spot outward that liquidity leaves or has left; spot's own has one side only."""
    outward = scene.half + direction * np.arange(min(K, scene.half) + 1)
    rest = (scene.rest_ask if direction == UP else scene.rest_bid)[:, outward]
    known = rest >= 0
    usual = _median(rest, known)[:, None]
    low = (rest + scene.eps) <= THIN_DEPTH * margin * (usual + scene.eps)
    leaving = scene.vacuum[:, outward] >= THIN_VACUUM / margin  # NaN never is
    thin = known & (low | leaving)
    thin[:, 0] = False
    return thin


def _median(values: NDArray[np.int32], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Median of the known values of each row; of a row without any it means nothing."""
    ordered = np.sort(np.where(known, values, np.iinfo(np.int32).max), axis=1)
    count = np.maximum(known.sum(axis=1), 1)
    rows = np.arange(len(values))
    return (ordered[rows, (count - 1) // 2].astype(np.float64) + ordered[rows, count // 2]) / 2


def _stretches(holds: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """First entry and end (excluded) of the first stretch of at least `THIN_TICKS` in each row; end 0 without one."""
    if holds.shape[1] < THIN_TICKS:
        return [0] * len(holds), [0] * len(holds)
    starts = np.logical_and.reduce([holds[:, at : holds.shape[1] - THIN_TICKS + 1 + at] for at in range(THIN_TICKS)])
    begin = starts.argmax(axis=1)
    after = ~holds & (np.arange(holds.shape[1])[None, :] > begin[:, None])
    end = np.where(after.any(axis=1), after.argmax(axis=1), holds.shape[1])
    return begin.tolist(), np.where(starts.any(axis=1), end, 0).tolist()


def bucket_frame(values: NDArray[Any], spot: NDArray[np.int32], bucket_ticks: int, buckets: int) -> NDArray[np.float64]:
    """Sums of per-tick quantities [rows, 2 half + 1] by bucket [rows, 2 buckets + 1], spot's own in the middle.

    Buckets are anchored on absolute prices; one that reaches beyond the grid or holds an unknown cell is NaN.
    """
    rows, width = values.shape
    half = width // 2
    offset = np.where(spot == NO_TICK, 0, spot.astype(np.int64) % bucket_ticks)
    starts = half + np.arange(-buckets, buckets + 1)[None, :] * bucket_ticks - offset[:, None]
    cells = starts[:, :, None] + np.arange(bucket_ticks)[None, None, :]
    inside = (cells >= 0) & (cells < width)
    taken = np.take_along_axis(values, np.clip(cells, 0, width - 1).reshape(rows, -1), axis=1).reshape(cells.shape)
    known = (inside & (taken >= 0)).all(axis=2) & (spot != NO_TICK)[:, None]
    return np.where(known, taken.sum(axis=2), np.nan)


def trailing_ratio(
    sums: NDArray[np.float64], valid: NDArray[np.bool_], window: int = 1800, least: int = 60
) -> NDArray[np.float64]:
    """Each row over the median of the last `window` valid rows before it, by column; NaN before `least` of them.

    Rows that are not valid neither get a ratio nor enter a median.
    """
    answer = np.full(sums.shape, np.nan)
    kept = pl.DataFrame(sums[valid], schema=[str(number) for number in range(sums.shape[1])]).fill_nan(None)
    medians = kept.select(pl.all().rolling_median(window, min_samples=least).shift(1)).to_numpy()
    answer[valid] = np.where(medians > 0, sums[valid] / np.where(medians > 0, medians, 1), np.nan)
    return answer
