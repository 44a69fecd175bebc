"""Typed frames of what the engine emits as integers: nulls, enumerations, mid and micro-price, phases.

Columns are taken over as they are wherever the type allows: a block of the wall is a frame without a copy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.book.layout import NO_PRICE
from spymaster.tables import TableModel
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.model import PolarsType
from spymaster.tables.order_event import OrderEvent
from spymaster.tables.order_life import OrderLife
from spymaster.tables.trade import Trade
from spymaster.tables.wall_surface_1s import WallSurface1s

Columns = Mapping[str, np.ndarray]
Missing = Mapping[str, NDArray[np.bool_]]


def wall_frame(columns: Columns, contract: str) -> pl.DataFrame:
    """`silver.wall_surface_1s` of `layout.WALL_WIDE`, `WALL_INT` and `WALL_FLAGS` columns."""
    return _frame(WallSurface1s, columns, {}, contract, view=True)


def snapshot_frame(
    columns: Columns, phases: np.ndarray, *, contract: str, tick_size_int: int, window_ns: int
) -> pl.DataFrame:
    """`silver.book_snapshot_1s` of `layout.SNAPSHOT_COLUMNS` columns and the phase of each window."""
    bid, ask = columns["best_bid_price_int"], columns["best_ask_price_int"]
    bid_qty, ask_qty = columns["best_bid_qty"], columns["best_ask_qty"]
    ends, last_ts = columns["window_end"], columns["last_trade_ts"]
    no_bid, no_ask = bid == NO_PRICE, ask == NO_PRICE
    one_sided = no_bid | no_ask
    both_qty = bid_qty + ask_qty
    # Where a side is empty its price is a stand-in: such a result is nonsense, and null.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        derived = {
            "window_start": ends - window_ns,
            "phase": phases,
            "spot_age_s": (ends - last_ts) * 1e-9,
            "mid_price": (bid + ask) * 0.5e-9,
            "mid_price_int": (bid + ask) // 2,
            "spread_ticks": np.where(one_sided, 0, (ask - bid) // tick_size_int),
            "micro_price": (bid * ask_qty.astype(np.float64) + ask * bid_qty.astype(np.float64)) / both_qty * 1e-9,
        }
    missing = {
        **_no_price(
            columns,
            "best_bid_price_int",
            "best_ask_price_int",
            "last_trade_price_int",
            "spot_ref_price_int",
            "trade_open_price_int",
            "trade_high_price_int",
            "trade_low_price_int",
        ),
        **dict.fromkeys(("best_bid_qty", "best_bid_orders"), no_bid),
        **dict.fromkeys(("best_ask_qty", "best_ask_orders"), no_ask),
        **dict.fromkeys(("mid_price", "mid_price_int", "spread_ticks"), one_sided),
        "micro_price": one_sided | (both_qty == 0),
        "spot_age_s": last_ts == NO_PRICE,
    }
    return _frame(BookSnapshot1s, {**columns, **derived}, missing, contract)


def trade_frame(columns: Columns, contract: str) -> pl.DataFrame:
    """`silver.trade` of `layout.TRADE_COLUMNS` columns."""
    return _frame(Trade, columns, {"l1_qty_before": columns["l1_qty_before"] < 0}, contract)


def bbo_frame(columns: Columns, contract: str) -> pl.DataFrame:
    """`silver.bbo_change` of `layout.BBO_COLUMNS` columns."""
    no_bid, no_ask = columns["bid_price_int"] == NO_PRICE, columns["ask_price_int"] == NO_PRICE
    missing: Missing = {
        **dict.fromkeys(("bid_price_int", "bid_qty", "bid_orders"), no_bid),
        **dict.fromkeys(("ask_price_int", "ask_qty", "ask_orders"), no_ask),
    }
    return _frame(BboChange, columns, missing, contract)


def event_frame(columns: Columns, contract: str) -> pl.DataFrame:
    """`silver.order_event` of `book.lives.layout.EVENT_COLUMNS` columns."""
    names = ("prev_price_int", "size_before", "size_after", "dist_ticks", "rel_ticks")
    return _frame(OrderEvent, columns, _no_price(columns, *names), contract)


def life_frame(columns: Columns, contract: str) -> pl.DataFrame:
    """`silver.order_life` of `book.lives.layout.LIFE_COLUMNS` columns."""
    names = ("ts_last_reprice", "event_id_add", "event_id_end", "dist_add", "queue_ahead_add")
    return _frame(OrderLife, columns, _no_price(columns, *names), contract)


def _no_price(columns: Columns, *names: str) -> Missing:
    return {name: columns[name] == NO_PRICE for name in names}


def _frame(
    model: type[TableModel], columns: Columns, missing: Missing, contract: str, *, view: bool = False
) -> pl.DataFrame:
    """The columns of a table in its order and types, null where `missing` says so.

    A `view` keeps the whole block alive. That suits the wall, which fills its block and is soon written; frames of a
    few rows, which wait for others to fill a row group, must let go of it.
    """
    rows = len(next(iter(columns.values())))
    if not view:
        columns = {name: np.array(values) for name, values in columns.items()}
    return pl.DataFrame(
        [
            pl.Series(name, [contract]).new_from_index(0, rows)
            if name == "contract"
            else _column(name, columns[name], dtype, missing.get(name))
            for name, dtype in model.schema().items()
        ]
    )


def _column(name: str, values: np.ndarray, dtype: PolarsType, missing: NDArray[np.bool_] | None) -> pl.Series:
    """A column of the type: integers of ns become timestamps, codes their place in an enumeration."""
    if isinstance(dtype, pl.Enum):
        return pl.Series(name, values.astype(np.uint8)).cat.to(dtype)
    column = pl.Series(name, values)
    if missing is not None and missing.any():
        column = column.set(pl.Series(missing), None)
    return column if column.dtype == dtype else column.cast(dtype)
