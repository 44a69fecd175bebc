"""Raw files as external assets: the root of all lineage.

Nothing here makes a raw file. They arrive through `spymaster raw add`, `spymaster download` or `spymaster simulate`,
and a partition is shown as materialised once the Bronze asset that reads it has seen its file.
"""

from __future__ import annotations

import dagster as dg

from spymaster.lake.layout import PRODUCT_TYPES
from spymaster_assets.metadata import OWNERS, raw_key
from spymaster_assets.partitions import session_partitions
from spymaster_assets.resources import load_settings

_DESCRIPTIONS = {
    "market_by_order_dbn": (
        "Market-by-order records of one UTC date, every instrument, as Databento (or the simulator) wrote them."
    ),
    "definition": "Instrument definitions of one UTC date or more (DBN schema `definition`).",
    "statistics": "Open interest, settlements, session prices and volume (DBN schema `statistics`).",
}
_OF = {"future": "Futures of the root", "future_option": "Options on them"}


def _optional(product_type: str, table: str) -> str:
    return "" if (product_type, table) == ("future", "market_by_order_dbn") else " Optional."


raw_files = [
    dg.AssetSpec(
        raw_key(table, product_type),
        description=f"{_OF[product_type]}. {description}{_optional(product_type, table)} Never changed or deleted.",
        group_name="raw",
        owners=OWNERS,
        kinds={"file"},
        partitions_def=session_partitions(load_settings()),
        metadata={"path": f"raw/source=*/product_type={product_type}/symbol=*/table={table}/*.dbn[.zst]"},
    )
    for product_type in PRODUCT_TYPES
    for table, description in _DESCRIPTIONS.items()
]
