"""The contract of a stored surface, and its tick."""

from __future__ import annotations

from spymaster.lake.partition import Partition
from spymaster.setups.errors import SetupInputError


def contract_of(partition: Partition) -> str | None:
    """The contract of a futures surface; None of one without rows."""
    return next(iter(partition.scan(["contract"]).head(1).collect()["contract"]), None)


def tick_size(surface: Partition, definitions: Partition) -> int:
    """Tick of the contract of `surface`, 1e-9, by the date's `bronze.future_definition`.

    Of a surface without rows, that of the first contract defined. Raises `SetupInputError` where the contract is not.
    """
    contract = contract_of(surface)
    known = definitions.read(["contract", "tick_size_int"])
    ticks = known["tick_size_int"] if contract is None else known.filter(contract=contract)["tick_size_int"]
    if ticks.is_empty():
        raise SetupInputError(f"{definitions.label} has no row for the selected contract {contract}")
    return int(ticks[0])
