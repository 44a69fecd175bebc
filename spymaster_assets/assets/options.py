"""Silver of options: quotes and volatilities second by second, what they are priced against, and what follows."""

from __future__ import annotations

from spymaster.lake import Partition
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.gex_level_1m import GexLevel1m
from spymaster.tables.gex_surface_1s import GexSurface1s
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.option_forward_1s import OptionForward1s
from spymaster.tables.option_mbo import OptionMbo
from spymaster.tables.option_quote_1s import OptionQuote1s
from spymaster.tables.option_statistics import OptionStatistics
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import Same
from spymaster_assets.recipe import Session

_OF_QUOTE = ("ts_event", "order_id", "price_int", "size", "flags", "action", "side")
_OF_OPTION = ("strike_price_int", "right", "expiration", "underlying", "tick_size_int", "ts_recv")


@lake_assets(
    OptionQuote1s,
    OptionForward1s,
    mbo=Same(OptionMbo),
    definitions=Same(OptionDefinition),
    snapshot=Same(BookSnapshot1s),
    selection=Same(ContractDaySelection),
    lineage={
        "*": _OF_QUOTE,
        **dict.fromkeys(("iv", "delta", "gamma", "reject_reason"), (*_OF_QUOTE, *_OF_OPTION, "mid_price")),
        "forward": (*_OF_QUOTE, "mid_price", "strike_price_int", "underlying"),
        "parity_gap_ticks": (*_OF_QUOTE, "mid_price", "strike_price_int"),
        "years": ("expiration",),
    },
    kinds=("numba",),
)
def option_quotes(session: Session, mbo: Partition, definitions: Partition, snapshot: Partition, selection: Partition):
    from spymaster.options.session import option_pass

    made = option_pass(mbo, definitions, snapshot, selection, tables=session.tables, settings=session.settings)
    yield from made
    session.counters |= made.counters
    session.empty_reason = made.empty_reason


_OF_GAMMA = ("iv", "gamma", "forward", "years", "strike_price_int", "right", "expiration", "multiplier")
_OF_INTEREST = (*_OF_GAMMA, "quantity", "stat_type", "ts_recv", "ts_ref", "update")
_OF_FLOW = (*_OF_GAMMA, "buy_volume", "sell_volume")


@lake_assets(
    GexSurface1s,
    GexLevel1m,
    quotes=Same(OptionQuote1s),
    forwards=Same(OptionForward1s),
    definitions=Same(OptionDefinition),
    statistics=Same(OptionStatistics),
    snapshot=Same(BookSnapshot1s),
    selection=Same(ContractDaySelection),
    lineage={
        "*": _OF_INTEREST,
        "underlying": ("contract",),
        **dict.fromkeys(("gamma_call", "gamma_put", "iv", "moneyness"), _OF_GAMMA),
        **dict.fromkeys(("oi_call", "oi_put"), ("quantity", "stat_type", "ts_recv", "ts_ref", "update")),
        **dict.fromkeys(("flow_gex", "flow_gex_total"), _OF_FLOW),
        **dict.fromkeys(("strike_price_int", "strike_points"), ("strike_price_int", "spot_ref_price_int")),
        "rel_ticks": ("strike_price_int", "spot_ref_price_int"),
    },
    kinds=("numba",),
)
def gamma_exposure(
    session: Session,
    quotes: Partition,
    forwards: Partition,
    definitions: Partition,
    statistics: Partition,
    snapshot: Partition,
    selection: Partition,
):
    from spymaster.options.gex_session import gex_pass

    made = gex_pass(quotes, forwards, definitions, statistics, snapshot, selection, settings=session.settings)
    session.empty_reason = made.empty_reason
    yield from made
    session.counters |= made.counters
