"""Definitions, as the chain that they describe."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from spymaster.surfaces.pictures import Subject
from spymaster.surfaces.pictures.canvas import ASK, BID, figure, legend

MOST_EXPIRIES = 16
_SHIFT = 0.12
"""Calls left of the middle of their expiry, puts right of it."""


def option_definition(subject: Subject) -> Figure:
    """Strikes listed for each of the nearest expirations from the date on."""
    columns = ["instrument_id", "right", "strike_price_int", "expiration", "is_deleted"]
    last = subject.frame(columns).group_by("instrument_id", maintain_order=True).last()
    listed = last.filter(
        ~pl.col("is_deleted"), pl.col("right").is_not_null(), pl.col("expiration").dt.date() >= subject.dt
    )
    expiries = listed["expiration"].unique().sort()
    shown = expiries.head(MOST_EXPIRIES)
    later = f", the nearest {len(shown)} shown" if len(expiries) > len(shown) else ""
    made, axes = figure(subject.title(f"{listed.height:,} options of {len(expiries)} expirations{later}"), 1, 1)
    chain = axes[0, 0]
    for right, color, label, shift in (("C", BID, "calls", -_SHIFT), ("P", ASK, "puts", _SHIFT)):
        part = listed.filter(pl.col("right") == right, pl.col("expiration").is_in(shown.implode()))
        at = shown.search_sorted(part["expiration"])
        chain.plot(
            at.to_numpy() + shift, part["strike_price_int"].to_numpy() / 1e9, ".", color=color, markersize=2.5,
            label=f"{label} {(listed['right'] == right).sum():,}",
        )  # fmt: skip
    chain.set_xticks(
        range(len(shown)),
        [f"{moment:%m-%d}" for moment in shown.dt.convert_time_zone("America/New_York")],
        fontsize=6.5,
    )
    chain.set_xlim(-0.6, max(len(shown), 4) - 0.4)
    chain.set_xlabel("expiration, New York date", fontsize=7)
    chain.set_ylabel("strike", fontsize=7)
    chain.ticklabel_format(axis="y", useOffset=False)
    legend(chain, loc="upper right")
    return made
