"""Which number of a setup vector stands for what: families, cells and names, declared once.

A vector is a list of *cells* of base features over the windows that end at the cut-off. A cell is a block and an order:

    w0               the last window
    wK_mean          mean of the last K windows
    wK_delta         (last - K-th last)/(K - 1)
    v, d1, d2, d3    of the feature, or of its first to third difference between windows

All cells are linear in the last windows, so a cell is a row of coefficients, newest window first. Dims are in order of
block, then order, then feature, and a dim is named by the three: `w9_delta.d1.ah_pull_add_log_rest`. The full product
of `L28` has 16 directions only; `L13` is a basis of 13 that keeps every zoom.

Features are in the canonical frame: `ah_` is the side ahead, in the direction of the approach, `bh_` the one behind,
and what has a sign is positive in that direction. So a vector and that of the mirrored market in the other direction
are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from spymaster.setups.errors import SetupInputError

ORDERS: Final = ("v", "d1", "d2", "d3")
DIFFERENCE_WEIGHT: Final = 0.5
"""Weight of a dim in distances, for every difference that it takes. Differences of single windows are mostly noise, and
those of one feature have the noise of the last window in common: at full weight they decide who is near to whom."""
SIDES: Final = ("ah", "bh")

BBO_DIST: Final = "bbo_dist_sigma"
SIDE_FEATURES: Final = (
    "com_disp_log", "slope_inner_log", "slope_convex_log", "at_share_delta", "near_share_delta",
    "reprice_away_share_rest", "pull_add_log_rest", "pull_intensity_log_rest", "add_intensity_log",
    "at_pull_share_rest", "near_pull_share_rest", BBO_DIST, "fill_intensity_log", "rest_share",
)  # fmt: skip
"""Features 1 to 14, of either side; all but the last two as in `silver.radar_vacuum_1s`, the distance over sigma."""
SIGNED_FEATURES: Final = ("ofi_int", "queue_imb", "micro_disp", "signed_vol")
PLAIN_FEATURES: Final = ("sweep_share", "absorb_log", "msg_rate_log")
BASE_FEATURES: Final = (
    *(f"{side}_{name}" for side in SIDES for name in SIDE_FEATURES),
    *SIGNED_FEATURES,
    *PLAIN_FEATURES,
)
"""The 35 features of a window, in order."""

BARS: Final = 6
SHAPE_FEATURES: Final = ("body", "ah_wick", "bh_wick", "close", "volume_log", "signed_vol", "msg_rate_log")
SHAPE: Final = tuple(
    f"bar{k - BARS + 1}.{name}"
    for k in range(BARS)
    for name in SHAPE_FEATURES
    if not (k == BARS - 1 and name == "close")
)
"""41 numbers of the six candles that end with the cut-off, -5 to 0; the close is that of the last, which has none."""

_FULL: Final = ("w0", "w3_mean", "w3_delta", "w9_mean", "w9_delta", "w24_mean", "w24_delta")
_L13: Final = {
    "w0": "v", "w3_mean": "v d1 d3", "w3_delta": "v", "w9_mean": "v", "w9_delta": "v d1 d2", "w24_mean": "v",
    "w24_delta": "v d1 d2",
}  # fmt: skip
_CELLS: Final = {
    "L13": tuple((block, order) for block, orders in _L13.items() for order in orders.split()),
    "L28": tuple((block, order) for block in _FULL for order in ORDERS),
    "L5": tuple((block, "v") for block in ("w0", "w3_mean", "w3_delta", "w6_mean", "w6_delta")),
}


@dataclass(frozen=True)
class Family:
    """A zoom: windows of `window_s` seconds."""

    name: str
    window_s: int
    history: int
    """Windows that a vector needs: those of the widest block, and three before them for differences."""
    versions: tuple[str, ...]
    """Layouts; the first is the one that is stored."""
    shape: bool = False
    """Whether the shape of the candles follows the cells."""


FAMILIES: Final = {
    one.name: one
    for one in (
        Family("s1", 1, 27, ("L13", "L28")),
        Family("s5", 5, 27, ("L13", "L28")),
        Family("c120", 120, 6, ("L5",), shape=True),
    )
}


@dataclass(frozen=True)
class Dim:
    """One number of a vector."""

    dim_index: int
    name: str
    block: str
    order: str
    base_feature: str
    window_s: int
    weight: float


@dataclass(frozen=True)
class Layout:
    """Dims of the vectors of a family, in order."""

    family: Family
    version: str
    dims: tuple[Dim, ...]
    coefficients: np.ndarray
    """float64[cells, history]: cells by window, newest first."""

    @property
    def n(self) -> int:
        """Numbers of a vector."""
        return len(self.dims)

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """(block, order) of each row of `coefficients`."""
        return _CELLS[self.version]

    @property
    def history(self) -> int:
        """Windows that a vector is made of."""
        return self.coefficients.shape[1]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dims."""
        return tuple(dim.name for dim in self.dims)

    def assemble(self, windows: np.ndarray, shape: np.ndarray | None = None) -> np.ndarray:
        """float32[v, n]: vectors of float64[v, history, 35] features, newest window first, and float64[v, 41] shapes.

        NaN stays NaN. Sums are taken window by window, so that a vector does not depend on those beside it.
        """
        cells = np.zeros((len(windows), len(self.cells), len(BASE_FEATURES)))
        for lag in range(self.history):
            used = self.coefficients[:, lag] != 0.0
            cells[:, used] += self.coefficients[used, lag][None, :, None] * windows[:, lag][:, None, :]
        flat = cells.reshape(len(windows), len(self.cells) * len(BASE_FEATURES))
        if self.family.shape:
            if shape is None:
                raise SetupInputError(f"vectors of {self.family.name} need the shape of their candles")
            flat = np.concatenate([flat, shape], axis=1)
        return flat.astype(np.float32)

    def mirror(self) -> tuple[np.ndarray, np.ndarray]:
        """(int64[n], float32[n]): `vector[order] * sign` is what the other direction would have at the same second."""
        position = {dim.name: dim.dim_index for dim in self.dims}
        order, sign = np.empty(self.n, dtype=np.int64), np.ones(self.n, dtype=np.float32)
        for dim in self.dims:
            head, _, feature = dim.name.rpartition(".")
            twin = {"ah_": "bh_", "bh_": "ah_"}.get(feature[:3], feature[:3]) + feature[3:]
            order[dim.dim_index] = position[f"{head}.{twin}"]
            if feature in (*SIGNED_FEATURES, "body", "close"):
                sign[dim.dim_index] = -1.0
        return order, sign

    def described(self) -> list[dict[str, object]]:
        """The dims as plain data, for manifests and the command line."""
        return [{**vars(dim), "n": self.n, "layout_version": self.version} for dim in self.dims]


