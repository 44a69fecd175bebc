"""The pass over the options of a stored session: from its Bronze and Silver partitions to two Silver tables."""

from __future__ import annotations

from collections.abc import Collection

from spymaster.feed.records import option_records
from spymaster.lake import Partition
from spymaster.market.instruments import instrument
from spymaster.options.chain import DEFINITION_COLUMNS, Chain
from spymaster.options.quotes import SNAPSHOT_COLUMNS, TABLES, OptionPass
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
    chosen = selection.read(["contract", "is_selected"]).filter("is_selected")["contract"].to_list()
    contract = chosen[0] if chosen else ""
    rows = definitions.read(DEFINITION_COLUMNS)
    chain = Chain.universe(rows, mbo.dt, contract, settings.options)
    return OptionPass(
        option_records(mbo),
        chain=chain,
        snapshot=snapshot.read(SNAPSHOT_COLUMNS),
        contract=contract,
        future_tick=instrument(mbo.symbol, settings).tick_size,
        settings=settings.options,
        tables=tables,
        window_ns=settings.engine.window_ns,
        empty_reason=_empty_reason(mbo, definitions, chain, contract, settings),
    )


def _empty_reason(
    mbo: Partition, definitions: Partition, chain: Chain, contract: str, settings: Settings
) -> str | None:
    """Why the session has no quotes, in words; None where it has."""
    for partition in (mbo, definitions):
        if not partition.rows:
            return f"{partition.table} has no rows: {partition.manifest.empty_reason or 'nothing in the file'}"
    if len(chain):
        return None
    left_out = ", ".join(f"{count} {reason}" for reason, count in chain.left_out.items())
    on = contract or "a contract (none is selected)"
    where = "any future" if settings.options.underlying == "all" else on
    return f"no option on {where} expires within {settings.options.max_days} days; left out: {left_out or 'none'}"
