"""`silver.gex_level_1m`: the prices and totals that gamma exposure is summed up in, minute by minute."""

from __future__ import annotations

import polars as pl

from spymaster.tables.gex_surface_1s import GEX_UNIT
from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import TIMESTAMP


class GexLevel1m(TableModel):
    """One row per minute: walls, the prices where total exposure changes sign, and totals over the universe.

    From quotes and open interest known up to `window_end`. The convention on signs is that of gex_surface_1s.
    """

    layer = "silver"
    name = "gex_level_1m"
    key = ("window_end",)
    constant = ("underlying",)
    time_column = "window_end"
    parameters = ("options", "instrument")

    window_end = Column(TIMESTAMP, "end of the minute, exclusive", unit="ns")
    underlying = Column(pl.String, "the selected contract of the date")
    spot_ref_price_int = Column(
        pl.Int64, "spot at window_end; null before there is one", unit="1e-9 price", nullable=True
    )
    call_wall_price_int = Column(
        pl.Int64, "strike of the largest exposure of calls; null if none", unit="1e-9 price", nullable=True
    )
    put_wall_price_int = Column(
        pl.Int64, "strike of the largest exposure of puts; null if none", unit="1e-9 price", nullable=True
    )
    zero_gamma_price_int = Column(
        pl.List(pl.Int64),
        "prices within 5 % of spot where the total changes sign, ascending; null without gex_total or spot",
        unit="1e-9 price",
        nullable=True,
    )
    gex_total = Column(pl.Float64, "exposure over all strikes; null if of none is known", unit=GEX_UNIT, nullable=True)
    gex_abs_total = Column(
        pl.Float64, "gross exposure over all strikes, likewise null", unit=GEX_UNIT, nullable=True, ge=0
    )
    flow_gex_total = Column(
        pl.Float64,
        "exposure of the session's signed trades over all strikes; null if nothing is priced",
        unit=GEX_UNIT,
        nullable=True,
    )
    vanna_exposure = Column(
        pl.Float64,
        "change of dealers' delta, in money, if all volatilities rise by 0.01; null as gex_total",
        unit="dollars per vol point",
        nullable=True,
    )
    charm_exposure = Column(
        pl.Float64,
        "change of dealers' delta, in money, in one day of 365 a year, all else held; null as gex_total",
        unit="dollars per day",
        nullable=True,
    )
    priced_series = Column(pl.Int32, "options with a gamma", unit="options", ge=0)
    oi_share = Column(
        pl.Float32, "share of them whose open interest is known; null if none is priced", nullable=True, ge=0, le=1
    )

    invariants = (
        Invariant(
            "roots_ascend",
            "prices of zero_gamma_price_int ascend, each once, none null",
            lambda pl: (
                (pl.col("zero_gamma_price_int").list.diff().list.min() > 0).fill_null(True)
                & (
                    pl.col("zero_gamma_price_int").list.len()
                    == pl.col("zero_gamma_price_int").list.drop_nulls().list.len()
                )
            ),
        ),
    )
