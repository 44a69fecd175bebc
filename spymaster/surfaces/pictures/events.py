"""Tables of messages and events: what was sent, traded, quoted, and which contract is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from math import gcd

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import (
    ASK,
    BID,
    NEUTRAL,
    TOTAL,
    bars,
    bin_seconds,
    binned,
    figure,
    legend,
    new_york,
    said,
)

ACTIONS = {
    "A": ("add", "#4c9f70"),
    "C": ("cancel", "#b8b8b8"),
    "M": ("modify", "#e0b94f"),
    "F": ("fill", "#c2571a"),
    "T": ("trade", "#7b3294"),
    "R": ("clear", "#d73027"),
    "N": ("none", "#555555"),
}
TEN_NS = 10 * 1_000_000_000
MOST_CONTRACTS = 10
MOST_PRICES = 60
SIZES = (1, 2, 3, 4, 6, 10, 20, 50, 100, 200)
"""Smallest trade of each size class, lots."""
SIZE_LABELS = ("1", "2", "3", "4-5", "6-9", "10+", "20+", "50+", "100+", "200+")


def future_mbo(subject: Subject) -> Figure:
    """Messages over time by action, and by contract."""
    tens = _tens(subject, "contract")
    made, axes = figure(subject.title(f"{tens['len'].sum():,} messages"), 1, 2, width_ratios=(2.6, 1))
    time, contracts = axes[0]
    _messages_over_time(time, tens)
    rows = tens.group_by("contract").agg(pl.col("len").sum()).sort("len", "contract", descending=[True, False])
    names = rows["contract"].head(MOST_CONTRACTS).to_list()
    contracts.barh(range(len(names)), rows["len"].head(MOST_CONTRACTS).to_numpy(), color=NEUTRAL)
    contracts.set_yticks(range(len(names)), names)
    contracts.set_ylim(max(len(names), 4) - 0.5, -0.5)
    contracts.set_xscale("symlog", linthresh=100)
    contracts.set_xlim(0, 2 * int(rows["len"][0]))
    contracts.set_xlabel(f"messages by contract ({rows.height} in all)", fontsize=7)
    return made


def option_mbo(subject: Subject) -> Figure:
    """Messages over time by action, and how few options most of them are about."""
    tens = _tens(subject, "instrument_id")
    made, axes = figure(subject.title(f"{tens['len'].sum():,} messages of options"), 1, 2, width_ratios=(2.6, 1))
    time, busiest = axes[0]
    _messages_over_time(time, tens)
    counts = np.sort(tens.group_by("instrument_id").agg(pl.col("len").sum())["len"].to_numpy())[::-1]
    busiest.step(
        np.arange(len(counts) + 1), np.r_[0, counts.cumsum()] / counts.sum(), where="post", color=TOTAL, linewidth=0.9
    )
    busiest.set_xscale("symlog", linthresh=10)
    busiest.set_xlim(0, max(len(counts), 10))
    busiest.set_ylim(0, 1.02)
    busiest.set_xlabel(f"busiest instruments ({len(counts):,} in all)", fontsize=7)
    busiest.set_ylabel("share of messages", fontsize=7)
    return made


def _tens(subject: Subject, by: str) -> pl.DataFrame:
    """Messages per 10 seconds (`bin`), action and instrument."""
    counts = [
        batch.group_by(by, "action", ((pl.col("ts_recv").to_physical() - 1) // TEN_NS).alias("bin")).len()
        for batch in subject.read([by, "action", "ts_recv"])
    ]
    return pl.concat(counts).group_by(by, "action", "bin").agg(pl.col("len").sum())


def _messages_over_time(time: Axes, tens: pl.DataFrame) -> None:
    """Stack the messages per second by action."""
    first, last = int(tens["bin"].to_numpy().min()) * TEN_NS, int(tens["bin"].to_numpy().max() + 1) * TEN_NS
    seconds = max(bin_seconds(first, last, most=240), 10)
    by_time = (
        tens.with_columns(bin=pl.col("bin") // (seconds // 10))
        .group_by("bin", "action")
        .agg(pl.col("len").sum())
        .pivot(on="action", index="bin", values="len")
        .sort("bin")
        .fill_null(0)
    )
    total = int(tens["len"].sum())
    by_action = dict(tens.group_by("action").agg(pl.col("len").sum()).cast({"action": pl.String}).iter_rows())
    shown = [action for action in ACTIONS if action in by_time.columns]
    every = pl.DataFrame({"bin": np.arange(by_time["bin"][0], by_time["bin"][-1] + 1)})
    filled = every.join(by_time, on="bin", how="left").fill_null(0)
    x = (filled["bin"].to_numpy() + 0.5) * seconds / 86_400
    time.stackplot(
        x,
        *(filled[action].to_numpy() / seconds for action in shown),
        labels=[f"{ACTIONS[action][0]} {by_action[action] / total:.1%}" for action in shown],
        colors=[ACTIONS[action][1] for action in shown],
        step="mid",
        linewidth=0,
    )
    time.set_ylabel(f"messages per second, mean of {said(seconds)}", fontsize=7)
    legend(time, loc="upper left", ncols=2)
    new_york(time, first, last)


def trade(subject: Subject) -> Figure:
    """Volume at each price by aggressor, and how large trades are."""
    frame = subject.frame(["contract", "price_int", "qty", "aggressor", "levels_consumed"])
    tick = _unit(frame["price_int"])
    low, high = int(frame["price_int"].to_numpy().min()), int(frame["price_int"].to_numpy().max())
    group = -(-((high - low) // tick + 1) // MOST_PRICES)
    levels = (
        frame.with_columns(level=(pl.col("price_int") - low) // (tick * group))
        .group_by("level", "aggressor")
        .agg(pl.col("qty").sum())
    )
    volume, events = int(frame["qty"].sum()), frame.height
    made, axes = figure(
        subject.title(f"{events:,} trades, {volume:,} lots", frame["contract"][0]), 1, 2, width_ratios=(1.3, 1)
    )
    profile, sizes = axes[0]
    left = np.zeros((high - low) // (tick * group) + 1)
    price = (low + (np.arange(len(left)) + 0.5 * (group - 1) / group) * tick * group) / 1e9
    for code, color, label in (("B", BID, "buyers"), ("A", ASK, "sellers"), ("N", NEUTRAL, "none (auction, implied)")):
        part = levels.filter(pl.col("aggressor") == code)
        lots = np.zeros(len(left))
        lots[part["level"].to_numpy()] = part["qty"].to_numpy()
        if lots.any():
            profile.barh(
                price, lots, 0.9 * tick * group / 1e9, left=left, color=color, label=f"{label} {lots.sum():,.0f}"
            )
        left += lots
    profile.set_xlabel(f"lots per {tick * group / 1e9:g} of price", fontsize=7)
    profile.set_ylabel("price", fontsize=7)
    profile.ticklabel_format(axis="y", useOffset=False)
    legend(profile, loc="best")
    size_class = np.searchsorted(SIZES, frame["qty"].to_numpy(), side="right") - 1
    swept = frame["levels_consumed"].to_numpy() > 1
    one, more = (np.bincount(np.maximum(size_class[part], 0), minlength=len(SIZES)) for part in (~swept, swept))
    at = np.arange(len(SIZES))
    sizes.bar(at, one, color=NEUTRAL, label="one price")
    sizes.bar(at, more, bottom=one, color="#7b3294", label=f"two prices or more, {more.sum() / events:.1%}")
    sizes.set_xticks(at, SIZE_LABELS, fontsize=6.5)
    sizes.set_yscale("log")
    sizes.set_ylim(bottom=0.7)
    sizes.set_xlabel("lots per trade event", fontsize=7)
    sizes.set_ylabel("trade events", fontsize=7)
    legend(sizes, loc="upper right")
    return made


def bbo_change(subject: Subject) -> Figure:
    """How often the best bid or offer changes, and how wide the spread is, by time spent."""
    contract, first, last = "", 0, 0
    for batch in subject.read(["ts_event", "contract"]):
        ends = batch["ts_event"].to_physical()
        contract, first, last = batch["contract"][0], first or int(ends[0]), int(ends[-1])
    seconds = bin_seconds(first, last, most=240)
    rates, widths = zip(*_quotes(subject, seconds), strict=True)
    rows = pl.concat(rates).group_by("bin", "x").sum().sort("bin")
    spreads = pl.concat(widths).group_by("spread").sum().sort("spread")
    made, axes = figure(
        subject.title(f"{rows['len'].sum():,} changes of the best bid or offer", contract), 1, 2, width_ratios=(2.2, 1)
    )
    rate, spread = axes[0]
    width = seconds / 86_400
    bars(rate, rows["x"].to_numpy(), rows["len"].to_numpy() / seconds, width, color="0.75", label="any change")
    bars(rate, rows["x"].to_numpy(), rows["moves"].to_numpy() / seconds, width, color=BID, label="a price changed")
    rate.set_ylim(bottom=0)
    rate.set_ylabel(f"per second, mean of {said(seconds)}", fontsize=7)
    legend(rate, loc="best")
    new_york(rate, first, last)
    tick = reduce(gcd, spreads["spread"].to_list(), 0) or 1
    lasted = spreads.group_by(ticks=(pl.col("spread") // tick).clip(-1, 8)).agg(pl.col("lasted").sum()).sort("ticks")
    share = lasted["lasted"].to_numpy() / max(int(lasted["lasted"].sum()), 1)
    spread.bar(lasted["ticks"].to_numpy(), share, color=NEUTRAL)
    spread.set_xlim(-1.6, 8.6)
    spread.set_xticks(range(-1, 9), ["< 0", *map(str, range(8)), "> 7"])
    spread.set_xlabel(f"spread, steps of {tick / 1e9:g} (valid book)", fontsize=7)
    spread.set_ylabel("share of time", fontsize=7)
    return made


def _quotes(subject: Subject, seconds: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Per batch: changes by time bin, and nanoseconds spent at each spread. Rows see the one before over the edge."""
    prices = ("bid_price_int", "ask_price_int")
    moved = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in prices)
    before: pl.DataFrame | None = None
    for batch in subject.read(["ts_event", *prices, "book_valid"]):
        frame = batch if before is None else pl.concat([before, batch])
        new = frame.with_columns(moves=moved)[0 if before is None else 1 :]
        spent = frame.select(
            "book_valid",
            lasted=pl.col("ts_event").to_physical().diff().shift(-1),
            spread=pl.col("ask_price_int") - pl.col("bid_price_int"),
        ).filter(pl.col("book_valid") & pl.col("spread").is_not_null() & pl.col("lasted").is_not_null())
        rate = binned(new, seconds, pl.len().cast(pl.Int64), pl.col("moves").sum().cast(pl.Int64), time="ts_event")
        yield rate, spent.group_by("spread").agg(pl.col("lasted").sum())
        before = batch[-1:]


