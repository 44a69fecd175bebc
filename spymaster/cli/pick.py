"""Which partition a command means: symbol and date may be left out where the lake leaves no choice."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from spymaster.errors import SpymasterError

if TYPE_CHECKING:
    from spymaster.lake import Lake, Partition


class WhichSymbolError(SpymasterError):
    """Several symbols have partitions of the table and none was named."""


def pick(lake: Lake, table: str, symbol: str | None, dt: date | None) -> Partition:
    """The partition of a table: of the only symbol unless one is named, of the latest date unless one is named."""
    from spymaster.lake import MissingPartitionError
    from spymaster.tables import table as table_model

    name = table_model(table).full_name
    if symbol is not None and dt is not None:
        return lake.partition(name, symbol, dt)
    found = lake.partitions(name, symbol, dt, dt)
    if not found:
        asked = " ".join(str(part) for part in (symbol, dt) if part is not None)
        raise MissingPartitionError(
            f"no complete partition of {name}{' for ' + asked if asked else ''} in {lake.root}",
            hint="`spymaster status` shows what there is",
        )
    symbols = sorted({partition.symbol for partition in found})
    if len(symbols) > 1:
        raise WhichSymbolError(f"{name} has partitions of {', '.join(symbols)}", hint="name one with --symbol")
    return found[-1]
