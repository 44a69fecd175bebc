"""The pass of gamma exposure of a stored session: from its Bronze and Silver partitions to two Silver tables."""

from __future__ import annotations

import polars as pl

from spymaster.lake import Partition
from spymaster.market.instruments import instrument
from spymaster.options.chain import DEFINITION_COLUMNS, Chain
from spymaster.options.gex import FORWARD_COLUMNS, QUOTE_COLUMNS, SNAPSHOT_COLUMNS, GexPass
from spymaster.options.open_interest import STATISTICS_COLUMNS, interest_steps
from spymaster.settings import Settings

BATCH_ROWS = 262_144


def gex_pass(
    quotes: Partition,
    forwards: Partition,
    definitions: Partition,
    statistics: Partition,
    snapshot: Partition,
    selection: Partition,
    *,
    settings: Settings | None = None,
) -> GexPass:
    """The pass over the options of a date and root.

    quotes, forwards, definitions, statistics, snapshot, selection: partitions of `silver.option_quote_1s`,
    `silver.option_forward_1s`, `bronze.option_definition`, `bronze.option_statistics`, `silver.book_snapshot_1s` and
    `bronze.contract_day_selection` of the same date and root. A date without options of the universe gives a pass
    without rows, and `empty_reason` says so.
    """
    settings = settings or Settings()
    chosen = selection.read(["contract", "is_selected"]).filter("is_selected")["contract"].to_list()
    contract = chosen[0] if chosen else ""
    chain = Chain.universe(definitions.read(DEFINITION_COLUMNS), quotes.dt, contract, settings.options)
    shots = snapshot.read(SNAPSHOT_COLUMNS)
    return GexPass(
        quotes.batches(QUOTE_COLUMNS, rows=BATCH_ROWS),
        forwards.read(FORWARD_COLUMNS),
        shots,
        chain=chain,
        interest=interest_steps(statistics.read(STATISTICS_COLUMNS), quotes.dt),
        underlying=contract,
        tick_size_int=instrument(quotes.symbol, settings).tick_size_int,
        settings=settings.options,
        empty_reason=_empty_reason(definitions, chain, shots, contract),
    )


def _empty_reason(definitions: Partition, chain: Chain, shots: pl.DataFrame, contract: str) -> str | None:
    """Why the session has no grid, in words; None where it has one."""
    if not definitions.rows:
        return f"{definitions.table} has no rows: {definitions.manifest.empty_reason or 'nothing in the file'}"
    if not len(chain):
        left_out = ", ".join(f"{count} {reason}" for reason, count in chain.left_out.items())
        on = contract or "a contract (none is selected)"
        return f"no option on {on} belongs to the universe; left out: {left_out or 'none'}"
    if not shots["spot_ref_price_int"].count():
        return "no second of the future has a spot"
    return None
