"""`silver.move_measure_1s` from the wall and the snapshot, in blocks of whole windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.calendar import session_dates
from spymaster.market.instruments import Instrument
from spymaster.setups import kernels
from spymaster.setups.contracts import tick_size
from spymaster.surfaces.blocks import WallBlock, nanoseconds, with_snapshot
from spymaster.surfaces.zones import ADD, AWAY, END, FILL, MOVE_QUANTITIES, PULL, START, TOWARD, ZONE_QUANTITIES
from spymaster.tables.move_measure_1s import HORIZONS, MOVE_SIDES, OFI_LEVELS, MoveMeasure1s, measure

WALL_COLUMNS: Final = ("window_end", "price_int", "side", "rel_ticks", *ZONE_QUANTITIES, *MOVE_QUANTITIES)
SNAPSHOT_COLUMNS: Final = (
    "window_end", "contract", "best_bid_price_int", "best_bid_qty", "best_ask_price_int", "best_ask_qty",
    "spot_ref_price_int", "buy_volume", "sell_volume", "none_volume", "message_count", "crossed", "phase",
    "window_valid",
)  # fmt: skip
"""Columns that measures read of `silver.wall_surface_1s` and `silver.book_snapshot_1s`."""

SECOND_NS: Final = 1_000_000_000
LONGEST: Final = max(HORIZONS)
_SUMS: Final = {"q0": 0, "q1": 1, "add": 4, "pull": 5, "fill": 6, "away": 7, "toward": 8}
_CODE: Final = {"bid": 0, "ask": 1}


def measure_frames(
    wall_batches: Iterable[pl.DataFrame],
    snapshot: pl.DataFrame,
    *,
    instrument: Instrument,
    tick_size_int: int,
) -> Iterator[pl.DataFrame]:
    """`silver.move_measure_1s`, block by block.

    wall_batches: rows with `WALL_COLUMNS`, sorted, in batches of any size. snapshot: all rows of the date with
    `SNAPSHOT_COLUMNS`. A block knows nothing of those after it.
    """
    state = kernels.new_state()
    whole = _Seconds(snapshot, tick_size_int, instrument)
    done = 0
    for wall, seconds in with_snapshot(wall_batches, snapshot):
        rows = slice(done, done + seconds.height)
        done += seconds.height
        if seconds.height:
            yield _block(WallBlock.of(wall, moves=True), whole, rows, state)


def session_measures(
    wall: Partition, snapshot: Partition, definitions: Partition, *, instrument: Instrument
) -> Iterator[pl.DataFrame]:
    """`measure_frames` of stored partitions of one date."""
    return measure_frames(
        wall.batches(WALL_COLUMNS),
        snapshot.read(SNAPSHOT_COLUMNS),
        instrument=instrument,
        tick_size_int=tick_size(snapshot, definitions),
    )


class _Seconds:
    """Arrays of one value per second of the date; a value never depends on later seconds."""

    def __init__(self, snapshot: pl.DataFrame, tick: int, instrument: Instrument) -> None:
        self.tick = tick
        self.end = nanoseconds(snapshot["window_end"])
        self.spot = _ticks(snapshot["spot_ref_price_int"], tick)
        self.best = np.stack([_ticks(snapshot[f"best_{side}_price_int"], tick) for side in ("bid", "ask")], axis=1)
        usable = (
            snapshot["window_valid"]
            & ~snapshot["crossed"]
            & (snapshot["phase"].cast(pl.String) == "continuous")
            & snapshot["spot_ref_price_int"].is_not_null()
            & snapshot["best_bid_price_int"].is_not_null()
            & snapshot["best_ask_price_int"].is_not_null()
        ).to_numpy()
        self.valid = _run_length(usable, self.end) > LONGEST  # the second that the longest look-back begins with, too
        mid2 = (snapshot["best_bid_price_int"] + snapshot["best_ask_price_int"]).alias("mid2_int")
        moved = (mid2.diff().abs() / (2 * tick)).fill_null(0.0)
        volume = snapshot["buy_volume"] + snapshot["sell_volume"] + snapshot["none_volume"]
        bid, ask = (snapshot[f"best_{side}_qty"].cast(pl.Float64) for side in ("bid", "ask"))
        self.rows = pl.DataFrame(
            {
                "contract": snapshot["contract"],
                "session_date": pl.Series(session_dates(self.end - SECOND_NS, instrument), dtype=pl.Date),
                "window_end": snapshot["window_end"],
                "spot_ref_price_int": snapshot["spot_ref_price_int"],
                "valid": self.valid,
                "msgs": snapshot["message_count"],
                "absorb": ((volume + instrument.eps_qty) / (1.0 + moved)).log(),
                "queue_imb": ((bid - ask) / (bid + ask)).fill_nan(None),
                "spread_ticks": (snapshot["best_ask_price_int"] - snapshot["best_bid_price_int"]) // tick,
                "mid2_int": mid2,
            }
        )


def _block(wall: WallBlock, whole: _Seconds, rows: slice, state: tuple[np.ndarray, ...]) -> pl.DataFrame:
    end, spot, best = whole.end[rows], whole.spot[rows].copy(), whole.best[rows].copy()
    m = len(end)
    order = (START, ADD, PULL, FILL, AWAY, TOWARD)
    values = np.empty((len(order), wall.rows), dtype=np.int64)
    for k, quantity in enumerate(order):
        values[k] = wall.q[quantity]
    first_row = np.searchsorted(wall.t, np.append(end, end[-1] + 1)).astype(np.int64)
    sums = np.empty((m, 2, len(HORIZONS), 9), dtype=np.int64)
    ofi = np.empty((m, OFI_LEVELS), dtype=np.int64)
    tick = wall.price // whole.tick
    side, depth = wall.side.astype(np.int64), wall.q[END].astype(np.int64)
    kernels.measure(end // SECOND_NS, first_row, tick, side, values, depth, spot, best, *state, sums, ofi)
    columns: dict[str, pl.Series] = {}
    for w, horizon in enumerate(HORIZONS):
        moved = _best_moved(whole, rows, horizon)
        for name in MOVE_SIDES:
            part = sums[:, _CODE[name], w]
            for column, k in _SUMS.items():
                columns[measure(column, name, horizon)] = pl.Series(part[:, k])
            for column, q in (("c0", 0), ("c1", 1)):
                held = part[:, q]
                mean = np.where(held > 0, part[:, q + 2] / np.maximum(held, 1), np.nan)
                columns[measure(column, name, horizon)] = pl.Series(mean).fill_nan(None)
            columns[measure("b", name, horizon)] = pl.Series(moved[:, _CODE[name]])
    columns |= {f"ofi_{level + 1}": pl.Series(ofi[:, level]) for level in range(OFI_LEVELS)}
    frame = whole.rows[rows].with_columns(pl.Series(name, column) for name, column in columns.items())
    kept = ("contract", "session_date", "window_end", "spot_ref_price_int", "valid", "msgs")
    return frame.select(
        (pl.col(name) if name in kept else pl.when("valid").then(pl.col(name))).alias(name).cast(dtype)
        for name, dtype in MoveMeasure1s.schema().items()
    )


def _best_moved(whole: _Seconds, rows: slice, horizon: int) -> np.ndarray:
    """float64[m, 2]: change of the distance of best bid and ask from the spot at the end, ticks per second."""
    now = np.arange(rows.start, rows.stop)
    before = np.maximum(now - horizon, 0)  # rows that look back further are not valid
    spot = whole.spot[now][:, None]
    return (np.abs(whole.best[now] - spot) - np.abs(whole.best[before] - spot)) / horizon


def _run_length(usable: np.ndarray, end: np.ndarray) -> np.ndarray:
    """int64[n]: how many seconds up to each one are usable and follow on one another."""
    n = len(usable)
    index = np.arange(n)
    broken = np.zeros(n, dtype=bool)
    broken[1:] = np.diff(end) != SECOND_NS
    last_bad = np.maximum.accumulate(np.where(~usable, index, -1)) if n else index
    last_gap = np.maximum.accumulate(np.where(broken, index - 1, -1)) if n else index
    return index - np.maximum(last_bad, last_gap)


def _ticks(prices: pl.Series, tick: int) -> np.ndarray:
    """int64[n]: prices in ticks, `kernels.NO_TICK` for none."""
    return (prices // tick).fill_null(kernels.NO_TICK).to_numpy().copy()
