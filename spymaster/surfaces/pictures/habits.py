"""Share of messages owed to known habits over the session, and whether it differs before rejections."""

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
    legend,
    new_york,
    said,
)

_BANDS = (("AT", "#b2182b"), ("NEAR", "#ef8a62"), ("MID", "#67a9cf"), ("FAR", "#2166ac"))


def algo_intensity_1s(subject: Subject) -> Figure:
    """Attributed messages over all, by side and by band; without a list of an earlier date, messages alone."""
    frame = subject.frame(["window_end", "contract", "side", "band", "n_msgs", "n_attr", "expected_share"])
    text = frame.with_columns(pl.col("side", "band").cast(pl.String))
    ends = frame["window_end"].to_physical().to_numpy()
    first, last = int(ends[0]) - 1_000_000_000, int(ends[-1])
    seconds = bin_seconds(first, last, most=200)
    listed = frame["n_attr"].null_count() < frame.height
    what = "share of messages owed to listed habits" if listed else "messages; no earlier date has a list of findings"
    made, axes = figure(subject.title(f"{what}, each {said(seconds)}", frame["contract"][0]), 2, 1, sharex=True)
    top, bottom = axes[:, 0]
    sides = (("B", "all", "bids", BID), ("A", "all", "asks", ASK), ("all", "all", "all", TOTAL))
    bands = tuple(("all", band, band, color) for band, color in _BANDS)
    for ax, lines in ((top, sides), (bottom, bands)):
        for side, band, label, color in lines:
            part = text.filter((pl.col("side") == side) & (pl.col("band") == band))
            if part.is_empty():
                continue
            sent, owed = pl.col("n_msgs").cast(pl.Float64).sum(), pl.col("n_attr").cast(pl.Float64).sum()
            value = pl.when(sent > 0).then(owed / sent) if listed else sent
            rows = binned(part, seconds, value.alias("value"), pl.col("expected_share").mean())
            ax.plot(rows["x"], rows["value"].fill_null(np.nan), color=color, linewidth=0.8, label=label)
            if label == "all" and rows["expected_share"].count():
                usual = rows["expected_share"].fill_null(np.nan)
                ax.plot(rows["x"], usual, color=NEUTRAL, linewidth=0.8, linestyle="--", label="usual")
        ax.set_ylim(bottom=0)
        ax.set_ylabel("share" if listed else "messages", fontsize=7)
        legend(ax, loc="upper right", ncols=4)
    new_york(bottom, first, last)
    return made


def algo_contrast(subject: Subject) -> Figure:
    """Difference of the share before rejections and before placebo touches, question by question, with intervals."""
    columns = ["contrast_id", "is_primary", "n_sets", "n_days", "delta", "ci_lo", "ci_hi", "verdict"]
    frame = subject.frame(columns).sort("is_primary", "contrast_id", descending=[False, True])
    primary = frame.filter("is_primary").row(0, named=True)
    verdict = str(primary["verdict"]).replace("_", " ")
    title = f"before rejections: {verdict}, {primary['n_sets']} sets on {primary['n_days']} dates"
    made, axes = figure(subject.title(title), 1, 1, {"left": 0.2})
    ax = axes[0][0]
    for place, row in enumerate(frame.iter_rows(named=True)):
        color = ASK if row["is_primary"] else NEUTRAL
        if row["delta"] is None:
            continue
        if row["ci_lo"] is not None:
            ax.plot([100 * row["ci_lo"], 100 * row["ci_hi"]], [place, place], color=color, linewidth=1.2)
        ax.plot([100 * row["delta"]], [place], "o", color=color, markersize=4)
    names = [name.replace("_", " ") for name in frame["contrast_id"].to_list()]
    ax.set_yticks(range(frame.height), names, fontsize=6.5)
    ax.set_ylim(-1, frame.height)
    ax.axvline(0, color="0.5", linewidth=0.6)
    ax.set_xlabel("percentage points of intensity", fontsize=7)
    return made
