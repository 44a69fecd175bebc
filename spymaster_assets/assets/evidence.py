"""Silver and Gold of the search for automation: what every order did."""

from __future__ import annotations

from spymaster.lake import Partition
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.order_event import OrderEvent
from spymaster.tables.order_life import OrderLife
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import Same
from spymaster_assets.recipe import Session


@lake_assets(
    OrderEvent,
    OrderLife,
    mbo=Same(FutureMbo),
    selection=Same(ContractDaySelection),
    definitions=Same(FutureDefinition),
    quotes=Same(BboChange),
    lineage={
        "*": ("ts_event", "order_id", "price_int", "size", "flags", "action", "side"),
        "dist_ticks": ("price_int", "bid_price_int", "ask_price_int"),
        "dist_add": ("price_int", "bid_price_int", "ask_price_int"),
    },
    kinds=("numba",),
)
def order_lives(session: Session, mbo: Partition, selection: Partition, definitions: Partition, quotes: Partition):
    from spymaster.surfaces.lives import session_lives

    return session_lives(mbo, selection, definitions, quotes, settings=session.settings)
