"""Silver of options: quotes and volatilities second by second, what they are priced against, and what follows."""

from __future__ import annotations

from spymaster.lake import Partition
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.option_forward_1s import OptionForward1s
from spymaster.tables.option_mbo import OptionMbo
from spymaster.tables.option_quote_1s import OptionQuote1s
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
