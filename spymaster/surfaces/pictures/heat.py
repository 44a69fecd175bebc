"""Heat maps: the wall by price and time, vacuum by distance from spot and time."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import (
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

MARGIN_TICKS = 24
"""Shown above the highest and below the lowest spot."""
MOST_PRICE_ROWS = 300
ZONE = 20


def wall_surface_1s(subject: Subject) -> Figure:
    """Resting depth by price and time, bids and asks in their colours on one logarithmic scale, with spot and BBO."""
    windows = windows_of(subject)
    ends = windows["window_end"].to_physical().to_numpy()
    tick = _tick(subject)
    low = int(windows["spot_ref_price_int"].to_numpy().min()) - MARGIN_TICKS * tick
    high = int(windows["spot_ref_price_int"].to_numpy().max()) + MARGIN_TICKS * tick
    first, last = int(ends[0]) - 1_000_000_000, int(ends[-1])
    seconds = bin_seconds(first, last)
    bins = -(-(last - first) // (seconds * 1_000_000_000))
    depth = np.full((2, (high - low) // tick + 1, bins), np.nan, dtype=np.float32)
    for batch in subject.read(["window_end", "price_int", "side", "depth_qty_end"]):
        near = batch.filter(pl.col("price_int").is_between(low, high))
        column = (near["window_end"].to_physical().to_numpy() - 1 - first) // (seconds * 1_000_000_000)
        row = (near["price_int"].to_numpy() - low) // tick
        side = (near["side"] == "A").cast(pl.Int64).to_numpy()
        # rows come in time order, so what stays in a cell is the last second of the column
        depth[side, row, column] = near["depth_qty_end"].to_numpy()
    _carry_forward(depth)
    edges = first + np.arange(bins + 1) * seconds * 1_000_000_000
    title = subject.title(f"resting depth at the end of each {said(seconds)}", windows["contract"][0])
    made, axes = figure(title, margins={"right": 0.935})
    ax = axes[0, 0]
    _paint(made, ax, depth, (edges[0], edges[-1]), (low, high, tick))
    _lines(ax, depth, edges, low, tick, windows, seconds)
    legend(ax, hatch([ax], invalid(windows)), loc="upper left")
    ax.set_ylim((low - tick / 2) / 1e9, (high + tick / 2) / 1e9)
    ax.set_ylabel("price", fontsize=7)
    ax.grid(False)
    new_york(ax, first, last)
    return made


def vacuum_surface_1s(subject: Subject) -> Figure:
    """Mean vacuum score by distance from spot and time: asks above, bids below, 0.5 idle."""
    windows = windows_of(subject)
    ends = windows["window_end"].to_physical().to_numpy()
    first, last = int(ends[0]) - 1_000_000_000, int(ends[-1])
    seconds = bin_seconds(first, last, most=300)
    bins = -(-(last - first) // (seconds * 1_000_000_000))
    total, count = np.zeros((2, ZONE + 1, bins)), np.zeros((2, ZONE + 1, bins))
    for batch in subject.read(["window_end", "side", "rel_ticks", "vacuum_score"]):
        zone = batch.with_columns(
            distance=pl.when(pl.col("side") == "A").then("rel_ticks").otherwise(-pl.col("rel_ticks"))
        ).filter(pl.col("distance").is_between(0, ZONE) & pl.col("vacuum_score").is_not_null())
        column = (zone["window_end"].to_physical().to_numpy() - 1 - first) // (seconds * 1_000_000_000)
        cell = ((zone["side"] == "A").cast(pl.Int64).to_numpy(), zone["distance"].to_numpy(), column)
        np.add.at(total, cell, zone["vacuum_score"].to_numpy())
        np.add.at(count, cell, 1.0)
    with np.errstate(invalid="ignore"):
        mean = total / count
    known = np.abs(mean[np.isfinite(mean)] - 0.5)
    reach = min(max(float(np.quantile(known, 0.99)) if len(known) else 0.5, 0.02), 0.5)
    made, axes = figure(
        subject.title(f"vacuum score, mean of each {said(seconds)}", windows["contract"][0]), 2, 1, sharex=True
    )
    norm, colors = Normalize(0.5 - reach, 0.5 + reach), colormaps["RdBu_r"].with_extremes(bad="#e8e8e8")
    extent_x = (float(days(first)), float(days(first + bins * seconds * 1_000_000_000)))
    for ax, side, name in ((axes[0, 0], 1, "asks, ticks above spot"), (axes[1, 0], 0, "bids, ticks below spot")):
        shown = mean[side]
        extent = (*extent_x, -0.5, ZONE + 0.5) if side else (*extent_x, ZONE + 0.5, -0.5)
        ax.imshow(
            shown,
            cmap=colors,
            norm=norm,
            aspect="auto",
            interpolation="nearest",
            extent=extent,
            origin="lower" if side else "upper",
        )
        ax.set_ylabel(name, fontsize=7)
        ax.grid(False)
    legend(axes[0, 0], hatch(list(axes[:, 0]), invalid(windows)), loc="upper left")
    new_york(axes[1, 0], first, last)
    bar = made.colorbar(ScalarMappable(norm, colors), ax=list(axes[:, 0]), pad=0.01, extend="both")
    bar.ax.tick_params(labelsize=7)
    bar.set_label("building  <  0.5 idle  <  leaving", fontsize=7)
    return made


def _tick(subject: Subject) -> int:
    """Tick size from any row away from spot, 1e-9."""
    for batch in subject.read(["price_int", "spot_ref_price_int", "rel_ticks"]):
        away = batch.filter(pl.col("rel_ticks") != 0).head(1)
        if away.height:
            price, spot, rel = away.row(0)
            return (price - spot) // rel
    return 1_000_000_000


def _carry_forward(depth: np.ndarray) -> None:
    """Fill columns without a row by the one before: outside RTH an absent row means 'as before'. Unseen is empty."""
    for column in range(1, depth.shape[2]):
        absent = np.isnan(depth[:, :, column])
        depth[:, :, column][absent] = depth[:, :, column - 1][absent]
    np.nan_to_num(depth, copy=False)


def _paint(made: Figure, ax: Axes, depth: np.ndarray, time_ns: tuple[int, int], price: tuple[int, int, int]) -> None:
    group = -(-depth.shape[1] // MOST_PRICE_ROWS)
    padded = np.pad(depth, ((0, 0), (0, -depth.shape[1] % group), (0, 0)))
    shown = padded.reshape(2, -1, group, depth.shape[2]).max(axis=2)
    resting = shown[shown > 0]
    least, most = np.quantile(resting, [0.03, 0.997]) if len(resting) else (1.0, 2.0)
    norm = LogNorm(least, max(most, 2 * least), clip=True)
    # without the palest colours, so that a thin level can be told from an empty one, which is white
    maps = [ListedColormap(colormaps[name](np.linspace(0.1, 1.0, 256))) for name in ("Blues", "Oranges")]
    bid, ask = (maps[side](norm(np.maximum(shown[side], least))) for side in (0, 1))
    image = np.where((shown[1] > shown[0])[..., None], ask, bid)
    image[(shown == 0).all(axis=0)] = (1, 1, 1, 1)
    low, _, size = price
    bottom, top_price = low - size / 2, low - size / 2 + shown.shape[1] * group * size
    extent = (time_ns[0] / NS_PER_DAY, time_ns[1] / NS_PER_DAY, bottom / 1e9, top_price / 1e9)
    ax.imshow(image, aspect="auto", origin="lower", interpolation="nearest", extent=extent)
    ticks = [base * 10**power for power in range(6) for base in (1, 2, 5) if least <= base * 10**power <= most]
    for side, name in ((1, "ask"), (0, "bid")):
        scale = ScalarMappable(norm, maps[side])
        bar = made.colorbar(scale, ax=ax, pad=0.055 if side else 0.01, fraction=0.02, aspect=40, extend="both")
        bar.minorticks_off()
        bar.set_ticks(ticks, labels=[f"{tick}" for tick in ticks])
        bar.ax.tick_params(labelsize=6, pad=1)
        per = f", most of {group} ticks" if group > 1 else ""
        bar.set_label(f"{name} lots per level{per}", fontsize=6.5, labelpad=1)


def _lines(
    ax: Axes, depth: np.ndarray, edges: np.ndarray, low: int, tick: int, windows: pl.DataFrame, seconds: int
) -> None:
    x = days((edges[:-1] + edges[1:]) / 2)
    ticks = np.arange(depth.shape[1])
    has = depth > 0
    best_bid = np.where(has[0].any(axis=0), (has[0] * ticks[:, None]).max(axis=0), np.nan)
    best_ask = np.where(has[1].any(axis=0), has[1].argmax(axis=0), np.nan)
    ax.step(x, (low + best_bid * tick) / 1e9, where="mid", color="0.15", linewidth=0.5, label="best bid and ask")
    ax.step(x, (low + best_ask * tick) / 1e9, where="mid", color="0.15", linewidth=0.5)
    number = (windows["window_end"].to_physical().to_numpy() - 1 - edges[0]) // (seconds * 1_000_000_000)
    spot = np.full(len(x), np.nan)
    spot[number] = windows["spot_ref_price_int"].to_numpy() / 1e9
    ax.plot(x, spot, color=TOTAL, linewidth=0.9, label="spot (last trade)", path_effects=outline())
