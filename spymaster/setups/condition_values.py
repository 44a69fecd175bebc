"""Retreat, net pull and consumption from the sums of `silver.move_measure_1s`: the formulas that scale and rows share.

    retreat      r = (C(t) - C(t - w))/w                      ticks/s, + away from spot
    net pull     n = ln((pull + e)/(add + e))                 all ages in both terms
    consumption  f = ln(1 + fill/(Q(t - w) + e))

e is the larger of 1 % of the usual add (median over earlier sessions of the half hour and look-back) and half a lot.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from spymaster.tables.move_measure_1s import MOVE_SIDES, measure

BUCKET_MINUTES: Final = 30
SMALLEST_EPS: Final = 0.5
EPS_SHARE: Final = 0.01


def tod_bucket() -> pl.Expr:
    """Half hour of the New York day in which a second starts (Int32)."""
    start = pl.col("window_end").dt.offset_by("-1s").dt.convert_time_zone("America/New_York")
    minutes = start.dt.hour().cast(pl.Int32) * 60 + start.dt.minute().cast(pl.Int32)
    return (minutes // BUCKET_MINUTES).cast(pl.Int32)


def eps(usual_add: pl.Expr) -> pl.Expr:
    """e from the usual add, lots; null where that is not known."""
    share = EPS_SHARE * usual_add
    return pl.when(share.is_not_null()).then(pl.max_horizontal(share, pl.lit(SMALLEST_EPS)))


def retreat(side: str, horizon: int) -> pl.Expr:
    """r, ticks/s."""
    return (pl.col(measure("c1", side, horizon)) - pl.col(measure("c0", side, horizon))) / horizon


def net_pull(side: str, horizon: int, e: pl.Expr) -> pl.Expr:
    """n."""
    return ((pl.col(measure("pull", side, horizon)) + e) / (pl.col(measure("add", side, horizon)) + e)).log()


def consumption(side: str, horizon: int, e: pl.Expr) -> pl.Expr:
    """f."""
    return (1.0 + pl.col(measure("fill", side, horizon)) / (pl.col(measure("q0", side, horizon)) + e)).log()


def condition_values(horizon: int, e: pl.Expr) -> dict[str, pl.Expr]:
    """The measures with a z, by their names without the look-back."""
    values = {}
    for side in MOVE_SIDES:
        values[f"r_{side}"] = retreat(side, horizon)
        values[f"n_{side}"] = net_pull(side, horizon, e)
        values[f"f_{side}"] = consumption(side, horizon, e)
    return values
