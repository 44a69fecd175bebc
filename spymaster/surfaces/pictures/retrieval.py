"""What earlier setups say: the library, the answers against their base rates, and the neighbours they rest on."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import ASK, BID, NEUTRAL, days, figure, legend, new_york

_OUTCOMES = (("break", BID), ("reject", ASK), ("chop", NEUTRAL))


def retrieval_index(subject: Subject) -> Figure:
    """Setups of each earlier date by outcome, panel by panel."""
    frame = subject.frame(["family", "kind", "horizon_s", "vector_dt", "outcome"]).with_columns(
        pl.col("kind", "outcome").cast(pl.String)
    )
    panels = frame.select("family", "kind", "horizon_s").unique().sort("kind", "family", "horizon_s").rows()
    sessions = frame["vector_dt"].unique().sort().to_list()
    made, axes = figure(
        subject.title(f"setups of {len(sessions)} earlier dates by outcome"), 2, 4, {"hspace": 0.3}, sharex=True
    )
    for ax, (family, kind, horizon) in zip(axes.flat, panels, strict=False):
        rows = frame.filter((pl.col("family") == family) & (pl.col("kind") == kind) & (pl.col("horizon_s") == horizon))
        bottom = np.zeros(len(sessions))
        for outcome, color in _OUTCOMES:
            part = rows.filter(pl.col("outcome") == outcome)["vector_dt"].to_list()
            heights = np.array([part.count(day) for day in sessions])
            ax.bar(range(len(sessions)), heights, bottom=bottom, color=color, width=0.9, label=outcome)
            bottom += heights
        ax.set_title(f"{kind} {family}, {horizon} s: {rows.height:,}", fontsize=7.5, pad=2)
        ax.set_xticks([0, len(sessions) - 1], [f"{sessions[0]:%m-%d}", f"{sessions[-1]:%m-%d}"], fontsize=6)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    legend(axes[0][0], loc="upper left")
    return made


def retrieval_result(subject: Subject) -> Figure:
    """Share of each outcome less its base rate, question by question; hollow where the answer is that there is none."""
    columns = [
        "ts_query",
        "contract",
        "abstain",
        "provisional",
        *(f"{p}_{name}" for p in ("p", "p0") for name, _ in _OUTCOMES),
    ]
    frame = subject.frame(columns).sort("ts_query")
    said = frame.filter(pl.col("p_break").is_not_null())
    provisional = "   provisional" if bool(frame["provisional"].any()) else ""
    text = f"share of outcomes among neighbours less base rate, {said.height} of {frame.height} questions{provisional}"
    made, axes = figure(subject.title(text, frame["contract"][0]), 1, 1)
    ax = axes[0][0]
    hollow = said["abstain"].to_numpy()
    x = days(said["ts_query"].to_physical().to_numpy())
    for name, color in _OUTCOMES:
        y = (said[f"p_{name}"] - said[f"p0_{name}"]).to_numpy()
        ax.plot(x[~hollow], y[~hollow], "o", color=color, markersize=4, label=name)
        ax.plot(x[hollow], y[hollow], "o", color=color, markersize=4, markerfacecolor="none")
    ax.axhline(0, color="0.5", linewidth=0.6)
    ax.set_ylabel("p - p0", fontsize=7)
    ends = frame["ts_query"].to_physical().to_numpy()
    new_york(ax, int(ends.min()) - 30_000_000_000, int(ends.max()) + 30_000_000_000)
    legend(ax, loc="upper left")
    return made


def retrieval_neighbor(subject: Subject) -> Figure:
    """How far the neighbours of the questions are, and what came of them, by rank."""
    frame = subject.frame(["query_id", "rank", "distance", "outcome"]).with_columns(pl.col("outcome").cast(pl.String))
    questions = frame["query_id"].n_unique()
    made, axes = figure(subject.title(f"neighbours of {questions} questions by rank"), 2, 1, sharex=True)
    far, shares = axes[:, 0]
    by_rank = frame.group_by("rank").agg(
        low=pl.col("distance").quantile(0.1), middle=pl.col("distance").median(), high=pl.col("distance").quantile(0.9),
        **{name: (pl.col("outcome") == name).mean() for name, _ in _OUTCOMES},
    ).sort("rank")  # fmt: skip
    rank = by_rank["rank"].to_numpy()
    far.fill_between(
        rank, by_rank["low"].to_numpy(), by_rank["high"].to_numpy(), color=NEUTRAL, alpha=0.25, linewidth=0
    )
    far.plot(rank, by_rank["middle"].to_numpy(), ".-", color="0.25", linewidth=0.8)
    far.set_ylabel("distance (median, 10-90 %)", fontsize=7)
    bottom = np.zeros(len(rank))
    for name, color in _OUTCOMES:
        shares.bar(rank, by_rank[name].to_numpy(), bottom=bottom, color=color, width=0.9, label=name)
        bottom += by_rank[name].to_numpy()
    shares.set_ylabel("share of outcomes", fontsize=7)
    shares.set_xlabel("rank", fontsize=7)
    legend(shares, loc="lower left", ncols=3)
    return made
