"""Episodes and what came of them, over the candles of the date."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.candles import COLUMNS as CANDLE_COLUMNS
from spymaster.surfaces.pictures.candles import draw_candles
from spymaster.surfaces.pictures.canvas import ASK, BID, NEUTRAL, days, figure, legend, new_york
from spymaster.tables.candle_2m import BAR_NS

EPISODE_COLUMNS: Final = (
    "episode_id", "contract", "kind", "direction", "is_placebo", "ts_approach", "ts_decision", "ts_trigger_bar",
    "level_price_int", "p0_mid2_int", "valid",
)  # fmt: skip
OUTCOME_COLUMNS: Final = (
    "episode_id", "horizon_s", "barrier_ticks", "ts_label_start", "ts_label_end", "ts_hit", "outcome", "valid",
)  # fmt: skip
LABEL_NS: Final = 360_000_000_000
WAYS: Final = ((1, "^", BID, "from below"), (-1, "v", ASK, "from above"))
ENDS: Final = (("break", "#1b7a5a"), ("reject", "#8e3b8e"), ("chop", NEUTRAL))


def setup_episode(subject: Subject) -> Figure:
    """Levels with an episode, from its start to the end of its label, and the decision: a triangle the way it came."""
    frame = subject.frame(EPISODE_COLUMNS)
    real = frame.filter(~pl.col("is_placebo"))
    touches = int((real["kind"].cast(pl.String) == "touch").sum())
    title = (
        f"{touches:,} touches, {real.height - touches:,} candle episodes; {frame.height - real.height:,} at placebos"
    )
    made, axes = figure(subject.title(title, frame["contract"][0]))
    ax = axes[0, 0]
    span = _candles(ax, subject, real if real.height else frame)
    _levels(ax, real)
    for way, marker, color, label in WAYS:
        for valid, filled in ((True, color), (False, "white")):
            rows = real.filter((pl.col("direction") == way) & (pl.col("valid") == valid))
            x, y = days(rows["ts_decision"].to_physical()), rows["level_price_int"].to_numpy() / 1e9
            named = label if valid else None
            ax.plot(x, y, marker, color=color, markerfacecolor=filled, markersize=4, markeredgewidth=0.7, label=named)
    _finish(ax, span, real)
    return made


def setup_outcome(subject: Subject) -> Figure:
    """Valid outcomes at the longest horizon: from the decision to the barrier that was reached, or to the end."""
    frame = subject.frame(OUTCOME_COLUMNS)
    episodes = subject.beside("gold.setup_episode", EPISODE_COLUMNS)
    longest = frame.filter((pl.col("horizon_s") == frame["horizon_s"].max()) & pl.col("valid"))
    kind = pl.col("outcome").cast(pl.String)
    if episodes is None:
        return _shares(subject, frame.filter("valid"))
    rows = longest.join(episodes.filter(~pl.col("is_placebo")).drop("valid"), on="episode_id")
    counts = ", ".join(f"{(rows['outcome'].cast(pl.String) == name).sum():,} {name}" for name, _ in ENDS)
    made, axes = figure(subject.title(f"what came of {rows.height:,} episodes in 360 s: {counts}", _contract(episodes)))
    ax = axes[0, 0]
    span = _candles(ax, subject, rows if rows.height else episodes)
    for name, color in ENDS:
        part = rows.filter(kind == name)
        end = part.select(pl.coalesce("ts_hit", "ts_label_end").to_physical()).to_series()
        price = part["p0_mid2_int"].to_numpy() / 2e9
        x = np.stack([days(part["ts_label_start"].to_physical()), days(end)], axis=1)
        lines = [[(a, p), (b, p)] for (a, b), p in zip(x.tolist(), price.tolist(), strict=True)]
        ax.add_collection(LineCollection(lines, colors=color, linewidths=1.0))
        way = part["direction"].to_numpy() * (1 if name == "break" else -1)
        for sign, marker in ((1, "^"), (-1, "v")):
            shown = way == sign if name != "chop" else np.zeros(len(way), dtype=bool)
            ax.plot(x[shown, 1], price[shown], marker, color=color, markersize=4)
        ax.plot([], [], "-" if name == "chop" else "-^", color=color, markersize=4, label=name)
    _finish(ax, span, rows)
    return made


def _contract(episodes: pl.DataFrame) -> str | None:
    return episodes["contract"][0] if episodes.height else None


def _shares(subject: Subject, scored: pl.DataFrame) -> Figure:
    """Shares of the outcomes by horizon, where the episodes are not at hand."""
    made, axes = figure(subject.title("shares of outcomes by horizon, placebos included"))
    ax = axes[0, 0]
    horizons = scored["horizon_s"].unique().sort().to_list()
    bottom = np.zeros(len(horizons))
    for name, color in ENDS:
        of = scored.group_by("horizon_s").agg((pl.col("outcome").cast(pl.String) == name).mean().alias("share"))
        share = of.sort("horizon_s")["share"].to_list()
        ax.bar([f"{h} s" for h in horizons], share, bottom=bottom, color=color, width=0.5, label=name)
        bottom = bottom + np.array(share)
    ax.set_ylabel("share", fontsize=7)
    legend(ax, loc="upper right")
    return made


def _candles(ax: Axes, subject: Subject, rows: pl.DataFrame) -> tuple[int, int]:
    """Candles where they are at hand; the span of time to show."""
    bars = subject.beside("silver.candle_2m", CANDLE_COLUMNS)
    times = rows["ts_decision"].to_physical()
    first, last = int(times.min() or 0) - LABEL_NS, int(times.max() or 0) + LABEL_NS  # pyright: ignore[reportArgumentType]
    if bars is not None and bars.height:
        draw_candles(ax, bars)
        starts = bars["bar_start"].to_physical()
        first, last = int(starts[0]), int(starts[-1]) + BAR_NS
    return first, last


def _levels(ax: Axes, rows: pl.DataFrame) -> None:
    start = rows.select(pl.coalesce("ts_approach", "ts_trigger_bar", "ts_decision").to_physical()).to_series()
    end = rows["ts_decision"].to_physical() + LABEL_NS
    price = (rows["level_price_int"].to_numpy() / 1e9).tolist()
    lines = [[(a, p), (b, p)] for a, b, p in zip(days(start).tolist(), days(end).tolist(), price, strict=True)]
    ax.add_collection(LineCollection(lines, colors="#b58900", linewidths=0.8, label="level, until the label ends"))


def _finish(ax: Axes, span: tuple[int, int], rows: pl.DataFrame) -> None:
    ax.margins(y=0.06)
    if rows.height and not ax.has_data():
        ax.autoscale_view()
    legend(ax, loc="best", ncols=2)
    ax.set_ylabel("price", fontsize=7)
    ax.ticklabel_format(axis="y", useOffset=False)
    new_york(ax, *span)