def contract_day_selection(subject: Subject) -> Figure:
    """Volume of every contract on the day and in the session the choice rests on."""
    frame = subject.frame(["contract", "trade_volume", "prev_volume", "is_selected", "basis"])
    most = pl.max_horizontal("trade_volume", pl.col("prev_volume").fill_null(0))
    shown = frame.with_columns(most=most).sort("is_selected", "most", "contract", descending=[True, True, False])
    shown = shown.head(MOST_CONTRACTS)
    chosen = frame.filter("is_selected")
    what = f"selected {chosen['contract'][0]} ({chosen['basis'][0]})" if chosen.height else "no contract selected"
    made, axes = figure(subject.title(what))
    ax = axes[0, 0]
    at = np.arange(shown.height)
    colors = [ASK if selected else NEUTRAL for selected in shown["is_selected"]]
    ax.barh(at, shown["trade_volume"].to_numpy(), 0.6, color=colors, label="volume of the date")
    previous = shown["prev_volume"].cast(pl.Float64).to_numpy()
    ax.scatter(previous, at, marker="D", s=18, color="black", zorder=3, label="volume of the prior session (decides)")
    ax.set_yticks(at, shown["contract"].to_list())
    ax.set_ylim(max(shown.height, 4) - 0.5, -0.5)
    ax.set_xscale("symlog", linthresh=10)
    ax.set_xlim(0, 2 * max(int(shown["most"].to_numpy().max()), 10))
    ax.set_xlabel(f"lots ({frame.height} outrights in the file)", fontsize=7)
    legend(ax, loc="lower right")
    return made


def _unit(prices: pl.Series) -> int:
    """Greatest common divisor of the distances of some prices: the tick, or a multiple that serves as well."""
    distinct = prices.drop_nulls().unique().sort()
    steps = distinct.diff().drop_nulls().unique().to_list()
    return reduce(gcd, steps, 0) or 1_000_000_000
