"""Gold: what is learned from many sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from spymaster.lake import Partition
from spymaster.settings import Settings
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.option_quote_1s import OptionQuote1s
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.wall_surface_1s import WallSurface1s
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History
from spymaster_assets.recipe import Session


def _calibration_sessions(walls: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    from spymaster.surfaces.calibration import select_sessions

    return select_sessions(walls, dt, settings)


@lake_assets(
    PhysicsNormCalibration,
    sessions=History(WallSurface1s, -30, 0, select=_calibration_sessions),
    quotes=History(OptionQuote1s, -30, 0, dates_of="sessions"),
    definitions=History(OptionDefinition, -30, 0, dates_of="sessions"),
    lineage={
        "*": (
            "rel_ticks",
            "depth_qty_start",
            "depth_qty_end",
            "depth_qty_rest",
            "add_qty",
            "pull_qty_total",
            "fill_qty",
            "buy_volume",
            "sell_volume",
            "delta",
            "strike_price_int",
            "right",
        )
    },
)
def physics_norm_calibration(
    session: Session, sessions: Sequence[Partition], quotes: Sequence[Partition], definitions: Sequence[Partition]
):
    from spymaster.surfaces.calibration import calibrate

    return calibrate(
        sessions,
        session.dt,
        instrument=session.instrument,
        settings=session.settings,
        quotes=quotes,
        definitions=definitions,
    )
