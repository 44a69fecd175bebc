"""Jobs: what the schedule, the sensor and `spymaster run` launch. Any selection can be launched without one."""

from __future__ import annotations

import dagster as dg

from spymaster.tables.model import LAYERS
from spymaster_assets.freshness import freshness_checks

ALL_TABLES = dg.define_asset_job(
    "all_tables",
    selection=dg.AssetSelection.groups(*LAYERS) - dg.AssetSelection.checks(freshness_checks),
    description="Every table of a date and symbol, from the raw file on. What is complete and fresh is left as it is.",
)

LAYER_JOBS = [
    dg.define_asset_job(
        f"{layer}_tables",
        selection=dg.AssetSelection.groups(layer) - dg.AssetSelection.checks(freshness_checks),
        description=f"The {layer} tables alone; what they read has to be there.",
    )
    for layer in LAYERS
]
