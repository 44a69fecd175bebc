"""What orders did: their messages by kind and place, and how long they live."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import ASK, BID, NEUTRAL, bin_seconds, figure, legend, new_york, said

KINDS = {
    "add": ("add", "#4c9f70"),
    "cancel": ("cancel", "#b8b8b8"),
    "reprice": ("reprice", "#e0b94f"),
    "size": ("other size", "#8c6bb1"),
    "fill": ("fill", "#c2571a"),
    "trade": ("trade", "#555555"),
}
DISTANCES = range(-3, 21)
BINS_PER_DECADE = 12
FIRST_DECADE, LAST_DECADE = -5, 4
"""Ages drawn, powers of ten of seconds."""
MARKS = ((1e-3, "1 ms"), (1e-2, "10 ms"), (1e-1, "100 ms"), (2.0, "2 s"))


def order_event(subject: Subject) -> Figure:
    """Messages over time by kind, and how far from the best price orders come, go and are executed."""
    kind = pl.col("kind").cast(pl.String)
    short = (
        pl.when(kind.str.starts_with("size"))
        .then(pl.lit("size"))
        .when(kind.str.starts_with("trade"))
        .then(pl.lit("trade"))
        .when(kind.str.starts_with("fill") | (kind == "refill"))
        .then(pl.lit("fill"))
        .otherwise(kind)
    )
    second = pl.col("ts_event").to_physical() // 1_000_000_000
    contract = ""
    times, places = [], []
    for batch in subject.read(["contract", "ts_event", "kind", "dist_ticks"]):
        contract = batch["contract"][0]
        named = batch.select(short.alias("kind"), "dist_ticks", second=second)
        times.append(named.group_by("second", "kind").len())
        places.append(named.group_by("kind", pl.col("dist_ticks").clip(DISTANCES[0], DISTANCES[-1])).len())
    counts = pl.concat(times).group_by("second", "kind").agg(pl.col("len").sum())
    first, last = int(counts["second"].to_numpy().min()), int(counts["second"].to_numpy().max()) + 1
    width = bin_seconds(first * 10**9, last * 10**9, most=240)
    made, axes = figure(
        subject.title(f"{counts['len'].sum():,} messages of orders", contract), 1, 2, width_ratios=(2, 1)
    )
    time, place = axes[0]
    edges = np.arange(first, last + width, width)
    by_kind = {
        name: np.histogram(part["second"].to_numpy(), edges, weights=part["len"].to_numpy())[0] / width
        for name in KINDS
        if (part := counts.filter(kind=name)).height
    }
    total = counts["len"].sum()
    time.stackplot(
        (edges[:-1] + width / 2) / 86_400,
        *by_kind.values(),
        labels=[f"{KINDS[name][0]} {rate.sum() * width / total:.1%}" for name, rate in by_kind.items()],
        colors=[KINDS[name][1] for name in by_kind],
        step="mid",
        linewidth=0,
    )
    time.set_ylabel(f"messages per second, mean of {said(width)}", fontsize=7)
    legend(time, loc="upper left", ncols=2)
    new_york(time, first * 10**9, last * 10**9)
    spread = pl.concat(places).drop_nulls().group_by("kind", "dist_ticks").agg(pl.col("len").sum())
    for name in ("add", "cancel", "reprice", "fill"):
        part = spread.filter(kind=name).sort("dist_ticks")
        place.plot(
            part["dist_ticks"].to_numpy(), part["len"].to_numpy(), ".-", color=KINDS[name][1], label=name, lw=0.9
        )
    place.set_yscale("log")
    place.set_xlabel("ticks behind the best price of the side (20: or more)", fontsize=7)
    place.set_ylabel("messages", fontsize=7)
    legend(place, loc="best")
    return made


def order_life(subject: Subject) -> Figure:
    """At what ages orders are cancelled and filled, and what share of them is gone by then."""
    edges = np.arange(FIRST_DECADE * BINS_PER_DECADE, LAST_DECADE * BINS_PER_DECADE + 1) / BINS_PER_DECADE
    ages = {"cancel": np.zeros(len(edges) - 1), "fill": np.zeros(len(edges) - 1)}
    seen, contract = 0, ""
    shares = np.zeros(len(MARKS))
    tallies = []
    for batch in subject.read(["contract", "ts_add", "ts_end", "end_reason", "known_add"]):
        contract = batch["contract"][0]
        tallies.append(batch.group_by("end_reason").len())
        known = batch.filter("known_add").select(
            "end_reason", age=(pl.col("ts_end").to_physical() - pl.col("ts_add").to_physical()) / 1e9
        )
        for reason, counts in ages.items():
            age = known.filter(end_reason=reason)["age"].to_numpy()
            counts += np.histogram(np.log10(np.maximum(age, 10.0**FIRST_DECADE)), edges)[0]
            if reason == "cancel":
                seen += len(age)
                shares += np.array([(age < mark).sum() for mark, _ in MARKS])
    ends = pl.concat(tallies).group_by("end_reason").agg(pl.col("len").sum()).cast({"end_reason": pl.String})
    made, axes = figure(subject.title(f"{ends['len'].sum():,} lives of orders", contract), 1, 2, width_ratios=(2, 1))
    age_axis, share = axes[0]
    number = dict(ends.iter_rows())
    for reason, color in (("cancel", NEUTRAL), ("fill", ASK)):
        age_axis.stairs(ages[reason], 10.0**edges, color=color, label=f"{reason} {number.get(reason, 0):,}")
    age_axis.set_xscale("log")
    age_axis.set_yscale("symlog", linthresh=10)
    age_axis.set_xlabel("age at the end, seconds (entry seen)", fontsize=7)
    age_axis.set_ylabel(f"orders per {BINS_PER_DECADE}th of a decade", fontsize=7)
    legend(age_axis, loc="best")
    at = np.arange(len(MARKS))
    share.bar(at, shares / max(seen, 1), color=BID)
    share.set_xticks(at, [f"< {label}" for _, label in MARKS], fontsize=7)
    share.set_ylim(0, 1)
    share.set_ylabel("share of cancelled orders", fontsize=7)
    return made
