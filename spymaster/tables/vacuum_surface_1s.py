"""`silver.vacuum_surface_1s`: is liquidity leaving this price?"""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import MAX_GRID_TICKS, SIDE, TIMESTAMP


class VacuumSurface1s(TableModel):
    """The rows of wall_surface_1s with what they say about withdrawal, scaled by earlier sessions.

    `vacuum_score` is the mean of four scaled metrics (pull_add_log, net_withdrawal, wall_erosion, d2_pull_add_log):
    0.5 idle, towards 1 liquidity leaving, towards 0 building. E is the instrument's `eps_qty`.
    """

    layer = "silver"
    name = "vacuum_surface_1s"
    key = ("window_end", "price_int", "side")
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument", "calibration")
    parquet = ParquetLayout(dictionary=("contract", "side"), pruning=("rel_ticks",))

    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    price_int = Column(pl.Int64, "absolute price of the level", unit="1e-9 price")
    side = Column(SIDE, "B bid, A ask")
    rel_ticks = Column(pl.Int32, "price minus spot at window_end", unit="ticks", ge=-MAX_GRID_TICKS, le=MAX_GRID_TICKS)
    spot_ref_price_int = Column(pl.Int64, "spot at window_end, as in book_snapshot_1s", unit="1e-9 price")
    window_valid = Column(pl.Boolean, "as in book_snapshot_1s; nothing invalid is ever scored")
    pull_add_log = Column(pl.Float32, "ln((pull_qty_rest + E)/(add_qty + E))")
    d1_pull_add_log = Column(pl.Float32, "first difference of pull_add_log between consecutive seconds", unit="1/s")
    d2_pull_add_log = Column(pl.Float32, "second difference of pull_add_log", unit="1/s2")
    d3_pull_add_log = Column(pl.Float32, "third difference of pull_add_log", unit="1/s3")
    net_withdrawal = Column(pl.Float32, "(pull_qty_total - add_qty)/(depth_qty_start + E)")
    wall_erosion = Column(pl.Float32, "-ln((depth_qty_end + E)/(depth_qty_start + E))")
    pull_intensity_rest = Column(pl.Float32, "pull_qty_rest/(depth_qty_start + E)", ge=0)
    wall_strength_log = Column(
        pl.Float32, "ln((depth_qty_rest + E)/(median depth_qty_rest of the side's 20 ticks in this window + E))"
    )
    fill_share = Column(pl.Float32, "fill_qty/(pull_qty_total + fill_qty + E): eaten or withdrawn", ge=0, le=1)
    vacuum_score = Column(
        pl.Float32, "mean of the four scaled metrics; null where not window_valid", nullable=True, ge=0, le=1
    )

    invariants = (
        Invariant(
            "score_needs_validity",
            "vacuum_score is null where not window_valid",
            lambda pl: pl.col("window_valid") | pl.col("vacuum_score").is_null(),
        ),
        Invariant(
            "rel_ticks_side",
            "rel_ticks has the sign of price_int - spot_ref_price_int",
            lambda pl: pl.col("rel_ticks").cast(pl.Int64) * (pl.col("price_int") - pl.col("spot_ref_price_int")) >= 0,
        ),
    )