@cache
def layout(family: str, version: str | None = None) -> Layout:
    """The layout of a family; without `version` the one that is stored. `SetupInputError` for one that is not there."""
    if family not in FAMILIES:
        raise SetupInputError(f"there is no family {family!r} of setup vectors", hint=f"Known: {', '.join(FAMILIES)}.")
    known = FAMILIES[family]
    version = version or known.versions[0]
    if version not in known.versions:
        raise SetupInputError(f"family {family} has no layout {version!r}", hint=f"It has {', '.join(known.versions)}.")
    cells = _CELLS[version]
    rows = [_cell(block, order) for block, order in cells]
    coefficients = np.zeros((len(rows), known.history))
    for row, values in zip(coefficients, rows, strict=True):
        row[: len(values)] = values
    named = [(block, order, feature) for block, order in cells for feature in BASE_FEATURES]
    if known.shape:
        named += [(head, "v", feature) for head, _, feature in (name.partition(".") for name in SHAPE)]
    dims = tuple(
        Dim(
            index,
            f"{block}.{feature}" if block.startswith("bar") else f"{block}.{order}.{feature}",
            block,
            order,
            feature,
            known.window_s,
            DIFFERENCE_WEIGHT ** (ORDERS.index(order) + block.endswith("_delta")),
        )
        for index, (block, order, feature) in enumerate(named)
    )
    return Layout(known, version, dims, coefficients)


def _cell(block: str, order: str) -> np.ndarray:
    """Coefficients of a cell, newest window first."""
    head, _, kind = block.partition("_")
    k = int(head[1:])
    if not kind:
        row = np.ones(1)
    elif kind == "mean":
        row = np.full(k, 1.0 / k)
    else:
        row = np.zeros(k)
        row[0], row[-1] = 1.0 / (k - 1), -1.0 / (k - 1)
    for _ in range(ORDERS.index(order)):
        row = np.append(row, 0.0) - np.append(0.0, row)
    return row
