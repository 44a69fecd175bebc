"""The other programs that Spymaster is measured against, each behind one function that takes records or a file.

They are optional: `uv run --group bench ...` installs them. Where one is missing its cases are left out, and said so.
What each does differs: mbo-queue rebuilds FIFO queues (no surfaces) from columns that are prepared outside the clock;
nautilus_trader decodes the file into one object per book delta (trades and fills dropped) and applies them to a
level-3 book; the dictionary books keep orders and depth alone, or queues and best prices too, as a level-3 book does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dict_book import DictBook, QueueBook


def has_mbo_queue() -> bool:
    """Whether mbo-queue is installed."""
    return importlib.util.find_spec("mboq") is not None


def has_nautilus() -> bool:
    """Whether nautilus_trader is installed."""
    return importlib.util.find_spec("nautilus_trader") is not None


def mbo_queue(records: np.ndarray, tick_size_int: int, *, label_ticks: int) -> Callable[[], Any]:
    """mbo-queue's C++ rebuild; `label_ticks` -1 asks for queues only, 5 (its default) also labels resting orders."""
    from mboq import fast  # pyright: ignore[reportMissingImports]

    types = {"ts_event": "u8", "order_id": "u8", "price": "i8", "size": "u8", "flags": "u1", "action": "u1",
             "side": "u1"}  # fmt: skip
    columns = {name: np.ascontiguousarray(records[name], dtype=dtype) for name, dtype in types.items()}
    return lambda: fast.run(columns, tick=tick_size_int, label_ticks=label_ticks)


def dict_book(records: np.ndarray, *, queues: bool) -> Callable[[], Any]:
    """A plain Python book on the same records: with queues and best prices, or orders and depth only."""

    def run() -> DictBook | QueueBook:
        book = QueueBook() if queues else DictBook()
        book.apply(records)
        return book

    return run


def nautilus_load(path: Path, *, legacy: bool) -> Callable[[], list[Any]]:
    """nautilus_trader's Databento loader: one delta object per book record (Cython objects if `legacy`, else Rust)."""
    from nautilus_trader.adapters.databento.loaders import (  # pyright: ignore[reportMissingImports]
        DatabentoDataLoader,
    )
    from nautilus_trader.model.identifiers import InstrumentId  # pyright: ignore[reportMissingImports]

    loader, instrument = DatabentoDataLoader(), InstrumentId.from_str("ESH6.GLBX")
    return lambda: loader.from_dbn_file(path, instrument_id=instrument, price_precision=2, as_legacy_cython=legacy)


def nautilus_apply(deltas: list[Any], *, legacy: bool) -> Any:
    """Apply loaded deltas to a level-3 book of nautilus_trader and return it."""
    if legacy:
        from nautilus_trader.model.book import OrderBook  # pyright: ignore[reportMissingImports]
        from nautilus_trader.model.enums import BookType  # pyright: ignore[reportMissingImports]
        from nautilus_trader.model.identifiers import InstrumentId  # pyright: ignore[reportMissingImports]

        book = OrderBook(InstrumentId.from_str("ESH6.GLBX"), BookType.L3_MBO)
    else:
        from nautilus_trader.core import nautilus_pyo3 as rust  # pyright: ignore[reportMissingImports]

        book = rust.OrderBook(rust.InstrumentId.from_str("ESH6.GLBX"), rust.BookType.L3_MBO)
    apply = book.apply_delta
    for delta in deltas:
        apply(delta)
    return book


def nautilus(path: Path, *, legacy: bool) -> Callable[[], Any]:
    """Load and apply, from the file."""
    load = nautilus_load(path, legacy=legacy)
    return lambda: nautilus_apply(load(), legacy=legacy)
