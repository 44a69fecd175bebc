"""The engine pass of a futures session: records in, typed frames of five Silver tables out, block by block.

One pass over the selected contract yields `book_snapshot_1s`, `wall_surface_1s`, `radar_vacuum_1s`, `trade` and
`bbo_change`. What the kernels emit as integers becomes frames here: nulls, enumerations, mid and micro-price, phases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date

import numpy as np
import polars as pl

from spymaster.book.engine import BBO, SNAPSHOT, TRADE, WALL, Block, BookEngine, EngineConfig
from spymaster.book.layout import NO_PRICE
from spymaster.market.calendar import phases, rth_window
from spymaster.market.instruments import Instrument
from spymaster.settings import EngineSettings
from spymaster.surfaces.radar import RadarBuilder
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.radar_vacuum_1s import RadarVacuum1s
from spymaster.tables.trade import Trade
from spymaster.tables.types import AGGRESSOR, BOOK_STATE, PHASE, SIDE, TIMESTAMP
from spymaster.tables.wall_surface_1s import WallSurface1s

RADAR = "radar_vacuum_1s"
TABLES = (SNAPSHOT, WALL, RADAR, TRADE, BBO)
"""Every table of the pass, by short name."""


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
        self._root = instrument.root
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
        frames: dict[str, pl.DataFrame] = {}
        if SNAPSHOT in block:
            frames[SNAPSHOT] = self._snapshot(block[SNAPSHOT])
        if WALL in block:
            frames[WALL] = self._wall(block[WALL])
        if self._radar is not None:
            frames[RADAR] = self._radar.update(frames[WALL], frames[SNAPSHOT]).select(RadarVacuum1s.schema().names())
        if TRADE in block:
            frames[TRADE] = self._trade(block[TRADE])
        if BBO in block:
            frames[BBO] = self._bbo(block[BBO])
        return {name: frame for name, frame in frames.items() if name in self._tables}

    def _snapshot(self, columns: dict[str, np.ndarray]) -> pl.DataFrame:
        frame = pl.DataFrame(columns)
        bid, ask = pl.col("best_bid_price_int"), pl.col("best_ask_price_int")
        ends = columns["window_end"]
        return (
            frame.with_columns(
                _null_prices(
                    "best_bid_price_int",
                    "best_ask_price_int",
                    "last_trade_price_int",
                    "last_trade_ts",
                    "spot_ref_price_int",
                    "trade_open_price_int",
                    "trade_high_price_int",
                    "trade_low_price_int",
                )
            )
            .with_columns(
                *_null_where(bid.is_null(), "best_bid_qty", "best_bid_orders"),
                *_null_where(ask.is_null(), "best_ask_qty", "best_ask_orders"),
                window_start=pl.col("window_end") - self._window_ns,
                contract=pl.lit(self._contract),
                phase=_enum(phases(ends, self._root), PHASE),
                book_state=_enum(columns["book_state"], BOOK_STATE),
                spot_age_s=(pl.col("window_end") - pl.col("last_trade_ts")) / 1e9,
                mid_price=(bid + ask) / 2e9,
                mid_price_int=(bid + ask) // 2,
                spread_ticks=(ask - bid) // self._tick,
                micro_price=(
                    bid * pl.col("best_ask_qty").cast(pl.Float64) + ask * pl.col("best_bid_qty").cast(pl.Float64)
                )
                / (pl.col("best_bid_qty") + pl.col("best_ask_qty"))
                / 1e9,
            )
            .select(_as(BookSnapshot1s.schema()))
        )

    def _wall(self, columns: dict[str, np.ndarray]) -> pl.DataFrame:
        sides = _enum(columns["side"], SIDE)
        frame = pl.DataFrame({name: values for name, values in columns.items() if name != "side"})
        return frame.with_columns(side=sides, contract=pl.lit(self._contract)).select(_as(WallSurface1s.schema()))

    def _trade(self, columns: dict[str, np.ndarray]) -> pl.DataFrame:
        frame = pl.DataFrame(columns).with_columns(
            *_null_where(pl.col("l1_qty_before") < 0, "l1_qty_before"),
            contract=pl.lit(self._contract),
            aggressor=_enum(columns["aggressor"], AGGRESSOR),
        )
        return frame.select(_as(Trade.schema()))

    def _bbo(self, columns: dict[str, np.ndarray]) -> pl.DataFrame:
        frame = (
            pl.DataFrame(columns)
            .with_columns(_null_prices("bid_price_int", "ask_price_int"), contract=pl.lit(self._contract))
            .with_columns(
                *_null_where(pl.col("bid_price_int").is_null(), "bid_qty", "bid_orders"),
                *_null_where(pl.col("ask_price_int").is_null(), "ask_qty", "ask_orders"),
            )
        )
        return frame.select(_as(BboChange.schema()))


def _null_where(condition: pl.Expr, *names: str) -> list[pl.Expr]:
    return [pl.when(~condition).then(pl.col(name)).alias(name) for name in names]


def _null_prices(*names: str) -> list[pl.Expr]:
    return [pl.when(pl.col(name) != NO_PRICE).then(pl.col(name)).alias(name) for name in names]


def _enum(codes: np.ndarray, dtype: pl.Enum) -> pl.Series:
    """Codes are positions in the enumeration."""
    return pl.Series(codes.astype(np.uint8)).cat.to(dtype)


def _as(schema: pl.Schema) -> list[pl.Expr]:
    """Every column of a table in its order and type; integers of ns become timestamps."""
    return [
        pl.col(name).cast(pl.Int64).cast(dtype) if dtype == TIMESTAMP else pl.col(name).cast(dtype)
        for name, dtype in schema.items()
    ]
