"""`silver.move_measure_1s`: what the book did around spot in the last 1, 5 and 15 seconds, as plain sums."""

from __future__ import annotations

from typing import Any

import polars as pl

from spymaster.tables.model import Column, Columns, Invariant, TableModel
from spymaster.tables.types import TIMESTAMP

HORIZONS = (1, 5, 15)
"""Look-backs w of the measures, seconds."""
MOVE_SIDES = ("ask", "bid")
OFI_LEVELS = 10

_INVALID = "null where not valid"
_LOTS = {
    "q0": "quantity in the zone at the start",
    "q1": "quantity in the zone at the end",
    "add": "quantity added in the zone",
    "pull": "quantity pulled from the zone, of any age",
    "fill": "quantity of the zone that traded",
    "away": "resting quantity of the zone repriced away from spot",
    "toward": "resting quantity of the zone repriced towards spot",
}


def measure(name: str, side: str, horizon: int) -> str:
    """Column of a side and a horizon: `q0_ask_w5`."""
    return f"{name}_{side}_w{horizon}"


def _columns() -> dict[str, Column]:
    columns = {}
    for horizon in HORIZONS:
        for side in MOVE_SIDES:
            what = f"{side}s, {horizon} s"
            for name, text in _LOTS.items():
                columns[measure(name, side, horizon)] = Column(
                    pl.Int64, f"{text}, {what}; {_INVALID}", unit="lots", nullable=True, ge=0
                )
            for name, when in (("c0", "start"), ("c1", "end")):
                columns[measure(name, side, horizon)] = Column(
                    pl.Float64,
                    f"mean distance from spot of the quantity at the {when}, {what}; null where not valid or empty",
                    unit="ticks",
                    nullable=True,
                    ge=0,
                )
            columns[measure("b", side, horizon)] = Column(
                pl.Float64,
                f"change of the best price's distance from spot per second, {what}; {_INVALID}",
                unit="ticks/s",
                nullable=True,
            )
    return columns


def _continuity(side: str, horizon: int) -> Invariant:
    q0, q1, add, pull, fill = (measure(name, side, horizon) for name in ("q0", "q1", "add", "pull", "fill"))

    def holds(pl: Any) -> pl.Expr:
        return pl.col(q1) == pl.col(q0) + pl.col(add) - pl.col(pull) - pl.col(fill)

    return Invariant(f"continuity_{side}_w{horizon}", f"{q1} = {q0} + {add} - {pull} - {fill}", holds)


def _null_where_invalid(pl: Any) -> pl.Expr:
    flags = [pl.col(measure("q1", side, horizon)).is_not_null() for side in MOVE_SIDES for horizon in HORIZONS]
    return pl.all_horizontal([flag == pl.col("valid") for flag in flags])


class MoveMeasure1s(TableModel):
    """One row per second: sums over the zone of 20 ticks around spot, for looks back of 1, 5 and 15 seconds.

    The zone are the asks from spot to 20 ticks above it, the bids from spot to 20 ticks below. Spot is that at the end,
    for both ends: what enters or leaves the zone because spot moves is no part of any sum, so the quantities at both
    ends and the flows between them agree to the lot. A row is valid if it and each of the 15 seconds before it are
    usable: the book valid and not crossed, and the exchange trading. Imbalances compare the book at the ends of two
    seconds.
    """

    layer = "silver"
    name = "move_measure_1s"
    key = ("window_end",)
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument")

    contract = Column(pl.String, "the selected contract of the date")
    session_date = Column(pl.Date, "trade date of the exchange")
    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    spot_ref_price_int = Column(
        pl.Int64,
        "spot at window_end, as in book_snapshot_1s; null before there is one",
        unit="1e-9 price",
        nullable=True,
    )
    valid = Column(pl.Boolean, "usable: every second of the look-back is")
    sums = Columns(_columns())
    msgs = Column(pl.Int32, "live records of the second", unit="records", ge=0)
    absorb = Column(
        pl.Float64,
        "ln((volume + E)/(1 + ticks that the mid moved)) of the second; null where not valid",
        nullable=True,
    )
    ofi = Columns(
        {
            f"ofi_{level}": Column(
                pl.Int64,
                f"order-flow imbalance of the best prices number {level}, bids minus asks; null where not valid",
                unit="lots",
                nullable=True,
            )
            for level in range(1, OFI_LEVELS + 1)
        }
    )
    queue_imb = Column(
        pl.Float64,
        "(bid - ask)/(bid + ask) of the quantities at the best prices; null where not valid",
        nullable=True,
        ge=-1,
        le=1,
    )
    spread_ticks = Column(pl.Int32, "best ask minus best bid; null where not valid", unit="ticks", nullable=True)
    mid2_int = Column(
        pl.Int64, "best bid plus best ask: twice the mid; null where not valid", unit="1e-9 price", nullable=True
    )

    invariants = (
        *(_continuity(side, horizon) for side in MOVE_SIDES for horizon in HORIZONS),
        Invariant("values_need_validity", "sums are known exactly where valid", _null_where_invalid),
    )
