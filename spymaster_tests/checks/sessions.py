"""A small lake with the futures tables of two sessions, made by the real code, and ways to spoil it.

The market is a quiet one (`quiet.py`), so that every check passes. `spoil` then puts one
violation into one table, past the contract that would have refused it: what a bug in the code, or a bit flip, would do.
"""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from spymaster.lake import Lake
from spymaster.lake.encoding import Encoding
from spymaster.lake.raw import raw_files
from spymaster.market.dbn import SIM_DATASET
from spymaster.market.instruments import instrument
from spymaster.settings import Settings, SetupSettings
from spymaster.tables.model import TableModel
from spymaster_tests.checks.quiet import quiet_session
from spymaster_tests.streams import day_ns, write_raw_day

SYMBOL = "ES"
CONTRACT = "ESH4"
INSTRUMENT_ID = 17077
TABLES = (
    "bronze.future_mbo",
    "bronze.future_definition",
    "bronze.contract_day_selection",
    "silver.book_snapshot_1s",
    "silver.wall_surface_1s",
    "silver.radar_vacuum_1s",
    "silver.trade",
    "silver.bbo_change",
    "silver.vacuum_surface_1s",
    "silver.physics_bands_1s",
    "silver.candle_2m",
    "silver.session_level",
    "silver.move_measure_1s",
    "silver.move_conditions_1s",
    "gold.physics_norm_calibration",
    "gold.move_condition_scale",
    "gold.setup_vector",
    "gold.vector_scaler",
)
"""Tables of the lake. Those that need options, or what options are made into, have lakes of their own."""
EARLIER = datetime.date(2024, 3, 5)
DT = datetime.date(2024, 3, 6)

_START_S = 14 * 3600 + 27 * 60  # three minutes before New York opens: sparse rows, then dense ones


def write_raw(root: Path, dt: datetime.date, *, seed: int, records: int) -> Path:
    """The raw file of a quiet session that starts shortly before regular hours."""
    start = day_ns(dt) + _START_S * 1_000_000_000
    return write_raw_day(root, SYMBOL, dt, quiet_session(seed, records, start_ns=start), contract=CONTRACT)


def build_lake(root: Path, *, records: int = 1500) -> Lake:
    """Two sessions with every one of `TABLES`; the second is calibrated on the first."""
    one_session = Settings(setups=SetupSettings(scale_min_sessions=1, scale_min_sessions_demo=1))
    lake = Lake.open(root, create=True, kind="simulated", settings=one_session)
    for seed, dt in enumerate((EARLIER, DT)):
        write_raw(root, dt, seed=seed, records=records)
        _bronze(lake, dt)
        _engine(lake, dt)
        _physics(lake, dt)
        _setups(lake, dt)
    return lake


def copy_lake(source: Lake, root: Path) -> Lake:
    """A lake of its own with the same content; files are shared until they are replaced."""
    shutil.copytree(source.root, root, copy_function=os.link)
    return Lake.open(root, settings=source.settings.model_copy(deep=True))


def spoil(
    lake: Lake,
    table: str,
    change: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame,
    *,
    counters: dict[str, int] | None = None,
    inputs: Iterable[Any] | None = None,
    dt: datetime.date = DT,
) -> None:
    """Replace a partition by `change` of its rows, with the contract switched off; the manifest is otherwise kept."""
    partition = lake.partition(table, SYMBOL, dt)
    old = partition.manifest
    frame = change(partition.read())
    sources = list(inputs) if inputs is not None else [Recorded(record) for record in old.inputs]
    with (
        mock.patch.object(TableModel, "validate"),
        mock.patch("spymaster.lake.writer.check_continuity"),
        mock.patch("spymaster.lake.writer.Encoding", _PlainEncoding),
        lake.writer(table, SYMBOL, dt) as writer,
    ):
        writer.write(frame)
        writer.commit(
            inputs=sources,
            counters=old.counters | (counters or {}),
            provenance=old.provenance,
            dataset=old.dataset,
            empty_reason="spoilt",
        )


