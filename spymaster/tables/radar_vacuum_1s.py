"""`silver.radar_vacuum_1s`: is the liquidity around spot retreating, being pulled, or building?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from spymaster.tables.model import Column, Columns, Invariant, TableModel
from spymaster.tables.types import APPROACH_DIRECTION, NEAR_SPOT_TICKS, TIMESTAMP

SIDES = ("ask", "bid")

FEATURES: dict[str, Column] = {
    "com_disp_log": Column(pl.Float32, "ln((d_end + 1)/(d_start + 1)), d the mean distance of the quantity from spot"),
    "slope_convex_log": Column(pl.Float32, "ln((FAR + E)/(NEAR + E)) at window_end"),
    "slope_inner_log": Column(pl.Float32, "ln((NEAR + E)/(AT + E)) at window_end"),
    "at_share_delta": Column(pl.Float32, "change of AT's share of the 20 ticks over the window", ge=-1, le=1),
    "near_share_delta": Column(pl.Float32, "change of NEAR's share of the 20 ticks over the window", ge=-1, le=1),
    "reprice_away_share_rest": Column(
        pl.Float32, "share of moved resting quantity that moved away from spot, 0.5 if none moved", ge=0, le=1
    ),
    "pull_add_log_rest": Column(pl.Float32, "ln((resting pull + E)/(add + E))"),
    "pull_intensity_log_rest": Column(pl.Float32, "ln(1 + resting pull/(total at start + E))", ge=0),
    "add_intensity_log": Column(pl.Float32, "ln(1 + add/(total at start + E))", ge=0),
    "at_pull_share_rest": Column(pl.Float32, "resting pull in AT/(resting pull + E)", ge=0, le=1),
    "near_pull_share_rest": Column(pl.Float32, "resting pull in NEAR/(resting pull + E)", ge=0, le=1),
    "fill_intensity_log": Column(pl.Float32, "ln(1 + fill/(total at start + E))", ge=0),
    "bbo_dist_ticks": Column(
        pl.Float32, "distance of the best level in range, 20 if there is none", unit="ticks", ge=0, le=NEAR_SPOT_TICKS
    ),
}
"""The thirteen features of a side, in order; E is the instrument's `eps_qty`."""

BASE_COLUMNS: tuple[str, ...] = tuple(f"{side}_{feature}" for side in SIDES for feature in FEATURES)
DERIVATIVES: tuple[str, ...] = ("d1", "d2", "d3")


def _feature_columns() -> Iterator[tuple[str, Column]]:
    for side in SIDES:
        for feature, column in FEATURES.items():
            text = f"{side} side: {column.description}; null without spot"
            unit = column.unit or "1"
            yield f"{side}_{feature}", Column(pl.Float32, text, unit=unit, nullable=True, ge=column.ge, le=column.le)
    for order, derivative in enumerate(DERIVATIVES, start=1):
        for name in BASE_COLUMNS:
            text = f"difference {order} of {name} between consecutive seconds; null without spot"
            yield f"{derivative}_{name}", Column(pl.Float32, text, unit=f"1/s{order}", nullable=True)


def _features_follow_spot(pl: Any) -> pl.Expr:
    spot_missing = pl.col("spot_ref_price_int").is_null()
    return pl.all_horizontal([pl.col(name).is_null() == spot_missing for name in BASE_COLUMNS])


def _derivatives_need_spot(pl: Any) -> pl.Expr:
    names = [f"{derivative}_{name}" for derivative in DERIVATIVES for name in BASE_COLUMNS]
    return pl.col("spot_ref_price_int").is_not_null() | pl.all_horizontal([pl.col(name).is_null() for name in names])


class RadarVacuum1s(TableModel):
    """One row per second: dimensionless features of asks at or above spot and bids at or below it, within 20 ticks.

    Start and end of the window are both measured against the spot of its end, so that a moving spot does not fake a
    moving book. d1_, d2_, d3_ are differences per second.
    """

    layer = "silver"
    name = "radar_vacuum_1s"
    key = ("window_end",)
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument")

    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    spot_ref_price_int = Column(
        pl.Int64, "spot at window_end, as in book_snapshot_1s; null without spot", unit="1e-9 price", nullable=True
    )
    window_valid = Column(pl.Boolean, "as in book_snapshot_1s; nothing invalid is ever scored")
    approach_dir = Column(APPROACH_DIRECTION, "sign of the mid's move over 3 s beyond half its own 60 s deviation")
    features = Columns(dict(_feature_columns()))

    invariants = (
        Invariant("features_follow_spot", "features are null exactly where spot is null", _features_follow_spot),
        Invariant("derivatives_need_spot", "derivatives are null where spot is null", _derivatives_need_spot),
    )
