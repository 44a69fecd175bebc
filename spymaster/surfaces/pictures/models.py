"""Models of the outcome: do their probabilities agree with frequencies?"""

from __future__ import annotations

import json

import polars as pl
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import ASK, BID, NEUTRAL, figure, legend

_COLORS = {"logit": BID, "gbm": ASK, "knn": NEUTRAL, "stack": "0.1"}


def outcome_model(subject: Subject) -> Figure:
    """Frequency against probability in ten bins of inner folds, by panel and head; on the line is right."""
    columns = ["kind", "family", "horizon_s", "head", "algo", "n_train", "status", "provisional", "calibration_json"]
    frame = subject.frame(columns).with_columns(pl.col("kind", "head", "algo", "status").cast(pl.String))
    places = frame.select("kind", "family", "horizon_s", "head").unique(maintain_order=True).rows()
    fitted = int((frame["status"] == "fitted").sum())
    provisional = "   provisional" if fitted and bool(frame["provisional"].any()) else ""
    text = f"outcome models, frequency by probability, {fitted} of {frame.height} fitted{provisional}"
    made, axes = figure(subject.title(text), 1, max(len(places), 1))
    for ax, place in zip(axes[0], places, strict=True):
        rows = frame.filter(
            (pl.col("kind") == place[0]) & (pl.col("family") == place[1]) & (pl.col("horizon_s") == place[2])
            & (pl.col("head") == place[3])
        )  # fmt: skip
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.6)
        for algo, told in rows.select("algo", "calibration_json").iter_rows():
            bins = None if told is None else json.loads(told)["bins"]
            if bins is not None:
                ax.plot(bins["p_mean"], bins["share"], ".-", color=_COLORS[algo], linewidth=0.8, label=algo)
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.set_title(f"{place[0]} {place[1]} {place[2]} s, {place[3]}: {rows['n_train'].max():,}", fontsize=7.5, pad=2)
        ax.set_xlabel("probability", fontsize=7)
        if any(told is not None for told in rows["calibration_json"]):
            legend(ax, loc="upper left")
    axes[0][0].set_ylabel("frequency", fontsize=7)
    return made
