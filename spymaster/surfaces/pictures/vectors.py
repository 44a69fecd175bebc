"""Setup vectors of a session side by side, and what they are scaled with."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import ASK, BID, TOTAL, days, figure, legend, new_york

_MARGINS = {"left": 0.075, "right": 0.985, "hspace": 0.16}
_SHOWN_Z = 3.0
_COLORS = {"s1": BID, "s5": ASK, "c120": TOTAL}
_MOST_COLUMNS = 400


def setup_vector(subject: Subject) -> Figure:
    """Candidates along time, their numbers from the newest window down to the longest, by rank within the session."""
    frame = subject.frame(["family", "kind", "ts_cutoff", "vector", "valid"]).filter(pl.col("kind") == "candidate")
    made, axes = figure(
        subject.title("setup vectors of the candidates, each number by its rank"), 3, 1, _MARGINS, sharex=True
    )
    ends = frame["ts_cutoff"].to_physical().to_numpy()
    first, last = (int(ends.min()) - 1, int(ends.max())) if len(ends) else (0, 1)
    for ax, family in zip(axes[:, 0], ("s1", "s5", "c120"), strict=True):
        rows = frame.filter((pl.col("family") == family) & pl.col("valid"))
        known = rows.height
        if known:
            rows = rows.gather_every(-(-known // _MOST_COLUMNS))
            points = np.array(rows["vector"].to_list(), dtype=np.float64)
            rank = points.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / max(len(points) - 1, 1)
            at = days(rows["ts_cutoff"].to_physical().to_numpy())
            step = float(np.median(np.diff(at))) if len(at) > 1 else 1e-4
            edges = np.append(at - step, at[-1])
            ax.pcolormesh(edges, np.arange(points.shape[1] + 1), rank.T, cmap="RdBu_r", vmin=0, vmax=1, rasterized=True)
            ax.invert_yaxis()
        ax.grid(False)
        ax.set_ylabel(f"{family}: number", fontsize=7)
        ax.set_title(
            f"{known:,} valid of {frame.filter(pl.col('family') == family).height:,}", fontsize=7, loc="right", pad=2
        )
    new_york(axes[-1][0], first, last)
    return made


def vector_scaler(subject: Subject) -> Figure:
    """Spread of every number of a vector over candidates of earlier sessions."""
    frame = subject.frame(["family", "sessions_used", "n_rows", "mad"])
    sessions = int(frame["sessions_used"].list.len().to_numpy().max())
    made, axes = figure(subject.title(f"spread of the numbers of a vector, from {sessions} earlier sessions"), 1, 1)
    ax = axes[0][0]
    for family, rows, mad in frame.select("family", "n_rows", "mad").iter_rows():
        values = np.array(mad or [], dtype=np.float64)
        alive = values > 0
        label = f"{family}: {rows:,} candidates, {int((~alive).sum())} numbers never vary"
        ax.plot(np.flatnonzero(alive), values[alive], ".", color=_COLORS[family], markersize=2, label=label)
    if any(len(mad or []) for mad in frame["mad"].to_list()):
        ax.set_yscale("log")
    ax.set_xlabel("number in the vector", fontsize=7)
    ax.set_ylabel("median absolute deviation", fontsize=7)
    legend(ax, loc="upper right")
    return made
