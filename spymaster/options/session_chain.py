"""What every pass over the options of a stored session begins with: the contract, its chain, and why there is none."""

from __future__ import annotations

from collections.abc import Iterable

from spymaster.lake import Partition
from spymaster.options.chain import DEFINITION_COLUMNS, Chain
from spymaster.settings import OptionSettings


def session_chain(definitions: Partition, selection: Partition, settings: OptionSettings) -> tuple[str, Chain]:
    """The selected contract of a date and root ("" if there is none), and the options that the session prices.

    definitions, selection: partitions of `bronze.option_definition` and `bronze.contract_day_selection`.
    """
    chosen = selection.read(["contract", "is_selected"]).filter("is_selected")["contract"].to_list()
    contract = chosen[0] if chosen else ""
    return contract, Chain.universe(definitions.read(DEFINITION_COLUMNS), definitions.dt, contract, settings)


def why_no_options(needed: Iterable[Partition], contract: str, chain: Chain, settings: OptionSettings) -> str | None:
    """Why a session has no options, in words: `needed` without rows, or a chain without series; else None."""
    for partition in needed:
        if not partition.rows:
            return f"{partition.table} has no rows: {partition.manifest.empty_reason or 'nothing in the file'}"
    if len(chain):
        return None
    left_out = ", ".join(f"{count} {reason}" for reason, count in chain.left_out.items())
    on = "any future" if settings.underlying == "all" else contract or "a contract (none is selected)"
    return f"no option on {on} expires within {settings.max_days} days; left out: {left_out or 'none'}"
