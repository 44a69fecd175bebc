"""Gold tables of scales."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import ASK, BID, figure

BAND_LABELS = ("row", "AT", "NEAR", "MID", "FAR")
MOST_METRICS = 8
MARGINS = {"left": 0.05, "right": 0.985, "bottom": 0.13, "top": 0.88, "wspace": 0.12, "hspace": 0.34}


def physics_norm_calibration(subject: Subject) -> Figure:
    """5 %, 50 % and 95 % quantile of every metric, per wall row and per band."""
    frame = subject.frame(
        ["metric_name", "band", "kind", "q05", "q50", "q95", "n_rows", "n_sessions", "basis", "session_window"]
    ).with_columns(pl.col("band", "kind", "basis").cast(pl.String))
    head = frame.row(0, named=True)
    rows = frame.filter(pl.col("band").is_null())["n_rows"].max()
    if head["basis"] == "same_session":
        source = "the session ITSELF (no earlier one)"
    else:
        source = f"{head['n_sessions']} earlier sessions, {head['session_window'].replace('/', ' to ')}"
    made, axes = figure(subject.title(f"scales from {source}, {rows:,} active rows"), 2, 4, MARGINS, sharey=True)
    metrics = frame["metric_name"].unique(maintain_order=True).to_list()[:MOST_METRICS]
    for ax, metric in zip(axes.flat, metrics, strict=False):
        rows = frame.filter(pl.col("metric_name") == metric).with_columns(pl.col("band").fill_null("row"))
        at = [BAND_LABELS.index(band) for band in rows["band"]]
        is_signed = rows["kind"][0] == "signed"
        color = BID if is_signed else ASK
        ax.hlines(at, rows["q05"].to_numpy(), rows["q95"].to_numpy(), color=color, linewidth=4, alpha=0.45)
        ax.plot(rows["q50"].to_numpy(), at, "o", color=color, markersize=4)
        if is_signed:
            ax.axvline(0, color="0.5", linewidth=0.6)
        ax.set_title(metric, fontsize=7.5, pad=2)
        ax.set_yticks(range(len(BAND_LABELS)), BAND_LABELS, fontsize=7)
        ax.set_ylim(len(BAND_LABELS) - 0.5, -0.5)
    for ax in axes.flat[len(metrics) :]:
        ax.set_visible(False)
    made.supxlabel("bar 5 to 95 % of active rows, dot median; blue signed (0 is idle), orange magnitude", fontsize=7)
    return made
