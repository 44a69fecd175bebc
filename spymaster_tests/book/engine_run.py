"""Running the engine pass in tests: records in, whole tables out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from spymaster.market.instruments import instrument
from spymaster.settings import EngineSettings
from spymaster.surfaces.futures import FuturesPass
from spymaster_tests.streams import DAY

TICK = 250_000_000


def chunked(records: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(records), size):
        yield records[first : first + size].copy()


def engine_tables(
    records: np.ndarray | Iterable[np.ndarray],
    *,
    instrument_id: int = 17077,
    tick: int = TICK,
    dt: date = DAY,
    contract: str = "TEST",
    **settings: Any,
) -> tuple[dict[str, pl.DataFrame], dict[str, int]]:
    """Every table of the pass as one frame each, and the counters."""
    engine_pass = FuturesPass(
        [records] if isinstance(records, np.ndarray) else records,
        contract=contract,
        instrument_id=instrument_id,
        instrument=instrument("ES"),
        tick_size_int=tick,
        dt=dt,
        settings=EngineSettings(**settings),
    )
    blocks = list(engine_pass)
    return {name: pl.concat([block[name] for block in blocks]) for name in blocks[0]}, engine_pass.counters