class _PlainEncoding(Encoding):
    """Stores any rows of the table's types: the real one has no place for what the contract refuses."""

    def open(self, sink: Any) -> pq.ParquetWriter:
        return pq.ParquetWriter(sink, self._model.empty().to_arrow().schema)

    def metadata(self) -> dict[str, str]:
        return {}

    def table(self, group: pl.DataFrame) -> pa.Table:
        return group.to_arrow()


class Recorded:
    """An input as the old manifest has it."""

    def __init__(self, record: Any) -> None:
        self._record = record

    def as_input(self) -> Any:
        return self._record


def _bronze(lake: Lake, dt: datetime.date) -> None:
    from spymaster.feed.bronze import future_mbo_frames
    from spymaster.feed.reader import MboFile

    raw = raw_files(lake, SYMBOL, "market_by_order_dbn", dt)
    frames = list(future_mbo_frames(MboFile.open(raw[0].path)))
    _write(lake, "bronze.future_mbo", dt, frames, raw)
    root = instrument(SYMBOL, lake.settings)
    definition = {
        "contract": CONTRACT,
        "instrument_id": INSTRUMENT_ID,
        "expiration": None,
        "tick_size_int": root.tick_size_int,
        "multiplier": root.multiplier,
        "currency": root.currency,
        "exchange": root.exchange,
        "instrument_class": "F",
        "ts_recv": None,
        "origin": "fallback",
    }
    _write(lake, "bronze.future_definition", dt, [_one_row("bronze.future_definition", definition)], raw)
    mbo = lake.partition("bronze.future_mbo", SYMBOL, dt)
    trades = pl.concat(frames).filter(pl.col("action") == "T")
    first = dt == EARLIER
    selection = {
        "contract": CONTRACT,
        "instrument_id": INSTRUMENT_ID,
        "expiration": None,
        "message_count": mbo.rows,
        "trade_count": trades.height,
        "trade_volume": trades["size"].sum(),
        "trade_count_0930_1230": 0,
        "prev_volume": None if first else 1000,
        "is_selected": True,
        "basis": "first_session" if first else "prior_session",
        "prev_trading_date": None if first else EARLIER,
    }
    _write(lake, "bronze.contract_day_selection", dt, [_one_row("bronze.contract_day_selection", selection)], [mbo])


def _engine(lake: Lake, dt: datetime.date) -> None:
    from spymaster.feed.records import records
    from spymaster.surfaces.futures import FuturesPass

    mbo = lake.partition("bronze.future_mbo", SYMBOL, dt)
    root = instrument(SYMBOL, lake.settings)
    engine = FuturesPass(
        records(mbo, CONTRACT),
        contract=CONTRACT,
        instrument_id=INSTRUMENT_ID,
        instrument=root,
        tick_size_int=root.tick_size_int,
        dt=dt,
    )
    blocks = list(engine)
    for name in blocks[0]:
        frames = [block[name] for block in blocks]
        _write(lake, f"silver.{name}", dt, frames, [mbo], counters=engine.counters)


def _physics(lake: Lake, dt: datetime.date) -> None:
    from spymaster.surfaces.bands import physics_bands
    from spymaster.surfaces.calibration import calibrate, select_sessions
    from spymaster.surfaces.vacuum import vacuum_frames

    root = instrument(SYMBOL, lake.settings)
    eps = root.eps_qty
    walls = select_sessions(lake.partitions("silver.wall_surface_1s", SYMBOL), dt, lake.settings)
    frame = calibrate(walls, dt, instrument=root, settings=lake.settings)
    _write(lake, "gold.physics_norm_calibration", dt, [frame], walls)
    calibration = lake.partition("gold.physics_norm_calibration", SYMBOL, dt)
    wall = lake.partition("silver.wall_surface_1s", SYMBOL, dt)
    snapshot = lake.partition("silver.book_snapshot_1s", SYMBOL, dt)
    vacuum = vacuum_frames(wall.batches(), frame, eps_qty=eps)
    _write(lake, "silver.vacuum_surface_1s", dt, vacuum, [wall, calibration])
    bands = physics_bands(wall.batches(), snapshot.read(), frame, eps_qty=eps, weights=lake.settings.bands)
    _write(lake, "silver.physics_bands_1s", dt, bands, [wall, snapshot, calibration])


