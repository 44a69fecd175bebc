"""Conditions of a move over the session, and the scales that they are measured with."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import (
    ASK,
    BID,
    NEUTRAL,
    TOTAL,
    bin_seconds,
    binned,
    figure,
    hatch,
    legend,
    new_york,
    said,
    spans,
)

_STATES = (
    ("both_vacuum", "both sides give way", "#7b3294"),
    ("ask_vacuum", "asks only", ASK),
    ("bid_vacuum", "bids only", BID),
    ("mixed", "mixed", "0.8"),
    ("build", "none", "0.93"),
)


def move_conditions_1s(subject: Subject) -> Figure:
    """Soft AND and drive, smoothed over the bins of the picture; which conditions hold, as shares of the bins."""
    frame = subject.frame(
        ["window_end", "contract", "valid", "scale_provisional", "soft_and_w5", "drive_dn_w5", "state_name_w5"]
    )
    ends = frame["window_end"].to_physical().to_numpy()
    first, last = int(ends[0]) - 1_000_000_000, int(ends[-1])
    seconds = bin_seconds(first, last, most=300)
    state = pl.col("state_name_w5").cast(pl.String)
    rows = binned(
        frame,
        seconds,
        pl.col("soft_and_w5").cast(pl.Float64).mean(),
        pl.col("drive_dn_w5").cast(pl.Float64).mean(),
        *((state == name).mean().fill_null(0.0).alias(name) for name, _, _ in _STATES),
    )
    provisional = "   provisional scale" if bool(frame["scale_provisional"].any()) else ""
    made, axes = figure(
        subject.title(f"conditions over 5 s, mean of each {said(seconds)}{provisional}", frame["contract"][0]),
        2,
        1,
        sharex=True,
    )
    lines, shares = axes[:, 0]
    x = rows["x"].to_numpy()
    for name, color, label in (
        ("drive_dn_w5", NEUTRAL, "drive down (bids give way more)"),
        ("soft_and_w5", TOTAL, "all four conditions (soft AND)"),
    ):
        lines.plot(x, rows[name].fill_null(np.nan).to_numpy(), color=color, linewidth=0.8, label=label)
    lines.axhline(0, color="0.6", linewidth=0.5)
    lines.set_ylabel("z", fontsize=7)
    shares.stackplot(
        x,
        *(rows[name].to_numpy() for name, _, _ in _STATES),
        labels=[label for _, label, _ in _STATES],
        colors=[color for _, _, color in _STATES],
        linewidth=0,
    )
    shares.set_ylim(0, 1)
    shares.set_ylabel("share of seconds", fontsize=7)
    gaps = hatch([lines, shares], spans(ends, ~frame["valid"].to_numpy()))
    legend(lines, gaps, loc="best", ncols=2)
    legend(shares, loc="lower left", ncols=5)
    new_york(shares, first, last)
    return made


def move_condition_scale(subject: Subject) -> Figure:
    """Median and spread of retreat, net pull and consumption by time of day, of the look-back of 5 s."""
    frame = subject.frame(["tod_bucket", "measure", "horizon_s", "median", "mad", "n_sessions"])
    sessions = int(frame["n_sessions"].to_numpy().max())
    made, axes = figure(subject.title(f"usual measures over 5 s, from at most {sessions} earlier sessions"), 1, 3)
    rows = frame.filter(pl.col("horizon_s") == 5)
    titles = (("r", "retreat (ticks/s)"), ("n", "net pull (log)"), ("f", "consumption (log)"))
    for ax, (letter, title) in zip(axes[0], titles, strict=True):
        for side, color in (("ask", ASK), ("bid", BID)):
            part = rows.filter(pl.col("measure") == f"{letter}_{side}").sort("tod_bucket")
            hours = part["tod_bucket"].to_numpy() / 2
            middle, spread = (part[name].fill_null(np.nan).to_numpy() for name in ("median", "mad"))
            ax.plot(hours, middle, ".-", color=color, linewidth=0.8, markersize=3, label=f"{side}s")
            ax.fill_between(hours, middle - spread, middle + spread, color=color, alpha=0.18, linewidth=0)
        ax.set_title(title, fontsize=7.5, pad=2)
        ax.set_xlim(0, 24)
        ax.set_xlabel("hour of the New York day", fontsize=7)
    legend(axes[0][0], loc="best")
    return made
