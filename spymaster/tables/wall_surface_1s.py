"""`silver.wall_surface_1s`: resting liquidity and its flow, by second, price and side."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import MAX_GRID_TICKS, SIDE, TIMESTAMP


def _lots(description: str) -> Column:
    return Column(pl.Int32, description, unit="lots", ge=0)


class WallSurface1s(TableModel):
    """One row per second, price and side within the grid around spot that rests or had any flow.

    In regular hours every such row is stored. Outside them only rows with flow or a changed quantity, rows within 20
    ticks of spot, and all rows in the first window of each minute and of the file: an absent row means 'as in this
    price's last row, no flow', and none yet means empty. `spymaster.lake.dense` fills them in.

    A price's depth is carried forward, never derived from the flow, so that the conservation identity is a real check.
    A price change is a pull at the old price and an add at the new one.
    """

    layer = "silver"
    name = "wall_surface_1s"
    key = ("window_end", "price_int", "side")
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument")
    parquet = ParquetLayout(
        split=("depth_qty_start", "depth_qty_end", "depth_qty_rest", "order_count_end"),
        dictionary=("contract", "side"),
        pruning=("rel_ticks",),
    )

    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    price_int = Column(pl.Int64, "absolute price of the level", unit="1e-9 price")
    side = Column(SIDE, "B bid, A ask")
    rel_ticks = Column(pl.Int32, "price minus spot at window_end", unit="ticks", ge=-MAX_GRID_TICKS, le=MAX_GRID_TICKS)
    spot_ref_price_int = Column(pl.Int64, "spot at window_end, as in book_snapshot_1s", unit="1e-9 price")
    depth_qty_start = _lots("resting quantity at the start of the window")
    depth_qty_end = _lots("resting quantity at window_end")
    depth_qty_rest = _lots("part of depth_qty_end whose orders have been there for at least 500 ms")
    order_count_end = Column(pl.Int32, "orders at window_end", unit="orders", ge=0)
    add_qty = _lots("quantity added (new orders, increases, arrivals from other prices)")
    pull_qty_total = _lots("quantity taken away without a fill (cancels, decreases, departures to other prices)")
    pull_qty_rest = _lots("part of pull_qty_total whose orders had been there for at least 500 ms")
    fill_qty = _lots("quantity taken away by trades")
    refill_qty = _lots("part of add_qty that icebergs showed after a fill")
    reprice_away_qty = _lots("resting quantity that left for a price further from spot")
    reprice_toward_qty = _lots("resting quantity that left for a price nearer to spot")
    d1_depth_qty = Column(pl.Int32, "depth_qty_end minus that of the second before", unit="lots/s")
    d2_depth_qty = Column(pl.Int32, "d1_depth_qty minus that of the second before", unit="lots/s2")
    d3_depth_qty = Column(pl.Int32, "d2_depth_qty minus that of the second before", unit="lots/s3")
    window_valid = Column(pl.Boolean, "as in book_snapshot_1s; nothing invalid is ever scored")

    invariants = (
        Invariant(
            "conservation",
            "depth_qty_end = depth_qty_start + add_qty - pull_qty_total - fill_qty",
            lambda pl: (
                pl.col("depth_qty_end")
                == pl.col("depth_qty_start") + pl.col("add_qty") - pl.col("pull_qty_total") - pl.col("fill_qty")
            ),
        ),
        Invariant(
            "rest_within_depth",
            "depth_qty_rest <= depth_qty_end",
            lambda pl: pl.col("depth_qty_rest") <= pl.col("depth_qty_end"),
        ),
        Invariant(
            "resting_pull_within_pull",
            "pull_qty_rest <= pull_qty_total",
            lambda pl: pl.col("pull_qty_rest") <= pl.col("pull_qty_total"),
        ),
        Invariant("refill_within_add", "refill_qty <= add_qty", lambda pl: pl.col("refill_qty") <= pl.col("add_qty")),
        Invariant(
            "reprice_within_pull",
            "reprice_away_qty + reprice_toward_qty <= pull_qty_total",
            lambda pl: pl.col("reprice_away_qty") + pl.col("reprice_toward_qty") <= pl.col("pull_qty_total"),
        ),
        Invariant(
            "depth_has_orders",
            "a level with depth has orders",
            lambda pl: (pl.col("depth_qty_end") == 0) | (pl.col("order_count_end") > 0),
        ),
        Invariant(
            "rel_ticks_side",
            "rel_ticks has the sign of price_int - spot_ref_price_int",
            lambda pl: pl.col("rel_ticks").cast(pl.Int64) * (pl.col("price_int") - pl.col("spot_ref_price_int")) >= 0,
        ),
        Invariant(
            "whole_second",
            "window_end is a whole second",
            lambda pl: pl.col("window_end").to_physical() % 1_000_000_000 == 0,
        ),
    )
