"""Candles with their averages, and the levels of a session over them."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import (
    ASK,
    BID,
    NEUTRAL,
    NS_PER_DAY,
    TOTAL,
    bars,
    figure,
    hatch,
    legend,
    new_york,
    spans,
)
from spymaster.tables.candle_2m import BAR_NS

COLUMNS = (
    "bar_start", "contract", "open_price_int", "high_price_int", "low_price_int", "close_price_int", "buy_volume",
    "sell_volume", "sma200", "sma400", "is_halt", "is_carry", "n_off_market",
)  # fmt: skip
_AVERAGES = (("sma200", "#7b3294"), ("sma400", "#1b7837"))


def candle_2m(subject: Subject) -> Figure:
    """Candles with the averages over 200 and 400 closes; volume by aggressor."""
    frame = subject.frame(COLUMNS)
    starts = frame["bar_start"].to_physical().to_numpy()
    first, last = int(starts[0]), int(starts[-1]) + BAR_NS
    off = int(frame["n_off_market"].sum())
    made, axes = figure(
        subject.title(f"2-minute candles ({off:,} prints off the market left out)", frame["contract"][0]),
        2,
        1,
        sharex=True,
        height_ratios=(3, 1),
    )
    price, volume = axes[:, 0]
    draw_candles(price, frame)
    halted = hatch(
        [price, volume], spans(starts + BAR_NS, frame["is_halt"].to_numpy(), BAR_NS), "halt or book not valid"
    )
    legend(price, halted, loc="best", ncols=2)
    x, width = (starts + BAR_NS / 2) / NS_PER_DAY, BAR_NS / NS_PER_DAY
    bars(volume, x, frame["buy_volume"].to_numpy(), width, color=BID, label="buyers")
    bars(volume, x, -frame["sell_volume"].to_numpy(), width, color=ASK, label="sellers")
    volume.axhline(0, color="0.4", linewidth=0.5)
    volume.set_ylabel("lots", fontsize=7)
    legend(volume, loc="best", ncols=2)
    new_york(volume, first, last)
    return made


def draw_candles(ax: Axes, frame: pl.DataFrame) -> None:
    """Candles and averages of rows with `COLUMNS`; a body is as wide as the picture lets it be."""
    starts = frame["bar_start"].to_physical().to_numpy()
    x = (starts + BAR_NS / 2) / NS_PER_DAY
    opened, high, low, close = (
        frame[f"{name}_price_int"].cast(pl.Float64).fill_null(np.nan).to_numpy() / 1e9
        for name in ("open", "high", "low", "close")
    )
    traded = ~frame["is_carry"].to_numpy()
    width = float(np.clip(500 / max(len(x), 1), 0.8, 6.0))
    for rising, color in ((True, BID), (False, ASK)):
        these = traded & ((close >= opened) if rising else (close < opened))
        ax.vlines(x[these], low[these], high[these], color=color, linewidth=min(0.7, width))
        ax.vlines(x[these], opened[these], close[these], color=color, linewidth=width)
        flat = these & (opened == close)
        ax.plot(x[flat], close[flat], "_", color=color, markersize=width + 1, markeredgewidth=0.8)
    carried = ~traded
    ax.plot(x[carried], close[carried], ".", color=NEUTRAL, markersize=1.5)
    for name, color in _AVERAGES:
        values = frame[name].fill_null(np.nan).to_numpy()
        if np.isfinite(values).any():
            ax.plot(x, values, color=color, linewidth=1.1, label=f"mean of {name.removeprefix('sma')} closes")
    ax.plot([], [], color=BID, linewidth=3, label="closed up")
    ax.plot([], [], color=ASK, linewidth=3, label="closed down")
    ax.set_ylabel("price", fontsize=7, color=TOTAL)
    ax.ticklabel_format(axis="y", useOffset=False)


FAMILIES = (
    ("pre-market, overnight", ("PM", "ON"), "#b2182b", 1.4),
    ("prior day, settlement", ("PD", "SETTLE"), "#35978f", 1.2),
    ("opening range", ("OR",), "#e08214", 1.2),
    ("VWAP from the open", ("VWAP",), "#8c6bb1", 0.8),
    ("VWAP from 09:30", ("RVWAP",), "#c994c7", 0.8),
    ("averages of candles", ("SMA",), "#1b7837", 1.2),
    ("gamma", ("GEX", "ZG"), "#d6a400", 1.2),
    ("round prices", ("ROUND",), "0.65", 0.7),
    ("swings", ("SW",), "#2166ac", 0.6),
    ("volume nodes", ("HVN",), "#bf812d", 0.6),
)
"""Label, first letters of the level types, colour and width of lines."""
LEVEL_COLUMNS = ("contract", "level_type", "price_int", "valid_from", "valid_to", "is_placebo")


def session_level(subject: Subject) -> Figure:
    """Every level over the time in which it holds; placebos are counted only."""
    frame = subject.frame(LEVEL_COLUMNS)
    real = frame.filter(~pl.col("is_placebo"))
    kind = pl.col("level_type").cast(pl.String)
    title = subject.title(
        f"{real.height:,} rows of levels, {frame.height - real.height:,} of placebos", frame["contract"][0]
    )
    made, axes = figure(title)
    ax = axes[0, 0]
    draw_levels(ax, real)
    # round prices reach far beyond the market, and fixed levels to the end of the session
    lively = real.filter(kind.str.starts_with("VWAP"))
    timed = real if lively.is_empty() else lively
    begin, end = (timed[name].to_physical().to_numpy() for name in ("valid_from", "valid_to"))
    near = real.filter(~kind.str.starts_with("ROUND"))
    prices = (real if near.is_empty() else near)["price_int"].to_numpy() / 1e9
    if len(prices):
        low, high = float(prices.min()), float(prices.max())
        room = 0.08 * (high - low) or 1e-3 * high
        ax.set_ylim(low - room, high + room)
        new_york(ax, int(begin.min()), int(end.max()))
    legend(ax, loc="upper left", ncols=2)
    ax.set_ylabel("price", fontsize=7)
    ax.ticklabel_format(axis="y", useOffset=False)
    return made


def draw_levels(ax: Axes, real: pl.DataFrame) -> None:
    """Levels (rows with `LEVEL_COLUMNS`) as horizontal lines, by family."""
    for label, starts, color, width in FAMILIES:
        named = pl.any_horizontal(pl.col("level_type").cast(pl.String).str.starts_with(one) for one in starts)
        rows = real.filter(named)
        if rows.is_empty():
            continue
        begin, end = (rows[name].to_physical().to_numpy() / NS_PER_DAY for name in ("valid_from", "valid_to"))
        ax.hlines(rows["price_int"].to_numpy() / 1e9, begin, end, color=color, linewidth=width, label=label)
