"""The f* and u* families of the mission: views of the radar columns, defined here once and stored nowhere.

f is an approach from above (downwards): ahead lies the bid, behind the ask. u is an approach from below (upwards):
ahead the ask, behind the bid. Each u view is the mirror image of the f view of the same number, so a book mirrored
around spot has its u values where the other had its f values. 'Expansion' sums the displacement of both sides, 'decay'
their pull over add; 'travel' takes what is ahead minus what is behind: ahead retreats, behind advances.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import polars as pl

from spymaster.tables.radar_vacuum_1s import FEATURES

SHAPE_FEATURES: Final = tuple(FEATURES)[:6]
FLOW_FEATURES: Final = tuple(FEATURES)[6:11]

Direction = Literal["down", "up"]
Weights = Mapping[str, float]
"""A view: coefficients of radar columns; every view is linear in them."""


def _family(letter: str, ahead: str, behind: str) -> dict[str, Weights]:
    views: dict[str, Weights] = {}
    for number, side in ((1, behind), (3, ahead)):
        views |= {f"{letter}{number}_{side}_{name}": {f"{side}_{name}": 1.0} for name in SHAPE_FEATURES}
        views |= {f"{letter}{number + 1}_{side}_{name}": {f"{side}_{name}": 1.0} for name in FLOW_FEATURES}
    moved, pulled = "com_disp_log", "pull_add_log_rest"
    expansion = {f"{ahead}_{moved}": 1.0, f"{behind}_{moved}": 1.0}
    decay = {f"{ahead}_{pulled}": 1.0, f"{behind}_{pulled}": 1.0}
    travel_expansion = {f"{ahead}_{moved}": 1.0, f"{behind}_{moved}": -1.0}
    travel_flow = {f"{ahead}_{pulled}": 1.0, f"{behind}_{pulled}": -1.0}
    return views | {
        f"{letter}5_vacuum_expansion_log": expansion,
        f"{letter}6_vacuum_decay_log": decay,
        f"{letter}7_vacuum_total_log": expansion | decay,
        f"{letter}8_{behind}_bbo_dist_ticks": {f"{behind}_bbo_dist_ticks": 1.0},
        f"{letter}9_{ahead}_bbo_dist_ticks": {f"{ahead}_bbo_dist_ticks": 1.0},
        f"{letter}10_travel_expansion_log": travel_expansion,
        f"{letter}11_travel_flow_log": travel_flow,
        f"{letter}12_travel_total_log": travel_expansion | travel_flow,
    }


VIEWS: Final[Mapping[Direction, Mapping[str, Weights]]] = {
    "down": _family("f", ahead="bid", behind="ask"),
    "up": _family("u", ahead="ask", behind="bid"),
}


def fu_view(radar: pl.DataFrame, direction: Direction) -> pl.DataFrame:
    """`window_end` and the views of one direction (down: f*, up: u*), each with its d1_, d2_, d3_, float64.

    radar: rows of `silver.radar_vacuum_1s`; null where a column that the view needs is null.
    """
    return radar.select(
        "window_end",
        *(
            pl.sum_horizontal(
                *(weight * pl.col(f"{order}{column}").cast(pl.Float64) for column, weight in weights.items()),
                ignore_nulls=False,
            ).alias(f"{order}{name}")
            for order in ("", "d1_", "d2_", "d3_")
            for name, weights in VIEWS[direction].items()
        ),
    )
