"""Depth per (window, price, side) by joins and sums over whole columns: a second oracle, without a loop over records.

An order's records cut its life into *spells* of constant side, price and size. A spell counts towards the depth of the
windows from the one of its first record up to the one of the order's next record; summing the spells that begin less
those that end, over the windows, is the depth. Nothing is shared with `book.py` but the rules of 10-market-data.md.

Supports plain streams only: one instrument, at most one snapshot and that at the head, each id added once, nothing
unknown cancelled or modified, no R behind the head, no top-of-book records. Anything else raises ValueError.
"""

from __future__ import annotations

import numpy as np
import polars as pl

_A, _C, _M, _R, _T, _F = (ord(letter) for letter in "ACMRTF")
_CELL = ("price_int", "side")


def record_frame(records: np.ndarray, *, window_ns: int = 1_000_000_000) -> pl.DataFrame:
    """The records as columns, in file order, with `window`: 0 is the first live record's, -1 the snapshot's."""
    codes = {name: records[name].view(np.uint8) for name in ("action", "side")}
    plain = {name: records[name] for name in ("ts_event", "order_id", "price", "size", "flags")}
    frame = pl.DataFrame({name: np.ascontiguousarray(values) for name, values in (codes | plain).items()}).with_columns(
        pl.col("ts_event").cast(pl.Int64),
        pl.col("size").cast(pl.Int64),
        live=(pl.col("flags") & 0x20) == 0,
        last=(pl.col("flags") & 0x80) != 0,
        row=pl.int_range(pl.len()),
    )
    _check_supported(frame)
    event = (pl.col("last") & pl.col("live")).cum_sum().shift(1, fill_value=0)
    event_time = pl.col("ts_event").first().over("event")
    live = frame.filter("live").with_columns(event=event).with_columns(window=event_time // window_ns)
    head = frame.filter(~pl.col("live")).with_columns(window=pl.lit(-1, pl.Int64))
    live = live.with_columns(pl.col("window") - pl.col("window").min())
    return pl.concat([head, live], how="diagonal").sort("row")


def _check_supported(frame: pl.DataFrame) -> None:
    orders = frame.filter(pl.col("action").is_in([_A, _C, _M])).with_columns(
        nth=pl.int_range(pl.len()).over("order_id"), added=pl.col("action") == _A
    )
    problems = {
        "a snapshot that is not at the head": (~frame["live"].cum_max() | frame["live"]).not_().any(),
        "an R that is not the first record": frame.filter(pl.col("row") > 0)["action"].eq(_R).any(),
        "a top-of-book record": frame.select(((pl.col("flags") & 0x40) != 0).any()).item(),
        "an unknown or duplicate id": orders.select((pl.col("added") != (pl.col("nth") == 0)).any()).item(),
    }
    found = [name for name, present in problems.items() if present]
    if found:
        raise ValueError(f"polars_depth does not support a stream with {', '.join(found)}")


def spells(frame: pl.DataFrame, *, window_ns: int = 1_000_000_000, rest_ns: int = 500_000_000) -> pl.DataFrame:
    """One row per order and stretch of constant state: `order_id`, cell, `size`, `window`, `until`, `rests_from`.

    It lasts over the windows [`window`, `until`), to the end where `until` is null. `rests_from` is the first window at
    whose end the order has kept price and priority for `rest_ns`.
    """
    start = frame.filter("live").select(pl.col("ts_event").first() // window_ns * window_ns).item()
    own = frame.filter(pl.col("action").is_in([_A, _C, _M, _F])).sort("order_id", "row")
    is_book = pl.col("action") != _F
    placed = pl.col("action").is_in([_A, _M])
    own = own.with_columns(
        # F records counted from the order's last book record on: what they report is consumed by the next one
        step=(is_book.cum_sum() - is_book.cast(pl.UInt32)).over("order_id"),
        placement=placed.cum_sum().over("order_id"),
    ).filter((pl.col("placement") > 0) | is_book)
    reported = pl.when(~is_book).then(pl.col("size")).otherwise(0).sum().over("order_id", "step")
    cancelled = pl.when(pl.col("action") == _C).then(pl.col("size")).otherwise(0)
    placement = ("order_id", "placement")
    book = (
        own.with_columns(reported=reported)
        .filter(is_book)
        .with_columns(
            price_int=pl.col("price").first().over(placement),
            side=pl.col("side").first().over(placement),
            after=(pl.col("size").first() - cancelled.cum_sum()).over(placement).clip(lower_bound=0),
        )
        .with_columns(
            before=pl.col("after").shift(1).over("order_id"),
            moved=(pl.col("price_int") != pl.col("price_int").shift(1).over("order_id")),
        )
        .with_columns(left=pl.col("before") - pl.min_horizontal("before", "reported"))
    )
    enters = (pl.col("action") == _A) | (
        (pl.col("action") == _M) & (pl.col("moved") | (pl.col("after") > pl.col("left")))
    )
    ts_enter = pl.when(enters).then(pl.col("ts_event")).forward_fill().over("order_id")
    # the first window end at or after ts_enter + rest_ns: windows end at start + (w + 1) * window_ns
    ripe = -((start - ts_enter - rest_ns) // window_ns) - 1
    return (
        book.with_columns(rests_from=ripe, until=pl.col("window").shift(-1).over("order_id"))
        .filter(pl.col("after") > 0)
        .select("order_id", *_CELL, pl.col("after").alias("size"), "window", "until", "rests_from")
    )


def depth_changes(spell_frame: pl.DataFrame) -> pl.DataFrame:
    """Depth at the end of each window in which a cell changed: `window`, cell, `depth`, `rest`, `orders`."""
    size = pl.col("size")
    rests_from = pl.max_horizontal("window", "rests_from")
    ripens = pl.col("until").is_null() | (rests_from < pl.col("until"))
    nothing = pl.lit(0, pl.Int64)
    one = pl.lit(1, pl.Int64)
    ended = spell_frame.filter(pl.col("until").is_not_null())
    ripened = spell_frame.filter(ripens)
    steps = [
        spell_frame.select("window", *_CELL, depth=size, rest=nothing, orders=one),
        ended.select(pl.col("until").alias("window"), *_CELL, depth=-size, rest=nothing, orders=-one),
        ripened.select(rests_from.alias("window"), *_CELL, depth=nothing, rest=size, orders=nothing),
        ended.filter(ripens).select(pl.col("until").alias("window"), *_CELL, depth=nothing, rest=-size, orders=nothing),
    ]
    return (
        pl.concat(steps)
        .group_by("window", *_CELL)
        .agg(pl.col("depth", "rest", "orders").sum())
        .sort(*_CELL, "window")
        .with_columns(pl.col("depth", "rest", "orders").cum_sum().over(_CELL))
    )


def depth_at(changes: pl.DataFrame, windows: range) -> pl.DataFrame:
    """Depth of every cell that rests at the end of each of these windows, sorted by window, price, side (B first)."""
    cells = changes.select(_CELL).unique()
    wanted = pl.DataFrame({"window": pl.Series(list(windows), dtype=pl.Int64)}).join(cells, how="cross")
    return (
        wanted.sort("window")
        .join_asof(changes.sort("window"), on="window", by=list(_CELL), check_sortedness=False)
        .filter(pl.col("depth") > 0)
        .with_columns(pl.col("side").replace_strict({66: "B", 65: "A"}, return_dtype=pl.Enum(["B", "A"])))
        .sort("window", *_CELL)
    )


def volumes(frame: pl.DataFrame) -> pl.DataFrame:
    """Traded volume per window and aggressor, only windows with trades: `window`, `buy`, `sell`, `none`, `prints`."""
    size = pl.col("size")
    return (
        frame.filter(pl.col("live") & (pl.col("action") == _T))
        .group_by("window")
        .agg(
            buy=size.filter(pl.col("side") == ord("B")).sum(),
            sell=size.filter(pl.col("side") == ord("A")).sum(),
            none=size.filter(pl.col("side") == ord("N")).sum(),
            prints=pl.len().cast(pl.Int64),
        )
        .sort("window")
    )
