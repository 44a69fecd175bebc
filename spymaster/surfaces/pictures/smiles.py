"""Options: smiles as they were quoted, and how far put-call parity is from the future."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import (
    NEUTRAL,
    NEW_YORK,
    bin_seconds,
    binned,
    figure,
    hatch,
    legend,
    new_york,
    said,
    spans,
)

DEFINITION = "bronze.option_definition"
MOST_EXPIRIES = 5
MOMENTS = (0.1, 0.4, 0.7, 0.97)
"""Shares of the session's rows after which smiles are shown."""
ALLOWED_TICKS, SHOWN_TICKS = 2.0, 6.0


def option_quote_1s(subject: Subject) -> Figure:
    """Volatilities in force of the options out of the money: the nearest expiration at four moments of the session, and
    all expirations at the third of them; against the delta where definitions are not at hand."""
    names = _definitions(subject)
    smiles = [(end, _out_of_the_money(state, names)) for end, state in _in_force(subject)]
    smiles = [(end, smile) for end, smile in smiles if smile.height]
    made, axes = figure(subject.title("implied volatility of options out of the money"), 1, 2)
    left, right = axes[0]
    if smiles:
        top = float(np.quantile(pl.concat([smile for _, smile in smiles])["iv"], 0.99))
        for color, (end, smile) in zip(_colors(len(smiles)), smiles, strict=True):
            expiry = smile["expiration"].min()
            _smile(left, smile.filter(pl.col("expiration").eq_missing(expiry)), color, _clock(end, expiry))
        end, smile = smiles[min(2, len(smiles) - 1)]
        expiries = smile["expiration"].unique().sort()[:MOST_EXPIRIES].to_list()
        for color, expiry in zip(_colors(len(expiries)), expiries, strict=True):
            _smile(right, smile.filter(pl.col("expiration").eq_missing(expiry)), color, _day(expiry))
        legend(left, loc="lower left", title="nearest expiration, at", title_fontsize=6.5)
        legend(right, loc="lower left", title=f"expirations, at {_clock(end)}", title_fontsize=6.5)
        for ax in (left, right):
            ax.set_ylim(0.0, 1.1 * top)
    left.set_ylabel("volatility, % a year", fontsize=7)
    for ax in (left, right):
        ax.set_xlabel("strike" if names is not None else "delta of the call", fontsize=7)
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}")
    return made


def option_forward_1s(subject: Subject) -> Figure:
    """Parity forward against the future, and volatility at the money, by expiration."""
    frame = subject.frame(
        ["window_end", "expiration", "underlying", "forward_source", "parity_gap_ticks", "atm_iv"]
    )  # fmt: skip
    ends = frame["window_end"].to_physical()
    first, last = int(ends[0]) - 1_000_000_000, int(ends[-1])
    seconds = bin_seconds(first, last)
    expiries = frame["expiration"].unique().sort()[:MOST_EXPIRIES].to_list()
    contract = frame["underlying"][0]
    made, axes = figure(
        subject.title(f"put-call parity and volatility at the money, median of each {said(seconds)}", contract),
        2,
        1,
        sharex=True,
    )
    gap, level = axes[:, 0]
    for color, expiry in zip(_colors(len(expiries)), expiries, strict=True):
        rows = frame.filter(pl.col("expiration") == expiry)
        told = binned(rows, seconds, pl.col("parity_gap_ticks", "atm_iv").cast(pl.Float64).median())
        x = told["x"].to_numpy()
        gap.plot(x, told["parity_gap_ticks"].to_numpy(), color=color, linewidth=0.7, label=_day(expiry))
        level.plot(x, 100 * told["atm_iv"].to_numpy(), color=color, linewidth=0.9)
    for ticks in (-ALLOWED_TICKS, ALLOWED_TICKS):
        gap.axhline(ticks, color=NEUTRAL, linewidth=0.6, linestyle="--")
    gap.set_ylim(-SHOWN_TICKS, SHOWN_TICKS)
    gap.set_ylabel("parity - future, ticks", fontsize=7)
    level.set_ylabel("volatility, % a year", fontsize=7)
    unknown = frame.group_by("window_end", maintain_order=True).agg(
        alone=(pl.col("forward_source") != "future").all()
    )  # fmt: skip
    runs = spans(unknown["window_end"].to_physical().to_numpy(), unknown["alone"].to_numpy())
    legend(gap, hatch([gap, level], runs, "not the future's mid"), loc="upper right", ncols=3)
    new_york(level, first, last)
    return made


def _in_force(subject: Subject) -> list[tuple[int, pl.DataFrame]]:
    """The last row of every option after some shares of the session's rows, and the window of each (ns)."""
    total = sum(batch.height for batch in subject.read(["instrument_id"]))
    cuts = sorted({max(int(share * total), 1) for share in MOMENTS})
    states: list[tuple[int, pl.DataFrame]] = []
    held: list[pl.DataFrame] = []
    done = 0
    for batch in subject.read(["instrument_id", "window_end", "iv", "delta"]):
        begin = 0
        while len(states) < len(cuts) and cuts[len(states)] <= done + batch.height:
            upto = cuts[len(states)] - done
            held = [_last(held, batch[begin:upto])]
            states.append((int(batch["window_end"].to_physical()[upto - 1]), held[0]))
            begin = upto
        held = [_last(held, batch[begin:])]
        done += batch.height
    return states


def _last(held: list[pl.DataFrame], more: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([*held, more], how="diagonal").group_by("instrument_id", maintain_order=True).last()


def _definitions(subject: Subject) -> pl.DataFrame | None:
    """Strike and expiration by instrument, by the last definition of each; None where nothing is at hand."""
    known = subject.beside(DEFINITION, ["instrument_id", "strike_price_int", "expiration"])
    return None if known is None else known.group_by("instrument_id", maintain_order=True).last()


def _out_of_the_money(state: pl.DataFrame, names: pl.DataFrame | None) -> pl.DataFrame:
    """Columns `x`, `iv`, `expiration` of the priced options whose delta is below a half, by x."""
    priced = state.filter(pl.col("iv").is_not_null() & (pl.col("delta").abs() <= 0.5))
    if names is None:
        x = pl.when(pl.col("delta") < 0).then(pl.col("delta") + 1).otherwise("delta")
        return priced.select(x=x.cast(pl.Float64), iv="iv", expiration=pl.lit(None, pl.Datetime("ns", "UTC"))).sort("x")
    strike = (pl.col("strike_price_int") / 1e9).alias("x")
    return priced.join(names, on="instrument_id").select(strike, "iv", "expiration").sort("x")


def _smile(ax: Axes, smile: pl.DataFrame, color: tuple, label: str) -> None:
    ax.plot(
        smile["x"].to_numpy(), smile["iv"].to_numpy(), color=color, linewidth=0.7, marker=".", markersize=3, label=label
    )


def _colors(n: int) -> list[tuple]:
    return [tuple(color) for color in colormaps["viridis"](np.linspace(0.0, 0.85, max(n, 1)))][:n]


def _clock(end_ns: int, expiry: Any = None) -> str:
    """Time of day, and the expiration's date where that is another."""
    moment = datetime.fromtimestamp(end_ns / 1e9, NEW_YORK)
    clock = moment.strftime("%H:%M:%S")
    if expiry is None or expiry.astimezone(NEW_YORK).date() == moment.date():
        return clock
    return f"{clock} ({expiry.astimezone(NEW_YORK):%m-%d})"


def _day(expiry: Any) -> str:
    return "all" if expiry is None else expiry.astimezone(NEW_YORK).strftime("%m-%d %H:%M")
