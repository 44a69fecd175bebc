"""The pass over the options of a stored session: from its Bronze and Silver partitions to two Silver tables."""

from __future__ import annotations

from collections.abc import Collection

from spymaster.feed.records import option_records
from spymaster.lake import Partition
from spymaster.market.instruments import instrument
from spymaster.options.quotes import SNAPSHOT_COLUMNS, TABLES, OptionPass
from spymaster.options.session_chain import session_chain, why_no_options
from spymaster.settings import Settings


def option_pass(
    mbo: Partition,
    definitions: Partition,
    snapshot: Partition,
    selection: Partition,
    *,
    tables: Collection[str] = TABLES,
    settings: Settings | None = None,
) -> OptionPass:
    """The pass over the options of a date and root.

    mbo, definitions, snapshot, selection: partitions of `bronze.option_mbo`, `bronze.option_definition`,
    `silver.book_snapshot_1s` and `bronze.contract_day_selection` of the same date and root. tables: short names of the
    tables wanted. A date without records of options, without definitions, or without options of the universe gives a
    pass without rows; `empty_reason` of it says which.
    """
    settings = settings or Settings()
    contract, chain = session_chain(definitions, selection, settings.options)
    return OptionPass(
        option_records(mbo),
        chain=chain,
        snapshot=snapshot.read(SNAPSHOT_COLUMNS),
        contract=contract,
        future_tick=instrument(mbo.symbol, settings).tick_size,
        settings=settings.options,
        tables=tables,
        window_ns=settings.engine.window_ns,
        empty_reason=why_no_options([mbo, definitions], contract, chain, settings.options),
    )
