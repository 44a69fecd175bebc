"""Raw files as external assets: the root of all lineage.

Nothing here makes a raw file. They arrive through `spymaster raw add`, `spymaster download` or `spymaster simulate`,
and a partition is shown as materialised once the Bronze asset that reads it has seen its file.
"""

from __future__ import annotations

import dagster as dg

from spymaster_assets.metadata import OWNERS, raw_key
from spymaster_assets.partitions import session_partitions
from spymaster_assets.resources import load_settings

_DESCRIPTIONS = {
    "market_by_order_dbn": (
        "Market-by-order records of one UTC date, every contract of the root, as Databento (or the simulator) wrote "
        "them. Never changed or deleted."
    ),
    "definition": (
        "Instrument definitions of one UTC date (DBN schema `definition`). Optional. Never changed or deleted."
    ),
}

raw_files = [
    dg.AssetSpec(
        raw_key(table),
        description=description,
        group_name="raw",
        owners=OWNERS,
        kinds={"file"},
        partitions_def=session_partitions(load_settings()),
        metadata={"path": f"raw/source=*/product_type=future/symbol=*/table={table}/*.dbn[.zst]"},
    )
    for table, description in _DESCRIPTIONS.items()
]
