"""Tables with a row per second, as lines over the session: snapshot, bands, radar."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import (
    ASK,
    BID,
    NEUTRAL,
    TOTAL,
    bars,
    bin_seconds,
    binned,
    days,
    figure,
    hatch,
    invalid,
    legend,
    new_york,
    said,
    spans,
)
from spymaster.tables.types import BANDS

RADAR_SHOWN = (
    ("com_disp_log", "depth moves away (log)"),
    ("pull_add_log_rest", "pull over add (log)"),
    ("reprice_away_share_rest", "share repriced away"),
    ("slope_inner_log", "NEAR over AT (log)"),
    ("pull_intensity_log_rest", "pull of total (log)"),
    ("bbo_dist_ticks", "best level (ticks)"),
)


def book_snapshot_1s(subject: Subject) -> Figure:
    """Price with its range and quotes, volume by aggressor, phases and validity."""
    frame = subject.frame(
        [
            "window_end", "contract", "best_bid_price_int", "best_ask_price_int", "spot_ref_price_int",
            "trade_high_price_int", "trade_low_price_int", "buy_volume", "sell_volume", "none_volume", "phase",
            "crossed", "window_valid",
        ]
    )  # fmt: skip
    ends = frame["window_end"].to_physical().to_numpy()
    first, last = int(ends[0]) - 1_000_000_000, int(ends[-1])
    seconds = bin_seconds(first, last)
    rows = binned(
        frame,
        seconds,
        *(
            (pl.col(name).last() / 1e9).alias(name)
            for name in ("best_bid_price_int", "best_ask_price_int", "spot_ref_price_int")
        ),
        (pl.col("trade_high_price_int").max() / 1e9).alias("high"),
        (pl.col("trade_low_price_int").min() / 1e9).alias("low"),
        pl.col("buy_volume", "sell_volume", "none_volume").sum(),
    )
    made, axes = figure(
        subject.title(f"price and volume by {said(seconds)}", frame["contract"][0]),
        2,
        1,
        sharex=True,
        height_ratios=(2.2, 1),
    )
    price, volume = axes[:, 0]
    x = rows["x"].to_numpy()
    low, high = (rows[name].cast(pl.Float64).to_numpy() for name in ("low", "high"))
    price.fill_between(x, low, high, color="0.8", linewidth=0, label="trades, high to low")
    for name, color, label in (
        ("best_bid_price_int", BID, "best bid"),
        ("best_ask_price_int", ASK, "best ask"),
        ("spot_ref_price_int", TOTAL, "spot (last trade)"),
    ):
        price.plot(x, rows[name].cast(pl.Float64).to_numpy(), color=color, linewidth=0.8, label=label)
    price.set_ylabel("price", fontsize=7)
    price.ticklabel_format(axis="y", useOffset=False)
    width = seconds / 86_400
    bars(volume, x, rows["buy_volume"].to_numpy(), width, color=BID, label="buyers")
    bars(volume, x, -rows["sell_volume"].to_numpy(), width, color=ASK, label="sellers")
    volume.axhline(0, color="0.4", linewidth=0.5)
    unsided = int(frame["none_volume"].sum())
    volume.set_ylabel("lots", fontsize=7)
    crossed = hatch_color(price, spans(ends, frame["crossed"].to_numpy()), "#f4cccc", "crossed")
    closed = hatch_color(price, spans(ends, (frame["phase"] == "closed").to_numpy()), "#e3e3ee", "closed")
    opening = hatch_color(price, spans(ends, (frame["phase"] == "pre_open").to_numpy()), "#eef3e2", "before the open")
    legend(price, crossed, closed, opening, hatch([price, volume], invalid(frame)), loc="best", ncols=2)
    legend(volume, loc="best", ncols=2, title=f"aggressor (none: {unsided:,} lots)", title_fontsize=6.5)
    new_york(volume, first, last)
    return made


def physics_bands_1s(subject: Subject) -> Figure:
    """Scores above and below spot, and the ease of every band."""
    eases = [f"{way}_{band.lower()}_ease" for way in ("above", "below") for band in BANDS]
    scores = ["above_score", "below_score", "vacuum_total_score"]
    frame = subject.frame(["window_end", "contract", "window_valid", *eases, *scores])
    first, last = _span(frame)
    seconds = bin_seconds(first, last, most=300)
    rows = binned(frame, seconds, pl.col(*eases, *scores).cast(pl.Float64).mean())
    made, axes = figure(
        subject.title(f"ease of moving, mean of each {said(seconds)}", frame["contract"][0]), 2, 1, sharex=True
    )
    lines, heat = axes[:, 0]
    x = rows["x"].to_numpy()
    for name, color, label in (
        ("above_score", ASK, "above (up through the asks)"),
        ("below_score", BID, "below (down through the bids)"),
        ("vacuum_total_score", TOTAL, "total"),
    ):
        lines.plot(x, rows[name].to_numpy(), color=color, linewidth=0.9, label=label)
    lines.set_ylabel("score, 0 hard to 1 easy", fontsize=7)
    order = [f"above_{band.lower()}_ease" for band in reversed(BANDS)]
    order += [f"below_{band.lower()}_ease" for band in BANDS]
    number = rows["bin"].to_numpy() - rows["bin"][0]
    grid = np.full((len(order), int(number[-1]) + 1), np.nan)
    for i, name in enumerate(order):
        grid[i, number] = rows[name].to_numpy()
    half = seconds / 86_400 / 2
    known = grid[np.isfinite(grid)]
    low, high = np.quantile(known, [0.01, 0.99]) if len(known) else (0.0, 1.0)
    image = heat.imshow(
        grid,
        aspect="auto",
        interpolation="nearest",
        cmap=colormaps["viridis"].with_extremes(bad="#e8e8e8"),
        vmin=low,
        vmax=max(high, low + 1e-6),
        extent=(x[0] - half, x[-1] + half, len(order) - 0.5, -0.5),
    )
    heat.set_yticks(range(len(order)), [f"{n.split('_')[0]} {n.split('_')[1].upper()}" for n in order], fontsize=6)
    heat.grid(False)
    bar = made.colorbar(image, ax=[lines, heat], pad=0.01, extend="both")
    bar.ax.tick_params(labelsize=7)
    bar.set_label("ease", fontsize=7)
    legend(lines, hatch([lines, heat], invalid(frame)), loc="best", ncols=2)
    new_york(heat, first, last)
    return made


def radar_vacuum_1s(subject: Subject) -> Figure:
    """Six of the thirteen features, ask against bid, and where the mid goes."""
    names = [f"{side}_{feature}" for feature, _ in RADAR_SHOWN for side in ("ask", "bid")]
    frame = subject.frame(["window_end", "contract", "window_valid", "approach_dir", *names])
    first, last = _span(frame)
    seconds = bin_seconds(first, last, most=200)
    rows = binned(frame, seconds, pl.col(*names).cast(pl.Float64).mean())
    shares = [(frame["approach_dir"] == way).sum() / frame.height for way in ("up", "down")]
    made, axes = figure(
        subject.title(
            f"radar, mean of each {said(seconds)}; approaching up {shares[0]:.0%}, down {shares[1]:.0%} of the time",
            frame["contract"][0],
        ),
        3,
        2,
        sharex=True,
    )
    runs = invalid(frame)
    for ax, (feature, label) in zip(axes.flat, RADAR_SHOWN, strict=True):
        for side, color in (("ask", ASK), ("bid", BID)):
            ax.plot(rows["x"].to_numpy(), rows[f"{side}_{feature}"].to_numpy(), color=color, linewidth=0.7, label=side)
        ax.set_ylabel(label, fontsize=6.5)
        hatch([ax], runs)
    legend(axes[0, 0], hatch([], runs), loc="best", ncols=3)
    for ax in axes[-1]:
        new_york(ax, first, last)
    return made


def hatch_color(ax: Axes, runs: list[tuple[int, int]], color: str, label: str) -> Patch | None:
    """Shade runs of time; returns a handle for the legend, None where there is nothing to shade."""
    for start, end in runs:
        ax.axvspan(float(days(start)), float(days(end)), facecolor=color, edgecolor="none", zorder=0)
    return Patch(facecolor=color, edgecolor=NEUTRAL, linewidth=0.3, label=label) if runs else None


def _span(frame: pl.DataFrame) -> tuple[int, int]:
    ends = frame["window_end"].to_physical()
    return int(ends[0]) - 1_000_000_000, int(ends[-1])
