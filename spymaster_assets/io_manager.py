"""Between Dagster and the lake: inputs arrive as lazy handles, outputs are in the lake when they are handed over.

A table's rows never pass through Dagster. An asset commits each partition through the lake's writer while it runs, so
that a killed run keeps what it had finished; what it yields is the list of partitions it vouches for, and what the
next asset is given is a `TableInput`: the partitions that its partition mapping allows, looked up when they are asked
for.
"""

from __future__ import annotations

import dagster as dg

from spymaster.lake.errors import MissingPartitionError
from spymaster.tables import table
from spymaster_assets.errors import no_vain_retries
from spymaster_assets.inputs import TableInput
from spymaster_assets.partitions import SessionKey, session_keys
from spymaster_assets.resources import LakeResource


def full_name(key: dg.AssetKey) -> str:
    """`layer.table` of an asset key."""
    return ".".join(key.path)


class LakeIOManager(dg.ConfigurableIOManager):
    """See the module."""

    lake: LakeResource

    def load_input(self, context: dg.InputContext) -> TableInput:
        """Handles of the upstream partitions of this run (Dagster names them in no particular order)."""
        with no_vain_retries():
            lake, model = self.lake.open(), table(full_name(context.asset_key))
            return TableInput(lake, model, frozenset(session_keys(context.asset_partition_keys)))

    def handle_output(self, context: dg.OutputContext, obj: list[SessionKey]) -> None:
        """Make sure that what the asset vouches for is there; raises `MissingPartitionError` naming what is not."""
        with no_vain_retries():
            lake, name = self.lake.open(), full_name(context.asset_key)
            missing = [str(session) for session in obj if not lake.has(name, session.symbol, session.dt)]
            if missing:
                raise MissingPartitionError(
                    f"{name} was reported as written but has no partition for {', '.join(missing)}"
                )
