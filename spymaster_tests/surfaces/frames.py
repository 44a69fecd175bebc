"""Small synthetic walls and snapshots: a random book that obeys the identities of the real tables, second by second."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl

TICK = 250_000_000
TIMESTAMP = pl.Datetime("ns", "UTC")
SIDE = pl.Enum(["B", "A"])
LEVELS = 160
"""Price levels of the synthetic book; spot wanders around the middle one."""

WALL_SCHEMA = {
    "window_end": TIMESTAMP,
    "contract": pl.String,
    "price_int": pl.Int64,
    "side": SIDE,
    "rel_ticks": pl.Int32,
    "spot_ref_price_int": pl.Int64,
    "depth_qty_start": pl.Int32,
    "depth_qty_end": pl.Int32,
    "depth_qty_rest": pl.Int32,
    "order_count_end": pl.Int32,
    "add_qty": pl.Int32,
    "pull_qty_total": pl.Int32,
    "pull_qty_rest": pl.Int32,
    "fill_qty": pl.Int32,
    "refill_qty": pl.Int32,
    "reprice_away_qty": pl.Int32,
    "reprice_toward_qty": pl.Int32,
    "d1_depth_qty": pl.Int32,
    "d2_depth_qty": pl.Int32,
    "d3_depth_qty": pl.Int32,
    "window_valid": pl.Boolean,
}


def start_of(dt: date) -> int:
    """15:00 UTC of a date, ns."""
    return int(datetime(dt.year, dt.month, dt.day, 15, tzinfo=UTC).timestamp()) * 1_000_000_000


def make_session(
    seconds: int = 200,
    *,
    seed: int = 1,
    dt: date = date(2024, 1, 3),
    busy: float = 0.3,
    spot_price_int: int = 4800 * 4 * TICK,
    no_spot_before: int = 0,
    invalid: tuple[int, ...] = (),
    without_mid: tuple[int, ...] = (),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A wall (RTH form: every row that rests or had flow) and its snapshot, `seconds` windows long.

    `busy` scales flow; windows numbered in `invalid` are not valid, those before `no_spot_before` have no spot and so
    no wall rows, those in `without_mid` have no mid. Books are thin enough for empty levels and for whole empty bands.
    """
    rng = np.random.default_rng(seed)
    prices = spot_price_int + (np.arange(LEVELS) - LEVELS // 2) * TICK
    depth = np.zeros((2, LEVELS), dtype=np.int64)
    middle = LEVELS // 2
    start = start_of(dt)
    columns: dict[str, list[np.ndarray]] = {}
    shots: list[dict[str, object]] = []
    for second in range(seconds):
        middle = int(np.clip(middle + rng.choice([-1, 0, 0, 0, 1]), 50, LEVELS - 50))
        reach = np.stack([middle - np.arange(LEVELS), np.arange(LEVELS) - middle])
        # now and then the spot lags the book, so that bids lie above it and asks below it
        side_open = reach >= rng.choice([0, 1, 1, -1])
        begin = depth.copy()
        add = rng.poisson(busy * 6 * np.exp(-np.maximum(reach, 0) / 12)) * side_open
        if rng.random() < 0.05:
            add[rng.integers(2)] *= 30
        pull = rng.binomial(begin + add, 0.12 * busy)
        fill = rng.binomial(np.maximum(begin + add - pull, 0), np.where(np.abs(reach) <= 1, 0.3 * busy, 0.0))
        gone = ~side_open
        pull = np.where(gone, begin + add - fill, pull)
        depth = begin + add - pull - fill
        pull_rest = rng.binomial(pull, 0.7)
        rest = rng.binomial(depth, 0.9)
        away = rng.binomial(pull_rest, 0.3)
        toward = rng.binomial(pull_rest - away, 0.3)
        end_ns = start + (second + 1) * 1_000_000_000
        valid = second not in invalid
        has_spot = second >= no_spot_before
        spot = int(prices[middle])
        bids, asks = np.flatnonzero(depth[0]), np.flatnonzero(depth[1])
        mid = None
        if len(bids) and len(asks) and second not in without_mid:
            mid = int(prices[bids[-1]] + prices[asks[0]]) // 2
        shots.append(
            {
                "window_end": end_ns,
                "contract": "ESH4",
                "mid_price_int": mid,
                "spot_ref_price_int": spot if has_spot else None,
                "window_valid": valid,
            }
        )
        if not has_spot:
            continue
        shown = (begin > 0) | (depth > 0) | (add > 0) | (pull > 0) | (fill > 0)
        level, side = np.nonzero(shown.T)
        n = len(level)
        here = (side, level)
        values = {
            "window_end": np.full(n, end_ns),
            "price_int": prices[level],
            "side": side,
            "rel_ticks": level - middle,
            "spot_ref_price_int": np.full(n, spot),
            "depth_qty_start": begin[here],
            "depth_qty_end": depth[here],
            "depth_qty_rest": rest[here],
            "order_count_end": np.minimum(depth[here], 3),
            "add_qty": add[here],
            "pull_qty_total": pull[here],
            "pull_qty_rest": pull_rest[here],
            "fill_qty": fill[here],
            "refill_qty": np.zeros(n),
            "reprice_away_qty": away[here],
            "reprice_toward_qty": toward[here],
            "d1_depth_qty": (depth - begin)[here],
            "d2_depth_qty": np.zeros(n),
            "d3_depth_qty": np.zeros(n),
            "window_valid": np.full(n, valid),
        }
        for name, array in values.items():
            columns.setdefault(name, []).append(array)
    wall = pl.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})
    wall = wall.with_columns(
        pl.lit("ESH4").alias("contract"),
        side=pl.Series(np.array(["B", "A"])[wall["side"].to_numpy()].tolist(), dtype=SIDE),
    )
    wall = wall.select(
        pl.col(name).cast(pl.Int64).cast(dtype) if name == "window_end" else pl.col(name).cast(dtype)
        for name, dtype in WALL_SCHEMA.items()
    )
    snapshot = pl.DataFrame(
        shots,
        schema={
            "window_end": pl.Int64,
            "contract": pl.String,
            "mid_price_int": pl.Int64,
            "spot_ref_price_int": pl.Int64,
            "window_valid": pl.Boolean,
        },
    ).with_columns(pl.col("window_end").cast(TIMESTAMP))
    return wall, snapshot


def outside_rth(wall: pl.DataFrame) -> pl.DataFrame:
    """The sparse form: rows with flow or a changed quantity, rows within 20 ticks, and all rows once a minute."""
    flow = pl.sum_horizontal("add_qty", "pull_qty_total", "fill_qty") > 0
    whole_minute = (pl.col("window_end").dt.second() == 1) | (pl.col("window_end") == pl.col("window_end").first())
    return wall.filter(flow | (pl.col("rel_ticks").abs() <= 20) | whole_minute)


def in_blocks(frame: pl.DataFrame, rows: int) -> list[pl.DataFrame]:
    """Cut a frame every `rows` rows, wherever that falls."""
    return [frame[i : i + rows] for i in range(0, frame.height, rows)]


def mirrored(wall: pl.DataFrame) -> pl.DataFrame:
    """The same book reflected about each window's spot: bids become asks at the mirrored distance."""
    return wall.with_columns(
        price_int=2 * pl.col("spot_ref_price_int") - pl.col("price_int"),
        rel_ticks=-pl.col("rel_ticks"),
        side=pl.when(pl.col("side") == "A").then(pl.lit("B", dtype=SIDE)).otherwise(pl.lit("A", dtype=SIDE)),
    ).sort("window_end", "price_int", pl.col("side").to_physical())
