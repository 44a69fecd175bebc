"""Gamma exposure: by strike over the day with spot, and the walls and totals minute by minute."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import (
    ASK,
    BID,
    NEUTRAL,
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
)

CALL, PUT = "#1b7a5a", "#8e3b8e"
"""Walls of calls and of puts: neither bids nor asks."""
CONVENTION = "calls +, puts −: dealers taken to be long calls, short puts"
_UNITS = ((1e9, "$ bn"), (1e6, "$ m"), (1e3, "$ k"), (1.0, "$"))
_LINEAR_SHARE = 0.02
"""Share of the largest exposure up to which colours are linear; beyond it they are logarithmic."""


def gex_surface_1s(subject: Subject) -> Figure:
    """Net exposure by strike and time in diverging colours, with spot; beside it calls and puts at the end."""
    frame = subject.frame(
        ["window_end", "underlying", "spot_ref_price_int", "window_valid", "strike_price_int", "gex_call", "gex_put",
         "gex", "gex_abs"]
    )  # fmt: skip
    ends = frame["window_end"].to_physical().to_numpy()
    first, last = int(ends[0]) - 1_000_000_000, int(ends[-1])
    seconds = bin_seconds(first, last)
    width = seconds * 1_000_000_000
    strikes = np.unique(frame["strike_price_int"].to_numpy())
    step = int(np.diff(strikes).min()) if len(strikes) > 1 else 10**9
    low = int(strikes[0])
    bins = -(-(last - first) // width)
    net = np.full((int(strikes[-1] - low) // step + 1, bins), np.nan)
    column = (ends - 1 - first) // width
    # rows come in time order, so what stays in a cell is the last second of the column
    row = (frame["strike_price_int"].to_numpy() - low) // step
    net[row, column] = frame["gex"].cast(pl.Float64).to_numpy()
    unit, money = _unit(net)
    net /= unit
    known = np.abs(net[np.isfinite(net)])
    largest = max(float(known.max()) if len(known) else 1.0, 1.0)
    norm = SymLogNorm(_LINEAR_SHARE * largest, vmin=-largest, vmax=largest)
    colors = colormaps["RdBu"].with_extremes(bad="#e8e8e8")
    title = subject.title(f"gamma exposure by strike, last second of each {said(seconds)}", frame["underlying"][0])
    made, axes = figure(title, 1, 2, {"right": 0.985, "wspace": 0.3}, width_ratios=(4.2, 1))
    heat, profile = axes[0]
    extent = (first / NS_PER_DAY, (first + bins * width) / NS_PER_DAY, (low - step / 2) / 1e9,
              (low + (net.shape[0] - 0.5) * step) / 1e9)  # fmt: skip
    heat.imshow(net, cmap=colors, norm=norm, aspect="auto", origin="lower", interpolation="nearest", extent=extent)
    windows = frame.unique("window_end", keep="first", maintain_order=True)
    spot = np.full(bins, np.nan)
    spot[(windows["window_end"].to_physical().to_numpy() - 1 - first) // width] = (
        windows["spot_ref_price_int"].to_numpy() / 1e9
    )
    middle = days(first + (np.arange(bins) + 0.5) * width)
    for name, sign, color, label in (("gex_call", 1.0, CALL, "most calls"), ("gex_put", -1.0, PUT, "most puts")):
        side = np.full(net.shape, np.nan)
        side[row, column] = sign * frame[name].cast(pl.Float64).to_numpy()
        heat.plot(middle, _largest(side, low, step), drawstyle="steps-mid", color=color, linewidth=0.8, label=label)
    heat.plot(middle, spot, color=TOTAL, linewidth=1.0, label="spot", path_effects=outline())
    heat.set_ylabel("strike", fontsize=7)
    heat.grid(False)
    legend(heat, hatch([heat], invalid(windows)), loc="upper left")
    new_york(heat, first, last)
    bar = made.colorbar(ScalarMappable(norm, colors), ax=heat, pad=0.015, fraction=0.035, aspect=40)
    bar.minorticks_off()
    nice = 10.0 ** np.floor(np.log10(largest))
    marks = [mark for mark in (-nice, -nice / 10, 0.0, nice / 10, nice) if mark == 0 or abs(mark) >= 1]
    bar.set_ticks(marks, labels=[f"{mark:g}" for mark in marks])
    bar.ax.tick_params(labelsize=6, pad=1)
    bar.set_label(f"net, {money} per 1 %   ({CONVENTION})", fontsize=5.5, labelpad=1)
    _profile(profile, frame.filter(pl.col("window_end") == frame["window_end"][-1]), step, unit, money)
    return made


def _largest(side: np.ndarray, low: int, step: int) -> np.ndarray:
    """Strike (points) of the largest exposure above 0 of each column of [strikes, columns], NaN for none."""
    filled = np.where(np.isfinite(side), side, 0.0)
    return np.where(filled.max(axis=0) > 0, (low + filled.argmax(axis=0) * step) / 1e9, np.nan)


def _unit(values: np.ndarray) -> tuple[float, str]:
    """A unit of money in which the largest value is at least 1, and its name."""
    known = np.abs(values[np.isfinite(values)])
    largest = float(known.max()) if len(known) else 0.0
    return next((unit for unit in _UNITS if largest >= unit[0]), _UNITS[-1])


def _profile(ax: Axes, grid: pl.DataFrame, step: int, unit: float, money: str) -> None:
    """Calls to the right, puts to the left, and the net of both, at the end."""
    at = grid["strike_price_int"].to_numpy() / 1e9
    sides = {
        name: grid[name].cast(pl.Float64).fill_null(0.0).to_numpy() / unit for name in ("gex_call", "gex_put", "gex")
    }
    height = 0.8 * step / 1e9
    ax.barh(at, sides["gex_call"], height, color=CALL, label="calls")
    ax.barh(at, sides["gex_put"], height, color=PUT, label="puts")
    ax.plot(sides["gex"], at, ".", color=TOTAL, markersize=3, label="net")
    ax.axhline(grid["spot_ref_price_int"][0] / 1e9, color=TOTAL, linewidth=0.8)
    ax.axvline(0, color="0.5", linewidth=0.5)
    ax.set_title("at the end", fontsize=7, pad=2)
    ax.set_xlabel(f"{money} per 1 %", fontsize=7)
    ax.tick_params(labelsize=6)
    ax.locator_params(axis="x", nbins=3)
    legend(ax, loc="lower right")


def gex_level_1m(subject: Subject) -> Figure:
    """Walls and zero gamma around spot above; totals by open interest and by flow below."""
    frame = subject.frame(
        ["window_end", "underlying", "spot_ref_price_int", "call_wall_price_int", "put_wall_price_int",
         "zero_gamma_price_int", "gex_total", "flow_gex_total"]
    )  # fmt: skip
    ends = frame["window_end"].to_physical().to_numpy()
    first, last = int(ends[0]) - 60_000_000_000, int(ends[-1])
    title = subject.title("gamma exposure: walls, zero gamma and totals by minute", frame["underlying"][0])
    made, axes = figure(title, 2, 1, {"right": 0.93}, sharex=True, height_ratios=(2, 1))
    price, total = axes[:, 0]
    x = days(ends)
    roots = frame.select("window_end", "spot_ref_price_int", "zero_gamma_price_int").explode("zero_gamma_price_int")
    roots = roots.drop_nulls()
    walls = {name: frame[name].cast(pl.Float64).to_numpy() / 1e9 for name in
             ("spot_ref_price_int", "call_wall_price_int", "put_wall_price_int")}  # fmt: skip
    price.plot(
        days(roots["window_end"].to_physical().to_numpy()), roots["zero_gamma_price_int"].to_numpy() / 1e9, ".",
        color=NEUTRAL, markersize=2, label="zero gamma",
    )  # fmt: skip
    for name, color, style, label in (
        ("call_wall_price_int", CALL, "-", "call wall"),
        ("put_wall_price_int", PUT, (0, (4, 2)), "put wall"),
    ):
        price.plot(x, walls[name], drawstyle="steps-pre", color=color, linestyle=style, linewidth=1.2, label=label)
    price.plot(x, walls["spot_ref_price_int"], color=TOTAL, linewidth=1.0, label="spot", path_effects=outline())
    _limit(price, list(walls.values()))
    price.set_ylabel("price", fontsize=7)
    price.ticklabel_format(axis="y", useOffset=False)
    legend(price, loc="best", ncols=2)
    flow = total.twinx()
    for ax, name, color, label in (
        (total, "gex_total", BID, "open interest"),
        (flow, "flow_gex_total", ASK, "session's flow"),
    ):
        values = frame[name].cast(pl.Float64).to_numpy()
        unit, money = _unit(values)
        ax.plot(x, values / unit, color=color, linewidth=0.9)
        ax.set_ylabel(f"{label}, {money} per 1 %", fontsize=6.5, color=color)
        ax.tick_params(axis="y", labelsize=7, colors=color)
        reach = max(1.1 * float(np.nanmax(np.abs(values), initial=0.0)) / unit, 1e-9)
        ax.set_ylim(-reach, reach)  # 0 of both in one place
    total.axhline(0, color="0.4", linewidth=0.5)
    total.set_title(CONVENTION, fontsize=6.5, pad=2, loc="right")
    new_york(total, first, last)
    return made


def _limit(ax: Axes, lines: list[np.ndarray]) -> None:
    """Show walls and spot; zero gammas further away than these would leave them a flat line."""
    values = np.concatenate(lines)
    values = values[np.isfinite(values)]
    if len(values):
        low, high = float(values.min()), float(values.max())
        room = max(0.15 * (high - low), 0.001 * high)
        ax.set_ylim(low - room, high + room)
