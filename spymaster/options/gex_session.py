"""The pass of gamma exposure of a stored session: from its Bronze and Silver partitions to two Silver tables."""

from __future__ import annotations

from spymaster.lake import Partition
from spymaster.market.instruments import instrument
from spymaster.options.gex import FORWARD_COLUMNS, QUOTE_COLUMNS, SNAPSHOT_COLUMNS, GexPass
from spymaster.options.open_interest import STATISTICS_COLUMNS, interest_steps
from spymaster.options.session_chain import session_chain, why_no_options
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
    contract, chain = session_chain(definitions, selection, settings.options)
    shots = snapshot.read(SNAPSHOT_COLUMNS)
    empty_reason = why_no_options([definitions], contract, chain, settings.options)
    if empty_reason is None and not shots["spot_ref_price_int"].count():
        empty_reason = "no second of the future has a spot"
    return GexPass(
        quotes.batches(QUOTE_COLUMNS, rows=BATCH_ROWS),
        forwards.read(FORWARD_COLUMNS),
        shots,
        chain=chain,
        interest=interest_steps(statistics.read(STATISTICS_COLUMNS), quotes.dt),
        underlying=contract,
        tick_size_int=instrument(quotes.symbol, settings).tick_size_int,
        settings=settings.options,
        empty_reason=empty_reason,
    )
