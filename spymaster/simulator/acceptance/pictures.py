"""One sheet of pictures per portrait, with a reference drawn over it where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spymaster.simulator.acceptance.portrait import Portrait

_COLOURS = ("tab:blue", "tab:orange")
_SINCE = "minutes since the start of the window"


def draw_sheet(drawn: Portrait, path: Path, reference: Portrait | None = None) -> None:
    """Spread, depth, lifetimes, sign memory, volatility, volume, event patterns, rates; written as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 15), layout="constrained")
    axes = figure.subplots(5, 2)
    both = [drawn] if reference is None else [drawn, reference]
    for k, one in enumerate(both):
        style = {"color": _COLOURS[k], "linewidth": 0.9, "label": f"{one.provenance.upper()}: {one.label}"}
        _curve(axes[0, 0], one, "mid", style)
        _curve(axes[0, 1], one, "message rate", style)
        _bars(axes[1, 0], one, "spread, ticks", k, len(both))
        _curve(axes[1, 1], one, "depth", style)
        _law(axes[2, 0], one, "lifetime of a cancelled order, log10 s", style)
        _curve(axes[2, 1], one, "sign memory", style)
        _curve(axes[3, 0], one, "volatility", style)
        _curve(axes[3, 1], one, "volume", style)
        _law(axes[4, 1], one, "messages per second", style)
    for axis, title, label in (
        (axes[0, 0], "mid price, ticks from its start", _SINCE),
        (axes[0, 1], "messages per minute over their mean", _SINCE),
        (axes[1, 0], "share of time by spread", "ticks"),
        (axes[1, 1], "mean quantity by level, both sides", "level"),
        (axes[2, 0], "lifetime of cancelled orders, cumulative", "log10 seconds"),
        (axes[2, 1], "correlation of trade signs", "lag, aggressors"),
        (axes[3, 0], "absolute moves of mid per 5 minutes over their mean", _SINCE),
        (axes[3, 1], "contracts traded per 5 minutes over their mean", _SINCE),
        (axes[4, 0], "events of several records, share by pattern", ""),
        (axes[4, 1], "messages per second, cumulative", "messages + 1"),
    ):
        axis.set_title(title, fontsize=9)
        axis.set_xlabel(label, fontsize=8)
        axis.grid(alpha=0.3)
    axes[2, 1].set_xscale("log")
    axes[2, 1].set_yscale("log")
    axes[2, 1].set_ylim(1e-3, 1)
    axes[4, 1].set_xscale("log")
    _patterns(axes[4, 0], both)
    axes[0, 0].legend(fontsize=8)
    figure.suptitle(" / ".join(f"{one.provenance.upper()}  {one.label}" for one in both))
    figure.savefig(path, dpi=80)


def _curve(axis, one: Portrait, name: str, style: dict) -> None:
    if name in one.curves:
        axis.plot(*one.curves[name], **style)


def _law(axis, one: Portrait, name: str, style: dict) -> None:
    if name in one.laws:
        law = one.laws[name]
        axis.plot(np.array(law.x) + (1 if name.startswith("messages") else 0), law.cdf, **style)


def _bars(axis, one: Portrait, name: str, k: int, n: int) -> None:
    if name in one.laws:
        law = one.laws[name]
        shares = np.diff(np.append(0.0, law.cdf))
        shown = [(x, share) for x, share in zip(law.x, shares, strict=True) if 1 <= x <= 6]
        axis.bar(
            [x + 0.8 * (k / n - 0.25) for x, _ in shown], [share for _, share in shown], 0.8 / n, color=_COLOURS[k]
        )


def _patterns(axis, both: list[Portrait]) -> None:
    names = list(both[0].patterns)[::-1]
    at = np.arange(len(names))
    for k, one in enumerate(both):
        heights = [one.patterns.get(name, 0.0) for name in names]
        axis.barh(at + 0.8 * (k / len(both) - 0.25), heights, 0.8 / len(both), color=_COLOURS[k])
    axis.set_yticks(at, names, fontsize=8)
