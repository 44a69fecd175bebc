"""One sheet of pictures per simulated date."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spymaster.simulator.simulate import DayResult


def draw_day(day: DayResult, path: Path) -> None:
    """Price, message rate, depth, lifetimes, memory of trade signs, volatility, event patterns; written as PNG."""
    from matplotlib.figure import Figure

    tally = day.tally
    figure = Figure(figsize=(13, 11), layout="constrained")
    axes = figure.subplots(4, 2)
    mids, signs = tally.mids(), tally.signs()
    hours = (tally.window[0] - tally.start_ns) / 3.6e12 + np.arange(len(mids)) / 3600
    _line(axes[0, 0], hours, mids - mids[0] if len(mids) else mids, "mid price, ticks from its start", "hour UTC")
    busy = np.flatnonzero(tally.per_second)
    minutes = np.arange(busy[0] // 60, busy[-1] // 60 + 1)
    rate = np.bincount(np.arange(86_400) // 60, weights=tally.per_second)[minutes] / 60
    _line(axes[0, 1], minutes / 60, rate, "messages per second", "hour UTC")
    depth = tally.depth()
    axes[1, 0].bar(np.arange(1, len(depth) + 1), depth, color="tab:blue")
    _label(axes[1, 0], "mean quantity by level, both sides", "level")
    lives = np.sort(tally.lifetimes())
    if len(lives):
        axes[1, 1].set_xscale("log")
        _line(
            axes[1, 1],
            lives.clip(min=1e-5),
            np.arange(1, len(lives) + 1) / len(lives),
            "lifetime of cancelled orders, cumulative",
            "seconds",
        )
    centred = signs - signs.mean() if len(signs) else signs
    lags = np.unique(np.round(np.geomspace(1, 200, 24)).astype(int))
    memory = [float((centred[lag:] * centred[:-lag]).mean()) for lag in lags] if len(signs) > 1_000 else []
    if memory:
        axes[2, 0].set_xscale("log")
        axes[2, 0].set_yscale("log")
        _line(axes[2, 0], lags, np.maximum(memory, 1e-4), "correlation of trade signs", "lag, aggressors")
    stretches = len(mids) // 300
    if stretches:
        moves = np.abs(np.diff(mids))[: stretches * 300 - 1]
        per_stretch = np.add.reduceat(moves, np.arange(0, len(moves), 300))
        _line(
            axes[2, 1], hours[: stretches * 300 : 300], per_stretch, "absolute moves per 5 minutes, ticks", "hour UTC"
        )
    patterns = list(tally.patterns().items())[:12]
    axes[3, 0].barh([name for name, _ in patterns][::-1], [count for _, count in patterns][::-1], color="tab:green")
    _label(axes[3, 0], "events of several records", "count")
    shares = tally.shares()
    axes[3, 1].bar(list(shares), list(shares.values()), color="tab:orange")
    _label(axes[3, 1], "shares of actions", "action")
    figure.suptitle(f"SIMULATED  {day.plan.contracts[0].symbol}  {day.plan.dt}")
    figure.savefig(path, dpi=80)


def _line(axis, x, y, title: str, label: str) -> None:
    axis.plot(x, y, linewidth=0.8)
    _label(axis, title, label)


def _label(axis, title: str, label: str) -> None:
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(label, fontsize=8)
    axis.grid(alpha=0.3)
