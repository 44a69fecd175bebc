"""Figures, New York time axes, hatching and PNG encoding that all pictures share."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from matplotlib import dates as mdates
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import EngFormatter
from PIL import Image

from spymaster.surfaces.pictures import Subject

NEW_YORK: Final = ZoneInfo("America/New_York")
BID: Final = "#2166ac"
ASK: Final = "#c2571a"
TOTAL: Final = "#333333"
NEUTRAL: Final = "#8a8a8a"

MARGINS: Final = {"left": 0.085, "right": 0.97, "bottom": 0.105, "top": 0.92, "wspace": 0.2, "hspace": 0.12}
"""Fixed: a layout fitted to the labels costs as much as the rest of a picture."""

SIZE_INCHES: Final = (8.4, 4.2)
DPI: Final = 100
COLORS: Final = 255
"""Size of the PNG palette: a heat map of noise stays below 120 KB."""

MOST_TICKS: Final = 5
NICE_SECONDS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
MOST_RUNS: Final = 150
NS_PER_DAY: Final = 86_400_000_000_000


def figure(
    title: str, rows: int = 1, columns: int = 1, margins: Mapping[str, float] | None = None, **layout: Any
) -> tuple[Figure, np.ndarray]:
    """A figure with a title and `rows` x `columns` axes (object array, always two-dimensional).

    `margins` in shares of the figure, `wspace` and `hspace` in shares of an axes, where they are not the usual ones.
    """
    made = Figure(figsize=SIZE_INCHES, dpi=DPI)
    made.suptitle(title, fontsize=10, x=0.01, y=0.985, ha="left", fontweight="bold")
    axes = made.subplots(rows, columns, squeeze=False, gridspec_kw=MARGINS | dict(margins or {}), **layout)
    for ax in axes.flat:
        ax.tick_params(labelsize=7)
        ax.grid(True, color="0.92", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.locator_params(nbins=MOST_TICKS)
    return made, axes


def png(made: Figure) -> bytes:
    """The figure as a palette PNG: same figure, same bytes."""
    for ax in made.axes:
        ax.minorticks_off()  # of logarithmic axes; each tick is as slow as a line of data
        for axis in (ax.xaxis, ax.yaxis):
            if axis.get_scale() != "linear":
                axis.set_major_formatter(EngFormatter(sep=""))  # 10k; powers of ten would be typeset, slowly
    canvas = FigureCanvasAgg(made)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    small = image.quantize(COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()


def bin_seconds(first_ns: int, last_ns: int, most: int = 420) -> int:
    """Whole seconds per column so that a span fits into `most` columns."""
    span = max((last_ns - first_ns) / 1e9, 1.0)
    return next((seconds for seconds in NICE_SECONDS if span / seconds <= most), NICE_SECONDS[-1])


def said(seconds: int) -> str:
    """`10 s`, `2 min`."""
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"


def days(ns: Any) -> Any:
    """Nanoseconds since the epoch as Matplotlib's days."""
    return np.asarray(ns, dtype=np.float64) / NS_PER_DAY


def binned(frame: pl.DataFrame, seconds: int, *aggregates: pl.Expr, time: str = "window_end") -> pl.DataFrame:
    """Rows per time bin with `x`, the bin's middle in Matplotlib days; a bin without rows is not there."""
    width = seconds * 1_000_000_000
    number = ((pl.col(time).to_physical() - 1) // width).alias("bin")
    grouped = frame.group_by(number).agg(*aggregates).sort("bin")
    return grouped.with_columns(x=(pl.col("bin") + 0.5) * (width / NS_PER_DAY))


def bars(ax: Axes, x: np.ndarray, heights: np.ndarray, width: float, **style: Any) -> None:
    """Bars around `x`, drawn as one shape: as shapes of their own, hundreds of them are slow."""
    left_to_right = np.repeat(x, 4) + width * np.tile([-0.5, -0.5, 0.5, 0.5], len(x))
    ax.fill(left_to_right, np.repeat(heights, 4) * np.tile([0, 1, 1, 0], len(x)), linewidth=0, **style)


def new_york(ax: Axes, first_ns: int, last_ns: int) -> None:
    """Time along the bottom, in New York."""
    left, right = days(first_ns), days(last_ns)
    ax.set_xlim(float(left), float(right) if right > left else float(left) + 1e-5)
    locator = mdates.AutoDateLocator(tz=NEW_YORK, minticks=4, maxticks=9)
    ax.xaxis.set_major_locator(locator)
    short = (last_ns - first_ns) < 10 * 60 * 1_000_000_000
    ax.xaxis.set_major_formatter(mdates.DateFormatter("%H:%M:%S" if short else "%H:%M", tz=NEW_YORK))
    ax.set_xlabel("New York time", fontsize=7)


def spans(ends_ns: np.ndarray, flags: np.ndarray, step_ns: int = 1_000_000_000) -> list[tuple[int, int]]:
    """Runs of flagged windows as (start, end) in ns; runs that a picture could not tell apart are joined."""
    marked = ends_ns[flags]
    if len(marked) == 0:
        return []
    closer = max(2 * step_ns, (int(ends_ns[-1]) - int(ends_ns[0])) // MOST_RUNS)
    breaks = np.flatnonzero(np.diff(marked) > closer)
    starts, stops = np.concatenate([[0], breaks + 1]), np.concatenate([breaks, [len(marked) - 1]])
    return [(int(marked[a]) - step_ns, int(marked[b])) for a, b in zip(starts, stops, strict=True)]


def hatch(axes: Sequence[Axes], runs: Sequence[tuple[int, int]], label: str = "not valid") -> Patch | None:
    """Hatch runs of time on every axes; returns a handle for the legend, None where there is nothing to hatch."""
    style: dict[str, Any] = {"facecolor": "none", "edgecolor": "0.55", "hatch": "////", "linewidth": 0}
    for ax in axes:
        for start, end in runs:
            ax.axvspan(float(days(start)), float(days(end)), **style)
    return Patch(label=label, **style) if runs else None


def windows_of(subject: Subject) -> pl.DataFrame:
    """One row per window with its spot, validity and contract, of a table with several."""
    columns = ["window_end", "contract", "spot_ref_price_int", "window_valid"]
    parts = [batch.unique("window_end", keep="first", maintain_order=True) for batch in subject.read(columns)]
    return pl.concat(parts).unique("window_end", keep="first", maintain_order=True)


def invalid(windows: pl.DataFrame) -> list[tuple[int, int]]:
    """Runs of windows that are not valid, of a frame with a row per second."""
    return spans(windows["window_end"].to_physical().to_numpy(), ~windows["window_valid"].to_numpy())


def outline() -> list[Stroke | Normal]:
    """White around a line, so that it is seen on any ground (`path_effects`)."""
    return [Stroke(linewidth=2.2, foreground="white"), Normal()]


def legend(ax: Axes, *extra: Patch | None, **options: Any) -> None:
    """A small legend of what is labelled on the axes, and of extra handles."""
    handles = [*ax.get_legend_handles_labels()[0], *(patch for patch in extra if patch is not None)]
    if handles:
        ax.legend(handles=handles, fontsize=6.5, frameon=True, framealpha=0.85, edgecolor="0.9", **options)
