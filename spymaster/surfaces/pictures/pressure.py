"""Heat map of the pressure surface: who outpaces whom at each price, with spot and the big walls."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import (
    ASK,
    BID,
    NS_PER_DAY,
    TOTAL,
    bin_seconds,
    days,
    figure,
    hatch,
    invalid,
    legend,
    new_york,
    outline,
    said,
    windows_of,
)

MARGIN_BUCKETS = 10
"""Shown above the highest and below the lowest spot."""
MOST_PRICE_ROWS = 150
BIG = 4.0
"""Rest of so many times the usual is marked, on its own side of spot."""

COLORS = LinearSegmentedColormap.from_list("pressure", [ASK, "#f7f7f7", BID]).with_extremes(bad="white")
SECOND_NS = 1_000_000_000


def pressure_surface_1s(subject: Subject) -> Figure:
    """Mean net pressure by price and time; a bar where a side rests at several times the usual, and spot."""
    windows = windows_of(subject)
    ends = windows["window_end"].to_physical().to_numpy()
    size = _bucket_size(subject)
    spots = windows["spot_ref_price_int"].to_numpy()
    low = (int(spots.min()) // size - MARGIN_BUCKETS) * size
    rows = (int(spots.max()) // size + MARGIN_BUCKETS) - low // size + 1
    group = -(-rows // MOST_PRICE_ROWS)
    shape_rows = -(-rows // group)
    first, last = int(ends[0]) - SECOND_NS, int(ends[-1])
    seconds = bin_seconds(first, last)
    bins = -(-(last - first) // (seconds * SECOND_NS))
    total, count = np.zeros((shape_rows, bins)), np.zeros((shape_rows, bins))
    wall = np.zeros((2, shape_rows, bins))
    columns = ["window_end", "bucket_price_int", "rel_buckets", "net_pressure", "rest_ratio_bid", "rest_ratio_ask"]
    for batch in subject.read(columns):
        known = batch.filter(
            pl.col("net_pressure").is_not_null() & pl.col("bucket_price_int").is_between(low, low + (rows - 1) * size)
        )
        column = (known["window_end"].to_physical().to_numpy() - 1 - first) // (seconds * SECOND_NS)
        row = (known["bucket_price_int"].to_numpy() - low) // size // group
        np.add.at(total, (row, column), known["net_pressure"].to_numpy())
        np.add.at(count, (row, column), 1.0)
        rel = known["rel_buckets"].to_numpy()
        for side, name in enumerate(("rest_ratio_bid", "rest_ratio_ask")):
            ratio = np.where(rel > 0 if side else rel < 0, known[name].to_numpy(), 0.0)
            np.maximum.at(wall[side], (row, column), ratio)
    with np.errstate(invalid="ignore"):
        mean = total / count
    made, axes = figure(
        subject.title(f"net pressure, mean of each {said(seconds)}", windows["contract"][0]), margins={"right": 0.945}
    )
    ax = axes[0, 0]
    norm = Normalize(-1.0, 1.0)
    step = group * size
    extent = (
        first / NS_PER_DAY,
        float(days(first + bins * seconds * SECOND_NS)),
        low / 1e9,
        (low + shape_rows * step) / 1e9,
    )
    ax.imshow(mean, cmap=COLORS, norm=norm, aspect="auto", interpolation="nearest", origin="lower", extent=extent)
    edges = first + np.arange(bins + 1) * seconds * SECOND_NS
    for side, color, name in ((1, "#5e2404", "asks"), (0, "#0b2a4a", "bids")):
        _walls(ax, wall[side] >= BIG, edges, low, step, color, f"{name} resting at {BIG:g} times the usual, and more")
    _spot(ax, windows, edges, seconds)
    legend(ax, hatch([ax], invalid(windows)), loc="upper left")
    ax.set_ylim(extent[2], extent[3])
    ax.set_ylabel("price" if group == 1 else f"price, {group} buckets a row", fontsize=7)
    ax.grid(False)
    new_york(ax, first, last)
    bar = made.colorbar(ScalarMappable(norm, COLORS), ax=ax, pad=0.01, fraction=0.03, aspect=40)
    bar.ax.tick_params(labelsize=7)
    bar.set_label("shorts outpace  <  0 balance  <  longs outpace", fontsize=7)
    return made


def _bucket_size(subject: Subject) -> int:
    """Size of a bucket, 1e-9, from two neighbours of the first window."""
    for batch in subject.read(["bucket_price_int"]):
        if batch.height > 1:
            return int(batch["bucket_price_int"][1] - batch["bucket_price_int"][0])
    return SECOND_NS


def _walls(ax: Axes, big: np.ndarray, edges: np.ndarray, low: int, step: int, color: str, label: str) -> None:
    """A bar in the middle of each bucket for each run of columns in which it is big."""
    bars = []
    for row in np.flatnonzero(big.any(axis=1)):
        change = np.diff(np.concatenate([[False], big[row], [False]]).astype(np.int8))
        price = (low + (row + 0.5) * step) / 1e9
        for start, stop in zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1), strict=True):
            bars.append([(edges[start] / NS_PER_DAY, price), (edges[stop] / NS_PER_DAY, price)])
    if bars:
        ax.add_collection(LineCollection(bars, colors=color, linewidths=1.6, capstyle="butt", label=label))


def _spot(ax: Axes, windows: pl.DataFrame, edges: np.ndarray, seconds: int) -> None:
    number = (windows["window_end"].to_physical().to_numpy() - 1 - edges[0]) // (seconds * SECOND_NS)
    spot = np.full(len(edges) - 1, np.nan)
    spot[number] = windows["spot_ref_price_int"].to_numpy() / 1e9
    x = days((edges[:-1] + edges[1:]) / 2)
    ax.plot(x, spot, color=TOTAL, linewidth=1.0, label="spot (last trade)", path_effects=outline())
