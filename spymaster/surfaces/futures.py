"""The engine pass of a futures session: records in, typed frames of five Silver tables out, block by block.

One pass over the selected contract yields `book_snapshot_1s`, `wall_surface_1s`, `radar_vacuum_1s`, `trade` and
`bbo_change`; `surfaces.frames` makes them of what the kernels emit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date

import numpy as np
import polars as pl

from spymaster.book.engine import BBO, SNAPSHOT, TRADE, WALL, Block, BookEngine, EngineConfig
from spymaster.market.calendar import instrument_phases, rth_window
from spymaster.market.instruments import Instrument
from spymaster.settings import EngineSettings
from spymaster.surfaces.blocks import WallBlock
from spymaster.surfaces.frames import bbo_frame, snapshot_frame, trade_frame, wall_frame
from spymaster.surfaces.radar import RadarBuilder

RADAR = "radar_vacuum_1s"
TABLES = (SNAPSHOT, WALL, RADAR, TRADE, BBO)
"""Every table of the pass, by short name."""

_BLOCK_ROWS = 262_144
"""Wall rows of a block: frames have a cost by the block, which small blocks would pay hundreds of times a day."""


class FuturesPass:
    """One pass over the records of a contract-day, iterated as blocks `{table: frame}` of whole windows.

    records: arrays of `market.dbn.MBO_DTYPE` in file order, cut anywhere; those of other instruments are skipped.
    tables: short names of the tables wanted; only those are computed and yielded (radar needs wall and snapshot, which
    are then computed but not yielded unless wanted).

    After exhaustion `counters` holds what the engine saw and what was odd. Raises `book.errors.BookError`.
    """

    def __init__(
        self,
        records: Iterable[np.ndarray],
        *,
        contract: str,
        instrument_id: int,
        instrument: Instrument,
        tick_size_int: int,
        dt: date,
        tables: Collection[str] = TABLES,
        settings: EngineSettings | None = None,
        source: str = "records",
    ) -> None:
        unknown = set(tables) - set(TABLES)
        if unknown:
            raise ValueError(f"the engine pass has no tables {sorted(unknown)}; it has {list(TABLES)}")
        settings = settings or EngineSettings()
        self._records = records
        self._contract = contract
        self._instrument = instrument
        self._tick = tick_size_int
        self._tables = frozenset(tables)
        emit = self._tables - {RADAR} | ({SNAPSHOT, WALL} if RADAR in self._tables else set())
        self._engine = BookEngine(
            tick_size_int=tick_size_int,
            instrument_id=instrument_id,
            rth=rth_window(dt, instrument.root),
            config=EngineConfig(
                window_ns=settings.window_ns,
                rest_ns=settings.rest_ns,
                grid_ticks=settings.grid_ticks,
                near_ticks=settings.near_ticks,
                block_windows=settings.block_windows,
                block_rows=_BLOCK_ROWS,
            ),
            emit=frozenset(emit),
            source=source,
        )
        self._window_ns = settings.window_ns
        radar = RADAR in self._tables
        self._radar = RadarBuilder(eps_qty=instrument.eps_qty, window_ns=settings.window_ns) if radar else None

    @property
    def counters(self) -> dict[str, int]:
        """Counters of the engine (`book.layout.COUNTER_NAMES`)."""
        return self._engine.counters

    def __iter__(self) -> Iterator[dict[str, pl.DataFrame]]:
        for chunk in self._records:
            yield from map(self._frames, self._engine.process(chunk))
        yield from map(self._frames, self._engine.finish_blocks())

    def _frames(self, block: Block) -> dict[str, pl.DataFrame]:
        contract = self._contract
        frames: dict[str, pl.DataFrame] = {}
        if SNAPSHOT in block:
            columns = block[SNAPSHOT]
            frames[SNAPSHOT] = snapshot_frame(
                columns,
                instrument_phases(columns["window_end"], self._instrument),
                contract=contract,
                tick_size_int=self._tick,
                window_ns=self._window_ns,
            )
        if WALL in self._tables:
            frames[WALL] = wall_frame(block[WALL], contract)
        if self._radar is not None:
            wall = WallBlock.of_columns(block[WALL], moves=True)
            frames[RADAR] = self._radar.update_block(wall, frames[SNAPSHOT])
        if TRADE in block:
            frames[TRADE] = trade_frame(block[TRADE], contract)
        if BBO in block:
            frames[BBO] = bbo_frame(block[BBO], contract)
        return {name: frame for name, frame in frames.items() if name in self._tables}
