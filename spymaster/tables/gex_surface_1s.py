"""`silver.gex_surface_1s`: gamma exposure at the strikes around spot."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Columns, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import TIMESTAMP

GEX_UNIT = "dollars per 1 % move"
DIFFERENCED = ("gex_abs", "gex", "gex_imbalance_ratio")
"""Columns with first to third differences between consecutive seconds."""


_NUMBERS = (
    "gamma_call", "gamma_put", "iv", "gex_call", "gex_put", "gex_abs", "gex", "gex_imbalance_ratio", "gex_share",
    "flow_gex", "moneyness",
)  # fmt: skip


def _differences() -> dict[str, Column]:
    words = {1: "first", 2: "second", 3: "third"}
    return {
        f"d{order}_{name}": Column(
            pl.Float32, f"{words[order]} difference of {name}, same strike; null where a second is missing",
            unit="1/s" if order == 1 else f"1/s{order}", nullable=True,
        )
        for name in DIFFERENCED
        for order in words
    }  # fmt: skip


class GexSurface1s(TableModel):
    """One row per second and strike of the grid: what hedgers of the options at this strike must trade.

    Sign convention, not knowledge: dealers are taken to be long the calls and short the puts, so calls count plus and
    puts minus. Unit: money of hedging per move of 1 %, gamma x open interest x multiplier x F^2 x 0.01. Open interest
    is that of the session before; of options that expire today it misses most of what trades today, which `flow_gex`
    counts instead: dealers hold the other side of the session's signed trades. Every second with a spot has the whole
    grid; what was not priced is null, never 0.
    """

    layer = "silver"
    name = "gex_surface_1s"
    key = ("window_end", "strike_price_int")
    constant = ("underlying",)
    time_column = "window_end"
    parameters = ("options", "instrument")
    parquet = ParquetLayout(split=(*_NUMBERS, *_differences()))

    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    underlying = Column(pl.String, "the selected contract of the date")
    spot_ref_price_int = Column(pl.Int64, "spot at window_end, as in book_snapshot_1s", unit="1e-9 price")
    window_valid = Column(pl.Boolean, "as in book_snapshot_1s")
    strike_price_int = Column(pl.Int64, "strike", unit="1e-9 price")
    strike_points = Column(pl.Float64, "strike", unit="price")
    rel_ticks = Column(pl.Int32, "strike minus spot", unit="ticks")
    gamma_call = Column(
        pl.Float32,
        "gamma of the nearest expiry's call by the smoothed smile; null if that lists none here, or has no smile",
        unit="1/price",
        nullable=True,
        ge=0,
    )
    gamma_put = Column(
        pl.Float32, "the same of its put; null if that lists none here, or has no smile", unit="1/price", nullable=True,
        ge=0,
    )  # fmt: skip
    iv = Column(
        pl.Float32,
        "smoothed volatility of the nearest expiry at this strike; null if that lists none here, or has no smile",
        nullable=True,
        gt=0,
    )
    oi_call = Column(
        pl.Int64, "open interest of calls over the universe; null if none is known", unit="lots", nullable=True, ge=0
    )
    oi_put = Column(
        pl.Int64, "open interest of puts over the universe; null if none is known", unit="lots", nullable=True, ge=0
    )
    gex_call = Column(
        pl.Float64,
        "exposure of calls; null if no expiry has both a gamma here and a known open interest",
        unit=GEX_UNIT,
        nullable=True,
        ge=0,
    )
    gex_put = Column(pl.Float64, "exposure of puts, likewise null", unit=GEX_UNIT, nullable=True, le=0)
    gex_abs = Column(
        pl.Float64, "|gex_call| + |gex_put|, of the side that is known; null if neither is", unit=GEX_UNIT,
        nullable=True, ge=0,
    )  # fmt: skip
    gex = Column(
        pl.Float64, "gex_call + gex_put, of the side that is known; null if neither is", unit=GEX_UNIT, nullable=True
    )
    gex_imbalance_ratio = Column(pl.Float32, "gex/gex_abs; null if gex_abs is null or 0", nullable=True, ge=-1, le=1)
    gex_share = Column(
        pl.Float32,
        "gex_abs over its sum over all strikes of this second, not only the grid's; null if gex_abs is or the sum is 0",
        nullable=True,
        ge=0,
        le=1,
    )
    flow_gex = Column(
        pl.Float64,
        "exposure of what dealers took on in this session's signed trades, 0 before the first; null without a gamma",
        unit=GEX_UNIT,
        nullable=True,
    )
    moneyness = Column(
        pl.Float32, "(strike - F)/(F s sqrt(T)) of the nearest expiry, s its iv; null where iv is", nullable=True
    )
    differences = Columns(_differences())

    invariants = (
        Invariant(
            "net_within_gross",
            "|gex| <= gex_abs",
            lambda pl: pl.col("gex").abs() <= pl.col("gex_abs") * (1 + 1e-9),
        ),
        Invariant(
            "known_by_a_side",
            "gex and gex_abs are null exactly where gex_call and gex_put are",
            lambda pl: (
                (pl.col("gex").is_null() == (pl.col("gex_call").is_null() & pl.col("gex_put").is_null()))
                & (pl.col("gex").is_null() == pl.col("gex_abs").is_null())
            ),
        ),
    )
