"""Silver: second by second and event by event, of the selected contract. One engine pass makes five tables."""

from __future__ import annotations

from spymaster.lake import Partition
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.option_quote_1s import OptionQuote1s
from spymaster.tables.physics_bands_1s import PhysicsBands1s
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.pressure_surface_1s import PressureSurface1s
from spymaster.tables.radar_vacuum_1s import RadarVacuum1s
from spymaster.tables.trade import Trade
from spymaster.tables.vacuum_surface_1s import VacuumSurface1s
from spymaster.tables.wall_surface_1s import WallSurface1s
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import Same
from spymaster_assets.recipe import Session


@lake_assets(
    BookSnapshot1s,
    WallSurface1s,
    RadarVacuum1s,
    Trade,
    BboChange,
    mbo=Same(FutureMbo),
    selection=Same(ContractDaySelection),
    definitions=Same(FutureDefinition),
    lineage={"*": ("ts_event", "order_id", "price_int", "size", "flags", "action", "side")},
    kinds=("numba",),
)
def futures_pass(session: Session, mbo: Partition, selection: Partition, definitions: Partition):
    from spymaster.surfaces.session import session_pass

    return session_pass(mbo, selection, definitions, tables=session.tables, settings=session.settings)


@lake_assets(
    VacuumSurface1s,
    wall=Same(WallSurface1s),
    calibration=Same(PhysicsNormCalibration),
    lineage={
        "*": ("depth_qty_start", "depth_qty_end", "depth_qty_rest", "add_qty", "pull_qty_total", "pull_qty_rest"),
        "fill_share": ("pull_qty_total", "fill_qty"),
    },
)
def vacuum_surface_1s(session: Session, wall: Partition, calibration: Partition):
    from spymaster.surfaces.vacuum import WALL_COLUMNS, vacuum_frames

    return vacuum_frames(
        wall.batches(WALL_COLUMNS),
        calibration.read(),
        eps_qty=session.instrument.eps_qty,
        window_ns=session.settings.engine.window_ns,
    )


@lake_assets(
    PhysicsBands1s,
    wall=Same(WallSurface1s),
    snapshot=Same(BookSnapshot1s),
    calibration=Same(PhysicsNormCalibration),
    lineage={
        "*": ("rel_ticks", "depth_qty_start", "depth_qty_end", "depth_qty_rest", "add_qty", "pull_qty_total", "scale")
    },
)
def physics_bands_1s(session: Session, wall: Partition, snapshot: Partition, calibration: Partition):
    from spymaster.surfaces.bands import SNAPSHOT_COLUMNS, WALL_COLUMNS, physics_bands

    return physics_bands(
        wall.batches(WALL_COLUMNS),
        snapshot.read(SNAPSHOT_COLUMNS),
        calibration.read(),
        eps_qty=session.instrument.eps_qty,
        weights=session.settings.bands,
        window_ns=session.settings.engine.window_ns,
    )


@lake_assets(
    PressureSurface1s,
    wall=Same(WallSurface1s),
    snapshot=Same(BookSnapshot1s),
    calibration=Same(PhysicsNormCalibration),
    quotes=Same(OptionQuote1s, optional=True),
    definitions=Same(OptionDefinition, optional=True),
    lineage={
        "bucket_price_int": ("spot_ref_price_int",),
        "rel_buckets": ("spot_ref_price_int",),
        "book_long": ("add_qty", "pull_qty_total"),
        "book_short": ("add_qty", "pull_qty_total"),
        "trade_long": ("fill_qty",),
        "trade_short": ("fill_qty",),
        "option_long": ("buy_volume", "sell_volume", "delta", "strike_price_int", "right"),
        "option_short": ("buy_volume", "sell_volume", "delta", "strike_price_int", "right"),
        "rest_long": ("depth_qty_rest",),
        "rest_short": ("depth_qty_rest",),
        "has_options": ("instrument_id", "n_rows"),
        "*": (
            "add_qty",
            "pull_qty_total",
            "fill_qty",
            "depth_qty_rest",
            "buy_volume",
            "sell_volume",
            "delta",
            "strike_price_int",
            "right",
            "scale",
        ),
    },
    kinds=("numba",),
)
def pressure_surface_1s(
    session: Session,
    wall: Partition,
    snapshot: Partition,
    calibration: Partition,
    quotes: Partition | None,
    definitions: Partition | None,
):
    from spymaster.surfaces.pressure import pressure_session

    return pressure_session(
        wall, snapshot, calibration, quotes, definitions, instrument=session.instrument, settings=session.settings
    )
