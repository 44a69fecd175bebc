"""From the replay's rows to typed frames: the tables' columns, and the dense and the stored form of the wall.

Belongs here: schemas, the spot-relative grid and the rule for which rows are stored (20-book-and-surfaces §2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

SIDES = ("B", "A")
TIME = pl.Datetime("ns", "UTC")
SIDE = pl.Enum(SIDES)
MINUTE_NS = 60_000_000_000

SNAPSHOT_SCHEMA = pl.Schema(
    {
        "window_start": TIME,
        "window_end": TIME,
        "contract": pl.String,
        "best_bid_price_int": pl.Int64,
        "best_bid_qty": pl.Int32,
        "best_bid_orders": pl.Int32,
        "best_ask_price_int": pl.Int64,
        "best_ask_qty": pl.Int32,
        "best_ask_orders": pl.Int32,
        "mid_price": pl.Float64,
        "mid_price_int": pl.Int64,
        "micro_price": pl.Float64,
        "last_trade_price_int": pl.Int64,
        "spot_ref_price_int": pl.Int64,
        "spread_ticks": pl.Int32,
        "trade_open_price_int": pl.Int64,
        "trade_high_price_int": pl.Int64,
        "trade_low_price_int": pl.Int64,
        "buy_volume": pl.Int64,
        "sell_volume": pl.Int64,
        "none_volume": pl.Int64,
        "trade_count": pl.Int32,
        "message_count": pl.Int32,
        "crossed": pl.Boolean,
        "book_state": pl.Enum(["empty", "snapshot", "live"]),
        "maybe_bad_book": pl.Boolean,
        "sequence_gap": pl.Boolean,
        "is_partial": pl.Boolean,
        "spot_age_s": pl.Float32,
        "book_valid": pl.Boolean,
        "window_valid": pl.Boolean,
    }
)

TRADE_SCHEMA = pl.Schema(
    {
        "ts_event": TIME,
        "ts_recv": TIME,
        "contract": pl.String,
        "event_id": pl.Int64,
        "price_int": pl.Int64,
        "vwap_price_int": pl.Int64,
        "qty": pl.Int64,
        "aggressor": pl.Enum(["B", "A", "N"]),
        "levels_consumed": pl.Int32,
        "l1_qty_before": pl.Int32,
        "n_fills": pl.Int32,
        "is_implied": pl.Boolean,
    }
)

BBO_SCHEMA = pl.Schema(
    {
        "ts_event": TIME,
        "ts_recv": TIME,
        "contract": pl.String,
        "event_id": pl.Int64,
        "bid_price_int": pl.Int64,
        "bid_qty": pl.Int32,
        "bid_orders": pl.Int32,
        "ask_price_int": pl.Int64,
        "ask_qty": pl.Int32,
        "ask_orders": pl.Int32,
        "crossed": pl.Boolean,
        "book_valid": pl.Boolean,
    }
)

FLOWS = (
    "add_qty",
    "pull_qty_total",
    "pull_qty_rest",
    "fill_qty",
    "refill_qty",
    "reprice_away_qty",
    "reprice_toward_qty",
)
DIFFERENCES = ("d1_depth_qty", "d2_depth_qty", "d3_depth_qty")
STATE = ("depth_qty_end", "depth_qty_rest", "order_count_end")
CELL_COLUMNS = ("window", "price_int", "side", "depth_qty_start", *STATE, *FLOWS, *DIFFERENCES)
WALL_COLUMNS = (
    "window_end",
    "contract",
    "price_int",
    "side",
    "rel_ticks",
    "spot_ref_price_int",
    "depth_qty_start",
    *STATE,
    *FLOWS,
    *DIFFERENCES,
    "window_valid",
)
WALL_KEY = ("window_end", "price_int", "side")


def snapshot_frame(rows: Sequence[dict[str, Any]], contract: str) -> pl.DataFrame:
    return _frame(rows, SNAPSHOT_SCHEMA, contract)


def trade_frame(rows: Sequence[dict[str, Any]], contract: str) -> pl.DataFrame:
    return _frame(rows, TRADE_SCHEMA, contract)


def bbo_frame(rows: Sequence[dict[str, Any]], contract: str) -> pl.DataFrame:
    return _frame(rows, BBO_SCHEMA, contract)


def _frame(rows: Sequence[dict[str, Any]], schema: pl.Schema, contract: str) -> pl.DataFrame:
    columns = {}
    for name, dtype in schema.items():
        # Times go through Int64: Polars would otherwise guess a unit for Python integers.
        first = pl.Int64 if dtype == TIME else dtype
        values = [contract if name == "contract" else row[name] for row in rows]
        columns[name] = pl.Series(name, values, dtype=first).cast(dtype)
    return pl.DataFrame(columns, schema=schema)


def cell_frame(rows: Sequence[tuple[int, ...]]) -> pl.DataFrame:
    """The replay's cell rows, with `until`: the window before which the row's state holds (null: to the end)."""
    schema = {**dict.fromkeys(CELL_COLUMNS, pl.Int32), "price_int": pl.Int64, "side": pl.Int8}
    frame = pl.DataFrame(list(rows), schema=schema, orient="row")
    return frame.sort("price_int", "side", "window").with_columns(
        until=pl.col("window").shift(-1).over("price_int", "side")
    )


def dense_wall(
    cells: pl.DataFrame, snapshot: pl.DataFrame, tick: int, grid_ticks: int, start: int = 0, stop: int | None = None
) -> pl.DataFrame:
    """`wall_surface_1s` of windows [start, stop): every (price, side) of the grid that rests or had flow."""
    rows = _on_grid(cells, snapshot, tick, grid_ticks, start, snapshot.height if stop is None else stop)
    return _finish(rows.filter(_rests_or_flows()))


def stored_wall(
    cells: pl.DataFrame,
    snapshot: pl.DataFrame,
    tick: int,
    grid_ticks: int,
    near_ticks: int,
    rth: tuple[int, int] | None,
) -> pl.DataFrame:
    """`wall_surface_1s` as the lake keeps it: in RTH as dense, elsewhere without rows that repeat the last one.

    An absent row means 'as in this price's last row, no flow'. So a row must stand wherever the state of the cell is
    not that of its last row: also where it changed while the price was outside the grid, and even if it is empty now.
    Every state that a cell has on the grid is stored when it first appears; so the last row's state is always the one
    of the previous window in which the price was on the grid.
    """
    in_rth = pl.lit(False)
    if rth is not None:
        in_rth = (pl.col("window_start") >= rth[0]) & (pl.col("window_start") < rth[1])
    minute = pl.col("window_start") // MINUTE_NS
    windows = snapshot.select(pl.col("window_start").to_physical()).select(
        keep_all=in_rth | (minute != minute.shift(1)).fill_null(True),
        window=pl.int_range(pl.len(), dtype=pl.Int32),
    )
    rows = _on_grid(cells, snapshot, tick, grid_ticks, 0, snapshot.height).join(windows, on="window", how="left")
    cell = ("price_int", "side")
    changed = pl.any_horizontal(
        pl.col(name) != pl.col(name).shift(1).over(*cell, order_by="window").fill_null(0) for name in STATE
    )
    worth_keeping = pl.col("keep_all") | (pl.col("rel_ticks").abs() <= near_ticks) | _any_flow()
    return _finish(rows.filter(changed | (_rests_or_flows() & worth_keeping)))


def _any_flow() -> pl.Expr:
    return pl.any_horizontal(pl.col(name) != 0 for name in FLOWS)


def _rests_or_flows() -> pl.Expr:
    return (pl.col("depth_qty_end") > 0) | _any_flow()


def _on_grid(
    cells: pl.DataFrame, snapshot: pl.DataFrame, tick: int, grid_ticks: int, start: int, stop: int
) -> pl.DataFrame:
    """Every (window, cell) of [start, stop) within the grid, from the cell's first row on, also where it is empty."""
    windows = snapshot.select(
        "window_end", "contract", "spot_ref_price_int", "window_valid", window=pl.int_range(pl.len(), dtype=pl.Int32)
    )
    first = pl.max_horizontal("window", pl.lit(start, pl.Int32))
    end = pl.min_horizontal(pl.col("until").fill_null(stop), pl.lit(stop, pl.Int32))
    quiet = pl.col("window") > pl.col("from")
    rel_ticks = pl.col("price_int") // tick - pl.col("spot_ref_price_int") // tick
    return (
        cells.lazy()
        .with_columns(end=end, first=first)
        .filter(pl.col("first") < pl.col("end"))
        .rename({"window": "from"})
        .with_columns(window=pl.int_ranges("first", "end", dtype=pl.Int32))
        .drop("first", "end", "until")
        .explode("window")
        .join(windows.lazy(), on="window", how="inner")
        .with_columns(rel_ticks=rel_ticks.cast(pl.Int32))
        .filter(pl.col("rel_ticks").abs() <= grid_ticks)
        .with_columns(
            pl.when(quiet).then(pl.col("depth_qty_end")).otherwise(pl.col("depth_qty_start")).alias("depth_qty_start"),
            *(pl.when(quiet).then(0).otherwise(pl.col(name)).alias(name) for name in (*FLOWS, *DIFFERENCES)),
        )
        .collect()
    )


def _finish(rows: pl.DataFrame) -> pl.DataFrame:
    side = pl.col("side").replace_strict(dict(enumerate(SIDES)), return_dtype=SIDE)
    counts = ("depth_qty_start", *STATE, *FLOWS, *DIFFERENCES)
    return (
        rows.sort("window", "price_int", "side")
        .with_columns(side, *(pl.col(name).cast(pl.Int32) for name in counts))
        .select(WALL_COLUMNS)
    )
