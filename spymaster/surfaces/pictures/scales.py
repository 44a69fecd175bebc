"""Gold tables of scales."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import ASK, BID, figure
from spymaster.tables.pressure_surface_1s import KINDS
from spymaster.tables.types import DISTANCE_BANDS

BAND_LABELS = ("row", "AT", "NEAR", "MID", "FAR")
MOST_METRICS = 8
MARGINS = {"left": 0.05, "right": 0.985, "bottom": 0.13, "top": 0.89, "wspace": 0.12, "hspace": 0.45}


def physics_norm_calibration(subject: Subject) -> Figure:
    """Quantiles of every metric, per wall row and per band; what pressure is divided by, per distance from spot."""
    columns = ["metric_name", "band", "kind", "q05", "q50", "q95", "scale"]
    frame = subject.frame([*columns, "n_rows", "n_sessions", "basis", "session_window"]).with_columns(
        pl.col("band", "kind", "basis").cast(pl.String)
    )
    head = frame.row(0, named=True)
    active = frame.filter(pl.col("band").is_null())["n_rows"].max()
    if head["basis"] == "same_session":
        source = "the session ITSELF (no earlier one)"
    else:
        source = f"{head['n_sessions']} earlier sessions, {head['session_window'].replace('/', ' to ')}"
    made, axes = figure(subject.title(f"scales from {source}"), 3, 4, MARGINS, sharey="row")
    scored = frame.filter(pl.col("kind") != "ratio")
    metrics = scored["metric_name"].unique(maintain_order=True).to_list()[:MOST_METRICS]
    for ax, metric in zip(axes[:2].flat, metrics, strict=False):
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
    for ax in axes[:2].flat[len(metrics) :]:
        ax.set_visible(False)
    for ax, kind in zip(axes[2], KINDS, strict=True):
        for way, color in (("long", BID), ("short", ASK)):
            usual = frame.filter(pl.col("metric_name") == f"{kind}_{way}")
            at = [DISTANCE_BANDS.index(band) for band in usual["band"]]
            ax.plot(at, usual["scale"].to_numpy(), ".-", color=color, linewidth=1, markersize=4)
        ax.set_yscale("log")
        ax.set_title(f"usual {kind}, lots", fontsize=7.5, pad=2)
        ax.set_xticks(range(len(DISTANCE_BANDS)), [band[1:].replace("_", "-") for band in DISTANCE_BANDS], fontsize=6)
    above = f"bar 5 to 95 % of {active:,} active rows, dot median; blue signed, orange magnitude"
    below = "below: what pressure is divided by, per distance in buckets; blue long, orange short"
    made.supxlabel(f"{above}; {below}", fontsize=7)
    return made