def _setups(lake: Lake, dt: datetime.date) -> None:
    from spymaster.setups.averages import session_candles
    from spymaster.setups.condition_scale import session_scale
    from spymaster.setups.conditions import move_conditions
    from spymaster.setups.measures import session_measures
    from spymaster.setups.session_levels import session_levels

    def read(table: str) -> list[Any]:
        return lake.partitions(table, SYMBOL, end=dt)

    trades, quotes, snapshots = (read(f"silver.{name}") for name in ("trade", "bbo_change", "book_snapshot_1s"))
    mbo, defined = read("bronze.future_mbo"), read("bronze.future_definition")
    definitions = defined[-1]
    candles = session_candles(trades, quotes, snapshots, mbo, definitions, settings=lake.settings)
    _write(lake, "silver.candle_2m", dt, [candles], [*trades, *quotes, *snapshots, *mbo, definitions])
    bars = read("silver.candle_2m")
    levels = session_levels(bars, trades, quotes, [], defined, settings=lake.settings)
    _write(lake, "silver.session_level", dt, [levels], [*bars, *trades, *quotes, *defined])
    wall, snapshot = (lake.partition(f"silver.{name}", SYMBOL, dt) for name in ("wall_surface_1s", "book_snapshot_1s"))
    root = instrument(SYMBOL, lake.settings)
    measures = session_measures(wall, snapshot, definitions, instrument=root)
    _write(lake, "silver.move_measure_1s", dt, measures, [wall, snapshot, definitions])
    before = lake.partitions("silver.move_measure_1s", SYMBOL, end=dt - datetime.timedelta(days=1))
    defined_before = [one.sibling("bronze.future_definition") for one in before]
    scales = session_scale(before, defined_before, dt, eps_qty=root.eps_qty)
    _write(lake, "gold.move_condition_scale", dt, [scales], [*before, *defined_before])
    own, scale = (
        lake.partition("silver.move_measure_1s", SYMBOL, dt),
        lake.partition("gold.move_condition_scale", SYMBOL, dt),
    )
    conditions = move_conditions(
        own.read(), scale.read(), eps_qty=root.eps_qty, settings=lake.settings.setups, profile=lake.profile
    )
    _write(lake, "silver.move_conditions_1s", dt, [conditions], [own, scale])
    _vectors(lake, dt, [wall, own, lake.partition("silver.trade", SYMBOL, dt), snapshot, bars[-1], scale, definitions])


def _vectors(lake: Lake, dt: datetime.date, inputs: list[Any]) -> None:
    from spymaster.setups.session_vectors import session_vectors
    from spymaster.setups.vector_scaler import select_sessions, session_scaler

    _write(lake, "gold.setup_vector", dt, [session_vectors(*inputs, settings=lake.settings)], inputs)
    before = select_sessions(lake.partitions("gold.setup_vector", SYMBOL), dt, lake.settings)
    _write(lake, "gold.vector_scaler", dt, [session_scaler(before, dt)], before)


def _write(
    lake: Lake,
    table: str,
    dt: datetime.date,
    frames: Iterable[pl.DataFrame],
    inputs: Iterable[Any],
    *,
    counters: dict[str, int] | None = None,
) -> None:
    with lake.writer(table, SYMBOL, dt) as writer:
        for frame in frames:
            writer.write(frame)
        writer.commit(inputs=list(inputs), counters=counters, dataset=SIM_DATASET)


def _one_row(table: str, row: dict[str, Any]) -> pl.DataFrame:
    from spymaster.tables import table as table_model

    return pl.DataFrame([row], schema=table_model(table).schema())
