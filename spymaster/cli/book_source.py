"""Where `inspect book` takes its records from: a DBN file, or the lake's `future_mbo`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spymaster.cli.ladder import choose_contract, root_of

if TYPE_CHECKING:
    from spymaster.lake import Lake, Partition


@dataclass(frozen=True)
class BookSource:
    """Records of a file or partition, and the contract wanted from them."""

    chunks: Iterator[np.ndarray]
    contract: str
    instrument_id: int
    tick_size_int: int
    dt: date


def from_file(file: Path, symbol: str | None, contract: str | None) -> BookSource:
    """A DBN file; the tick size is that of the root's configuration."""
    from spymaster.feed.reader import MboFile
    from spymaster.market.instruments import instrument

    opened = MboFile.open(file)
    number, name = choose_contract(opened.metadata.symbols, contract, file)
    root = instrument(symbol or root_of(file.absolute(), name))
    return BookSource(iter(opened.chunks()), name, number, root.tick_size_int, opened.metadata.dt)


def from_lake(root: Path, symbol: str | None, dt: date | None, contract: str | None) -> BookSource:
    """The `future_mbo` partition of a session; the contract is the selected one unless another is named."""
    from spymaster.cli.pick import pick
    from spymaster.feed.records import records
    from spymaster.lake import Lake
    from spymaster.market.instruments import instrument

    lake = Lake.open(root)
    partition = pick(lake, "bronze.future_mbo", symbol, dt)
    pairs = partition.scan(["contract", "instrument_id"]).unique().collect(engine="streaming")
    symbols = {number: name for name, number in pairs.iter_rows()}
    number, name = choose_contract(symbols, contract or _selected(lake, partition), partition.label)
    tick = _defined_tick(lake, partition, name) or instrument(partition.symbol, lake.settings).tick_size_int
    return BookSource(records(partition, name), name, number, tick, partition.dt)


def _selected(lake: Lake, partition: Partition) -> str | None:
    """The contract that Silver is built from, where that choice has been made."""
    import polars as pl

    if not lake.has("bronze.contract_day_selection", partition.symbol, partition.dt):
        return None
    rows = lake.partition("bronze.contract_day_selection", partition.symbol, partition.dt).read()
    chosen = rows.filter(pl.col("is_selected"))
    return None if chosen.is_empty() else str(chosen["contract"][0])


def _defined_tick(lake: Lake, partition: Partition, contract: str) -> int | None:
    """Tick size of the contract's definition of that date, in 1e-9."""
    import polars as pl

    if not lake.has("bronze.future_definition", partition.symbol, partition.dt):
        return None
    rows = lake.partition("bronze.future_definition", partition.symbol, partition.dt).read(
        ["contract", "tick_size_int"]
    )
    ticks = rows.filter(pl.col("contract") == contract)["tick_size_int"]
    return int(ticks[0]) if len(ticks) else None
