"""The dense form of `wall_surface_1s`: every second's rows, with those that the stored form leaves out filled in.

Outside regular hours the wall stores a row only where it tells something new: an absent row means 'as in this price's
last row, no flow', and none yet means empty. The engine writes a row whenever the state of a price within the grid is
not that of its last row, also for a price that has just come back into the grid, so filling forward is exact.

A filled row has the depth of the last one at both ends of its window and no flow. Its distance from spot, its spot and
its validity are those of its own second, from `book_snapshot_1s`. With d1 and d2 of the last row, k seconds ago, its
differences on the dense depth series are

    d1 = 0;   d2 = -d1' (k = 1), else 0;   d3 = -d1' - d2' (k = 1), d1' (k = 2), else 0.

Rows that hold nothing and saw no flow are not part of the dense form. One thing the stored form cannot tell: how the
depth of a price moved while it was outside the grid, so the differences of the two seconds after its return may differ
from the engine's if it came back exactly as it had left.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from spymaster.lake.errors import DenseFormError
from spymaster.lake.partition import Partition
from spymaster.tables import table
from spymaster.tables.types import MAX_GRID_TICKS

WALL = "silver.wall_surface_1s"
SNAPSHOT = "silver.book_snapshot_1s"

_CELL = ("price_int", "side")
_STATE = ("depth_qty_end", "depth_qty_rest", "order_count_end", "d1_depth_qty", "d2_depth_qty")
_FLOWS = (
    "add_qty",
    "pull_qty_total",
    "pull_qty_rest",
    "fill_qty",
    "refill_qty",
    "reprice_away_qty",
    "reprice_toward_qty",
)
_WINDOW = ("spot_ref_price_int", "window_valid", "contract")


def dense(wall: Partition, start: datetime | int | None = None, end: datetime | int | None = None) -> pl.DataFrame:
    """The dense rows of a wall partition whose `window_end` lies in [start, end] (aware datetimes, or ns UTC).

    A whole day is tens of millions of rows: ask for what is needed. Needs the `book_snapshot_1s` partition of the same
    date. Memory: the answer, plus one batch of rows.
    """
    snapshot = wall.sibling(SNAPSHOT).read(["window_end", *_WINDOW])
    first, last = _ns(start), _ns(end)
    parameters = wall.manifest.parameters
    tick = parameters.get("instrument", {}).get("tick_size_int")
    state: pl.DataFrame | None = None
    rows: list[pl.DataFrame] = []
    for batch in wall.batches():
        ends = pl.col("window_end").to_physical()
        tick = tick_size(batch) or tick
        if first is not None:
            earlier = batch.filter(ends < first)
            state = _last_rows(state, earlier)
            batch = batch.filter(ends >= first)
        rows.append(batch if last is None else batch.filter(ends <= last))
        if last is not None and batch.height and _last_end(batch) > last:
            break
    known = [frame for frame in (state, *rows) if frame is not None]
    stored = pl.concat(known) if known else table(WALL).empty()
    grid = parameters.get("engine", {}).get("grid_ticks", MAX_GRID_TICKS)
    return dense_frame(stored, snapshot, tick_size_int=tick, grid_ticks=grid, start=start, end=end)


def dense_frame(
    wall: pl.DataFrame,
    snapshot: pl.DataFrame,
    *,
    tick_size_int: int | None = None,
    grid_ticks: int = MAX_GRID_TICKS,
    start: datetime | int | None = None,
    end: datetime | int | None = None,
) -> pl.DataFrame:
    """The dense form of stored rows, in memory: the wall's columns and order, `window_end` within [start, end].

    `wall` holds stored rows in order, from the file's first window on (before `start`, each price's last row is
    enough); `snapshot` one row per second. The tick size is taken from the rows if they tell it. Raises
    `DenseFormError` if a row's window has no snapshot, or nothing tells the tick size.
    """
    windows = _windows(snapshot, _ns(start), _ns(end))
    tick = tick_size(wall) or tick_size_int
    if tick is None:
        if not wall.height:
            return table(WALL).empty()
        raise DenseFormError("the rows do not tell the tick size: no window has two prices", hint="Pass tick_size_int.")
    rows = wall.join(windows.select("window_end", "window"), on="window_end", how="left", maintain_order="left")
    missing = rows.filter(pl.col("window").is_null())
    if missing.height:
        raise DenseFormError(f"book_snapshot_1s has no row for window_end {missing.item(0, 'window_end')}")
    filled = _filled(rows, windows.filter(pl.col("wanted")), tick, grid_ticks)
    own = rows.filter(_holds_or_flows()).join(
        windows.filter(pl.col("wanted")).select("window"), on="window", how="semi", maintain_order="left"
    )
    columns = table(WALL).schema()
    return (
        pl.concat([own.select(columns.names()), filled.select(columns.names())])
        .cast(columns)
        .sort("window_end", *_CELL)
    )


def tick_size(wall: pl.DataFrame) -> int | None:
    """Tick size (1e-9) that the rows tell: two prices of one window and their distance in ticks. None if none do."""
    spans = (
        wall.lazy()
        .group_by("window_end")
        .agg(
            price=pl.col("price_int").max() - pl.col("price_int").min(),
            ticks=pl.col("rel_ticks").max() - pl.col("rel_ticks").min(),
        )
        .filter(pl.col("ticks") > 0)
        .head(1)
        .collect()
    )
    return spans.item(0, "price") // spans.item(0, "ticks") if spans.height else None


def _windows(snapshot: pl.DataFrame, first: int | None, last: int | None) -> pl.DataFrame:
    """The seconds, numbered; `wanted` marks those in [first, last]."""
    ends = pl.col("window_end").to_physical()
    lower = ends >= first if first is not None else pl.lit(True)
    upper = ends <= last if last is not None else pl.lit(True)
    return snapshot.select(
        "window_end", *_WINDOW, wanted=lower & upper, window=((ends - ends.first()) // 1_000_000_000).cast(pl.Int32)
    )


def _filled(rows: pl.DataFrame, wanted: pl.DataFrame, tick: int, grid_ticks: int) -> pl.DataFrame:
    """The rows that the stored form leaves out, of the wanted windows."""
    if not wanted.height:
        return table(WALL).empty()
    first, last = wanted.item(0, "window"), wanted.item(-1, "window")
    # A stored row stands until the next one of its price and side.
    until = pl.col("window").shift(-1).over(_CELL).fill_null(last + 1)
    standing = (
        rows.lazy()
        .with_columns(until=pl.min_horizontal(until, last + 1), since=pl.max_horizontal(pl.col("window") + 1, first))
        .filter((pl.col("since") < pl.col("until")) & (pl.col("depth_qty_end") > 0))
        .select(*_CELL, *_STATE, row="window", window=pl.int_ranges("since", "until", dtype=pl.Int32))
        .explode("window")
    )
    k = pl.col("window") - pl.col("row")
    d1, d2 = pl.col("d1_depth_qty"), pl.col("d2_depth_qty")
    nothing = pl.lit(0, dtype=pl.Int32)
    return (
        standing.join(wanted.lazy(), on="window", how="inner")
        .filter(pl.col("spot_ref_price_int").is_not_null())
        .with_columns(rel_ticks=(pl.col("price_int") // tick - pl.col("spot_ref_price_int") // tick).cast(pl.Int32))
        .filter(pl.col("rel_ticks").abs() <= grid_ticks)
        .with_columns(
            depth_qty_start=pl.col("depth_qty_end"),
            **dict.fromkeys(_FLOWS, nothing),
            d1_depth_qty=nothing,
            d2_depth_qty=pl.when(k == 1).then(-d1).otherwise(nothing),
            d3_depth_qty=pl.when(k == 1).then(-d1 - d2).when(k == 2).then(d1).otherwise(nothing),
        )
        .collect()
    )


def _last_rows(state: pl.DataFrame | None, rows: pl.DataFrame) -> pl.DataFrame:
    """The last row of each price and side, in order of time, of what was seen so far."""
    seen = rows if state is None else pl.concat([state, rows])
    return seen.unique(_CELL, keep="last", maintain_order=True)


def _holds_or_flows() -> pl.Expr:
    return (pl.col("depth_qty_end") > 0) | pl.any_horizontal(pl.col(name) > 0 for name in _FLOWS)


def _ns(moment: datetime | int | None) -> int | None:
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise DenseFormError(f"{moment} has no time zone: windows are UTC")
        return pl.Series([moment], dtype=pl.Datetime("ns", "UTC")).to_physical().item()
    return moment


def _last_end(rows: pl.DataFrame) -> int:
    return rows.get_column("window_end").to_physical().item(-1)
