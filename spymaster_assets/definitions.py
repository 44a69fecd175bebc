"""The one entry point of the code location. Assets are found by themselves: adding a table changes nothing here."""

import dagster as dg

from spymaster_assets import assets
from spymaster_assets.freshness import daily_freshness, freshness_checks, freshness_job
from spymaster_assets.io_manager import LakeIOManager
from spymaster_assets.jobs import ALL_TABLES, LAYER_JOBS
from spymaster_assets.resources import LakeResource, lake_resource
from spymaster_assets.schedules import daily_materialisation
from spymaster_assets.sensors import raw_arrival


def definitions(lake: LakeResource) -> dg.Definitions:
    """Everything Dagster is told, for one lake.

    A run works in one process, step by step; a step whose upstream failed for some partitions runs for the others.
    """
    return dg.Definitions(
        assets=dg.load_assets_from_package_module(assets, include_specs=True),
        asset_checks=[freshness_checks],
        jobs=[ALL_TABLES, *LAYER_JOBS, freshness_job],
        schedules=[daily_materialisation, daily_freshness],
        sensors=[raw_arrival],
        resources={"lake": lake, "lake_io": LakeIOManager(lake=lake)},
        executor=dg.in_process_executor.configured(
            {"step_dependency_config": {"require_upstream_step_success": False}}
        ),
    )


defs = definitions(lake_resource())
