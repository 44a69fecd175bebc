"""`silver.physics_bands_1s`: how easily price moves up or down from here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from spymaster.tables.model import Column, Columns, Invariant, TableModel
from spymaster.tables.types import BANDS, TIMESTAMP

DIRECTIONS = ("above", "below")
BAND_METRICS: dict[str, str] = {
    "wall_strength_norm": "how strong the resting quantity is against the side's usual, 0 for an empty band",
    "wall_erosion_norm": "how fast it shrinks, 0.5 idle",
    "vacuum_norm": "how much it is being withdrawn, 0.5 idle",
    "ease": "how easily price moves through: vacuum, erosion and lack of strength, weighted",
}
SCORES: tuple[str, ...] = ("above_score", "below_score", "vacuum_total_score")
BAND_COLUMNS: tuple[str, ...] = tuple(
    f"{direction}_{band.lower()}_{metric}" for direction in DIRECTIONS for band in BANDS for metric in BAND_METRICS
)
DERIVATIVE_COLUMNS: tuple[str, ...] = tuple(f"{order}_{score}" for order in ("d1", "d2", "d3") for score in SCORES)


def _norm(description: str) -> Column:
    return Column(pl.Float32, f"{description}; null where not window_valid", nullable=True, ge=0, le=1)


def _columns() -> Iterator[tuple[str, Column]]:
    for direction in DIRECTIONS:
        for band in BANDS:
            for metric, text in BAND_METRICS.items():
                yield f"{direction}_{band.lower()}_{metric}", _norm(f"{band} {direction} spot: {text}")
    yield "above_score", _norm("ease of moving up: AT and NEAR above spot, weighted")
    yield "below_score", _norm("ease of moving down: AT and NEAR below spot, weighted")
    yield "vacuum_total_score", _norm("mean of above_score and below_score")
    for name in DERIVATIVE_COLUMNS:
        order, score = name.split("_", 1)
        text = f"difference {order[1]} of {score} between consecutive seconds; null where not window_valid"
        yield name, Column(pl.Float32, text, unit=f"1/s{order[1]}", nullable=True)


def _scores_need_validity(pl: Any) -> pl.Expr:
    names = (*BAND_COLUMNS, *SCORES, *DERIVATIVE_COLUMNS)
    return pl.col("window_valid") | pl.all_horizontal([pl.col(name).is_null() for name in names])


class PhysicsBands1s(TableModel):
    """One row per second: strength, erosion and vacuum of the four bands on either side of spot, in [0, 1].

    Bands AT 0-2, NEAR 3-5, MID 6-14, FAR 15-20 ticks; above are asks at or above spot, below are bids at or below it.
    Quantities are summed over a band before ratios are taken: a band is one body of liquidity.
    """

    layer = "silver"
    name = "physics_bands_1s"
    key = ("window_end",)
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument", "calibration", "bands")

    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    spot_ref_price_int = Column(
        pl.Int64, "spot at window_end, as in book_snapshot_1s; null without spot", unit="1e-9 price", nullable=True
    )
    window_valid = Column(pl.Boolean, "as in book_snapshot_1s; nothing invalid is ever scored")
    scores = Columns(dict(_columns()))

    invariants = (Invariant("scores_need_validity", "scores are null where not window_valid", _scores_need_validity),)
